"""Baseline and tuned answers to one input side by side: what changed, what is fabricated. Knows no estimate.

Counts here order and illustrate cases; the numbers that are judged come from the run's metrics.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from harness.schema import Case, Metric, Record
from harness.scoring.verdicts import FABRICATED
from harness.stats.values import case_value


@dataclass(frozen=True)
class Fabrication:
    """A claim that a scorer could not ground."""

    scorer: str
    quote: str
    kind: str
    verdict: str
    reason: str

    @property
    def key(self) -> tuple[str, str]:
        """What makes two claims the same claim."""
        return self.scorer, " ".join(self.quote.casefold().split())


@dataclass(frozen=True)
class Pair:
    """One case with the first answer of either variant."""

    baseline: Record
    tuned: Record

    @property
    def case(self) -> Case:
        return self.tuned.case

    @property
    def has_both_texts(self) -> bool:
        """Of an accepted baseline only scores are kept: its answer cannot be shown, nor its claims compared."""
        return self.baseline.text_kept

    @property
    def new(self) -> list[Fabrication]:
        """Fabricated by the tuned model only; none where that cannot be told."""
        return _without(fabrications(self.tuned), fabrications(self.baseline)) if self.has_both_texts else []

    @property
    def fixed(self) -> list[Fabrication]:
        """Fabricated by the baseline only."""
        return _without(fabrications(self.baseline), fabrications(self.tuned))

    @property
    def persisting(self) -> list[Fabrication]:
        """Fabricated by both."""
        known = {f.key for f in fabrications(self.baseline)}
        return [f for f in fabrications(self.tuned) if f.key in known]

    def change(self, metric: Metric) -> float | None:
        """How much better the tuned answer is on one metric, from -1 to 1 for a share; None where not comparable."""
        before, after = case_value(self.baseline, metric), case_value(self.tuned, metric)
        if before is None or after is None:
            return None
        return after - before if metric.higher_is_better else before - after


def both_texts(pairs: Sequence[Pair]) -> bool:
    """Both answers of every pair are kept."""
    return all(pair.has_both_texts for pair in pairs)


def pair_up(baseline: Sequence[Record], tuned: Sequence[Record]) -> list[Pair]:
    """Join first answers by case id and input hash, in the order of the tuned records."""
    known = {(r.case.id, r.input_hash): r for r in baseline if r.repeat == 1}
    joined = [(known.get((r.case.id, r.input_hash)), r) for r in tuned if r.repeat == 1]
    return [Pair(baseline=b, tuned=t) for b, t in joined if b is not None]


def fabrications(record: Record) -> list[Fabrication]:
    """Every claim of an answer that a scorer marks as not grounded."""
    return [
        Fabrication(name, span.quote, span.kind, span.verdict, span.reason)
        for name, score in record.scores.items()
        for span in score.spans
        if span.verdict in FABRICATED
    ]


def _without(found: list[Fabrication], others: list[Fabrication]) -> list[Fabrication]:
    known = {f.key for f in others}
    return [f for f in found if f.key not in known]
