"""`tunegate data clean`: the rows that a review keeps, with personal data masked, a data card, a manifest and a report.

    <out>/<name of each file or table>.jsonl   dropped.jsonl   data_card.md   report.html   manifest.json

Rows without masks are written byte for byte as they were read.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

import msgspec

from harness.errors import UserError
from harness.files import file_sha256, replacing, write_atomic
from harness.suites.tables import ARRAY, HUB, TABLES, is_table, parted
from training.curation import data_card, render
from training.curation.checks import pii
from training.curation.personal_data import Mask
from training.curation.review import CHECKS, SKIP, Review
from training.curation.review import review as run
from training.data.rows import DOCUMENT_FIELDS, TrainingRow, source_sha256


def place(row: TrainingRow) -> tuple[str, int]:
    """Return file and line of a row."""
    file, _, number = row.where.rpartition(":")
    return file, int(number)


def raw_lines(rows: Sequence[TrainingRow]) -> Iterator[tuple[int, bytes]]:
    """Yield index and line of every row, without the line end; rows must be in the order of their files' lines.

    Raises UserError where a file has lost lines since its rows were read.
    """
    waiting = list(enumerate(rows))[::-1]
    while waiting:
        file = place(waiting[-1][1])[0]
        if is_table(file):
            index, row = waiting.pop()
            yield index, _as_line(row)
            continue
        before = len(waiting)
        with Path(file).open("rb") as lines:
            for number, line in enumerate(lines, 1):
                if waiting and place(waiting[-1][1]) == (file, number):
                    yield waiting.pop()[0], line.removeprefix(b"\xef\xbb\xbf").rstrip(b"\r\n")
        if len(waiting) == before:
            raise UserError(f"{waiting[-1][1].where}: this line is gone; the file changed since it was read. Run again")


def _as_line(row: TrainingRow) -> bytes:
    """Encode the row of a table as a line of JSON."""
    context = {"base_context": msgspec.to_builtins(row.base_context)} if row.base_context else {}
    return json.dumps({"messages": row.chat, **context, **row.sources}, ensure_ascii=False).encode()


OTHER_FOLDER = "Choose another folder with --out"


def write_lines(path: Path, lines: Iterable[bytes], hint: str = OTHER_FOLDER) -> dict[str, Any]:
    """Write a whole file of lines and return its entry for a manifest. Raises UserError with the hint."""
    count = 0
    with replacing(path, hint, parents=True) as file:
        for line in lines:
            file.write(line + b"\n")
            count += 1
    return {"file": path.name, "rows": count, "sha256": file_sha256(path)}


def inputs(rows: Sequence[TrainingRow]) -> list[dict[str, Any]]:
    """Return the manifest entries of the files that rows came from."""
    counts: dict[str, int] = {}
    for row in rows:
        file = place(row)[0]
        counts[file] = counts.get(file, 0) + 1
    return [{"file": file, "rows": count, "sha256": source_sha256(file)} for file, count in counts.items()]


def write_manifest(folder: Path, made_by: str, content: dict[str, Any]) -> Path:
    """Write manifest.json, without a time so that equal input gives equal bytes; return its path."""
    path = folder / "manifest.json"
    manifest = {"made_by": made_by, "tunegate": version("tunegate"), **content}
    write_atomic(path, json.dumps(manifest, indent=1, ensure_ascii=False) + "\n", OTHER_FOLDER)
    return path


def output_folder(out: Path, files: Sequence[str], names: Sequence[str], made_by: str) -> Path:
    """Create a folder for files of these names, which the command `made_by` writes.

    Raises UserError where it cannot be created, and where a file would overwrite one of the input `files`, or one that
    this command did not write.
    """
    input_paths = {Path(file).resolve() for file in files}
    overwritten = [name for name in names if (out / name).resolve() in input_paths]
    if overwritten:
        raise UserError(f"{out / overwritten[0]} is an input file. {OTHER_FOLDER}")
    manifest = out / "manifest.json"
    is_ours = manifest.is_file() and f'"made_by": "{made_by}"'.encode() in manifest.read_bytes()
    others = [] if is_ours else [name for name in names if (out / name).exists()]
    if others:
        raise UserError(
            f"{out / others[0]} exists, and no manifest.json there says that `{made_by}` wrote it. Remove it, or "
            "choose another folder with --out"
        )
    try:
        out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UserError(f"{out}: cannot be written ({error.strerror}). {OTHER_FOLDER}") from None
    return out


DROPPED, CARD, REPORT = "dropped.jsonl", "data_card.md", "report.html"
MADE_BY = "tunegate data clean"


def clean(review: Review, out: Path) -> list[Path]:
    """Write everything into `out` and return the paths, first those of the rows, one per input.

    Raises UserError where no row is left, and where two input files have the same name.
    """
    names = [output_name(file) for file in review.files]
    twice = [name for name, count in Counter([*names, DROPPED]).items() if count > 1]
    if twice:
        raise UserError(f"{twice[0]}: two files have that name. Clean them one at a time")
    if not review.rows_after:
        raise UserError(f"{', '.join(review.files)}: no row is left. See the report of `tunegate data check`")
    folder = output_folder(out, review.files, [*names, DROPPED, CARD, REPORT, "manifest.json"], MADE_BY)
    masks: Counter[str] = Counter()
    lines = _kept_lines(review, masks)
    outputs = [write_lines(folder / name, lines[file]) for file, name in zip(review.files, names, strict=True)]
    outputs.append(write_lines(folder / DROPPED, _dropped(review)))
    left = _review_written(
        review, [str(folder / name) for file, name in zip(review.files, names, strict=True) if lines[file]]
    )
    facts = manifest(review, left, outputs, masks)
    write_atomic(folder / CARD, data_card.render(review, left, facts), OTHER_FOLDER)
    write_atomic(folder / REPORT, render.render_html(review), OTHER_FOLDER)
    manifest_path = write_manifest(folder, MADE_BY, facts)
    return [*(folder / name for name in names), folder / DROPPED, folder / CARD, folder / REPORT, manifest_path]


def output_name(file: str) -> str:
    """Return the name of the file for the rows of an input; the rows of tables are written as JSON lines."""
    name, split = parted(file)
    path = Path(name.partition("@")[0] if name.startswith(HUB) else name)
    if not is_table(file):
        return path.name
    stem = path.stem if path.suffix.lower() in (*TABLES, ARRAY) else path.name
    return f"{stem}-{split}.jsonl" if split else f"{stem}.jsonl"


def _review_written(review: Review, files: Sequence[str]) -> Review:
    """Review the written rows: their statistics, and the personal data left in them."""
    others = {check.name: SKIP for check in CHECKS if check.action != "keep" and check is not pii.CHECK}
    actions = {pii.CHECK.name: "flag", **others}
    return run(files, msgspec.structs.replace(review.settings, actions=actions))


def _kept_lines(review: Review, masks: Counter[str]) -> dict[str, list[bytes]]:
    """Return the lines to write by file, and count the masked passages by type in `masks`."""
    lines: dict[str, list[bytes]] = {file: [] for file in review.files}
    names = Mask()
    for index, line in raw_lines(review.sample.rows):
        if index in review.drops:
            continue
        if index in review.masked:
            line = masked(line, masks, names)
        lines[place(review.sample.rows[index])[0]].append(line)
    masks.update(names.counts)
    return lines


def masked(line: bytes, counts: Counter[str], names: Mask) -> bytes:
    """Mask the personal data in one row's line, and count it by type in `counts`.

    `names` masks the names of documents, for all rows of a run, so that one document keeps one name.
    """
    raw: dict[str, Any] = msgspec.json.decode(line)
    mask = Mask()
    for name, value in raw.items():
        if name not in DOCUMENT_FIELDS:
            raw[name] = _masked_texts(value, mask)
        elif value is not None and (masked_name := names(str(value))) != str(value):
            raw[name] = masked_name
    counts.update(mask.counts)
    return msgspec.json.encode(raw)


def _masked_texts(value: Any, mask: Mask) -> Any:
    """Mask every text of a value; the names of roles hold no personal data."""
    if isinstance(value, str):
        return mask(value)
    if isinstance(value, list):
        return [_masked_texts(one, mask) for one in value]
    return {name: _masked_texts(one, mask) for name, one in value.items()} if isinstance(value, dict) else value


def _dropped(review: Review) -> Iterator[bytes]:
    """Yield a line for each dropped row: its place, the check that drops it, and why."""
    findings = {(run.name, f.row): f for run in review.results for f in run.result.findings}
    for index, check in sorted(review.drops.items()):
        finding = findings[check, index]
        row = {"row": review.sample.where(index), "check": check, "reason": finding.reason, "other": finding.other}
        yield json.dumps(row, ensure_ascii=False).encode()


def manifest(review: Review, left: Review, outputs: Sequence[dict[str, Any]], masks: Counter[str]) -> dict[str, Any]:
    """Return the manifest's facts: input, settings, counts and output."""
    unit, before, _ = review.size
    return {
        "inputs": inputs(review.sample.rows),
        "outputs": list(outputs),
        "settings": msgspec.to_builtins(review.settings),
        "rows": {"before": review.rows_before, "after": left.rows_before, "masked": len(review.masked)},
        unit: {"before": before, "after": left.size[1]},
        "dropped": dict(sorted(review.dropped_by.items())),
        "masks": dict(sorted(masks.items())),
        "pii_left": sum(len(r.result.findings) for r in left.results if r.name == pii.CHECK.name),
        "checks": {
            result.name: {
                "action": result.action,
                "rows": len(result.result.findings),
                "skipped": result.result.skipped,
                "counts": result.result.counts,
            }
            for result in review.results
        },
    }
