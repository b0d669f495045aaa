"""Makes cases of the rows of a table, by named columns. Knows no file format and writes no file.

Every row that cannot be a case is kept with its line and why, in words that say what to do.
"""

from __future__ import annotations

import json
import math
import os
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import msgspec
from msgspec import Struct, field

from harness.errors import UserError
from harness.files import write_atomic
from harness.formatting import first_few, plural
from harness.schema import Case
from harness.suites.cases import load_cases, problem_of
from harness.suites.tables import Hub, TableRow, is_table, rows_of

if TYPE_CHECKING:
    from harness.suites.suite import Suite


MOST_SHOWN = 40
"""Different problems that are shown in full."""


class ImportColumns(Struct, frozen=True, kw_only=True):
    """Which column is what."""

    id: str
    """Names the case."""
    input: dict[str, str]
    """Variables of the prompt, by name."""
    expected: str
    """The right answer."""
    cluster: str | None = None
    """What the case comes from; None makes each case its own."""
    tags: dict[str, str] = field(default_factory=dict)
    """Tags, by name."""
    separator: str | None = None
    """What stands between several right answers in one cell; None: only a JSON list is several."""
    none: str | None = None
    """What an expected cell says where there is none; None: every cell must say something."""

    @property
    def names(self) -> list[str]:
        """Every column that is read."""
        cluster = [self.cluster] if self.cluster else []
        return [self.id, *self.input.values(), self.expected, *cluster, *self.tags.values()]


class ImportedRows(Struct, kw_only=True):
    """What rows came to."""

    cases: list[Case] = field(default_factory=list)
    """Those that can be used."""
    problems: list[tuple[str, str]] = field(default_factory=list)
    """Where a row stands that cannot, and why."""


class Bad(Exception):
    """Why a row cannot be used."""


def read_rows(rows: Iterable[TableRow], columns: ImportColumns, suite: Suite, present: Sequence[Case]) -> ImportedRows:
    """Cases of rows, each checked by the suite's scorers and against all before it; `present` ones are in the suite."""
    found = ImportedRows()
    ids = {case.id: "the suite" for case in present}
    texts = {_content(case): "the suite" for case in present}
    for row in rows:
        try:
            if row.problem:
                raise Bad(row.problem)
            case = _case(row.cells, columns)
            _check(case, suite, ids, texts)
        except Bad as bad:
            found.problems.append((row.where, str(bad)))
            continue
        ids[case.id] = texts[_content(case)] = row.where
        found.cases.append(case)
    return found


def _case(cells: Mapping[str, Any], columns: ImportColumns) -> Case:
    name = filled(cells, columns.id)
    if not name.isprintable():
        raise Bad(f"id {name!r} holds a character that cannot be seen. Use letters, digits, '-', '/' and '.'")
    return Case(
        id=name,
        input={key: filled(cells, column, whole=True) for key, column in columns.input.items()},
        expected=_expected(_cell(cells, columns.expected), columns),
        cluster=filled(cells, columns.cluster) if columns.cluster else name,
        tags={key: text for key, column in columns.tags.items() if (text := _text(_cell(cells, column), column))},
    )


def _check(case: Case, suite: Suite, ids: Mapping[str, str], texts: Mapping[str, str]) -> None:
    if case.id in ids:
        raise Bad(f"id {case.id!r} is that of {ids[case.id]} too. Ids must be unique")
    problems = [problem_of(case, {}, 0), *suite.problems(case)]
    if said := [text for text in problems if text]:
        raise Bad("; ".join(said))
    if (first := texts.get(_content(case))) is not None:
        raise Bad(f"asks what {first} asks. A case that stands twice counts twice: leave one out")


def _content(case: Case) -> str:
    """What two cases that ask the same have in common: their inputs, whatever the white space."""
    return json.dumps({name: text.split() for name, text in sorted(case.input.items())})


def _cell(cells: Mapping[str, Any], column: str) -> Any:
    """The value of a column; `answers.text` may lie inside `answers`."""
    if column in cells:
        return cells[column]
    value: Any = cells
    for part in column.split("."):
        if not isinstance(value, Mapping) or part not in value:
            raise Bad(f"there is no {column!r}. It has: {', '.join(map(repr, cells))}")
        value = value[part]
    return value


def filled(cells: Mapping[str, Any], column: str, whole: bool = False) -> str:
    """Text of a cell that must not be empty; `whole` keeps the white space around it."""
    text = _text(_cell(cells, column), column, whole)
    if not text.strip():
        raise Bad(f"{column!r} is empty. Fill it in, or leave the row out")
    return text


def _text(value: Any, column: str, whole: bool = False) -> str:
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return ""
    if isinstance(value, bool):
        value = "true" if value else "false"
    if isinstance(value, (bytes, list, dict, tuple)):
        raise Bad(f"{column!r} is a {type(value).__name__}, expected text. Name a column of text")
    text = str(value).replace("\r\n", "\n").replace("\r", "\n")
    try:
        text.encode("utf-8")
    except UnicodeEncodeError:
        raise Bad(f"{column!r} holds half a character (a lone surrogate). Write the row again as UTF-8") from None
    return text if whole else text.strip()


def _expected(value: Any, columns: ImportColumns) -> list[str]:
    """The right answers of one cell: a list, a JSON list, texts between separators, or one text."""
    column = columns.expected
    if isinstance(value, Mapping):
        return [_text(json.dumps(value, ensure_ascii=False, default=str), column)]
    if isinstance(value, (list, tuple)):
        return _several(value, column)
    text = _text(value, column)
    if columns.none is not None and text.casefold() == columns.none.strip().casefold():
        return []
    if not text:
        raise Bad(f"{column!r} is empty. Fill it in, or say --none '' where an empty cell means that there is none")
    if text.startswith("[") and text.endswith("]"):
        try:
            return _several(json.loads(text), column)
        except (ValueError, RecursionError):
            raise Bad(f"""{column!r} looks like a list and is no JSON: {text[:40]!r}. Write ["a", "b"]""") from None
    return _several(text.split(columns.separator), column) if columns.separator else [text]


def _several(values: Sequence[Any], column: str) -> list[str]:
    found = [_text(value, column) for value in values]
    if "" in found:
        raise Bad(f"{column!r} has an empty entry: {found}. Take it out")
    return found


def refuse_bad(source: str, problems: Sequence[tuple[str, str]], good: int, said: str) -> None:
    """Name every bad row in one UserError, beside how many are `good`; return where there is none."""
    if problems:
        told = "\n".join(f"  {line}" for line in group_messages(problems))
        raise UserError(f"{source}: {len(problems):,} of {len(problems) + good:,} rows {said}\n{told}")


def group_messages(problems: Sequence[tuple[str, str]]) -> list[str]:
    """One line a problem, with every row that has it."""
    by_text: dict[str, list[str]] = {}
    for where, text in problems:
        by_text.setdefault(text, []).append(where)
    told = [f"{_ranges(where)}: {text}" for text, where in list(by_text.items())[:MOST_SHOWN]]
    rest = [one for where in list(by_text.values())[MOST_SHOWN:] for one in where]
    return told + ([f"and {_ranges(rest)}, each with a problem of its own"] if rest else [])


def _ranges(where: Sequence[str]) -> str:
    """`line 2`, or `lines 2-4, 9`."""
    word = where[0].split()[0]
    runs: list[list[int]] = []
    for number in (int(one.split()[1]) for one in where):
        if runs and number == runs[-1][-1] + 1:
            runs[-1] = [runs[-1][0], number]
        else:
            runs.append([number, number])
    shown = ", ".join(f"{a}" if a == b else f"{a}-{b}" for a, b in runs)
    return f"{word}{'s' if len(where) > 1 else ''} {shown}"


Mode = Literal["append", "replace"]


def import_table(
    source: str, into: str, columns: ImportColumns, hub: Hub, mode: Mode | None, skip_bad: bool
) -> list[str]:
    """Write the rows of `source` into the suite's cases; returns what there is now, in lines."""
    from harness.gates.config import load_suite_gates
    from harness.gates.power_view import power_summary
    from harness.scaffold.create import only_suite

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
        *(f"left out: {line}" for line in group_messages(found.problems)),
        *([f"left out in all: {len(found.problems):,} rows"] if found.problems else []),
        f"written: {path}: {len(found.cases):,} cases{kept}",
        *summary(suite, suite.cases, columns),
        *power_summary(suite, load_suite_gates(suite, None)),
    ]


def _folder(into: str) -> Path:
    from harness.scaffold.paths import ROOT, suite_name

    folder = ROOT.joinpath(*suite_name(into))
    if not folder.is_dir():
        raise UserError(f"{folder}: no such suite. Make it with: tunegate init {'/'.join(suite_name(into))}")
    return folder


def refuse_unfit(suite: Suite, found: ImportedRows, cases: Sequence[Case], columns: ImportColumns) -> None:
    """Refuse new cases that the prompt cannot be filled with, and cases that lack what slices and gates name."""
    from harness.gates.config import gate_ids, load_suite_gates
    from harness.suites.prompts import messages

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
    write_atomic(path, b"".join(msgspec.json.encode(case) + b"\n" for case in cases), "The file is as it was")


def summary(suite: Suite, cases: Sequence[Case], columns: ImportColumns) -> list[str]:
    """Counts of cases, clusters and tags; what is worth a second look."""
    from harness.scaffold.render import EXAMPLE

    clusters = Counter(case.cluster for case in cases)
    lines = [f"{plural(suite.cluster)}: {len(clusters):,}; most cases of one: {max(clusters.values()):,}"]
    if columns.cluster is None:
        lines[0] += f"; no --cluster was named, so every new case counts as a {suite.cluster} of its own"
    empty = sum(not case.expected for case in cases)
    lines += [f"cases that expect nothing: {empty:,}"] if empty else []
    examples = sum(case.tags.items() >= EXAMPLE.items() for case in cases)
    lines += [f"examples of `tunegate init` that are still there: {examples}"] if examples else []
    for tag in dict.fromkeys(tag for case in cases for tag in case.tags if tag not in EXAMPLE):
        values = Counter(case.tags[tag] for case in cases if tag in case.tags)
        shown = first_few([f"{value!r} {count:,}" for value, count in values.most_common()], 12)
        lacking = len(cases) - values.total()
        apart = "" if tag in suite.slices else f' (to judge them apart, write slices=["{tag}"] in the test file)'
        lines.append(f"tag {tag}: {shown}{f', without it {lacking:,}' if lacking else ''}{apart}")
    if (suite.folder / "baseline.json").exists():
        lines.append("baseline.json was accepted on other cases: run the accepted model again and accept that run")
    return lines
