"""The Georgia instruments of the legal suites: text, deal, clauses and near misses, read from `train/` and `test/`.

`ID.txt` is the instrument; blank lines separate its paragraphs. `ID.toml` next to it is the sidecar: the deal, every
clause and near miss as a range of the text, a summary and questions. A range is written as its first and last words.
"""

import re
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple

import msgspec

from harness.errors import UserError, refuse_all
from harness.files import read_with_sidecar

FOLDER = Path(__file__).parent
SPLITS = ("train", "test")
EXPECTED = "Expected an instrument ID.txt with its labels in ID.toml"
INSTRUMENTS = ("security deed", "purchase agreement", "commercial lease", "residential lease")
STYLES = (
    "bank form",
    "law-firm draft",
    "association form",
    "landlord boilerplate",
    "plain language",
    "older typed",
    "amendment",
    "scanned",
)
NEAR_MISSES = ("struck", "reserved", "defined", "referred to", "negated", "other party", "superseded")
QUESTIONS = ("answerable", "stale_law", "not_in_document", "invented_section")


class ClauseType(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A type of clause: its name, the kinds of instruments that are searched for it, and what counts as it."""

    name: str
    instruments: tuple[str, ...]
    counts: str


class Passage(NamedTuple):
    """A clause or a near miss: its type, its range in the text, and what it says or why it is no clause."""

    type: str
    start: int
    end: int
    note: str


class Question(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A question on the statutes that an instrument names; no answer means that it names none for it."""

    kind: str
    ask: str
    answer: tuple[str, ...] = ()
    stale: tuple[str, ...] = ()


class Party(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One party of the deal."""

    role: str
    name: str


class Marked(msgspec.Struct, frozen=True, forbid_unknown_fields=True, rename={"first": "from", "last": "to"}):
    """A passage as the sidecar gives it, by its first and last words."""

    type: str
    first: str
    last: str
    says: str = ""
    kind: str = ""


class Sidecar(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What the sidecar of an instrument holds."""

    instrument: str
    style: str
    clauses: tuple[Marked, ...]
    near_misses: tuple[Marked, ...] = ()
    property: str = ""
    parties: tuple[Party, ...] = ()
    amounts: Mapping[str, str] = {}
    dates: Mapping[str, str] = {}
    summary: str = ""
    terms: tuple[str, ...] = ()
    stale: tuple[str, ...] = ()
    periods: Mapping[str, str] = {}
    questions: tuple[Question, ...] = ()


class Instrument(NamedTuple):
    """One instrument with its labels."""

    id: str
    text: str
    sidecar: Sidecar
    clauses: tuple[Passage, ...]
    near_misses: tuple[Passage, ...]
    paragraphs: tuple[tuple[int, int], ...]
    """Ranges of the paragraphs in the text, in order."""


@cache
def clause_types() -> dict[str, ClauseType]:
    """Return the clause types by name, in the order of `clause_types.toml`."""
    tables = tomllib.loads((FOLDER / "clause_types.toml").read_text("utf-8")).values()
    types = msgspec.convert(list(tables), list[ClauseType])
    return {each.name: each for each in types}


@cache
def instruments(split: str) -> tuple[Instrument, ...]:
    """Read the instruments of `train` or `test`, by id. Raises UserError for a sidecar that does not fit its text."""
    return tuple(read_folder(FOLDER / split))


def read_folder(folder: Path) -> list[Instrument]:
    """Read the instruments of a folder, by id. Raises one UserError for all sidecars that do not fit their texts."""
    read: list[Instrument] = []
    faults: list[str] = []
    for file in sorted(folder.glob("*.txt")):
        try:
            read.append(read_instrument(file))
        except UserError as error:
            faults += str(error).splitlines()
    refuse_all(faults, f"{folder}: instruments that cannot be used")
    if not read:
        raise UserError(f"{folder}: no instrument was found. {EXPECTED}")
    return read


def read_instrument(file: Path) -> Instrument:
    """Read one instrument and its sidecar. Raises UserError with every fault of the sidecar, one a line."""
    text, sidecar = read_with_sidecar(file, Sidecar, EXPECTED)
    faults: list[str] = []
    clauses = tuple(_locate(text, marked, marked.says, faults) for marked in sidecar.clauses)
    near_misses = tuple(_locate(text, marked, marked.kind, faults) for marked in sidecar.near_misses)
    faults += [*_faults(sidecar, text), *_overlaps(clauses, near_misses)]
    if faults:
        raise UserError("\n".join(f"{file}: {fault}" for fault in faults))
    return Instrument(file.stem, text, sidecar, clauses, near_misses, tuple(_paragraphs(text)))


def _locate(text: str, marked: Marked, note: str, faults: list[str]) -> Passage:
    """Find the range from a passage's first words, which stand once in the text, to its last words after them."""
    first = _places(text, marked.first)
    if len(first) != 1:
        faults.append(f"{marked.type}: the first words stand {len(first)} times in the text: {marked.first!r}")
        return Passage(marked.type, 0, 0, note)
    start = first[0][0]
    ends = [end for begin, end in _places(text, marked.last) if begin >= start]
    if not ends:
        faults.append(f"{marked.type}: the last words do not stand after the first: {marked.last!r}")
        return Passage(marked.type, start, start, note)
    return Passage(marked.type, start, ends[0], note)


def _places(text: str, words: str) -> list[tuple[int, int]]:
    """Ranges where some words stand; line breaks and runs of spaces count as one space."""
    pattern = r"\s+".join(map(re.escape, words.split()))
    return [match.span() for match in re.finditer(pattern, text)] if pattern else []


def _faults(sidecar: Sidecar, text: str) -> Iterator[str]:
    known = clause_types()
    if sidecar.instrument not in INSTRUMENTS:
        yield f"instrument is {sidecar.instrument!r}, expected one of {', '.join(INSTRUMENTS)}"
    if sidecar.style not in STYLES:
        yield f"style is {sidecar.style!r}, expected one of {', '.join(STYLES)}"
    for marked in (*sidecar.clauses, *sidecar.near_misses):
        if marked.type not in known:
            yield f"{marked.type!r} is no clause type"
        elif sidecar.instrument not in known[marked.type].instruments:
            yield f"'{marked.type}' is not asked for in a {sidecar.instrument}"
    for marked in sidecar.near_misses:
        if marked.kind not in NEAR_MISSES:
            yield f"near miss '{marked.type}' has the kind {marked.kind!r}, expected one of {', '.join(NEAR_MISSES)}"
    yield from (f"question of kind {q.kind!r}" for q in sidecar.questions if q.kind not in QUESTIONS)
    values = [*(p.name for p in sidecar.parties), *sidecar.amounts.values(), *sidecar.dates.values()]
    for value in (*values, *sidecar.periods.values()):
        if not _places(text, value):
            yield f"{value!r} is part of the deal and not in the text"


def _overlaps(clauses: Sequence[Passage], near_misses: Sequence[Passage]) -> Iterator[str]:
    """Passages of one type that overlap, of clauses and of near misses."""
    ordered = sorted((*clauses, *near_misses), key=lambda passage: (passage.type, passage.start))
    for one, other in pairwise(ordered):
        if one.type == other.type and other.start < one.end:
            yield f"two passages of the type '{one.type}' overlap"


def _paragraphs(text: str) -> Iterator[tuple[int, int]]:
    for match in re.finditer(r"\S(?:.|\n(?!\s*\n))*", text):
        yield match.start(), match.start() + len(match[0].rstrip())


def flat(text: str) -> str:
    """Return a text on one line."""
    return " ".join(text.split())
