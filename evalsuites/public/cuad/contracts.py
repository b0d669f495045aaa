"""Read CUAD: contract texts, and lawyers' labels as character spans.

Expects the folder `cuad` below the one that TUNEGATE_DATA names, with `master_clauses.csv` and `contracts/*.txt`.
"""

import ast
import csv
import re
import unicodedata
from collections.abc import Iterable, Iterator
from pathlib import Path

from msgspec import Struct

from evalsuites.public import data
from harness.errors import UserError, refuse_all

CATEGORIES = {
    "governing law": "Governing Law",
    "anti-assignment": "Anti-Assignment",
    "expiration date": "Expiration Date",
    "renewal term": "Renewal Term",
    "renewal notice": "Notice Period To Terminate Renewal",
    "termination for convenience": "Termination For Convenience",
    "exclusivity": "Exclusivity",
    "first refusal": "Rofr/Rofo/Rofn",
    "change of control": "Change Of Control",
    "revenue sharing": "Revenue/Profit Sharing",
    "minimum commitment": "Minimum Commitment",
    "post-termination services": "Post-Termination Services",
    "audit rights": "Audit Rights",
    "liability cap": "Cap On Liability",
    "uncapped liability": "Uncapped Liability",
    "insurance": "Insurance",
}
"""The suite's clause names, and CUAD's column of each."""
NAMES = tuple(CATEGORIES)

OMITTED = "<omitted>"
SHORT = 40
"""A shorter label may be in a contract by chance."""
SHORTEST = 10
"""A shorter label is too short to locate."""
WHERE = (
    "the CUAD contracts are not on this machine: set TUNEGATE_DATA to a folder with cuad/master_clauses.csv and "
    "cuad/contracts/*.txt, both in CUAD v1 from www.atticusprojectai.org/cuad (CC BY 4.0)"
)
BREAK = re.compile(r"\n\s*\n")


class Label(Struct, frozen=True, kw_only=True):
    category: str
    """The suite's name if it is one of NAMES, else CUAD's column."""
    start: int
    """First code point in the contract's text."""
    end: int
    """One past the last code point."""


class Contract(Struct, frozen=True, kw_only=True):
    name: str
    """File name without `.txt`."""
    text: str
    """The whole text, with every run of white space as one space."""
    paragraphs: frozenset[int]
    """Where a blank line stood in the file: start of the next paragraph in `text`."""
    labels: list[Label]
    """All 41 categories, by start."""


def data_folder() -> Path:
    """The folder `cuad`, or Unavailable with the way to get it."""
    return data.data_folder("cuad", ("master_clauses.csv", "contracts"), WHERE)


def load_contracts(folder: Path) -> list[Contract]:
    """Every contract that has both a text and a row of labels, by name. A label that is not in its text is refused."""
    texts = {_key(path.stem): path for path in (folder / "contracts").glob("*.txt")}
    contracts: list[Contract] = []
    problems: list[str] = []
    with (folder / "master_clauses.csv").open(encoding="utf-8-sig", newline="") as file:
        for row in csv.DictReader(file):
            path = texts.get(_key(Path(row["Filename"]).stem))
            if path is not None:
                text, paragraphs = collapse(path.read_text("utf-8"))
                labels, missing = locate(text, _labelled(row))
                problems.extend(f"{path.name}: no such passage: {segment[:60]!r}" for segment in missing)
                contracts.append(Contract(name=path.stem, text=text, paragraphs=paragraphs, labels=labels))
    refuse_all(problems, f"{folder}: labels that do not fit the contracts. Take both from one copy of CUAD v1")
    if not contracts:
        raise UserError(f"{folder}: no file of contracts/ is named in master_clauses.csv. Take both from CUAD v1")
    return sorted(contracts, key=lambda contract: contract.name)


def collapse(raw: str) -> tuple[str, frozenset[int]]:
    """Text with single spaces, and the offsets in it at which a paragraph starts."""
    parts = [" ".join(part.split()) for part in BREAK.split(raw)]
    starts, at = set(), 0
    for part in parts:
        if part:
            starts.add(at)
            at += len(part) + 1
    return " ".join(part for part in parts if part), frozenset(starts)


def locate(text: str, labelled: Iterable[tuple[str, str]]) -> tuple[list[Label], list[str]]:
    """Spans of (category, segment) pairs, by start; and the segments that are not in the text.

    A segment counts at every place of its text, but a short one only at the first.
    """
    found: set[tuple[int, int, str]] = set()
    missing = []
    for category, segment in labelled:
        at = text.find(segment)
        if at < 0:
            missing.append(segment)
        while at >= 0 and len(segment) >= SHORTEST:
            found.add((at, at + len(segment), category))
            at = text.find(segment, at + 1) if len(segment) >= SHORT else -1
    return [Label(category=c, start=s, end=e) for s, e, c in sorted(found)], missing


def _labelled(row: dict[str, str]) -> Iterator[tuple[str, str]]:
    """Pairs of category and passage of one row; a cell is a list of strings, and `<omitted>` splits a string."""
    short = {column: name for name, column in CATEGORIES.items()}
    for column, cell in row.items():
        if column == "Filename" or re.search(r"-\s*Answer$", column) or not cell.strip():
            continue
        for string in ast.literal_eval(cell):
            for segment in string.split(OMITTED):
                if words := " ".join(segment.split()):
                    yield short.get(column, column), words


def _key(name: str) -> str:
    """Form in which CUAD's file names agree between its table and its folder."""
    ascii_only = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode()
    return re.sub("[^a-z0-9]", "", ascii_only.lower())
