"""How many contracts a bar needs, before there is a case to count. Knows no suite and no wording.

Every contract is taken as one case that counts once, and the model as a good one: see `GOOD_MODELS`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, NamedTuple

from harness.gates.evidence import FEWEST_CLUSTERS
from harness.gates.rules.power import Assumed
from harness.schema import Gate, Rule

if TYPE_CHECKING:
    from harness.stats.power import Design

GAIN = 0.10
"""How much better a model is taken to be where a bar asks for better than the baseline."""


class GoodModel(NamedTuple):
    """What is taken of the model that is to pass a rule's bar."""

    does: str
    """In words, after `a model that`."""
    contracts: Callable[[Gate, Assumed], int | None]
    """Contracts with which it passes as often as the power asks; None over 20,000."""


def contracts_enough(gate: Gate, assumed: Assumed | None = None) -> int | None:
    """Contracts of one case each with which a good model passes as often as the power asks; None over 20,000."""
    found = GOOD_MODELS[gate.rule].contracts(gate, assumed or Assumed())
    return None if found is None else max(FEWEST_CLUSTERS, gate.n_min, found)


def _needed(chance: Callable[[Design], float], own: Assumed) -> int | None:
    from harness.stats import power_exact
    from harness.stats.power import Design

    return power_exact.contracts_needed(Design(contracts=FEWEST_CLUSTERS), chance, own.power)


def _level(gate: Gate, own: Assumed) -> int | None:
    from harness.stats import power_exact

    assert gate.value is not None
    bar = gate.value if gate.rule == "at_least" else 1 - gate.value
    return _needed(lambda design: power_exact.chance_of_level(design, bar, (1 + bar) / 2), own)


def _improves(gate: Gate, own: Assumed) -> int | None:
    from harness.stats import power_exact

    margin = gate.margin * own.baseline_rate if gate.unit == "relative" else gate.margin
    gain = margin + GAIN
    return _needed(lambda design: power_exact.chance_of_gain(design, own.discordance + gain, gain, margin=margin), own)


def _no_worse(gate: Gate, own: Assumed) -> int | None:
    from harness.stats import power_exact

    return _needed(lambda design: power_exact.chance_of_no_worse(design, own.discordance, gate.margin), own)


def _reduces(gate: Gate, own: Assumed) -> int | None:
    from harness.stats import power

    assert gate.ratio is not None
    return power.cases_for_cut(own.baseline_rate, gate.ratio / 2, gate.ratio, own.correlation, own.power)


def _never(gate: Gate, own: Assumed) -> int | None:
    return gate.n_min


GOOD_MODELS: dict[Rule, GoodModel] = {
    "at_least": GoodModel("makes half of the errors that the bar allows", _level),
    "at_most": GoodModel("does it half as often as the bar allows", _level),
    "improves": GoodModel(f"is right in {GAIN * 100:g} more of 100", _improves),
    "no_worse": GoodModel("is as good", _no_worse),
    "reduces": GoodModel("has half of the rate that the bar allows", _reduces),
    "never": GoodModel("never does it", _never),
}
