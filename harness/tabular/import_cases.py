"""Import the rows of a table as cases, by named columns.

Every row that cannot be a case is reported with its line, the reason and what to do.
"""

from __future__ import annotations

import json
import math
import os
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, TypeVar

import msgspec
from msgspec import Struct, field

from harness.errors import UserError
from harness.files import write_atomic
from harness.formatting import count, first_few, plural
from harness.runs.project import refuse_below_project
from harness.schema import Case
from harness.suites.cases import LONGEST_LINE_BYTES, content, load_cases, problem_of, spellings
from harness.suites.tables import HUB, NOT_CSV, Hub, TableRow, as_shown, is_table, parted, rows_of

if TYPE_CHECKING:
    from harness.suites.suite import Suite


T = TypeVar("T")
MOST_SHOWN = 40
"""Number of different problems shown in full."""


class InputColumns(Struct, frozen=True, kw_only=True):
    """The columns of the prompt's variables."""

    input: Mapping[str, str]
    """Variables of the prompt, by name."""
    files: Mapping[str, str] = field(default_factory=dict)
    """Variables that are the text of the document that a cell names, by name."""
    folder: Path = Path()
    """The folder of these documents: that of the table."""


class ImportColumns(InputColumns, frozen=True, kw_only=True):
    """The columns of the parts of a case."""

    id: str
    """The case's id."""
    expected: str
    """The right answer."""
    cluster: str | None = None
    """The case's cluster; None makes each case a cluster of its own."""
    tags: dict[str, str] = field(default_factory=dict)
    """Tags, by name."""
    separator: str | None = None
    """Separator of several right answers in one cell; None: only a JSON list is several."""
    none: str | None = None
    """Content of an expected cell without a right answer; None: no cell may be without one."""

    @property
    def names(self) -> list[str]:
        """All columns that are read."""
        cluster = [self.cluster] if self.cluster else []
        return [self.id, *self.input.values(), *self.files.values(), self.expected, *cluster, *self.tags.values()]


def prompt_columns(source: str, inputs: Iterable[str] | None, files: Iterable[str] | None) -> dict[str, Any]:
    """Parse `NAME=COLUMN` options for texts and documents into the fields of InputColumns. Raises UserError."""
    from harness.scaffold.paths import named_columns

    texts, documents = named_columns(inputs, "--input"), named_columns(files, "--input-file")
    if not texts and not documents:
        raise UserError("no column for the prompt. Name one with --input NAME=COLUMN, or --input-file NAME=COLUMN")
    if twice := texts.keys() & documents.keys():
        raise UserError(f"--input and --input-file both name {min(twice)!r}. Use one of them")
    if documents and source.startswith(HUB):
        raise UserError(f"--input-file reads documents next to a table on this machine, not {source}. Use --input")
    path = Path(parted(source)[0])
    return {"input": texts, "files": documents, "folder": path if path.is_dir() else path.parent}


class ImportedRows(Struct, frozen=True, kw_only=True):
    """Cases and problems of imported rows."""

    cases: list[Case]
    """Valid cases."""
    problems: list[tuple[str, str]]
    """The place and the problem of each invalid row."""


class Bad(Exception):
    """The reason why a row is invalid."""


def usable(rows: Iterable[TableRow], make: Callable[[TableRow], T], problems: list[tuple[str, str]]) -> Iterator[T]:
    """Yield what `make` makes of each row; a row that is invalid is added to `problems` with its place."""
    for row in rows:
        try:
            if row.problem:
                raise Bad(row.problem)
            yield make(row)
        except Bad as bad:
            problems.append((row.where, str(bad)))


def read_rows(rows: Iterable[TableRow], columns: ImportColumns, suite: Suite, present: Sequence[Case]) -> ImportedRows:
    """Make cases of rows, checked by the suite's scorers and against earlier rows and `present` cases of the suite."""
    ids = {case.id: "the suite" for case in present}
    texts = {content(case): "a case of the suite" for case in present}

    def make(row: TableRow) -> Case:
        case = _case(row.cells, columns)
        _check(case, suite, ids, texts)
        ids[case.id] = texts[content(case)] = row.where
        return case

    problems: list[tuple[str, str]] = []
    return ImportedRows(cases=list(usable(rows, make, problems)), problems=problems)


def _case(cells: Mapping[str, Any], columns: ImportColumns) -> Case:
    name = filled(cells, columns.id)
    if not name.isprintable():
        raise Bad(f"id {name!r} contains an invisible character. Use letters, digits, '-', '/' and '.'")
    return Case(
        id=name,
        input=inputs_of(cells, columns),
        expected=_expected(_cell(cells, columns.expected), columns),
        cluster=filled(cells, columns.cluster) if columns.cluster else name,
        tags={key: text for key, column in columns.tags.items() if (text := _text(_cell(cells, column), column))},
    )


def inputs_of(cells: Mapping[str, Any], columns: InputColumns) -> dict[str, str]:
    """Return the variables of the prompt: texts of cells, and of files that cells name."""
    from harness.tabular.documents import named_document

    inputs = {name: filled(cells, column, whole=True) for name, column in columns.input.items()}
    for name, column in columns.files.items():
        try:
            inputs[name] = _text(named_document(filled(cells, column), columns.folder), column, whole=True)
        except UserError as error:
            raise Bad(f"{column!r}: {error}") from None
    return inputs


def _check(case: Case, suite: Suite, ids: Mapping[str, str], texts: Mapping[str, str]) -> None:
    if case.id in ids:
        raise Bad(f"id {case.id!r} is that of {ids[case.id]} too. Ids must be unique")
    problems = [problem_of(case, {}), *suite.problems(case)]
    if messages := [text for text in problems if text]:
        raise Bad("; ".join(messages))
    if len(msgspec.json.encode(case)) > LONGEST_LINE_BYTES:
        raise Bad(f"is longer than {LONGEST_LINE_BYTES >> 20} MiB, the most that a case may be. Shorten its texts")
    if (first := texts.get(content(case))) is not None:
        raise Bad(f"has the same input as {first}. A duplicate counts twice: remove one")


def _cell(cells: Mapping[str, Any], column: str) -> Any:
    """Return the value of a column; `answers.text` may be inside `answers`."""
    if column in cells:
        return cells[column]
    value: Any = cells
    for part in column.split("."):
        if not isinstance(value, Mapping) or part not in value:
            raise Bad(f"there is no {column!r}. It has: {', '.join(map(repr, cells))}")
        value = value[part]
    return value


def filled(cells: Mapping[str, Any], column: str, whole: bool = False) -> str:
    """Return the text of a cell that must not be empty; `whole` keeps surrounding white space."""
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
    text = str(as_shown(value)).replace("\r\n", "\n").replace("\r", "\n")
    try:
        text.encode("utf-8")
    except UnicodeEncodeError:
        raise Bad(f"{column!r} contains half a character (a lone surrogate). Save the row as UTF-8") from None
    return text if whole else text.strip()


def _expected(value: Any, columns: ImportColumns) -> list[str]:
    """Parse the right answers of one cell: a list, a JSON list, separated texts, or one text."""
    column = columns.expected
    if isinstance(value, Mapping):
        return [_text(json.dumps(value, ensure_ascii=False, default=str), column)]
    if isinstance(value, (list, tuple)):
        return _several(value, column)
    text = _text(value, column)
    if columns.none is not None and text.casefold() == columns.none.strip().casefold():
        return []
    if not text:
        raise Bad(f"{column!r} is empty. Fill it in, or pass --none '' where an empty cell means that there is none")
    if text.startswith("[") and text.endswith("]"):
        try:
            return _several(json.loads(text), column)
        except (ValueError, RecursionError):
            raise Bad(f"""{column!r} looks like a list but is not JSON: {text[:40]!r}. Write ["a", "b"]""") from None
    return _several(text.split(columns.separator), column) if columns.separator else [text]


def _several(values: Sequence[Any], column: str) -> list[str]:
    texts = [_text(value, column) for value in values]
    if "" in texts:
        raise Bad(f"{column!r} has an empty entry: {texts}. Remove it")
    return texts


def refuse_bad(source: str, problems: Sequence[tuple[str, str]], good: int, consequence: str) -> None:
    """Raise one UserError with every invalid row and the number of `good` ones; return where there is none."""
    if problems:
        lines = "\n".join(f"  {line}" for line in group_messages(problems))
        raise UserError(f"{source}: {len(problems):,} of {len(problems) + good:,} rows {consequence}\n{lines}")


def group_messages(problems: Sequence[tuple[str, str]]) -> list[str]:
    """Return one line per problem, with every row that has it."""
    by_text: dict[str, list[str]] = {}
    for where, text in problems:
        by_text.setdefault(text, []).append(where)
    lines = [f"{_ranges(where)}: {text}" for text, where in list(by_text.items())[:MOST_SHOWN]]
    others = [one for where in list(by_text.values())[MOST_SHOWN:] for one in where]
    return lines + ([f"and {_ranges(others)}, each with another problem"] if others else [])


def _ranges(where: Sequence[str]) -> str:
    """Format places: `line 2`, or `lines 2-4, 9`."""
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
    """Import the rows of `source` into the suite's cases, and return a summary in lines. Raises UserError."""
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
    imported = read_rows(rows_of(source, columns.names, hub), columns, suite, present)
    if not skip_bad:
        hint = "cannot be cases, and nothing was written (--skip-bad leaves them out)"
        refuse_bad(source, imported.problems, len(imported.cases), hint)
    torn = [problem for problem in imported.problems if problem[1].startswith(NOT_CSV)]
    refuse_bad(
        source, torn, len(imported.cases), "cannot be told apart, so --skip-bad leaves none out. Nothing was written"
    )
    if not imported.cases:
        refuse_bad(source, imported.problems, 0, "cannot be cases, so --skip-bad leaves none. Nothing was written")
        raise UserError(
            f"{source}: no row could be used, so nothing was written. Expected one row per case below the column names"
        )
    cases = [*present, *imported.cases]
    refuse_unfit(suite, imported, cases, columns)
    write_cases(path, cases)
    suite = only_suite(folder)
    note = f", after {len(present):,} that were there" if present else ""
    return [
        *(f"left out: {line}" for line in group_messages(imported.problems)),
        *([f"left out in all: {count(len(imported.problems), 'row')}"] if imported.problems else []),
        f"written: {path}: {count(len(imported.cases), 'case')}{note}",
        *summary(suite, suite.cases, columns),
        *power_summary(suite, load_suite_gates(suite, None)),
    ]


def _folder(into: str) -> Path:
    from harness.scaffold.paths import ROOT, suite_name

    refuse_below_project(Path.cwd())
    folder = ROOT.joinpath(*suite_name(into))
    if not folder.is_dir():
        raise UserError(f"{folder}: no such suite. Create it with: tunegate init {'/'.join(suite_name(into))}")
    return folder


def refuse_unfit(suite: Suite, imported: ImportedRows, cases: Sequence[Case], columns: ImportColumns) -> None:
    """Raise UserError for new cases that the prompt cannot use, a cluster written in several ways, or a missing tag."""
    from harness.gates.config import gate_ids, load_suite_gates
    from harness.suites.prompts import messages

    try:
        for case in imported.cases:
            messages(suite.template, case)
    except UserError as error:
        given = ", ".join([*columns.input, *columns.files])
        raise UserError(f"{error}. Name a column for it with --input NAME=COLUMN, in addition to {given}") from None
    if problem := spellings(cases):
        raise UserError(f"{suite.name}: {problem}")
    values = {tag: sorted({c.tags[tag] for c in cases if tag in c.tags}) for tag in suite.slices}
    empty = [tag for tag, tag_values in values.items() if not tag_values]
    if empty:
        raise UserError(
            f"{suite.name} has the slice {empty[0]!r}, and no row has that tag. Name its column with --tag "
            f"{empty[0]}=COLUMN, or remove it from Suite(slices=...) and gates.toml"
        )
    gate_ids(load_suite_gates(suite, None), values, suite.name)


def present_cases(path: Path, mode: Mode | None) -> list[Case]:
    """Return the cases to keep. Raises UserError where the file has cases and no mode is given."""
    if not path.exists() or not path.read_bytes().strip() or mode == "replace":
        return []
    if mode == "append":
        return list(load_cases(path))
    lines = len(path.read_bytes().splitlines())
    raise UserError(f"{path} has {lines:,} cases already: pass --append to keep them, or --replace to delete them")


def write_cases(path: Path, cases: Iterable[Case]) -> None:
    """Replace the file atomically: a failure leaves the old file."""
    write_atomic(path, b"".join(msgspec.json.encode(case) + b"\n" for case in cases), "The file is as it was")


def summary(suite: Suite, cases: Sequence[Case], columns: ImportColumns) -> list[str]:
    """Return counts of cases, clusters and tags, and what to check."""
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
        shown = first_few([f"{value!r} {times:,}" for value, times in values.most_common()], 12)
        lacking = len(cases) - values.total()
        apart = "" if tag in suite.slices else f' (to judge them apart, write slices=["{tag}"] in the test file)'
        lines.append(f"tag {tag}: {shown}{f', without it {lacking:,}' if lacking else ''}{apart}")
    if (suite.folder / "baseline.json").exists():
        lines.append("baseline.json was accepted on other cases: run the accepted model again and accept that run")
    return lines
