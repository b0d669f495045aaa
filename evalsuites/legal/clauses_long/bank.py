"""Read the phrase banks of whole contracts: those of legal/clauses and this suite's own."""

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from evalsuites.legal.clauses.drafting import bank as short
from evalsuites.legal.clauses.drafting.bank import CLAUSES, DEED, INSTRUMENTS, LEASE, PURCHASE, Entry

BANKS = Path(__file__).parent / "banks"

PLACES: dict[str, tuple[str, ...]] = {
    DEED: ("bargain", "covenants", "default", "discharge", "general"),
    PURCHASE: ("bargain", "title", "closing", "default", "general"),
    LEASE: ("bargain", "use", "ending", "default", "general"),
}
"""Parts of a contract, in order."""

CLAUSE_PLACES: dict[str, dict[str, str]] = {
    DEED: {
        "due on sale": "covenants",
        "assignment of rents": "covenants",
        "acceleration": "default",
        "cancellation": "discharge",
        "insurance": "covenants",
        "attorney's fees": "default",
        "indemnity": "covenants",
    },
    PURCHASE: {
        "attorney's fees": "default",
        "earnest money": "bargain",
        "prorations": "closing",
        "risk of loss": "closing",
        "time of the essence": "general",
        "as-is": "title",
        "anti-assignment": "general",
        "indemnity": "default",
    },
    LEASE: {
        "insurance": "use",
        "attorney's fees": "default",
        "time of the essence": "general",
        "as-is": "use",
        "anti-assignment": "use",
        "indemnity": "default",
        "holdover": "ending",
        "subordination": "general",
        "repair": "use",
    },
}
"""Clause types of each instrument, and the part of the contract where each belongs."""

ATTACHED = re.compile(r"\b(?:Schedule|Exhibit|Addendum|Appendix)s? [A-Z0-9]\b")
"""Phrases of the short suite that point at an attachment by name are left out: a whole contract has its own."""


@dataclass(frozen=True)
class Topic:
    """One subject of an ordinary paragraph; a contract takes it at most once."""

    name: str
    place: str
    core: bool
    """Every contract of the instrument has it, so that others can refer to it."""
    caption: str
    entries: tuple[Entry, ...]


@dataclass(frozen=True)
class LongBank:
    clauses: dict[str, list[Entry]]
    """By clause type."""
    decoys: dict[str, list[Entry]]
    """Near misses by clause type, and `ANY`."""
    topics: dict[str, list[Topic]]
    """Ordinary paragraphs by instrument."""
    frames: dict[str, Any]
    """Text around the paragraphs, by instrument, with signatures and schedules."""
    captions: dict[str, list[str]]
    """Captions by clause type."""
    pools: dict[str, Any]
    """Roles, names, places, figures and the calendar."""

    def draftable(self, instrument: str) -> list[str]:
        """Clause types of an instrument for which there is a phrase; a part of a bank may lack some."""
        return [
            name
            for name in CLAUSE_PLACES[instrument]
            if any(instrument in entry.instruments for entry in self.clauses[name])
        ]

    def texts(self) -> list[str]:
        """Every phrase of clauses, near misses and topics, as written in the banks."""
        tables = [*self.clauses.values(), *self.decoys.values()]
        topics = [topic.entries for some in self.topics.values() for topic in some]
        return list(dict.fromkeys(entry.text for entries in [*tables, *topics] for entry in entries))


def load(name: str, held_out: bool | None = None) -> LongBank:
    """The bank `train` or `eval`; `held_out` keeps every sixth clause and near miss only, or all but those."""
    folder = BANKS / name
    base = short.load(name)
    if held_out is not None:
        base = base.part(held_out)
    clauses, decoys = _copied(base.clauses), _copied(base.decoys)
    if (folder / "clauses.toml").is_file():
        for clause, tables in short.read_toml(folder / "clauses.toml").items():
            clauses[clause] += short.entries_of(tables, CLAUSES[clause])
        for clause, tables in short.read_toml(folder / "decoys.toml").items():
            decoys[clause] += short.entries_of(tables, CLAUSES.get(clause, tuple(INSTRUMENTS)))
    written = short.read_toml(folder / "topics.toml")
    return LongBank(
        clauses=clauses,
        decoys=decoys,
        topics={key: _topics(written[key], key) + _topics(written["any"], key) for key in INSTRUMENTS},
        frames=short.read_toml(folder / "frames.toml"),
        captions=short.read_toml(BANKS / "captions.toml"),
        pools=short.read_toml(folder / "pools.toml"),
    )


def _copied(table: dict[str, list[Entry]]) -> dict[str, list[Entry]]:
    return {name: [entry for entry in entries if not ATTACHED.search(entry.text)] for name, entries in table.items()}


def _topics(written: dict[str, dict[str, Any]], instrument: str) -> list[Topic]:
    return [
        Topic(
            name=name,
            place=table["place"],
            core=table.get("core", False),
            caption=table["caption"],
            entries=tuple(
                Entry(text, style, (instrument,)) for style in ("formal", "modern") for text in table.get(style, [])
            ),
        )
        for name, table in written.items()
    ]
