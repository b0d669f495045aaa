"""What a change comes to in things a reader can count: of this run, and scaled to 100. Estimates nothing of its own.

A metric that is a share of clauses says how many of them were missed: its value is a ratio of counts, and its estimate
knows both. Scaling multiplies an estimate and both ends of its interval by the same number.
"""

from __future__ import annotations

from msgspec import structs

from harness.schema import BASELINE, CANDIDATE, Estimate, Metric, SuiteInfo
from reports import figures, sentences, words
from reports.evidence import Evidence

FEWEST = 10
"""Under so many contracts nothing is judged, and nothing is scaled."""
HUNDRED = 100


def rescaled(found: Estimate, factor: float, add: float = 0.0) -> Estimate:
    """An estimate of `add` plus `factor` times the number; a negative factor turns its interval round."""
    numbers = (found.value, found.low, found.high)
    value, *ends = (None if number is None else figures.clean(add + factor * number) for number in numbers)
    low, high = ends if factor >= 0 else reversed(ends)
    return structs.replace(found, value=value, low=low, high=high)


def missed(evidence: Evidence, suite: SuiteInfo, metric: Metric) -> str:
    """How many things the answers miss, and how the baseline does; empty where that cannot be counted."""
    noun = words.ITEMS.get(metric.name)
    tuned, baseline = (evidence.level(suite.name, v, metric.name) for v in (CANDIDATE, BASELINE))
    if noun is None or tuned is None or not _counts(tuned) or (baseline and not _same_things(baseline, tuned)):
        return ""
    before = None if baseline is None else _short_of(baseline)
    return sentences.missed(_short_of(tuned), before, tuned.n, noun, words.count(tuned.clusters, suite.cluster))


def scaled(evidence: Evidence, suite: SuiteInfo) -> str:
    """The same in 100 contracts like these, with the interval of the change; empty where nothing can be scaled."""
    metric = evidence.headline_metric(suite)
    level = evidence.level(suite.name, CANDIDATE, metric.name) if metric else None
    if metric is None or level is None or not _counts(level) or not _is_counted(evidence, suite, metric):
        return ""
    if level.clusters < FEWEST or level.clusters == HUNDRED:
        return ""
    each = HUNDRED * level.n / level.clusters
    up = -1.0 if metric.higher_is_better else 1.0
    comparison = evidence.comparison(suite.name, metric.name)
    noun = words.ITEMS.get(metric.name, "")
    if comparison is None:
        found = rescaled(level, up * each, each if metric.higher_is_better else 0.0)
        return sentences.scaled(found, False, noun, suite.cluster, None)
    if comparison.difference.value is None:
        return ""
    found = rescaled(comparison.difference, up * each)
    return sentences.scaled(found, True, noun, suite.cluster, _fabrications(evidence, suite))


def _is_counted(evidence: Evidence, suite: SuiteInfo, metric: Metric) -> bool:
    """It is a share of things that a reader can count, or of answers."""
    is_of_answers = metric.kind == "ratio" and metric.denominator is None
    return metric.name in words.ITEMS or (is_of_answers and evidence.unit(suite.name, metric) == "share")


def _fabrications(evidence: Evidence, suite: SuiteInfo) -> tuple[float, float] | None:
    """New and gone fabrications in 100 contracts; None where the baseline's answers are not kept."""
    joint = evidence.joint(suite.name)
    if not joint.pairs or not joint.both_texts:
        return None
    each = HUNDRED / joint.contracts
    return each * joint.new, each * joint.gone


def _counts(found: Estimate) -> bool:
    """Its number is a ratio of two counts: no failed answer stands in it as the worst value."""
    return found.value is not None and found.n > 0 and found.errors == 0


def _same_things(baseline: Estimate, tuned: Estimate) -> bool:
    return _counts(baseline) and baseline.n == tuned.n


def _short_of(found: Estimate) -> float:
    """How many of its things were missed; a whole number but for repeats, over which it is a mean."""
    assert found.value is not None
    return found.n * (1 - found.value)
