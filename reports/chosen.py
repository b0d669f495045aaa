"""What a case is shown for: it got worse or better, fabricates, failed, stays wrong, or none. Knows no layout."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Iterator

from msgspec import Struct

from harness.schema import Metric, SuiteInfo
from harness.stats.values import falls_short
from reports.briefs import Brief
from reports.model import Facets, Kind
from reports.pairs import Pair, shift

ORDER: tuple[Kind, ...] = ("regression", "gain", "fabrication", "error", "wrong", "unchanged")
FRAME = 1_500
"""Bytes that the mark-up of one case takes."""


class Chosen(Struct, frozen=True, kw_only=True):
    """One case of a run, and what it is shown for."""

    suite: SuiteInfo
    """Its suite."""
    tuned: Brief
    """The tuned model's answer."""
    baseline: Brief | None = None
    """The baseline's answer, where one was asked."""
    kinds: tuple[Kind, ...]
    """All that it is, in their order."""
    shift: float = 0.0
    """How far the tuned answer moved for the better."""
    measured: bool
    """The suite's headline metric has a value for both answers, or there is but one."""
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
    def facets(self) -> Facets:
        return Facets(suite=self.suite.name, kinds=self.kinds, slices=self.tuned.case.slices)

    @property
    def size(self) -> int:
        """About how many bytes it takes on a page."""
        return FRAME + self.tuned.case.size + self.tuned.size + (self.baseline.size if self.baseline else 0)


def choose(suite: SuiteInfo, metric: Metric | None, pairs: Iterable[Pair], alone: Iterable[Brief]) -> Iterator[Chosen]:
    """The cases of one suite; `metric` says which answers are wrong.

    Without pairs, the tuned answers `alone` are shown.
    """
    at = suite.metrics.index(metric) if metric else None

    def wrong(answer: Brief) -> bool | None:
        return None if metric is None or at is None else falls_short(answer.values[at], metric)

    compared = False
    for pair in pairs:
        compared, moved, now, before = True, shift(pair, suite), wrong(pair.tuned), wrong(pair.baseline)
        yield Chosen(
            suite=suite,
            tuned=pair.tuned,
            baseline=pair.baseline,
            kinds=_true(
                ("regression", moved < 0),
                ("gain", moved > 0),
                ("fabrication", pair.tuned.claims),
                ("error", pair.tuned.failed or pair.baseline.failed),
                ("wrong", now),
            ),
            shift=moved,
            measured=now is not None and before is not None,
            wrong=bool(now),
            wrong_before=bool(before),
        )
    for tuned in () if compared else alone:
        now = wrong(tuned)
        kinds = _true(("fabrication", tuned.claims), ("error", tuned.failed), ("wrong", now))
        yield Chosen(suite=suite, tuned=tuned, kinds=kinds, measured=metric is not None, wrong=bool(now))


def anchor(suite: str, case_id: str) -> str:
    """An address of letters, digits and hyphens: a name that a reader knows, and a digest that tells cases apart."""
    slug = re.sub(r"[^a-z0-9]+", "-", case_id.lower()).strip("-")[:40].strip("-")
    digest = hashlib.sha256(f"{suite}\0{case_id}".encode("utf-8", errors="surrogatepass")).hexdigest()[:8]
    return "-".join(filter(None, ("case", slug, digest)))


def _true(*found: tuple[Kind, object]) -> tuple[Kind, ...]:
    return tuple(kind for kind, holds in found if holds) or ("unchanged",)
