"""Look-ups in a loaded run that several sections share."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Literal

from msgspec.structs import replace

from harness.gates.rules import directed
from harness.judges import human_review
from harness.judges.human_review import Reviews
from harness.runs.folder import RunData
from harness.schema import (
    BASELINE,
    CANDIDATE,
    FLOOR,
    Comparison,
    Estimate,
    Metric,
    Outcome,
    SuiteInfo,
    Verdict,
    combine_outcomes,
)
from reports.assumptions import Assumptions
from reports.cases import read
from reports.cases.index import CaseIndex, Joint
from reports.cases.pages import CasePages
from reports.cases.read import RecordSource, Tally, source_of
from reports.cases.select import SelectedCase, choose

TOO_FEW = 10
"""Fewest cases of a slice for which a number is shown."""
SEVERITY: dict[str, int] = {"fail": 0, "error": 1, "inconclusive": 2, "skipped": 3, "pass": 4}
FIRST_VARIANTS = (BASELINE, CANDIDATE, FLOOR)


@dataclass(frozen=True)
class RunView:
    """An evaluation run, the training run behind it where there is one, and the digest of its seal.

    The records of a large run are on disk, and `run.records` is empty: they are read once, sections count by `tallies`
    and `joint`, and `source` reads a whole answer again where one is shown.
    """

    run: RunData
    training: RunData | None = None
    seal: str = ""
    assumptions: Assumptions | None = None
    """The reader's assumptions for the business estimate."""

    @cached_property
    def suites(self) -> list[SuiteInfo]:
        """The run's suites; a neutral metric with a gate has the gate's direction."""
        return [
            replace(info, metrics=directed(info.metrics, [(v.metric, v.rule) for v in self._gated(info)], info.primary))
            for info in self.run.manifest.suites
        ]

    def _gated(self, suite: SuiteInfo) -> list[Verdict]:
        """Return the verdicts of one suite, in the order of its gates."""
        return [verdict for verdict in self.run.verdicts if verdict.suite == suite.name]

    @property
    def variants(self) -> list[str]:
        """The run's variants: baseline, tuned, keyword floor, then any other."""
        known = {row.variant for row in self.run.metrics.metrics} | set(self.run.manifest.checkpoints)
        return [v for v in FIRST_VARIANTS if v in known] + sorted(known - set(FIRST_VARIANTS))

    def level(
        self, suite: str, variant: str, metric: str, tag: str | None = None, value: str | None = None
    ) -> Estimate | None:
        """Return the estimate of one metric of one variant, over a suite or one slice value."""
        return self.run.metrics.level(suite, variant, metric, tag, value)

    def comparison(
        self, suite: str, metric: str, tag: str | None = None, value: str | None = None
    ) -> Comparison | None:
        """Return the paired difference of one metric, over a suite or one slice value."""
        found = self.run.metrics.comparison(suite, metric, tag, value)
        if found is None or (suite, metric) not in self._turned:
            return found
        return replace(found, wins=found.losses, losses=found.wins)

    @cached_property
    def _turned(self) -> set[tuple[str, str]]:
        """Suites and neutral metrics whose gate has the direction opposite to the one that the run counted by."""
        return {
            (info.name, metric.name)
            for info, declared in zip(self.suites, self.run.manifest.suites, strict=True)
            for metric, other in zip(info.metrics, declared.metrics, strict=True)
            if metric.higher_is_better != other.higher_is_better
        }

    @property
    def has_other_training(self) -> bool:
        """Whether the training run made another adapter than the one that was compared."""
        if self.training is None:
            return False
        made, tuned = (run.manifest.checkpoints.get(CANDIDATE) for run in (self.training, self.run))
        parent = self.run.manifest.parent_run_id
        if made and tuned and made.adapter_digest and tuned.adapter_digest:
            return made.adapter_digest != tuned.adapter_digest
        return parent is not None and parent != self.training.manifest.run_id

    def unit(self, suite: str, metric: Metric) -> Literal["share", "number"]:
        """Return `share` where the metric is written in percent, else `number`."""
        rows = (r.estimate.value for r in self.run.metrics.metrics if (r.suite, r.metric) == (suite, metric.name))
        return "share" if metric.is_percentage(rows) else "number"

    def unit_of_change(self, suite: str, metric: Metric) -> Literal["points", "change"]:
        """Return the unit of the paired change of a metric."""
        return "points" if self.unit(suite, metric) == "share" else "change"

    def slice_values(self, suite: str, tag: str) -> list[str]:
        """Return the values of a slice tag that the run has numbers for, sorted."""
        values = {r.slice_value for r in self.run.metrics.metrics if r.suite == suite and r.slice == tag}
        return sorted(v for v in values if v is not None)

    def verdicts(self, suite: str) -> list[Verdict]:
        """Return the verdicts of one suite, unmet ones first."""
        return unmet_first(v for v in self.run.verdicts if v.suite == suite)

    @cached_property
    def reviews(self) -> Reviews:
        """What reviewers said of the run's answers."""
        return human_review.read(self.run.path)

    @cached_property
    def source(self) -> RecordSource:
        """The run's answers: all in order, or any one of them."""
        return source_of(self.run)

    @property
    def tallies(self) -> dict[str, dict[str, Tally]]:
        """Counts of answers by suite and variant."""
        return self._read[0]

    @property
    def index(self) -> CaseIndex:
        """Index of every answer and every case."""
        return self._read[1]

    @cached_property
    def _read(self) -> tuple[dict[str, dict[str, Tally]], CaseIndex]:
        """The run's answers, read once."""
        tallies, index = dict[str, dict[str, Tally]]({suite.name: {} for suite in self.suites}), CaseIndex(self.suites)
        index.add(read.read(self.source, self.run.manifest.suites, tallies))
        index.show(case for suite in self.suites for case in self._chosen(suite, index))
        return tallies, index

    def _chosen(self, suite: SuiteInfo, index: CaseIndex) -> Iterable[SelectedCase]:
        judged = {verdict.metric for verdict in self._gated(suite)}
        return choose(suite, self.primary_metric(suite), judged, index.pairs(suite.name), index.tuned(suite.name))

    def joint(self, suite: str) -> Joint:
        """Return the paired counts of a suite's cases."""
        return self._joint[suite]

    @cached_property
    def _joint(self) -> dict[str, Joint]:
        return {suite.name: self.index.joint(suite.name) for suite in self.suites}

    @cached_property
    def cases(self) -> CasePages:
        """The cases of all suites in the order and on the pages where they are shown."""
        return CasePages(self.index)

    def primary_metric(self, suite: SuiteInfo) -> Metric | None:
        """Return the metric that the summary sentence counts; a case regresses where it falls.

        It is the suite's declared one, or that of its first gate, or its first metric with a direction.
        """
        by_name = {m.name: m for m in suite.metrics}
        names = [suite.primary, *(verdict.metric for verdict in self._gated(suite))]
        named = [by_name[name] for name in names if name in by_name]
        return next(iter(named or [m for m in suite.metrics if m.better]), None)

    def ranked_metrics(self, suite: SuiteInfo) -> list[Metric]:
        """Return a suite's metrics by what they decide: the primary, those of unmet gates, of other gates, the rest."""
        judged = [v.metric for v in self.verdicts(suite.name)]
        primary = self.primary_metric(suite)

        def rank(metric: Metric) -> tuple[bool, int]:
            return metric != primary, judged.index(metric.name) if metric.name in judged else len(judged)

        return sorted(suite.metrics, key=rank)


def unmet_first(verdicts: Iterable[Verdict]) -> list[Verdict]:
    """Sort verdicts: failed, not measurable, inconclusive, not judged, passed."""
    return sorted(verdicts, key=lambda v: SEVERITY[v.outcome])


def overall(verdicts: Sequence[Verdict]) -> Outcome:
    """Combine verdicts: `pass` only where all passed; no verdict at all is `skipped`."""
    return combine_outcomes({v.outcome for v in verdicts})
