"""The cases that a report shows, with both answers, and the reasons why each is shown."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Collection, Iterable, Iterator, Sequence

from msgspec import Struct

from harness.schema import Metric, SuiteInfo
from harness.stats.estimates import falls_short
from reports.cases.read import AnswerSummary, CaseName, Fabrication
from reports.model import Facets, Kind


class Pair(Struct, frozen=True, kw_only=True):
    """One case with the first answer of either variant."""

    baseline: AnswerSummary
    """What the baseline answered."""
    tuned: AnswerSummary
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
        """How much better the tuned answer is, metric by metric, from -1 to 1 for a share.

        None where it is not comparable, or neither direction is better. `metrics` are the suite's.
        """
        return [
            None
            if before is None or after is None or not metric.better
            else after - before
            if metric.better == "higher"
            else before - after
            for metric, before, after in zip(metrics, self.baseline.values, self.tuned.values, strict=True)
        ]


def _without(found: Sequence[Fabrication], others: Sequence[Fabrication]) -> list[Fabrication]:
    known = {f.key for f in others}
    return [f for f in found if f.key not in known]


ORDER: tuple[Kind, ...] = ("regression", "gain", "fabrication", "error", "wrong", "unchanged", "other")
FRAME = 1_500
"""Bytes that the mark-up of one case takes."""


class SelectedCase(Struct, frozen=True, kw_only=True):
    """One case of a run, and what it is shown for."""

    suite: SuiteInfo
    """Its suite."""
    tuned: AnswerSummary
    """The tuned model's answer."""
    baseline: AnswerSummary | None = None
    """The baseline's answer, where one was asked."""
    kinds: tuple[Kind, ...]
    """All that it is, in their order."""
    shift: float = 0.0
    """How far the tuned answer moved for the better by the primary metric."""
    measured: bool
    """The suite's primary metric has a value for both answers, or for the only one."""
    wrong: bool
    """The tuned answer falls short of the best by it."""
    wrong_before: bool = False
    """So does the baseline's."""

    @property
    def pair(self) -> Pair | None:
        return Pair(baseline=self.baseline, tuned=self.tuned) if self.baseline else None

    @property
    def anchor(self) -> str:
        """Its address in a page: letters, digits and hyphens, and one for each case whatever its name."""
        return anchor(self.suite.name, self.tuned.case.id)

    @property
    def rank(self) -> float:
        """Its place in the list of its first kind: how far it fell or rose by the primary metric."""
        return -self.shift if self.kinds[0] == "regression" else self.shift

    @property
    def facets(self) -> Facets:
        return Facets(suite=self.suite.name, kinds=self.kinds, slices=self.tuned.case.slices)

    @property
    def size(self) -> int:
        """About how many bytes it takes on a page."""
        return FRAME + self.tuned.case.size + self.said

    @property
    def said(self) -> int:
        """Bytes of its answers."""
        return self.tuned.size + (self.baseline.size if self.baseline else 0)


def choose(
    suite: SuiteInfo,
    primary: Metric | None,
    gated: Collection[str],
    pairs: Iterable[Pair],
    alone: Iterable[AnswerSummary],
) -> Iterator[SelectedCase]:
    """The cases of one suite; the `primary` metric says which answers are wrong.

    A case regresses where it or a metric of `gated` falls. Without pairs, the tuned answers `alone` are shown.
    """
    at = suite.metrics.index(primary) if primary else None
    counted = [place for place, metric in enumerate(suite.metrics) if place == at or metric.name in gated]

    def wrong(answer: AnswerSummary) -> bool | None:
        return None if primary is None or at is None else falls_short(answer.values[at], primary)

    compared = False
    for pair in pairs:
        compared, now, before = True, wrong(pair.tuned), wrong(pair.baseline)
        changes = [change or 0.0 for change in pair.changes(suite.metrics)]
        moved = [changes[place] for place in counted]
        yield SelectedCase(
            suite=suite,
            tuned=pair.tuned,
            baseline=pair.baseline,
            kinds=_true(
                ("regression", min(moved, default=0) < 0),
                ("gain", max(moved, default=0) > 0),
                ("fabrication", pair.tuned.claims),
                ("error", pair.tuned.failed or pair.baseline.failed),
                ("wrong", now),
                otherwise="unchanged",
            ),
            shift=0.0 if at is None else changes[at],
            measured=now is not None and before is not None,
            wrong=bool(now),
            wrong_before=bool(before),
        )
    for tuned in () if compared else alone:
        now = wrong(tuned)
        kinds = _true(("fabrication", tuned.claims), ("error", tuned.failed), ("wrong", now), otherwise="other")
        yield SelectedCase(suite=suite, tuned=tuned, kinds=kinds, measured=now is not None, wrong=bool(now))


def anchor(suite: str, case_id: str) -> str:
    """An address of letters, digits and hyphens: a name that a reader knows, and a digest that tells cases apart."""
    slug = re.sub(r"[^a-z0-9]+", "-", case_id.lower()).strip("-")[:40].strip("-")
    digest = hashlib.sha256(f"{suite}\0{case_id}".encode("utf-8", errors="surrogatepass")).hexdigest()[:8]
    return "-".join(filter(None, ("case", slug, digest)))


def _true(*found: tuple[Kind, object], otherwise: Kind) -> tuple[Kind, ...]:
    return tuple(kind for kind, holds in found if holds) or (otherwise,)
