"""The table of gate rules. A new rule is one file in this package and one line here."""

from collections.abc import Iterable, Sequence

from msgspec.structs import replace

from harness.gates.rules import level
from harness.gates.rules.base import GateRule
from harness.gates.rules.improves import IMPROVES
from harness.gates.rules.never import NEVER
from harness.gates.rules.no_worse import NO_WORSE
from harness.gates.rules.reduces import REDUCES
from harness.schema import Gate, Metric, Verdict

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

HIGHER_IS_BETTER: dict[str, bool] = {"at_least": True, "at_most": False, "never": False}
"""Rules that say which direction of a neutral metric is better; the others use the metric's `higher_is_better`."""


def directed(metrics: Iterable[Metric], rules: Sequence[tuple[str, str]], primary: str = "") -> list[Metric]:
    """Give neutral metrics the direction of their gates; `rules` are gated metrics with their rules.

    A metric with gates in both directions stays neutral. A neutral primary metric without a gate has its declared
    direction.
    """
    found = []
    for metric in metrics:
        ways = {HIGHER_IS_BETTER.get(rule, metric.higher_is_better) for name, rule in rules if name == metric.name}
        if not ways and metric.name == primary:
            ways = {metric.higher_is_better}
        is_given = not metric.better and len(ways) == 1
        found.append(replace(metric, neutral=False, higher_is_better=ways.pop()) if is_given else metric)
    return found


def threshold_in_words(gate: Gate, metric: Metric | None = None) -> str:
    """The threshold as a reader says it, such as `at least 95.0%`; of a metric that is no share, `at least 0.95`."""
    return GATE_RULES[gate.rule].in_words(gate, metric is None or metric.is_percentage())


def level_threshold(verdict: Verdict) -> float | None:
    """The threshold of a gate on a metric's level in the whole suite, from its deciding bound and margin; or None."""
    rule, seen, margin = GATE_RULES.get(verdict.rule), verdict.observed, verdict.margin
    if rule is None or "value" not in rule.needs or verdict.slice is not None or seen is None or margin is None:
        return None
    bound, way = (seen.low, -1) if rule.lower_is_easier else (seen.high, 1)
    return None if bound is None else round(bound + way * margin, 9)


def is_tested(gate: Gate) -> bool:
    """Whether the gate claims an improvement of any size, which an exact test has to show."""
    return GATE_RULES[gate.rule].is_tested and gate.margin == 0


def unknown_rule(names: Iterable[str]) -> str | None:
    """What is wrong where a file names a rule that this version does not have."""
    unknown = next((name for name in names if name not in GATE_RULES), None)
    return unknown and f"unknown rule '{unknown}'. This version has: {', '.join(GATE_RULES)}"
