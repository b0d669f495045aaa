"""What readers are told of cases: what each is shown for, how many there are, and where the others are."""

from __future__ import annotations

from collections.abc import Sequence

from reports import figures, words
from reports.model import Kind

NAMES: dict[Kind, str] = {
    "regression": "Regression",
    "gain": "Gain",
    "fabrication": "Fabrication",
    "error": "Error",
    "wrong": "Wrong",
    "unchanged": "Unchanged",
}
SIGNS: dict[Kind, str] = {
    "regression": "▼",
    "gain": "▲",
    "fabrication": "✗",
    "error": "!",
    "wrong": "✗",
    "unchanged": "○",
}
"""A shape beside every name, so that no reader needs the colour."""
NOUNS: dict[Kind, str] = {
    "regression": "regression",
    "gain": "gain",
    "fabrication": "other fabricating answer",
    "error": "other failed answer",
    "wrong": "other wrong answer",
    "unchanged": "unchanged case",
}
FILTERS: dict[Kind, str] = {
    "regression": "Regressions",
    "gain": "Gains",
    "fabrication": "Fabrications",
    "error": "Errors",
    "wrong": "Wrong answers",
    "unchanged": "Unchanged",
}
ALONE = "The run asked no baseline, so the tuned answers stand alone."


def noun(kind: Kind, n: int) -> str:
    """`regression` or `regressions`."""
    return NOUNS[kind] if n == 1 else words.plural(NOUNS[kind])


def shown(kind: Kind, here: int, of: int) -> str:
    """`3 regressions`, `10 of 42 regressions shown`."""
    return words.shown_of(NOUNS[kind], here, of)


def elsewhere(files: Sequence[str], unplaced: int) -> str:
    """Where the cases of a group are that a page lacks."""
    said = [f"The others are on {_range(files)}."] if files else []
    if unplaced:
        said.append(f"{figures.number(unplaced)} {'of them are' if files else 'are'} in cases.csv alone.")
    return " ".join(said)


def unplaced(n: int) -> str:
    """What no page holds, and where it is."""
    stand = "stands" if n == 1 else "stand"
    return (
        f"{words.capital(words.count(n, 'case'))} {stand} on no page: cases.csv has a line on each, with its scores, "
        "and records.jsonl in the run's folder has the answers."
    )


def others(left: int) -> str:
    """What a table of cases leaves out, and where it is; empty where it leaves out nothing."""
    if not left:
        return ""
    return f" The other {figures.number(left)} are marked in cases.csv, which has a line on every case."


def why(kinds: Sequence[Kind], moved: str, new: int, kept: int, claims: int, alone: bool) -> str:
    """Why a case is shown: what moved, what is made up, what failed."""
    said = [moved or ("" if alone else "No metric moved")]
    if new:
        said.append(words.count(new, "new fabrication"))
    if kept:
        said.append(f"{words.count(kept, 'fabrication')} made by both")
    if not (new or kept) and claims:
        said.append(words.count(claims, "fabrication"))
    if "error" in kinds:
        said.append("an answer or a score failed")
    if "wrong" in kinds and not moved:
        said.append("wrong" if alone else "wrong as before")
    if kinds[0] == "unchanged" and alone:
        said.append("not wrong")
    return words.capital("; ".join(filter(None, said)))


def page(number: int, of: int) -> str:
    """`page 3 of 12`."""
    return f"page {figures.number(number)} of {figures.number(of)}"


def _range(files: Sequence[str]) -> str:
    return words.listing(files) if len(files) < 3 else f"{files[0]} to {files[-1]}"
