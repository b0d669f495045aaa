"""The table of gate rules. A new rule is one file in this package and one line here."""

from collections.abc import Iterable

from harness.gates.rules import level
from harness.gates.rules.base import GateRule
from harness.gates.rules.improves import IMPROVES
from harness.gates.rules.never import NEVER
from harness.gates.rules.no_worse import NO_WORSE
from harness.gates.rules.reduces import REDUCES
from harness.schema import Gate, Metric

GATE_RULES: dict[str, GateRule] = {
    "at_least": level.AT_LEAST,
    "at_most": level.AT_MOST,
    "improves": IMPROVES,
    "no_worse": NO_WORSE,
    "reduces": REDUCES,
    "never": NEVER,
}
"""Every rule by its name in gates.toml, in the order in which pages and messages name them."""

COMPARATIVE: frozenset[str] = frozenset(name for name, rule in GATE_RULES.items() if rule.compares)
"""Rules that need a baseline."""


def threshold_in_words(gate: Gate, metric: Metric | None = None) -> str:
    """The threshold as a reader says it, such as `at least 95.0%`; of a metric that is no share, `at least 0.950`."""
    return GATE_RULES[gate.rule].in_words(gate, metric is None or not metric.unbounded)


def is_tested(gate: Gate) -> bool:
    """Whether the gate claims an improvement of any size, which an exact test has to show."""
    return GATE_RULES[gate.rule].is_tested and gate.margin == 0


def unknown_rule(names: Iterable[str]) -> str | None:
    """What is wrong where a file names a rule that this version does not have."""
    unknown = next((name for name in names if name not in GATE_RULES), None)
    return unknown and f"unknown rule '{unknown}'. This version has: {', '.join(GATE_RULES)}"
