"""How far two raters agree on the same answers. Knows no judge, no reviewer and no rubric."""

from collections.abc import Sequence

from harness.schema import Estimate, Metric, Observation
from harness.stats.estimates import estimate
from harness.stats.observations import Observations

EXACT = Metric(name="exact_agreement", scorer="raters", numerator="same")


def exact_agreement(first: Sequence[str], second: Sequence[str], clusters: Sequence[str]) -> Estimate:
    """Share of answers to which both gave the same label, with its clustered interval."""
    cases = [
        Observation(case_id=str(i), input_hash="", cluster=cluster, numerator=float(a == b), denominator=1.0)
        for i, (a, b, cluster) in enumerate(zip(first, second, clusters, strict=True))
    ]
    return estimate(Observations(cases=cases, records=len(cases)), EXACT)


def weighted_kappa(first: Sequence[str], second: Sequence[str], labels: Sequence[str]) -> float | None:
    """Cohen's kappa with quadratic weights over ordered labels (statsmodels `cohens_kappa`).

    With two labels it is plain kappa. None where it is not defined: nothing was rated twice, or both raters gave one
    label throughout.
    """
    import numpy as np
    from statsmodels.stats.inter_rater import cohens_kappa

    table = np.zeros((len(labels), len(labels)))
    for a, b in zip(first, second, strict=True):
        table[labels.index(a), labels.index(b)] += 1
    used = {*first, *second}
    if len(first) == 0 or len(used) < 2:
        return None
    return float(cohens_kappa(table, wt="quadratic", return_results=False))
