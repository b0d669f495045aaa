"""Reads kinds.toml: what can be asked of a model, and how it is measured. Knows no person's answers."""

from __future__ import annotations

import tomllib
from functools import cache
from pathlib import Path

import msgspec
from msgspec import Struct, field

KINDS = Path(__file__).with_name("kinds.toml")


class Also(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    metric: str
    """A metric that must reach the same bar, so that the first cannot be had cheaply."""
    right: str
    """What it counts as right, in plain words."""


class Invented(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    metric: str
    """The rate of what must never, or hardly ever, happen."""
    says: str
    """What happens then, in plain words."""
    counts: str
    """What it is a share of."""


class Example(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    document: str
    """The text that is asked about."""
    question: str = ""
    """What is asked, where each case has a question of its own."""
    expected: list[str]
    """The right answer."""


class Kind(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One kind of answer."""

    name: str
    """What --kind calls it."""
    says: str
    """What it is, with an example, for the one who chooses."""
    aim: str
    """Opening of the objective."""
    right: str
    """What counts as right, in plain words."""
    instruction: str
    """What the model is told where nobody says otherwise."""
    inputs: list[str] = field(default_factory=lambda: ["document"])
    """Variables of the prompt."""
    labels: list[str] = field(default_factory=list)
    """The labels, or names, of the examples; empty for kinds without any."""
    fields: str = ""
    """The fields of the examples, as a user writes them; empty for kinds without any."""
    imports: str
    """The line of the test file that imports the scorers."""
    made_by: list[str]
    """Scorers as they stand in the test file; `{tolerance}` is filled in."""
    metric: str
    """The metric that the bar is for."""
    also: list[Also] = field(default_factory=list)
    """Other metrics that must reach it."""
    invented: Invented | None = None
    """What must not be made up, where the kind can tell."""
    max_tokens: int
    """Tokens of an answer; for labels beside their own, for fields by each."""
    not_tested: list[str]
    """What the measure does not see."""
    tests: str
    """Case tests, as they stand in the test file."""
    example: list[Example]
    """Five examples."""

    @property
    def has_tolerance(self) -> bool:
        """How far off an answer may be is a question of its own."""
        return any("{tolerance}" in scorer for scorer in self.made_by)


@cache
def kinds() -> dict[str, Kind]:
    """Every kind by name, in the order in which they are offered."""
    found = msgspec.convert(tomllib.loads(KINDS.read_text("utf-8"))["kind"], list[Kind])
    return {kind.name: kind for kind in found}
