"""The rule `never`: one event in any case fails the gate."""

from __future__ import annotations

from msgspec import structs

from harness.formatting import count, percent
from harness.gates.rules.base import Assumed, Evidence, Finding, GateRule, PowerNumbers, PowerQuestion, how_often
from harness.gates.sentences import SURE
from harness.schema import Gate


def _in_words(gate: Gate, is_share: bool) -> str:
    return f"none in at least {gate.n_min} cases"


def _judge(evidence: Evidence) -> Finding:
    """Pass: none in at least n_min cases. Fail: one or more, whatever the number of cases."""
    from harness.stats.estimates import estimate
    from harness.stats.intervals import rule_of_three

    cases = evidence.cases
    events = evidence.level.table.take(evidence.level.table.numerators > 0)
    level = estimate(evidence.level, evidence.metric, side="upper")
    if events:
        named = ", ".join(c.case_id for c in events[:3]) + (" ..." if len(events) > 3 else "")
        return Finding("fail", "", level, seen=f"found in {len(events):,} of {count(cases, 'case')} ({named})")
    independent = min(cases, level.n_eff or 0.0)
    bound = rule_of_three(independent)
    if level.value is not None:
        exact = "exact upper bound of zero events (rule of three)"
        level = structs.replace(level, low=0.0, high=bound, n=cases, n_eff=independent, deff=None, method=exact)
    seen = f"found in 0 of {count(cases, 'case')} ({SURE} at most {percent(bound)} of all cases)"
    return Finding("pass", "", level, 0.0, seen=seen)


def _power(question: PowerQuestion) -> PowerNumbers:
    import numpy as np

    from harness.stats.power import design_of

    best = _judge(question.best).observed
    assert best is not None and best.high is not None
    cases_by_cluster = np.bincount(question.best.level.table.clusters).astype(np.float64)
    design = design_of(cases_by_cluster, question.assumed.icc)
    missed = float(design.events(0.01)[0]) ** design.clusters
    says = [
        f"passes with none found in {best.n:,} cases, which shows a true share under {best.high:.2%}",
        f"a model that does it in 1 case of 100 passes {how_often(missed)}",
    ]
    return {"allowed": 0, "truth": 0.01, "chance": missed, "needed": best.high, "says": says}


def _clusters_needed(gate: Gate, assumed: Assumed) -> int | None:
    return gate.n_min


NEVER = GateRule(
    needs=("n_min",),
    unit="share",
    lower_is_easier=True,
    is_for_fewer=True,
    one_decides=True,
    in_words=_in_words,
    judge=_judge,
    power=_power,
    clusters_needed=_clusters_needed,
)
