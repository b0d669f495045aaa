"""Brings the rows of a table into a suite's cases: all of them, or none. Asks no model.

Nothing is written unless every row can be a case, or bad rows are to be left out; then they are counted and named.
"""

from __future__ import annotations

import os
import tempfile
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import msgspec

from harness.cases import load_cases
from harness.errors import UserError
from harness.importing import Columns, Read, read_rows, refuse_bad, together
from harness.schema import Case
from harness.tables import Hub, is_table, rows_of

if TYPE_CHECKING:
    from harness.suite import Suite

Mode = Literal["append", "replace"]


def bring(source: str, into: str, columns: Columns, hub: Hub, mode: Mode | None, skip_bad: bool) -> list[str]:
    """Write the rows of `source` into the suite's cases; returns what there is now, in lines."""
    from harness.plan import load_suite_gates
    from harness.power.briefly import briefly
    from harness.starting.begin import only_suite

    folder = _folder(into)
    suite = only_suite(folder)
    if suite.cases_path is None:
        raise UserError(
            f"{suite.name} builds its cases by code or reads them from the hub: Suite(cases=...) names no file. Write "
            'cases="cases.jsonl"'
        )
    if is_table(str(suite.cases_path)):
        raise UserError(f"{suite.cases_path}: cases are added to JSONL files. Add the rows to this table yourself")
    path = Path(os.path.relpath(suite.cases_path))
    present = present_cases(path, mode)
    found = read_rows(rows_of(source, columns.names, hub), columns, suite, present)
    if not skip_bad:
        said = "cannot be cases, and nothing was written (--skip-bad leaves them out)"
        refuse_bad(source, found.problems, len(found.cases), said)
    cases = [*present, *found.cases]
    refuse_unfit(suite, found, cases, columns)
    write_cases(path, cases)
    suite = only_suite(folder)
    kept = f", after {len(present):,} that were there" if present else ""
    return [
        *(f"left out: {line}" for line in together(found.problems)),
        *([f"left out in all: {len(found.problems):,} rows"] if found.problems else []),
        f"written: {path}: {len(found.cases):,} cases{kept}",
        *summary(suite, suite.cases, columns),
        *briefly(suite, load_suite_gates(suite, None)),
    ]


def _folder(into: str) -> Path:
    from harness.starting.names import suite_name
    from harness.starting.placing import ROOT

    folder = ROOT.joinpath(*suite_name(into))
    if not folder.is_dir():
        raise UserError(f"{folder}: no such suite. Make it with: tunegate init {'/'.join(suite_name(into))}")
    return folder


def refuse_unfit(suite: Suite, found: Read, cases: Sequence[Case], columns: Columns) -> None:
    """Refuse new cases that the prompt cannot be filled with, and cases that lack what slices and gates name."""
    from harness.gatefile import gate_ids
    from harness.plan import load_suite_gates
    from harness.prompts import messages

    if not found.cases:
        raise UserError("no row could be used, so nothing was written. Expected a row a case below the column names")
    try:
        for case in found.cases:
            messages(suite.template, case)
    except UserError as error:
        given = ", ".join(columns.input)
        raise UserError(f"{error}. Name a column for it with --input NAME=COLUMN, beside {given}") from None
    values = {tag: sorted({c.tags[tag] for c in cases if tag in c.tags}) for tag in suite.slices}
    empty = [tag for tag, seen in values.items() if not seen]
    if empty:
        raise UserError(
            f"{suite.name} tells cases apart by {empty[0]!r}, and no row has it. Name its column with --tag "
            f"{empty[0]}=COLUMN, or take it out of Suite(slices=...) and gates.toml"
        )
    gate_ids(load_suite_gates(suite, None), values, suite.name)


def present_cases(path: Path, mode: Mode | None) -> list[Case]:
    """Cases that stay. A file with cases asks for a mode: UserError where none is given."""
    if not path.exists() or not path.read_bytes().strip() or mode == "replace":
        return []
    if mode == "append":
        return list(load_cases(path))
    lines = len(path.read_bytes().splitlines())
    raise UserError(f"{path} has {lines:,} cases already: say --append to keep them, or --replace to drop them")


def write_cases(path: Path, cases: Iterable[Case]) -> None:
    """Put the cases in place of the file at once: a failure leaves the old file."""
    text = b"".join(msgspec.json.encode(case) + b"\n" for case in cases)
    try:
        with tempfile.NamedTemporaryFile(dir=path.parent, prefix=".cases-", delete=False) as file:
            try:
                file.write(text)
                file.flush()
                os.fsync(file.fileno())
                Path(file.name).chmod(0o644 if not path.exists() else path.stat().st_mode & 0o777)
                Path(file.name).replace(path)
            except BaseException:
                Path(file.name).unlink(missing_ok=True)
                raise
    except OSError as error:
        raise UserError(f"{path}: cannot be written ({error.strerror}); it is as it was") from None


def summary(suite: Suite, cases: Sequence[Case], columns: Columns) -> list[str]:
    """Counts of cases, contracts and tags; what is worth a second look."""
    from harness.starting.files import EXAMPLE

    clusters = Counter(case.cluster for case in cases)
    lines = [f"{suite.cluster}s: {len(clusters):,}; most cases of one: {max(clusters.values()):,}"]
    if columns.cluster is None:
        lines[0] += f"; no --cluster was named, so every new case counts as a {suite.cluster} of its own"
    empty = sum(not case.expected for case in cases)
    lines += [f"cases that expect nothing: {empty:,}"] if empty else []
    examples = sum(case.tags.items() >= EXAMPLE.items() for case in cases)
    lines += [f"examples of `tunegate init` that are still there: {examples}"] if examples else []
    for tag in dict.fromkeys(tag for case in cases for tag in case.tags if tag not in EXAMPLE):
        values = Counter(case.tags[tag] for case in cases if tag in case.tags)
        shown = ", ".join(f"{value!r} {count:,}" for value, count in values.most_common(12))
        more = f" and {len(values) - 12:,} more" if len(values) > 12 else ""
        lacking = len(cases) - values.total()
        apart = "" if tag in suite.slices else f' (to judge them apart, write slices=["{tag}"] in the test file)'
        lines.append(f"tag {tag}: {shown}{more}{f', without it {lacking:,}' if lacking else ''}{apart}")
    if (suite.folder / "baseline.json").exists():
        lines.append("baseline.json was accepted on other cases: run the accepted model again and accept that run")
    return lines
