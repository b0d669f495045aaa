"""The handbooks of the suite: text, register and questions, read from `texts/train` and `texts/test`.

`ID.txt` is the handbook; empty lines separate its sections, and a section begins with its number. `ID.toml` next to it
lists the numbers and departments, and the questions with their right answers.
"""

import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import NamedTuple

import msgspec

from harness.errors import UserError
from harness.files import read_with_sidecar

FOLDER = Path(__file__).with_name("texts")
SPLITS = ("train", "test")
EXPECTED = "Expected a handbook ID.txt with its questions in ID.toml"
ANSWERED = ("value", "department", "exception", "two sections", "in force", "condition")
NOT_ANSWERED = ("near topic", "wrong premise", "no such section", "other group")
HALF = "half"
SILENT = "The handbook does not say."
"""The right answer where there is none."""


class Question(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A question, its right answer, what that must state, and the sections to be read for it."""

    kind: str
    ask: str
    answer: str
    expected: tuple[str, ...]
    sections: tuple[str, ...]

    @property
    def answerable(self) -> str:
        """`yes`, `half` or `no`."""
        return "half" if self.kind == HALF else "yes" if self.kind in ANSWERED else "no"


class Sidecar(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What the sidecar of a handbook holds."""

    company: str
    numbering: str
    sections: tuple[str, ...]
    departments: tuple[str, ...]
    missing_sections: tuple[str, ...]
    """Numbers that look like the handbook's own and do not exist."""
    questions: tuple[Question, ...]


class Handbook(NamedTuple):
    """One company's handbook."""

    id: str
    title: str
    text: str
    sections: dict[str, str]
    """Paragraphs by section number, in order."""
    sidecar: Sidecar


@cache
def handbooks(split: str) -> tuple[Handbook, ...]:
    """Read the handbooks of `train` or `test`, by id. Raises UserError for a sidecar that does not fit its text."""
    return tuple(read_handbook(file) for file in sorted((FOLDER / split).glob("*.txt")))


def read_handbook(file: Path) -> Handbook:
    """Read one handbook and its sidecar. Raises UserError with every fault of the sidecar, one a line."""
    text, sidecar = read_with_sidecar(file, Sidecar, EXPECTED)
    paragraphs = [paragraph.strip() for paragraph in re.split(r"\n\s*\n", text) if paragraph.strip()]
    sections, faults = {}, [*_faults(sidecar)]
    for number in sidecar.sections:
        begins = [paragraph for paragraph in paragraphs if head_of(number).match(paragraph)]
        faults += [] if len(begins) == 1 else [f"{len(begins)} paragraphs begin with section {number!r}"]
        sections[number] = begins[0] if begins else ""
    if faults:
        raise UserError("\n".join(f"{file}: {fault}" for fault in faults))
    return Handbook(file.stem, paragraphs[0].splitlines()[0], text, sections, sidecar)


def head_of(number: str) -> re.Pattern[str]:
    """Return the pattern of a section number that is not the beginning of a longer one."""
    return re.compile(rf"(?:\*\*)?{re.escape(number)}(?![\w(]|[.-]\d)")


def _faults(sidecar: Sidecar) -> Iterator[str]:
    for question in sidecar.questions:
        if question.kind not in (*ANSWERED, HALF, *NOT_ANSWERED):
            yield f"question of kind {question.kind!r}"
        if not question.sections:
            yield f"question without sections: {question.ask!r}"
        yield from (f"{number!r} is no section" for number in question.sections if number not in sidecar.sections)
        if bool(question.expected) == (question.answerable == "no"):
            yield f"question with an answer and no expected parts, or the reverse: {question.ask!r}"
