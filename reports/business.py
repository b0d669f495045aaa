"""What a change is worth in a reviewer's time: the reader's assumptions, and what this run measured. Knows no wording.

Minutes for 100 answers are 100 * (minutes to read one + share of answers to fix * minutes to fix one). The share is
measured, with its interval; the minutes are assumed. Where people were timed while they made drafts usable, their times
stand in the place of both.
"""

from __future__ import annotations

from msgspec import Struct

from harness import reviewed
from harness.errors import UserError
from harness.schema import BASELINE, CANDIDATE, Comparison, Estimate, Metric, SuiteInfo
from harness.stats.times import Times, times
from reports import counts
from reports.assumptions import Assumptions
from reports.counts import HUNDRED
from reports.evidence import Evidence

FORMAL = ("parse_rate", "complete_rate", "answer_rate")
"""Endings of metrics that say that an answer is there, and not whether it is right."""
PER_MINUTE = 60.0
NO_BASELINE = "no baseline was asked, so that nothing is saved or lost"


class Worth(Struct, frozen=True, kw_only=True):
    """What 100 answers of one suite cost a reviewer, with either model."""

    metric: Metric | None
    """Says which answers need no fix; None where people were timed."""
    to_fix: dict[str, Estimate]
    """By variant, answers to fix in 100; empty where people were timed."""
    minutes: dict[str, Estimate]
    """By variant, minutes for 100 answers."""
    fewer: Estimate
    """Answers to fix that the tuned model saves in 100; negative where it costs more."""
    saved: Estimate
    """Minutes that the tuned model saves in 100 answers; negative where it costs more."""
    change: Comparison | None = None
    """The paired change that it follows from."""
    timed: Times | None = None
    """The times of people, where they are used."""


def worth(evidence: Evidence, suite: SuiteInfo, assumed: Assumptions) -> Worth | None:
    """An estimate for one suite; None where no metric says of a whole answer whether it has to be fixed.

    Raises UserError where the assumptions name a metric that the suite does not have, or that is no share of answers.
    """
    drafts = reviewed.spent(reviewed.read(evidence.run.path).of(suite.name))
    timed = times(drafts) if drafts else None
    if timed and timed.ratio.value is not None and timed.active[BASELINE].value is not None:
        return _timed(timed)
    metric = answer_metric(evidence, suite, assumed)
    return None if metric is None else _assumed(evidence, suite, metric, assumed)


def answer_metric(evidence: Evidence, suite: SuiteInfo, assumed: Assumptions) -> Metric | None:
    """The metric that the assumptions name, or the first gated one that is a share of whole answers that are right."""
    fit = {m.name: m for m in suite.metrics if _is_of_answers(evidence, suite, m)}
    if named := assumed.metrics.get(suite.name):
        if named not in fit:
            known = ", ".join(fit) or "none"
            raise UserError(f"metrics: {suite.name}: '{named}' is no share of this suite's answers. It has: {known}")
        return fit[named]
    gated = [v.metric for v in evidence.run.verdicts if v.suite == suite.name]
    return next(
        (fit[n] for n in gated if n in fit and fit[n].higher_is_better and not n.endswith(FORMAL)),
        None,
    )


def _is_of_answers(evidence: Evidence, suite: SuiteInfo, metric: Metric) -> bool:
    return metric.kind == "ratio" and metric.denominator is None and evidence.unit(suite.name, metric) == "share"


def _assumed(evidence: Evidence, suite: SuiteInfo, metric: Metric, assumed: Assumptions) -> Worth:
    up = metric.higher_is_better
    to_fix = {
        variant: counts.rescaled(level, -HUNDRED if up else HUNDRED, HUNDRED if up else 0.0)
        for variant in (BASELINE, CANDIDATE)
        if (level := evidence.level(suite.name, variant, metric.name)) is not None
    }
    change = evidence.comparison(suite.name, metric.name)
    none = Estimate(value=None, reason=NO_BASELINE)
    fewer = counts.rescaled(change.difference, HUNDRED if up else -HUNDRED) if change else none
    return Worth(
        metric=metric,
        to_fix=to_fix,
        minutes={
            v: counts.rescaled(found, assumed.minutes_per_fix, HUNDRED * assumed.minutes_per_review)
            for v, found in to_fix.items()
        },
        fewer=fewer,
        saved=counts.rescaled(fewer, assumed.minutes_per_fix),
        change=change,
    )


def _timed(found: Times) -> Worth:
    """From people's times: the baseline's median, and the ratio with its interval."""
    usual = found.active[BASELINE].value
    assert usual is not None
    hundred = HUNDRED / PER_MINUTE
    return Worth(
        metric=None,
        to_fix={},
        minutes={v: counts.rescaled(e, hundred) for v, e in found.active.items()},
        fewer=Estimate(value=None, reason="people were timed, and no answer was counted as one to fix"),
        saved=counts.rescaled(found.ratio, -hundred * usual, hundred * usual),
        timed=found,
    )
