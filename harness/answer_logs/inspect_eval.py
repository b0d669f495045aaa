"""Read answers from Inspect's `.eval` logs: ZIP files with one JSON file per sample, compressed with Zstandard."""

from __future__ import annotations

import sys
import zipfile
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from msgspec import Struct, field

from harness.answer_logs.logged import LoggedAnswer, Repeat, decoded, texts_in
from harness.errors import MissingExtra, UserError, first_line
from harness.files import MEMORY_BYTES, shown_path, size_of

EXPECTED = "Expected the .eval log of a finished Inspect evaluation"
CUT = ("max_tokens", "model_length", "length")
"""Reasons to stop at a limit of tokens; `length` is that of older logs."""


class _Eval(Struct):
    model: str


class _Header(Struct):
    eval: _Eval


class _Error(Struct):
    message: str


class _Message(Struct):
    content: Any = ""


class _Choice(Struct):
    message: _Message = field(default_factory=_Message)
    stop_reason: str = ""


class _Output(Struct):
    completion: str = ""
    choices: list[_Choice] = field(default_factory=list)
    error: str | None = None


class _Sample(Struct):
    id: str | int
    epoch: Repeat
    input: Any
    output: _Output = field(default_factory=_Output)
    error: _Error | None = None


def answers(path: Path) -> Iterator[LoggedAnswer]:
    """Yield the answer of each sample, and of each epoch as a repeat. Raises MissingExtra without Zstandard."""
    size_of(path, EXPECTED)
    if sys.version_info < (3, 14):
        if find_spec("zipfile_zstd") is None:
            raise MissingExtra("--format inspect", "zipfile-zstd", "inspect")
        import zipfile_zstd  # noqa: F401 - teaches zipfile the compression
    try:
        archive = zipfile.ZipFile(path)
    except zipfile.BadZipFile:
        raise UserError(f"{shown_path(path)}: is no ZIP file, or is cut off. {EXPECTED}") from None
    with archive:
        names = archive.namelist()
        if "header.json" not in names:
            raise UserError(f"{shown_path(path)}: has no header.json. {EXPECTED}")
        model = decoded(_content(archive, "header.json"), _Header, f"{shown_path(path)}: header.json", EXPECTED)
        for name in names:
            if name.startswith("samples/"):
                sample = decoded(_content(archive, name), _Sample, f"{shown_path(path)}: {name}", EXPECTED)
                yield _answer(name, sample, model.eval.model)


def _answer(name: str, sample: _Sample, model: str) -> LoggedAnswer:
    output = sample.output
    failure = sample.error.message if sample.error else output.error
    return LoggedAnswer(
        where=name,
        text=output.completion or _first_text(output),
        ids=(str(sample.id),),
        prompts=tuple(texts_in(sample.input)),
        model=model,
        repeat=sample.epoch,
        is_cut=any(choice.stop_reason in CUT for choice in output.choices[:1]),
        error=failure or ("" if output.choices else "the sample has no output"),
    )


def _first_text(output: _Output) -> str:
    """Return the text of the first choice: logs of older versions have no `completion`."""
    content = output.choices[0].message.content if output.choices else ""
    if isinstance(content, str):
        return content
    parts = [part for part in content or () if isinstance(part, dict) and part.get("type") == "text"]
    return "".join(str(part.get("text", "")) for part in parts)


def _content(archive: zipfile.ZipFile, name: str) -> bytes:
    where = f"{shown_path(Path(str(archive.filename)))}: {name}"
    if archive.getinfo(name).file_size > MEMORY_BYTES:
        raise UserError(f"{where}: is larger than {MEMORY_BYTES >> 20} MiB. {EXPECTED}")
    try:
        return archive.read(name)
    except Exception as error:  # Each kind of compression raises its own.
        raise UserError(f"{where}: cannot be read: {first_line(error)}. {EXPECTED}") from None
