"""What a check is and what it says. Knows no check."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Literal

from msgspec import Struct

if TYPE_CHECKING:
    from training.curation.sample import Sample
    from training.curation.settings import Settings

Action = Literal["drop", "mask", "flag", "keep"]
"""What `clean` does with a row that a check finds: leave it out, mask the places, keep it and list it. `keep` is the
action of checks that describe all rows together and find none."""


class Finding(Struct, frozen=True, kw_only=True):
    row: int
    """Index of the row in the sample."""
    reason: str
    """Why, in one sentence."""
    quote: str = ""
    """What stands there; personal data is masked in it."""
    other: str = ""
    """The row (`file:line`) or the suite's case that it was compared with."""
    other_quote: str = ""
    """What stands there."""


class Table(Struct, frozen=True, kw_only=True):
    title: str
    """What it shows."""
    headings: list[str]
    """One a column."""
    rows: list[list[str]]
    """Cells, ready to be shown."""
    bars: list[float] = []
    """Where given, one share between 0 and 1 a row, drawn beside it."""


class Found(Struct, frozen=True, kw_only=True):
    findings: list[Finding] = []
    """At most one a row, in the rows' order."""
    notes: list[str] = []
    """What else is worth knowing, in sentences."""
    tables: list[Table] = []
    """Figures about all rows."""
    counts: dict[str, int] = {}
    """Figures for the manifest."""
    skipped: str = ""
    """Why nothing was checked, where that is so."""


class Check(Struct, frozen=True, kw_only=True):
    name: str
    """Its name on the command line."""
    says: str
    """What it looks for, in one sentence."""
    action: Action
    """What `clean` does with what it finds, unless told otherwise."""
    find: Callable[[Sample, Settings], Found]
    """The check itself."""
