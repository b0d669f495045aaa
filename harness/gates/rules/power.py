"""What each rule can show with given cases: one function a rule, numbers and plain words. Knows no suite, no table."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

from msgspec import Struct

from harness.formatting import number, points, round_to_two_digits
from harness.gates.evidence import Evidence
from harness.gates.judge import ALPHA, RULES
from harness.gates.power_inputs import Counted
from harness.gates.rules import COMPARATIVE
from harness.schema import Rule, Side

if TYPE_CHECKING:
    from harness.stats.power import Design
    from harness.stats.power_exact import Allowed

Numbers = dict[str, Any]
"""Fields of `GatePower`."""
NEEDS_RUN = "needs a run to say more: --from RUN, since how much its scores vary is not known before"


class Assumed(Struct, frozen=True, kw_only=True):
    """What is taken for granted where no run has measured it."""

    power: float = 0.80
    """Probability of passing that is asked for."""
    discordance: float = 0.10
    """Share of cases whose score differs between the two models, either way."""
    baseline_rate: float = 0.20
    """Baseline's rate of what `reduces` is to cut."""
    correlation: float = 0.5
    """Between baseline and tuned score of one case, for `reduces`."""
    icc: float = 0.2
    """Between two cases (or claims) of one contract."""

    @property
    def says(self) -> str:
        """All of it in one sentence."""
        return (
            f"{self.discordance:.0%} of cases change; a baseline rate of {self.baseline_rate:.0%} that correlates by "
            f"{self.correlation:g} with the tuned one; cases of one contract correlate by {self.icc:g} (ICC)"
        )


@dataclass(frozen=True)
class PowerQuestion:
    """One gate, with what its answer depends on."""

    counted: Counted
    assumed: Assumed
    cluster: str
    """What a contract is called."""
    claims: int
    """Superiority claims that Holm corrects for."""
    best: Evidence
    """The gate on the best model there can be."""

    @cached_property
    def design(self) -> Design:
        return self.counted.design(self.assumed.icc)

    def more(self, contracts: int | None) -> str:
        """`about 1,000 contracts (500 more)`."""
        if contracts is None:
            return f"more than 20,000 {self.cluster}s"
        about = round_to_two_digits(contracts)
        return f"about {about:,} {self.cluster}s ({max(0, about - self.counted.contracts):,} more)"


def answer(question: PowerQuestion) -> Numbers:
    """What the gate can show, by its rule; by the standard error of a run where its scores are not 0 and 1."""
    rule = question.counted.asked.gate.rule
    return BY_RULE[rule](question) if question.counted.is_share else _by_error(question)


def _often(chance: float) -> str:
    shown = "under 1%" if chance < 0.005 else "over 99%" if chance > 0.995 else f"{chance:.0%}"
    return f"{shown} of the time"


def _for_power(question: PowerQuestion, way: str | None, contracts: int | None) -> str:
    """What the power asked for takes: one way with these contracts, where there is one, or more of them."""
    ways = f"{way}, or there must be" if way else "there must be"
    return f"; for {question.assumed.power:.0%} {ways} {question.more(contracts)}"


def _unsigned(difference: float, is_share: bool = True) -> str:
    return points(difference, is_share).lstrip("+")


def _level(question: PowerQuestion) -> Numbers:
    """at_least, and at_most as the same claim on what is left to 1."""
    from harness.stats import power_exact

    gate, design, power = question.counted.asked.gate, question.design, question.assumed.power
    assert gate.value is not None
    is_floor, value = gate.rule == "at_least", gate.value

    def turned(share: float) -> float:
        return share if is_floor else 1 - share

    def said(share: float) -> str:
        return number(turned(share), True, value)

    bar = turned(value)
    good = (1 + bar) / 2
    most = power_exact.allowed(design, bar)
    chance = power_exact.chance_of_level(design, bar, good)
    needed = power_exact.rate_needed(design, bar, power)
    numbers = {
        "deff": design.deff,
        "allowed": most.few,
        "truth": turned(good),
        "chance": chance,
        "needed": None if needed is None else turned(needed),
    }
    if most.few is None:
        return numbers | _out_of_reach(question, bar)
    says = f"a model at {said(good)} passes {_often(chance)}"
    enough = None
    if chance < power:
        enough = power_exact.contracts_needed(design, lambda d: power_exact.chance_of_level(d, bar, good), power)
        says += _for_power(question, None if needed is None else f"it must be at {said(needed)}", enough)
    elif needed is not None and said(needed) != said(good):
        says += f"; for {power:.0%} it must be at {said(needed)}"
    return numbers | {"contracts_needed": enough, "says": [_allowed(most, design, is_floor, question.cluster), says]}


def _allowed(most: Allowed, design: Design, is_floor: bool, cluster: str) -> str:
    """`passes with at most 4 errors in 500`, with what the few-errors guard leaves where errors are scattered."""
    assert most.few is not None
    noun = ("error" if is_floor else "hit") + ("" if most.few == 1 else "s")
    said = f"passes with at most {most.few:,} {noun} in {design.units:,}"
    if most.scattered is not None and most.scattered >= max(10, most.few + 1):
        said += f" ({most.scattered:,} where ten {cluster}s or more hold one)"
    return said


def _out_of_reach(question: PowerQuestion, bar: float) -> Numbers:
    """A level that no faultless model is shown to have."""
    from harness.stats import power_exact

    gate = question.counted.asked.gate
    seen = RULES[gate.rule](question.best).observed
    bound = seen and (seen.low if gate.rule == "at_least" else seen.high)
    enough = power_exact.contracts_needed(question.design, lambda d: power_exact.chance_of_level(d, bar, 1.0))
    says = (
        f"without any error in {question.design.units:,} the bound is {number(bound or 0.0, True, gate.value)}; it "
        f"takes {question.more(enough)}"
    )
    return {"contracts_needed": enough, "says": [says]}


def _never(question: PowerQuestion) -> Numbers:
    from harness.stats.intervals import rule_of_three

    cases = question.best.cases
    missed = 0.99**cases
    says = [
        f"passes with none found in {cases:,} cases, which shows a true share under {rule_of_three(cases):.2%} (3/n)",
        f"a model that does it in 1 case of 100 passes {_often(missed)}",
    ]
    return {"allowed": 0, "truth": 0.01, "chance": missed, "needed": rule_of_three(cases), "says": says}


def _no_worse(question: PowerQuestion) -> Numbers:
    from harness.stats import power_exact

    margin, design, own = question.counted.asked.gate.margin, question.design, question.assumed
    chance = power_exact.chance_of_no_worse(design, own.discordance, margin)
    seen = power_exact.smallest_margin(design, own.discordance, own.power)
    says = []
    unchanged = RULES["no_worse"](question.best)
    if unchanged.outcome != "pass":
        bound = margin - (unchanged.margin or 0.0)
        # 1 - 0.05^(1/C) of a loss that was never seen: C falls as the logarithm of what is left.
        enough = math.ceil(design.contracts * math.log1p(-bound) / math.log1p(-margin)) if bound < 1 else None
        says.append(
            f"with no case changed, {design.contracts:,} {question.cluster}s rule out losses over {_unsigned(bound)} "
            f"only; it takes {question.more(enough)}, or 20 that change"
        )
    line = f"guards losses of {_unsigned(margin)}; where {own.discordance:.0%} of cases change, an equally good model "
    line += f"passes {_often(chance)}"
    enough = None
    if chance < own.power:
        enough = power_exact.contracts_needed(
            design, lambda d: power_exact.chance_of_no_worse(d, own.discordance, margin), own.power
        )
        line += _for_power(question, None if seen is None else f"the margin must be {_unsigned(seen)}", enough)
    numbers = {"deff": design.deff, "truth": 0.0, "chance": chance, "needed": seen, "contracts_needed": enough}
    return numbers | {"says": [*says, line]}


def _improves(question: PowerQuestion) -> Numbers:
    from harness.stats import power_exact

    gate, design, own = question.counted.asked.gate, question.design, question.assumed
    margin = gate.margin * own.baseline_rate if gate.unit == "relative" else gate.margin
    claims = 1 if gate.margin else question.claims
    seen = power_exact.smallest_gain(design, own.discordance, own.power, margin=margin, alpha=ALPHA / claims)
    if seen is None:
        says = f"shows no gain {_often(own.power)}, however large"
    else:
        where = f"{own.discordance:.0%} of cases change" if seen <= own.discordance else "every change is a gain"
        says = f"shows true gains of {_unsigned(seen)} or more {_often(own.power)}, where {where}"
    says += f" (after Holm over {claims} claims)" if claims > 1 else ""
    return {"deff": design.deff, "needed": seen, "says": [says]}


def _reduces(question: PowerQuestion) -> Numbers:
    from harness.stats import power, power_exact

    bar, design, own = question.counted.asked.gate.ratio, question.design, question.assumed
    assert bar is not None
    truth, before, correlation = bar / 2, own.baseline_rate, own.correlation
    if before <= 0:
        return {"deff": design.deff, "says": ["the baseline of the run has none of it to reduce"]}
    none_left = RULES["reduces"](question.best)
    first = []
    if none_left.outcome != "pass":
        high = none_left.observed and none_left.observed.high
        bound = "there is no bound" if high is None else f"the bound is {high:.0%}"
        first.append(f"with none left of a baseline rate of {before:.0%}, {bound} of the baseline's rate")
    chance = power_exact.chance_of_cut(design, before, truth, bar, correlation)
    seen = power_exact.largest_ratio(design, before, bar, correlation, own.power)
    says = f"a model at {truth:.0%} of a baseline rate of {before:.0%} passes {_often(chance)}"
    enough = None
    if chance < own.power:
        cases = power.cases_for_cut(before, truth, bar, correlation, own.power)
        enough = cases and round(cases * design.deff / design.per_contract)
        says += _for_power(question, None if seen is None else f"it must be at {seen:.0%} of it", enough)
    elif seen is not None and f"{seen:.0%}" != f"{truth:.0%}":
        says += f"; for {own.power:.0%} it must be at {seen:.0%} of it"
    numbers = {"deff": design.deff, "truth": truth, "chance": chance, "needed": seen, "contracts_needed": enough}
    return numbers | {"says": [*first, says]}


BY_RULE: dict[Rule, Callable[[PowerQuestion], Numbers]] = {
    "at_least": _level,
    "at_most": _level,
    "improves": _improves,
    "no_worse": _no_worse,
    "reduces": _reduces,
    "never": _never,
}
"""What each rule of `GATE_RULES` can show."""


def _by_error(question: PowerQuestion) -> Numbers:
    """Macro means, means and other numbers: normal, with the standard error that a run measured on as many cases."""
    from harness.stats import power
    from harness.stats.estimates import estimate
    from harness.stats.paired import difference

    counted, gate, own = question.counted, question.counted.asked.gate, question.assumed
    compared, pairs = gate.rule in COMPARATIVE, counted.pairs
    if counted.level is None or (compared and (pairs is None or pairs.unusable)) or gate.rule == "reduces":
        return {"says": [NEEDS_RUN]}
    side: Side = "two" if gate.rule == "improves" else "lower"
    found = difference(pairs, side=side) if compared and pairs else estimate(counted.level, counted.metric, side=side)
    se, is_share = power.standard_error(found), counted.metric.is_share is True
    if not se or found.value is None:
        return {"says": [NEEDS_RUN]}
    seen = power.smallest_visible(se, side, power=own.power)
    if not compared:
        assert gate.value is not None
        at = gate.value + (seen if gate.rule == "at_least" else -seen)
        says = f"passes {_often(own.power)} at a true {number(at, is_share)}; the run measured "
        return {"needed": at, "says": [says + number(found.value, is_share)]}
    if gate.rule == "improves":
        at = seen + gate.margin
        return {"needed": at, "says": [f"shows true gains of {_unsigned(at, is_share)} or more {_often(own.power)}"]}
    says = f"guards losses of {_unsigned(gate.margin, is_share)}; an equally good model passes "
    if seen <= gate.margin:
        return {"needed": seen, "says": [f"{says}{own.power:.0%} of the time or more"]}
    cases = power.cases_for_gap(se, len(counted.cases), gate.margin, side, power=own.power)
    enough = cases and round(cases * counted.contracts / len(counted.cases))
    says += (
        f"less often than asked for{_for_power(question, f'the margin must be {_unsigned(seen, is_share)}', enough)}"
    )
    return {"needed": seen, "contracts_needed": enough, "says": [says]}
