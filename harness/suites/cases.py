"""Load, validate and hash cases.

A large file of JSON lines (`is_large`) stays on disk: its cases are read as they are needed. Cases may also be rows of
a table, a folder or a hub data set, with the fields of a case as columns.
"""

from __future__ import annotations

import json
import os
import weakref
from array import array
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, BinaryIO, TypeVar, overload

import msgspec

from harness.errors import NOT_JSON, UserError, refuse_all
from harness.files import byte_order_mark, decode_line, digest, is_large, not_utf8, read_bytes, shown_path, size_of
from harness.schema import Case
from harness.suites.tables import HUB, Hub, is_table, refuse_unpinned, rows_of

C = TypeVar("C", bound=Sequence[Case])

LONGEST_LINE_BYTES = 8 << 20
"""Longest line of a file of cases; lines are read whole, so a file without line breaks must not fill the memory."""
EXPECTED = "Name the cases in Suite(cases=...), or with --cases"


class CasesOnDisk(Sequence[Case]):
    """Cases of a file, read one by one. Raises UserError where the file changes in between."""

    def __init__(self, path: Path, file: BinaryIO, starts: array[int]) -> None:
        self._path, self._file, self._starts = path, file, starts
        self._decoder = msgspec.json.Decoder(Case, strict=True)
        self._stamp = _stamp(file)
        weakref.finalize(self, file.close)

    def __len__(self) -> int:
        return len(self._starts)

    @overload
    def __getitem__(self, place: int) -> Case: ...
    @overload
    def __getitem__(self, place: slice) -> list[Case]: ...
    def __getitem__(self, place: int | slice) -> Case | list[Case]:
        if isinstance(place, slice):
            return [self[i] for i in range(*place.indices(len(self)))]
        if _stamp(self._file) != self._stamp:
            raise UserError(f"{self._path}: was changed while it was in use. Start again")
        self._file.seek(self._starts[place])
        return self._decoder.decode(self._file.readline())


def _stamp(file: BinaryIO) -> tuple[int, int]:
    stat = os.fstat(file.fileno())
    return stat.st_size, stat.st_mtime_ns


def load_cases(path: Path | str) -> Sequence[Case]:
    """Read one case per line or row. Raises one UserError for all invalid and duplicate cases, or an empty file."""
    if is_table(str(path)):
        return _of_table(str(path))
    path = Path(path)
    where = shown_path(path)
    size_of(path, EXPECTED)
    if is_large(path):
        return _on_disk(path)
    data = read_bytes(path, EXPECTED)
    _refuse_mark(data, where)
    lines = data.splitlines()
    decoder = msgspec.json.Decoder(Case, strict=True)
    cases: list[Case] = []
    problems: list[str] = []
    first_line: dict[str, int] = {}
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        try:
            case = _decoded(decoder, line)
        except NOT_JSON as error:
            problems.append(f"{where}:{number}: {_explain(error)}")
            continue
        problem = problem_of(case, first_line)
        problems.extend([f"{where}:{number}: {problem}"] if problem else [])
        first_line.setdefault(case.id, number)
        cases.append(case)
    refuse_all(problems, f"{where}: cases that cannot be used")
    return check_not_empty(cases, where)


def _refuse_mark(data: bytes, where: str) -> None:
    problem = byte_order_mark(data)
    if problem:
        raise UserError(f"{where}: {problem}")


def _decoded(decoder: msgspec.json.Decoder[Case], line: bytes) -> Case:
    """Decode the case of a line. Raises ValueError where it is too long."""
    if len(line) > LONGEST_LINE_BYTES:
        raise ValueError(f"the line is longer than {LONGEST_LINE_BYTES >> 20} MiB. Shorten the case")
    return decode_line(decoder.decode, line)


def _of_table(source: str) -> Sequence[Case]:
    """Read cases from a table: columns are fields of a case, or parts such as `input.document`; others are ignored."""
    refuse_unpinned(source)
    where = source if source.startswith(HUB) else shown_path(Path(source))
    cases: list[Case] = []
    problems: list[str] = []
    first_row: dict[str, int] = {}
    for row in rows_of(source, [], Hub(), Case.__struct_fields__):
        number = int(row.where.split()[1])
        try:
            case = msgspec.convert(_fields(row.cells), Case, strict=True)
            problem = row.problem or problem_of(case, first_row)
        except ValueError as error:
            problem = row.problem or _explain(error)
        else:
            first_row.setdefault(case.id, number)
            cases.append(case)
        problems.extend([f"{row.where}: {problem}"] if problem else [])
    refuse_all([f"{where}: {problem}" for problem in problems], f"{where}: cases that cannot be used")
    return check_not_empty(cases, where)


def _fields(cells: Mapping[str, Any]) -> dict[str, Any]:
    """Return the fields of a case; an empty cell is a missing field."""
    fields: dict[str, Any] = {}
    for column, value in cells.items():
        name, _, part = column.partition(".")
        if name in Case.__struct_fields__ and value not in (None, ""):
            if part:
                fields.setdefault(name, {})[part] = value
            else:
                fields[name] = value
    for name in ("input", "tags"):
        if isinstance(fields.get(name), dict):
            fields[name] = {key: value for key, value in fields[name].items() if value is not None}
    if isinstance(text := fields.get("expected"), str):
        fields["expected"] = json.loads(text) if text.startswith("[") and text.endswith("]") else [text]
    return fields


def _on_disk(path: Path) -> Sequence[Case]:
    """Check every line and store its offset. Ids are compared by their hashes, so that none stays in memory."""
    where = shown_path(path)
    decoder = msgspec.json.Decoder(Case, strict=True)
    starts, numbers, ids = array("Q"), array("Q"), array("q")
    problems: list[str] = []
    start = 0
    file = path.open("rb")
    _refuse_mark(file.peek(4), where)
    for number, line in enumerate(iter(lambda: file.readline(LONGEST_LINE_BYTES + 1), b""), 1):
        if line.strip():
            try:
                case = _decoded(decoder, line)
            except NOT_JSON as error:
                problem: str | None = _explain(error)
            else:
                problem = problem_of(case, {})
                ids.append(hash(case.id))
                starts.append(start)
                numbers.append(number)
            problems.extend([f"{where}:{number}: {problem}"] if problem else [])
            if len(line) > LONGEST_LINE_BYTES:
                break
        start += len(line)
    cases = CasesOnDisk(path, file, starts)
    problems += [
        f"{where}:{numbers[later]}: {_used(cases[later].id, numbers[first])}"
        for first, later in _alike(ids)
        if cases[first].id == cases[later].id
    ]
    refuse_all(problems, f"{where}: cases that cannot be used")
    return check_not_empty(cases, where)


def _alike(ids: array[int]) -> Iterator[tuple[int, int]]:
    """Yield pairs of places with the same hash: the first one, and each later one."""
    import numpy as np

    hashes = np.frombuffer(ids, dtype=np.int64)
    order = np.argsort(hashes, kind="stable")
    same = np.flatnonzero(np.diff(hashes[order]) == 0)
    first = -1
    for place in same.tolist():
        if first < 0 or hashes[order[first]] != hashes[order[place]]:
            first = place
        yield int(order[first]), int(order[place + 1])


def check_cases(cases: Iterable[Case], where: str) -> list[Case]:
    """Check cases that a function builds. Raises one UserError for all invalid and duplicate cases."""
    checked = list(cases)
    first_line: dict[str, int] = {}
    problems = []
    for number, case in enumerate(checked, 1):
        problem = problem_of(case, first_line)
        problems.extend([f"{where}, case {number}: {problem}"] if problem else [])
        first_line.setdefault(case.id, number)
    refuse_all(problems, f"{where}: cases that cannot be used")
    return check_not_empty(checked, where)


def check_not_empty(cases: C, where: str) -> C:
    """Return the cases. Raises UserError where there are none."""
    if not cases:
        raise UserError(f"{where}: no cases were found. A suite needs at least one; write one JSON object per line")
    return cases


def problem_of(case: Case, first_line: dict[str, int]) -> str | None:
    """Say what is wrong with a case, or None; `first_line` has the lines of earlier ids."""
    if not case.id or any(c in case.id for c in "[]\n\r\t"):
        return (
            f"id {case.id!r} is empty or contains a bracket, tab or line break. Use letters, digits, '-', '/' and '.'"
        )
    if case.id in first_line:
        return _used(case.id, first_line[case.id])
    if not case.cluster:
        return "'cluster' is empty. Name the source that the case comes from, such as its contract"
    return None


def _used(case_id: str, line: int) -> str:
    return f"id '{case_id}' is already used on line {line}. Ids must be unique in a suite"


def _explain(error: Exception) -> str:
    if isinstance(error, UnicodeDecodeError):
        return not_utf8(error)
    if type(error) is ValueError:
        return str(error)
    if "missing required field `expected`" in str(error):
        return "'expected' is missing. Every case needs one; use [] where no clause is present"
    return f"{error}. A case has id, input, expected, cluster and, if wanted, tags"


def cases_hash(cases: Iterable[Case]) -> str:
    """Return the digest of the cases, in any order."""
    return digest(sorted(case_hash(c) for c in cases))


def case_hash(case: Case) -> str:
    return digest(case)
