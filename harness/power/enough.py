"""How many contracts a bar needs, before there is a case to count. Knows no suite and no wording.

Every contract is taken as one case that counts once, and the model as a good one: see `TRUTH`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from harness.evidence import FEWEST_CLUSTERS
from harness.power.rules import Assumed
from harness.schema import Gate, Rule

if TYPE_CHECKING:
    from harness.stats.design import Design

GAIN = 0.10
"""How much better a model is taken to be where a bar asks for better than the baseline."""
TRUTH = {
    "at_least": "makes half of the errors that the bar allows",
    "at_most": "does it half as often as the bar allows",
    "improves": f"is right in {GAIN * 100:g} more of 100",
    "no_worse": "is as good",
    "reduces": "has half of the rate that the bar allows",
    "never": "never does it",
}
"""What is taken of the model that is to pass, by rule: it ..."""


def contracts_enough(gate: Gate, assumed: Assumed | None = None) -> int | None:
    """Contracts of one case each with which a good model passes as often as the power asks; None over 20,000."""
    from harness.stats import chances, power
    from harness.stats.design import Design

    own = assumed or Assumed()
    if gate.rule == "never":
        return max(FEWEST_CLUSTERS, gate.n_min)
    if gate.rule == "reduces":
        assert gate.ratio is not None
        cases = power.cases_for_cut(own.baseline_rate, gate.ratio / 2, gate.ratio, own.correlation, own.power)
        return None if cases is None else max(FEWEST_CLUSTERS, gate.n_min, cases)
    chance = CHANCES[gate.rule](gate, own)
    found = chances.contracts_needed(Design(contracts=FEWEST_CLUSTERS), chance, own.power)
    return None if found is None else max(found, gate.n_min)


def _level(gate: Gate, own: Assumed) -> Callable[[Design], float]:
    from harness.stats import chances

    assert gate.value is not None
    bar = gate.value if gate.rule == "at_least" else 1 - gate.value
    return lambda design: chances.chance_of_level(design, bar, (1 + bar) / 2)


def _improves(gate: Gate, own: Assumed) -> Callable[[Design], float]:
    from harness.stats import chances

    margin = gate.margin * own.baseline_rate if gate.unit == "relative" else gate.margin
    gain = margin + GAIN
    return lambda design: chances.chance_of_gain(design, own.discordance + gain, gain, margin=margin)


def _no_worse(gate: Gate, own: Assumed) -> Callable[[Design], float]:
    from harness.stats import chances

    return lambda design: chances.chance_of_no_worse(design, own.discordance, gate.margin)


CHANCES: dict[Rule, Callable[[Gate, Assumed], Callable[[Design], float]]] = {
    "at_least": _level,
    "at_most": _level,
    "improves": _improves,
    "no_worse": _no_worse,
}
