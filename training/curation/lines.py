"""Reads rows again as the bytes they were written in, and writes files with their digests. Knows no check."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

from harness.digest import file_sha256
from harness.errors import UserError
from harness.tables import is_table
from training.rows import Row, source_sha256


def place(row: Row) -> tuple[str, int]:
    """File and line of a row."""
    file, _, number = row.where.rpartition(":")
    return file, int(number)


def raw_lines(rows: Sequence[Row]) -> Iterator[tuple[int, bytes]]:
    """Index and line of every row, without the line's end; rows are in the order of their files' lines."""
    waiting = list(enumerate(rows))[::-1]
    while waiting:
        file = place(waiting[-1][1])[0]
        if is_table(file):
            index, row = waiting.pop()
            yield index, _as_line(row)
            continue
        with Path(file).open("rb") as lines:
            for number, line in enumerate(lines, 1):
                if waiting and place(waiting[-1][1]) == (file, number):
                    yield waiting.pop()[0], line.removeprefix(b"\xef\xbb\xbf").rstrip(b"\r\n")


def _as_line(row: Row) -> bytes:
    """The row of a table as a line of JSON."""
    source = {"document": row.document} if row.document else {}
    return json.dumps({"messages": row.chat, **source}, ensure_ascii=False).encode()


def write_lines(path: Path, lines: Iterable[bytes]) -> dict[str, Any]:
    """Write lines and return what a manifest says of the file."""
    count = 0
    with path.open("wb") as file:
        for line in lines:
            file.write(line + b"\n")
            count += 1
    return {"file": path.name, "rows": count, "sha256": file_sha256(path)}


def inputs(rows: Sequence[Row]) -> list[dict[str, Any]]:
    """What a manifest says of the files that rows came from."""
    counts: dict[str, int] = {}
    for row in rows:
        file = place(row)[0]
        counts[file] = counts.get(file, 0) + 1
    return [{"file": file, "rows": count, "sha256": source_sha256(file)} for file, count in counts.items()]


def write_manifest(folder: Path, made_by: str, content: dict[str, Any]) -> Path:
    """Write manifest.json. It holds no time, so that equal work gives equal bytes."""
    path = folder / "manifest.json"
    whole = {"made_by": made_by, "tunegate": version("tunegate"), **content}
    path.write_text(json.dumps(whole, indent=1, ensure_ascii=False) + "\n", "utf-8")
    return path


def output_folder(out: Path, files: Sequence[str], names: Iterable[str]) -> Path:
    """Make a folder for files of these names; one that would write over an input is a UserError."""
    read = {Path(file).resolve() for file in files}
    over = [name for name in names if (out / name).resolve() in read]
    if over:
        raise UserError(f"{out / over[0]} is also read. Choose another folder with --out")
    try:
        out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UserError(f"{out}: cannot be written ({error.strerror}). Choose another folder with --out") from None
    return out
