"""What a change is worth: counts scaled to 100 documents, and a reviewer's minutes.

Minutes for 100 answers are 100 * (minutes to read one + share of answers to fix * minutes to fix one). The share is
measured, with its interval; the minutes are assumed. Where people were timed while they corrected drafts, their times
replace both.
"""

from __future__ import annotations

from msgspec import Struct, structs

from harness.errors import UserError
from harness.judges import human_review
from harness.schema import BASELINE, CANDIDATE, Comparison, Estimate, Metric, SuiteInfo
from harness.stats.review_times import Times, times
from reports import number_format, sentences, wording
from reports.assumptions import Assumptions
from reports.run_data import RunView

FEWEST = 10
"""Fewest clusters from which a count is scaled to 100."""
HUNDRED = 100


def rescaled(estimate: Estimate, factor: float, add: float = 0.0) -> Estimate:
    """Return the estimate of `add + factor * number`; a negative factor swaps the ends of its interval."""
    numbers = (estimate.value, estimate.low, estimate.high)
    value, *ends = (None if number is None else number_format.clean(add + factor * number) for number in numbers)
    low, high = ends if factor >= 0 else reversed(ends)
    return structs.replace(estimate, value=value, low=low, high=high)


def missed(evidence: RunView, suite: SuiteInfo, metric: Metric) -> str:
    """Say how many things the answers miss, against the baseline; empty where that cannot be counted."""
    noun = wording.ITEMS.get(metric.name)
    tuned, baseline = (evidence.level(suite.name, v, metric.name) for v in (CANDIDATE, BASELINE))
    if not noun or tuned is None or not _counts(tuned):
        return ""
    if baseline and not (_counts(baseline) and baseline.n == tuned.n):
        return ""
    before, sources = None if baseline is None else _short_of(baseline), wording.count(tuned.clusters, suite.cluster)
    return sentences.missed(_short_of(tuned), before, tuned.n, noun, sources)


def scaled(evidence: RunView, suite: SuiteInfo) -> str:
    """Say the change in 100 documents like these, with its interval; empty where it cannot be scaled."""
    metric = evidence.primary_metric(suite)
    level = evidence.level(suite.name, CANDIDATE, metric.name) if metric else None
    if metric is None or level is None or not _counts(level) or not _is_counted(evidence, suite, metric):
        return ""
    sources = max(level.clusters, evidence.joint(suite.name).contracts)  # those without such a thing count, too
    if level.clusters < FEWEST or sources == HUNDRED:
        return ""
    each = HUNDRED * level.n / sources
    up = -1.0 if metric.higher_is_better else 1.0
    comparison = evidence.comparison(suite.name, metric.name)
    noun = wording.ITEMS.get(metric.name, "")
    if comparison is None:
        per_hundred = rescaled(level, up * each, each if metric.higher_is_better else 0.0)
        return sentences.scaled(per_hundred, False, noun, suite.cluster, each)
    if comparison.difference.value is None:
        return ""
    per_hundred = rescaled(comparison.difference, up * each)
    return sentences.scaled(per_hundred, True, noun, suite.cluster, each)


def _is_counted(evidence: RunView, suite: SuiteInfo, metric: Metric) -> bool:
    """Tell whether the metric is a share of things that a reader can count, or of answers."""
    return metric.name in wording.ITEMS or _is_of_answers(evidence, suite, metric)


def _counts(estimate: Estimate) -> bool:
    """Tell whether the number is a ratio of two counts: no failed answer counts as the worst value."""
    return estimate.value is not None and estimate.n > 0 and estimate.errors == 0


def _short_of(estimate: Estimate) -> float:
    """Return how many things were missed: a whole number, but for the error of a float."""
    assert estimate.value is not None
    return estimate.n * (1 - estimate.value)


FORMAL = ("parse_rate", "complete_rate", "answer_rate")
"""Endings of metrics that measure whether there is an answer, not whether it is right."""
PER_MINUTE = 60.0
NO_BASELINE = "no baseline was run, so nothing is saved or lost"


class SuiteValue(Struct, frozen=True, kw_only=True):
    """What 100 answers of one suite cost a reviewer, with each model."""

    metric: Metric | None
    """Decides which answers need no fix; None where people were timed."""
    to_fix: dict[str, Estimate]
    """By variant, answers to fix in 100; empty where people were timed."""
    minutes: dict[str, Estimate]
    """By variant, minutes for 100 answers."""
    fewer: Estimate
    """Answers to fix that the tuned model saves in 100; negative where it costs more."""
    saved: Estimate
    """Minutes that the tuned model saves in 100 answers; negative where it costs more."""
    change: Comparison | None = None
    """The paired change behind it."""


def worth(evidence: RunView, suite: SuiteInfo, assumed: Assumptions) -> SuiteValue | None:
    """Estimate the value for one suite; None where no metric says whether a whole answer needs a fix.

    Raises UserError where the assumptions name a metric that the suite does not have or that is not a share of answers.
    """
    drafts = human_review.time_spent(human_review.read(evidence.run.path).of(suite.name))
    timed = times(drafts) if drafts else None
    if timed and timed.ratio.value is not None and timed.active[BASELINE].value is not None:
        return _timed(timed)
    metric = answer_metric(evidence, suite, assumed)
    return None if metric is None else _assumed(evidence, suite, metric, assumed)


def answer_metric(evidence: RunView, suite: SuiteInfo, assumed: Assumptions) -> Metric | None:
    """Return the metric that the assumptions name, or the first gated one that is a share of right answers.

    Raises UserError where the named metric is not a share of this suite's answers.
    """
    fit = {m.name: m for m in suite.metrics if _is_of_answers(evidence, suite, m)}
    if named := assumed.metrics.get(suite.name):
        if named not in fit:
            known = ", ".join(fit) or "none"
            raise UserError(f"metrics: {suite.name}: '{named}' is not a share of this suite's answers. It has: {known}")
        return fit[named]
    gated = [fit[v.metric] for v in evidence.run.verdicts if v.suite == suite.name and v.metric in fit]
    return next((m for m in gated if m.higher_is_better and not m.name.endswith(FORMAL)), None)


def _is_of_answers(evidence: RunView, suite: SuiteInfo, metric: Metric) -> bool:
    return metric.kind == "ratio" and metric.denominator is None and evidence.unit(suite.name, metric) == "share"


def _assumed(evidence: RunView, suite: SuiteInfo, metric: Metric, assumed: Assumptions) -> SuiteValue:
    up = metric.higher_is_better
    to_fix = {
        variant: rescaled(level, -HUNDRED if up else HUNDRED, HUNDRED if up else 0.0)
        for variant in (BASELINE, CANDIDATE)
        if (level := evidence.level(suite.name, variant, metric.name)) is not None
    }
    change = evidence.comparison(suite.name, metric.name)
    none = Estimate(value=None, reason=NO_BASELINE)
    fewer = rescaled(change.difference, HUNDRED if up else -HUNDRED) if change else none
    return SuiteValue(
        metric=metric,
        to_fix=to_fix,
        minutes={
            v: rescaled(fixes, assumed.minutes_per_fix, HUNDRED * assumed.minutes_per_review)
            for v, fixes in to_fix.items()
        },
        fewer=fewer,
        saved=rescaled(fewer, assumed.minutes_per_fix),
        change=change,
    )


def _timed(review_times: Times) -> SuiteValue:
    """Use people's times: the baseline's median, and the ratio with its interval."""
    usual = review_times.active[BASELINE].value
    assert usual is not None
    hundred = HUNDRED / PER_MINUTE
    return SuiteValue(
        metric=None,
        to_fix={},
        minutes={v: rescaled(e, hundred) for v, e in review_times.active.items()},
        fewer=Estimate(value=None, reason="people were timed; no answers to fix were counted"),
        saved=rescaled(review_times.ratio, -hundred * usual, hundred * usual),
    )
