"""Scored records, observations and pairs for the tests of statistics and gates."""

from collections.abc import Sequence
from functools import cache
from typing import Any

import numpy as np

from harness.gates.judge import judge
from harness.gates.rules import GATE_RULES
from harness.gates.rules.base import Evidence
from harness.schema import Case, Completion, Gate, GateFile, Metric, Objective, Record, Score, Verdict
from harness.stats.observations import Answers, Observations, observations
from harness.stats.paired import superiority
from harness.stats.pairs import Pairs, pair
from harness.stats.score_table import Cases, case_key

ACCURACY = Metric(name="accuracy", scorer="answers", numerator="right")
ERROR_RATE = Metric(name="error_rate", scorer="answers", numerator="wrong", higher_is_better=False)
RECALL = Metric(name="recall", scorer="answers", numerator="right", denominator="claims")
FABRICATION = Metric(
    name="fabrication", scorer="answers", numerator="wrong", denominator="claims", higher_is_better=False
)
OVERLAP = Metric(name="overlap", scorer="answers", numerator="", kind="mean", worst=0.0, best=1.0)
LENGTH = Metric(name="length", scorer="answers", numerator="words", higher_is_better=False)
MACRO_F1 = Metric(name="macro_f1", scorer="answers", numerator="", kind="macro_f1")
MACRO_RECALL = Metric(name="macro_recall", scorer="answers", numerator="", kind="macro_recall")
METRICS = [ACCURACY, ERROR_RATE, RECALL, FABRICATION, LENGTH, MACRO_F1, MACRO_RECALL]


def record(
    case: int,
    right: int | None,
    *,
    claims: int = 1,
    cluster: object = None,
    variant: str = "tuned",
    repeat: int = 1,
    error: bool = False,
    input_hash: str = "same",
    tags: dict[str, str] | None = None,
    labels: tuple[Sequence[str], Sequence[str], Sequence[str]] | None = None,
    scored_error: bool = True,
    expected: Sequence[str] = ("lien",),
) -> Record:
    """An answer with `right` of `claims`; `right` None is unscored; `labels` are found, invented and missing."""
    if labels is None:
        labels = (["lien"], [], []) if right else ([], ["tax"], ["lien"])
    score = Score(name="answers", value=None, reason="no judge was given")
    if right is not None:
        score = Score(
            name="answers",
            value=float(right),
            counts={"right": right, "wrong": claims - right, "claims": claims, "words": 10 * case},
            extracted={"found": list(labels[0]), "invented": list(labels[1]), "missing": list(labels[2])},
        )
    completion = Completion(
        key=f"{variant}-{case}-{repeat}",
        text="",
        finish_reason="error" if error else "stop",
        prompt_tokens=1,
        output_tokens=1,
        error="timed out" if error else None,
    )
    return Record(
        case=Case(
            id=f"case-{case}",
            input={"document": "x"},
            expected=list(expected),
            cluster=str(case if cluster is None else cluster),
            tags=tags or {},
        ),
        variant=variant,
        repeat=repeat,
        input_hash=input_hash,
        prompt_hash="p",
        expected_hash="e",
        completion=completion,
        scores={} if error and not scored_error else {"answers": score},
    )


def answers(right: Sequence[int | None], per_contract: int = 1, variant: str = "tuned", **more: object) -> list[Record]:
    """One record a case, `per_contract` cases to a contract."""
    return [
        record(i, r, cluster=i // per_contract, variant=variant, **more)  # type: ignore[arg-type]
        for i, r in enumerate(right)
    ]


def observed(scores: Sequence[float], per_contract: int = 1, sizes: Sequence[float] | None = None) -> Observations:
    """Observations with these numerators over `sizes`, or over 1; as columns, since some tests make thousands."""
    n = len(scores)
    clusters = np.arange(n) // per_contract
    cases = Cases(
        keys=_keys(n),
        numbers=np.arange(n),
        clusters=clusters,
        cluster_names=[str(i) for i in range(clusters.max(initial=-1) + 1)],
        numerators=np.asarray(scores, dtype=np.float64),
        denominators=np.ones(n) if sizes is None else np.asarray(sizes, dtype=np.float64),
        errors=np.zeros(n, dtype=np.bool_),
    )
    return Observations(cases=cases, records=n)


@cache
def _keys(cases: int) -> list[str]:
    return [case_key(str(i), "same") for i in range(cases)]


def paired(
    tuned: Sequence[float], baseline: Sequence[float], per_contract: int = 1, metric: Metric = ACCURACY
) -> Pairs:
    """The same cases answered by both variants, with 0/1 or real scores."""
    return pair(observed(tuned, per_contract), observed(baseline, per_contract), metric)


def both(tuned: Answers, baseline: Answers, metric: Metric) -> Pairs:
    """Records of both variants, joined case by case for one metric."""
    return pair(observations(tuned, metric), observations(baseline, metric, "baseline"), metric)


def flips(better: int, worse: int, cases: int, metric: Metric = ACCURACY) -> Pairs:
    """One case a contract: `better` were wrong before and are right now, `worse` the reverse, the rest are right."""
    tuned = [1] * better + [0] * worse + [1] * (cases - better - worse)
    baseline = [0] * better + [1] * worse + [1] * (cases - better - worse)
    return paired(tuned, baseline, metric=metric)


def judged(
    gates: Sequence[Gate], metrics: Sequence[Metric], records: dict[str, list[Record]], **more: Any
) -> list[Verdict]:
    """Verdicts on a suite with these cases and no slices, unless `more` says otherwise."""
    known: dict[str, Any] = {"expected_cases": len({r.case.id for r in records["tuned"]}), "slices": {}}
    return judge("a/b", GateFile(objective=Objective(text="x"), gate=[*gates]), metrics, records, **known | more)


def passes(gate: Gate, pairs: Pairs) -> bool:
    """Whether the pairs pass a comparative gate, the only one of its suite."""
    p = superiority(pairs)[0] if gate.rule == "improves" and gate.margin == 0 else None
    evidence = Evidence(gate=gate, metric=pairs.metric, level=observed([1]), pairs=pairs, p_value=p)
    return GATE_RULES[gate.rule].judge(evidence).outcome == "pass"


def correlated(
    rng: np.random.Generator, suites: int, contracts: int, cases: int, rate: float, rho: float
) -> np.ndarray:
    """Successes of each contract, shape (suites, contracts), with within-contract correlation `rho`: beta-binomial."""
    spread = (1 - rho) / rho
    return rng.binomial(cases, rng.beta(rate * spread, (1 - rate) * spread, size=(suites, contracts)))
