"""Gates of gates.toml and their verdicts."""

from collections.abc import Collection
from typing import Literal

from msgspec import Struct

from harness.schema.metric import Estimate

Outcome = Literal["pass", "fail", "inconclusive", "skipped", "error"]


class Gate(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One `[[gate]]` of gates.toml."""

    metric: str
    """Metric name."""
    rule: str
    """A rule of `harness.gates.rules`."""
    value: float | None = None
    """Threshold of at_least and at_most."""
    margin: float = 0.0
    """improves: at least this much better; no_worse: at most this much worse."""
    unit: Literal["points", "relative"] = "points"
    """Unit of the margin of improves."""
    ratio: float | None = None
    """reduces: tuned over baseline must be shown to be at most this."""
    slice: str | None = None
    """Judge every value of this tag separately."""
    values: list[str] | None = None
    """Judge these values of the slice only."""
    n_min: int = 0
    """Fewest cases to judge on."""


class Objective(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The table `[objective]` of gates.toml."""

    text: str
    """The aim in the business's own words."""


class GateFile(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The whole of gates.toml."""

    objective: Objective
    """Purpose of the gates."""
    gate: list[Gate]
    """The gates."""


class Verdict(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Verdict of one gate, for one value of its slice: an entry of verdicts.json."""

    suite: str
    """Suite name."""
    gate: str
    """Stable id of rule and slice, such as `clause_recall-at_least-0.95`."""
    metric: str
    """Metric name."""
    rule: str
    """Rule name."""
    slice: str | None = None
    """Slice tag."""
    slice_value: str | None = None
    """Slice value."""
    outcome: Outcome
    """Only `pass` merges."""
    observed: Estimate | None = None
    """The number judged: the rate itself, or the paired difference or ratio."""
    seen: str = ""
    """The value and the end of its interval that decides, such as `72.0% (95% confidence: at most 76.0%)`; empty where
    not judged."""
    bar: str
    """The threshold in words, such as `at least 95.0%`."""
    margin: float | None = None
    """Distance from the deciding bound to the threshold; positive on the passing side."""
    reason: str
    """One sentence."""
    needed: str | None = None
    """What would settle an inconclusive verdict."""

    @property
    def judges(self) -> tuple[str | None, ...]:
        """What the gate judges, whatever its threshold."""
        return self.suite, self.metric, self.rule, self.slice, self.slice_value


def combine_outcomes(outcomes: Collection[Outcome]) -> Outcome:
    """Combine outcomes: all pass is a pass, any failure or error a failure; none or only skipped is skipped."""
    distinct = set(outcomes)
    if distinct <= {"skipped"}:
        return "skipped"
    if distinct & {"fail", "error"}:
        return "fail"
    return "pass" if distinct == {"pass"} else "inconclusive"
