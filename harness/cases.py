"""Loads, validates and hashes cases. Knows no suite and no model."""

from collections.abc import Iterable
from pathlib import Path

import msgspec

from harness.digest import digest
from harness.errors import UserError, refuse_all
from harness.schema import Case


def load_cases(path: Path) -> list[Case]:
    """Read one Case a line; every bad or duplicate line is named in one UserError. An empty file is an error."""
    try:
        lines = path.read_bytes().splitlines()
    except OSError as error:
        raise UserError(f"{path}: cannot be read ({error.strerror}). Name the cases in Suite(cases=...)") from None
    decoder = msgspec.json.Decoder(Case, strict=True)
    cases: list[Case] = []
    problems: list[str] = []
    first_line: dict[str, int] = {}
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        try:
            case = decoder.decode(line)
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            problems.append(f"{path.name}:{number}: {_explain(str(error))}")
            continue
        problem = _problem(case, first_line, number)
        problems.extend([f"{path.name}:{number}: {problem}"] if problem else [])
        first_line.setdefault(case.id, number)
        cases.append(case)
    refuse_all(problems, f"{path}: cases that cannot be used")
    return check_not_empty(cases, str(path))


def check_cases(cases: Iterable[Case], where: str) -> list[Case]:
    """The same checks for cases that a function builds."""
    kept = list(cases)
    first_line: dict[str, int] = {}
    problems = []
    for number, case in enumerate(kept, 1):
        problem = _problem(case, first_line, number)
        problems.extend([f"{where}, case {number}: {problem}"] if problem else [])
        first_line.setdefault(case.id, number)
    refuse_all(problems, f"{where}: cases that cannot be used")
    return check_not_empty(kept, where)


def check_not_empty(cases: list[Case], where: str) -> list[Case]:
    """Refuse a suite without cases."""
    if not cases:
        raise UserError(f"{where}: no cases were found. A suite needs at least one; write one JSON object a line")
    return cases


def _problem(case: Case, first_line: dict[str, int], number: int) -> str | None:
    if not case.id or any(c in case.id for c in "[]\n\r\t"):
        return f"id {case.id!r} is empty or holds a bracket, tab or line break. Use letters, digits, '-', '/' and '.'"
    if case.id in first_line:
        return f"id '{case.id}' is already used on line {first_line[case.id]}. Ids must be unique in a suite"
    if not case.cluster:
        return "'cluster' is empty. Name the contract or source that the case comes from"
    return None


def _explain(error: str) -> str:
    if "missing required field `expected`" in error:
        return "'expected' is missing. Every case needs one; use [] where no clause is present"
    return f"{error}. A case has id, input, expected, cluster and, if wanted, tags"


def cases_hash(cases: Iterable[Case]) -> str:
    """Digest of the cases, whatever their order."""
    return digest(sorted(case_hash(c) for c in cases))


def case_hash(case: Case) -> str:
    return digest(case)
