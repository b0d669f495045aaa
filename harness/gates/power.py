"""What every gate of a suite can show, from its cases or from a run's records.

Whether a gate can pass at all is decided by the rule itself, on the answers of the best model there can be.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec
from msgspec import Struct, field

from harness.gates.config import GateId, gate_ids
from harness.gates.evidence import after_holm, too_few
from harness.gates.power_inputs import PowerInputs, from_run, perfect_evidence
from harness.gates.rules import COMPARATIVE, GATE_RULES, is_tested, threshold_in_words
from harness.gates.rules.base import FEWEST_CLUSTERS, Assumed, Counted, Evidence, PowerNumbers, PowerQuestion
from harness.schema import Gate, GateFile, Record
from harness.suites.suite import Suite


class GatePower(Struct, frozen=True, kw_only=True):
    """What one gate can show."""

    suite: str
    """Suite name."""
    gate: str
    """Stable id of rule and slice."""
    rule: str
    """Rule name."""
    slice_value: str | None = None
    """The value of the slice that it judges."""
    bar: str
    """The bar in words."""
    units: int
    """What its metric counts: cases, or the claims below the line of its ratio."""
    cases: int
    """Cases that count any."""
    contracts: int
    """Independent sources among them."""
    cluster: str
    """What such a source is called."""
    can_pass: bool
    """A faultless model passes; for `no_worse` one that changes nothing."""
    deff: float | None = None
    """Design effect that was assumed or measured."""
    allowed: int | None = None
    """Most errors with which a level passes while fewer than ten clusters hold one."""
    truth: float | None = None
    """The good value that `chance` is for: half of what the threshold allows, no change, a gain of 10."""
    chance: float | None = None
    """Probability of passing there."""
    needed: float | None = None
    """The level, gain, margin or ratio at which the power asked for is reached with these cases."""
    contracts_needed: int | None = None
    """Clusters at which it is reached at `truth`."""
    is_enough: bool | None = None
    """Its cases are enough for the target power at `truth`; None where only a run can tell."""
    says: list[str] = field(default_factory=list)
    """All of it in plain words."""
    assumes: str = ""
    """What was assumed of this gate alone."""


def suite_power(
    suite: Suite, gates: GateFile, assumed: Assumed, records: Mapping[str, Sequence[Record]] | None = None
) -> list[GatePower]:
    """What every gate and slice value can show, in file order; by `records` (by variant) as far as they tell."""
    metrics = {m.name: m for m in suite.metrics}
    ids = gate_ids(gates, suite.slice_values(), suite.name)
    inputs = PowerInputs(suite)
    counts = [
        (records and from_run(asked, metrics[asked.gate.metric], records))
        or inputs.counted(asked, metrics[asked.gate.metric])
        for asked in ids
    ]
    claims = max(1, sum(is_tested(i.gate) for i in ids))
    own = [measured(counted, assumed) for counted in counts]
    best = after_holm([perfect_evidence(c, a.baseline_rate, suite.cluster) for c, a in zip(counts, own, strict=True)])
    rows = []
    for asked, counted, known, evidence in zip(ids, counts, own, best, strict=True):
        assert isinstance(evidence, Evidence)
        rows.append(_gate(suite, asked, PowerQuestion(counted, known, claims, evidence)))
    return rows


def clusters_enough(gate: Gate, assumed: Assumed | None = None) -> int | None:
    """Clusters of one case each with which a good model passes as often as the power asks; None over 20,000."""
    needed = GATE_RULES[gate.rule].clusters_needed(gate, assumed or Assumed())
    return None if needed is None else max(FEWEST_CLUSTERS, gate.n_min, needed)


def _gate(suite: Suite, asked: GateId, question: PowerQuestion) -> GatePower:
    counted, rule, lacking = question.counted, GATE_RULES[asked.gate.rule], too_few(question.best)
    numbers = rule.power(question) if not lacking else _lacking(asked.gate, lacking[0], question.assumed)
    can_pass = lacking is None and rule.judge(question.best).outcome == "pass"
    chance: float | None = numbers.get("chance")
    is_likely = rule.one_decides or (chance or 0.0) >= question.assumed.power  # `never`: the chance is a bad model's
    return GatePower(
        suite=suite.name,
        gate=asked.id,
        rule=asked.gate.rule,
        slice_value=asked.slice_value,
        bar=threshold_in_words(asked.gate, question.counted.metric),
        units=question.design.units if counted.is_share else len(counted.cases),
        cases=len(counted.cases),
        contracts=counted.clusters,
        cluster=suite.cluster,
        can_pass=can_pass,
        is_enough=None if chance is None and can_pass else can_pass and is_likely,
        assumes=counted.assumed,
        **numbers,
    )


def _lacking(gate: Gate, reason: str, assumed: Assumed) -> PowerNumbers:
    return {"contracts_needed": clusters_enough(gate, assumed), "says": [reason]}


def measured(counted: Counted, assumed: Assumed) -> Assumed:
    """The assumptions of one gate, replaced by what a run measured of it."""
    from harness.stats.estimates import estimate
    from harness.stats.paired import difference

    if counted.level is None:
        return assumed
    changes: dict[str, float] = {}
    pairs = counted.pairs if counted.gate.rule in COMPARATIVE else None
    if pairs and not pairs.unusable:
        seen = difference(pairs)
        changes |= _changes_of(pairs) if counted.is_share else {}
    else:
        seen = estimate(counted.level, counted.metric)
    size = counted.design(0).weighted_size
    if seen.deff is not None and seen.deff != 1 and size > 1:  # It is 1 where no case differs from another.
        changes["icc"] = min(0.95, max(0.0, (seen.deff - 1) / (size - 1)))
    return msgspec.structs.replace(assumed, **changes)


def _changes_of(pairs: Any) -> dict[str, float]:
    """Discordance, baseline rate and correlation of a comparison of 0/1 scores."""
    import numpy as np

    from harness.stats.pairs import case_gains, scores

    units, (tuned, baseline) = pairs.tuned.denominators, scores(pairs)
    discordance = float(np.abs(case_gains(pairs)) @ units / units.sum())
    assumptions = {"discordance": discordance, "baseline_rate": pairs.values[1]}
    tuned, baseline = (side[~np.isnan(tuned + baseline)] for side in (tuned, baseline))
    if tuned.std() > 0 and baseline.std() > 0:
        assumptions["correlation"] = float(max(0.0, np.corrcoef(tuned, baseline)[0, 1]))
    return assumptions
