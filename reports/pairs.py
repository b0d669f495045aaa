"""Baseline and tuned answers to one input side by side: what changed, what is fabricated. Knows no estimate.

Counts here order and illustrate cases; the numbers that are judged come from the run's metrics.
"""

from __future__ import annotations

from collections.abc import Sequence

from msgspec import Struct

from harness.schema import Metric, SuiteInfo
from reports.briefs import Brief, CaseName, Fabrication


class Pair(Struct, frozen=True, kw_only=True):
    """One case with the first answer of either variant."""

    baseline: Brief
    """What the baseline answered."""
    tuned: Brief
    """What the tuned model answered."""

    @property
    def case(self) -> CaseName:
        return self.tuned.case

    @property
    def has_both_texts(self) -> bool:
        """Of an accepted baseline only scores are kept: its answer cannot be shown, nor its claims compared."""
        return self.baseline.text_kept

    @property
    def new(self) -> list[Fabrication]:
        """Fabricated by the tuned model only; none where that cannot be told."""
        return _without(self.tuned.claims, self.baseline.claims) if self.has_both_texts else []

    @property
    def fixed(self) -> list[Fabrication]:
        """Fabricated by the baseline only."""
        return _without(self.baseline.claims, self.tuned.claims)

    @property
    def persisting(self) -> list[Fabrication]:
        """Fabricated by both."""
        known = {f.key for f in self.baseline.claims}
        return [f for f in self.tuned.claims if f.key in known]

    @property
    def same_question(self) -> tuple[bool, bool]:
        """Whether both got the same prompt, and are held to the same answer."""
        return (
            self.baseline.prompt_key == self.tuned.prompt_key,
            self.baseline.expected_key == self.tuned.expected_key,
        )

    def changes(self, metrics: Sequence[Metric]) -> list[float | None]:
        """How much better the tuned answer is, metric by metric, from -1 to 1 for a share; None where not comparable.

        `metrics` are the suite's, as the answers were read with.
        """
        return [
            None if before is None or after is None else after - before if metric.higher_is_better else before - after
            for metric, before, after in zip(metrics, self.baseline.values, self.tuned.values, strict=True)
        ]


def shift(pair: Pair, suite: SuiteInfo) -> float:
    """Sum over the suite's metrics of the tuned answer's change for the better; negative is a regression."""
    return sum(c for c in pair.changes(suite.metrics) if c is not None)


def _without(found: Sequence[Fabrication], others: Sequence[Fabrication]) -> list[Fabrication]:
    known = {f.key for f in others}
    return [f for f in found if f.key not in known]
