"""Read a phrase bank: clauses, near misses, neutral paragraphs and pools."""

import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

BANKS = Path(__file__).parent / "banks"
DEED, PURCHASE, LEASE = "deed", "purchase", "lease"

INSTRUMENTS = {DEED: "security deed", PURCHASE: "purchase agreement", LEASE: "lease"}
"""Key used in the banks, and the name shown in a case's tags."""

CLAUSES: dict[str, tuple[str, ...]] = {
    "due on sale": (DEED,),
    "assignment of rents": (DEED,),
    "acceleration": (DEED,),
    "cancellation": (DEED,),
    "insurance": (DEED, LEASE),
    "attorney's fees": (DEED, PURCHASE, LEASE),
    "earnest money": (PURCHASE,),
    "prorations": (PURCHASE,),
    "risk of loss": (PURCHASE,),
    "time of the essence": (PURCHASE, LEASE),
    "as-is": (PURCHASE, LEASE),
    "anti-assignment": (PURCHASE, LEASE),
    "indemnity": (DEED, PURCHASE, LEASE),
    "holdover": (LEASE,),
    "subordination": (LEASE,),
    "repair": (LEASE,),
}
"""The closed list, in the order of the prompt and of every answer, with the instruments each clause belongs to."""

ANY = "*"
"""Key of the near misses that fit every clause type."""

HELD_OUT = 6
"""One entry in this many is kept from the training rows, so that the dev rows are drafted in unseen words."""


@dataclass(frozen=True)
class Entry:
    text: str
    """Template: `<a|b>` is a choice and `{slot}` is filled."""
    style: str
    """formal or modern."""
    instruments: tuple[str, ...]
    """Instruments it may be in."""


@dataclass(frozen=True)
class Bank:
    clauses: dict[str, list[Entry]]
    """By clause type."""
    decoys: dict[str, list[Entry]]
    """By clause type, and `ANY`."""
    neutral: list[Entry]
    """Paragraphs that are no listed clause."""
    pools: dict[str, Any]
    """Roles, names, places and figures."""

    def entries(self) -> list[Entry]:
        """Every phrase of the bank."""
        tables = [*self.clauses.values(), *self.decoys.values(), self.neutral]
        return [entry for table in tables for entry in table]

    def part(self, held_out: bool) -> "Bank":
        """The bank with every sixth entry of each clause and near-miss list only, or without those."""

        def some(entries: list[Entry]) -> list[Entry]:
            return [entry for i, entry in enumerate(entries) if (i % HELD_OUT == HELD_OUT - 1) is held_out]

        return Bank(
            clauses={name: some(entries) for name, entries in self.clauses.items()},
            decoys={name: some(entries) for name, entries in self.decoys.items()},
            neutral=self.neutral,
            pools=self.pools,
        )


def read_toml(path: Path) -> dict[str, Any]:
    """One file of a bank."""
    return tomllib.loads(path.read_text("utf-8"))


def entries_of(tables: dict[str, dict[str, list[str]]], home: tuple[str, ...]) -> list[Entry]:
    """Entries of one type; the table `any` is for every instrument of the type."""
    return [
        Entry(text, style, home if where == "any" else (where,))
        for where, styles in tables.items()
        for style, texts in styles.items()
        for text in texts
    ]


def load(name: str) -> Bank:
    """The bank `train` or `eval`."""
    folder = BANKS / name
    clauses, decoys = read_toml(folder / "clauses.toml"), read_toml(folder / "decoys.toml")
    everywhere = tuple(INSTRUMENTS)
    return Bank(
        clauses={name: entries_of(clauses[name], home) for name, home in CLAUSES.items()},
        decoys={name: entries_of(tables, CLAUSES.get(name, everywhere)) for name, tables in decoys.items()},
        neutral=entries_of(read_toml(folder / "neutral.toml"), everywhere),
        pools=read_toml(folder / "pools.toml"),
    )
