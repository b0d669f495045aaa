"""Read kinds.toml: the kinds of answers that a suite can ask for, and how each is measured."""

from __future__ import annotations

import tomllib
from functools import cache
from pathlib import Path

import msgspec
from msgspec import Struct, field

KINDS = Path(__file__).with_name("kinds.toml")


class Also(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    metric: str
    """A metric that must reach the same threshold, so that the first cannot be met by a degenerate model."""
    right: str
    """What it counts as right, in plain words."""


class Invented(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    metric: str
    """The rate of what must never, or rarely, happen."""
    says: str
    """What happens then, in plain words."""
    counts: str
    """What it is a share of."""


class Example(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    document: str
    """The text that the question is about."""
    question: str = ""
    """The question, where each case has its own."""
    expected: list[str]
    """The right answer."""


class Kind(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One kind of answer."""

    name: str
    """Its name for --kind."""
    says: str
    """Description with an example, for users who choose."""
    aim: str
    """Opening of the objective."""
    right: str
    """What counts as right, in plain words."""
    instruction: str
    """Default instruction to the model."""
    inputs: list[str] = field(default_factory=lambda: ["document"])
    """Variables of the prompt."""
    labels: list[str] = field(default_factory=list)
    """The labels, or names, of the examples; empty for kinds without any."""
    fields: str = ""
    """The fields of the examples, as a user writes them; empty for kinds without any."""
    imports: str
    """The line of the test file that imports the scorers."""
    made_by: list[str]
    """Scorers as written in the test file; `{tolerance}` is filled in."""
    metric: str
    """The metric of the threshold."""
    also: list[Also] = field(default_factory=list)
    """Other metrics that must reach the threshold."""
    invented: Invented | None = None
    """What must not be invented, where the kind can measure it."""
    max_tokens: int
    """Tokens of an answer; for labels in addition to their own, for fields per field."""
    not_tested: list[str]
    """What the metrics do not measure."""
    tests: str
    """Case tests, as written in the test file."""
    example: list[Example]
    """Five examples."""

    @property
    def has_tolerance(self) -> bool:
        """Whether the wizard asks how far off an answer may be."""
        return any("{tolerance}" in scorer for scorer in self.made_by)


@cache
def kinds() -> dict[str, Kind]:
    """Read every kind by name, in the order in which they are offered."""
    loaded = msgspec.convert(tomllib.loads(KINDS.read_text("utf-8"))["kind"], list[Kind])
    return {kind.name: kind for kind in loaded}
