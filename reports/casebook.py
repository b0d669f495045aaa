"""Which cases a report shows, in which order, and on which page each of them stands. Knows no wording and no layout.

Regressions come first, worst first; then gains, then what else fabricates, failed or stays wrong, then the rest. The
report itself holds as many as keep it a file that opens at once; the others follow on pages beside it, and what no page
holds is in the table of all cases alone.
"""

from __future__ import annotations

import hashlib
import re
from collections import Counter
from collections.abc import Iterable, Sequence
from functools import cached_property
from typing import NamedTuple

from msgspec import Struct

from harness.schema import Metric, SuiteInfo
from harness.stats.values import falls_short
from reports.briefs import Brief, shared
from reports.model import Facets, Kind
from reports.pairs import Pair, shift

ORDER: tuple[Kind, ...] = ("regression", "gain", "fabrication", "error", "wrong", "unchanged")
REPORT = "report.html"
TABLE = "cases.csv"
ROOM = 1_200_000
"""Bytes of cases on one page."""
FRAME = 1_500
"""Bytes that the mark-up of one case takes."""
MOST = 5_000
"""Most cases on all pages together."""


class Chosen(Struct, frozen=True, kw_only=True, gc=False):
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


class Page(NamedTuple):
    name: str
    """File."""
    cases: Sequence[Chosen]
    """In the report's order."""


class Casebook:
    """The cases of a run in the order in which a reader should see them, laid out on pages."""

    def __init__(self, cases: Iterable[Chosen]) -> None:
        self.cases = list(cases)
        suites = {name: rank for rank, name in enumerate(dict.fromkeys(case.suite.name for case in self.cases))}
        self.cases.sort(key=lambda case: -abs(case.shift))
        self.cases.sort(key=lambda case: suites[case.suite.name])
        self.cases.sort(key=lambda case: ORDER.index(case.kinds[0]))

    @cached_property
    def pages(self) -> list[Page]:
        """The report first; every other page is full but the last."""
        pages: list[Page] = []
        start, room = 0, ROOM
        for number, case in enumerate(self.cases[:MOST]):
            if case.size > room and number > start:
                pages.append(_page(len(pages), self.cases[start:number]))
                start, room = number, ROOM
            room -= case.size
        return [*pages, _page(len(pages), self.cases[start:MOST])]

    @cached_property
    def totals(self) -> Counter[tuple[str, Kind]]:
        """How many cases of a suite are shown for each kind first of all."""
        return Counter((case.suite.name, case.kinds[0]) for case in self.cases)

    @cached_property
    def placed(self) -> dict[tuple[str, Kind], Counter[str]]:
        """How many of them each page holds, by file."""
        found: dict[tuple[str, Kind], Counter[str]] = {group: Counter() for group in self.totals}
        for page in self.pages:
            for case in page.cases:
                found[case.suite.name, case.kinds[0]][page.name] += 1
        return found

    @cached_property
    def unplaced(self) -> Sequence[Chosen]:
        """Cases that no page holds."""
        return self.cases[MOST:]

    def named(self, suite: str, case_id: str) -> tuple[str, Facets]:
        """Where a case is shown, seen from the report, and what it can be filtered by; empty where no page has it."""
        found = self._by_name.get(suite, {}).get(case_id)
        return (self.link(found), found.facets) if found else ("", Facets(suite=suite))

    def link(self, case: Chosen) -> str:
        """Where a case is shown, seen from the report: file and anchor; empty where no page has it."""
        return self._links.get(case.anchor, "")

    @cached_property
    def _links(self) -> dict[str, str]:
        return {
            case.anchor: f"{'' if page.name == REPORT else page.name}#{case.anchor}"
            for page in self.pages
            for case in page.cases
        }

    @cached_property
    def _by_name(self) -> dict[str, dict[str, Chosen]]:
        found: dict[str, dict[str, Chosen]] = {}
        for case in self.cases:
            found.setdefault(case.suite.name, {})[case.tuned.case.id] = case
        return found


def choose(suite: SuiteInfo, metric: Metric | None, pairs: Sequence[Pair], alone: Sequence[Brief]) -> Iterable[Chosen]:
    """The cases of one suite, in the order of their ids; `metric` says which answers are wrong.

    Without pairs, the tuned answers `alone` are shown.
    """
    at = suite.metrics.index(metric) if metric else None
    for pair in sorted(pairs, key=lambda pair: pair.case.id):
        moved = shift(pair, suite)
        wrong = metric and at is not None and falls_short(pair.tuned.values[at], metric)
        found: list[tuple[Kind, object]] = [
            ("regression", moved < 0),
            ("gain", moved > 0),
            ("fabrication", pair.tuned.claims),
            ("error", pair.tuned.failed or pair.baseline.failed),
            ("wrong", wrong),
        ]
        yield Chosen(suite=suite, tuned=pair.tuned, baseline=pair.baseline, kinds=_true(found), shift=moved)
    for tuned in sorted(alone if not pairs else (), key=lambda brief: brief.case.id):
        wrong = metric and at is not None and falls_short(tuned.values[at], metric)
        found = [("fabrication", tuned.claims), ("error", tuned.failed), ("wrong", wrong)]
        yield Chosen(suite=suite, tuned=tuned, kinds=_true(found))


def anchor(suite: str, case_id: str) -> str:
    """An address of letters, digits and hyphens: a name that a reader knows, and a digest that tells cases apart."""
    slug = re.sub(r"[^a-z0-9]+", "-", case_id.lower()).strip("-")[:40].strip("-")
    digest = hashlib.sha256(f"{suite}\0{case_id}".encode("utf-8", errors="surrogatepass")).hexdigest()[:8]
    return "-".join(filter(None, ("case", slug, digest)))


def _true(found: Iterable[tuple[Kind, object]]) -> tuple[Kind, ...]:
    return shared(tuple(kind for kind, holds in found if holds) or ("unchanged",))


def _page(number: int, cases: Sequence[Chosen]) -> Page:
    return Page(name=f"cases-{str(number).zfill(4)}.html" if number else REPORT, cases=cases)
