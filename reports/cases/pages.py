"""The cases of a run in the order in which a reader should see them: on the pages of its report, and as a table."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from functools import cached_property
from typing import NamedTuple

from harness.schema import BASELINE, CANDIDATE
from reports.cases.index import CaseIndex
from reports.cases.select import ORDER, SelectedCase
from reports.exports.records_csv import Value, first_line, line
from reports.model import Facets, Kind

REPORT, SUMMARY = "report.html", "summary.html"
TABLE = "cases.csv"
ROOM = 1_200_000
"""Bytes of cases on one page."""
SAMPLE: dict[Kind, int] = {"regression": 3, "gain": 2}
"""Most cases of a kind and suite in the report itself; one of any other kind."""
SAMPLE_ROOM = 6_000
"""Bytes of answers of a suite in the report itself; the first case of a kind is there in any case."""
FEW = 16
"""Most cases of a run that the report holds without a choice."""
MOST = 5_000
"""Most cases on all pages together."""


class Page(NamedTuple):
    name: str
    """File."""
    cases: Sequence[SelectedCase]
    """By kind; in each kind those that changed most first, with the suites in turn."""


class CasePages:
    """The cases of a run in the order in which a reader should see them, laid out on pages."""

    def __init__(self, index: CaseIndex) -> None:
        self._index = index

    def __iter__(self) -> Iterator[SelectedCase]:
        return self._index.cases()

    @cached_property
    def first(self) -> list[SelectedCase]:
        """Those that are on pages: regressions and gains of every suite in turn, so that each page holds both."""
        return list(self._index.sample(MOST))

    @cached_property
    def pages(self) -> list[Page]:
        """The report with a sample first, then pages with all others; every page but the last is full."""
        sample, others = self._split()
        pages = [_page(0, sample)]
        start, room = 0, ROOM
        for number, case in enumerate(others):
            if case.size > room and number > start:
                pages.append(_page(len(pages), others[start:number]))
                start, room = number, ROOM
            room -= case.size
        return [*pages, _page(len(pages), others[start:])] if others else pages

    def _split(self) -> tuple[list[SelectedCase], list[SelectedCase]]:
        """Split the cases into the report's sample and all others."""
        if len(self.first) <= FEW and sum(case.size for case in self.first) <= ROOM:
            return self.first, []
        sample, others = list[SelectedCase](), list[SelectedCase]()
        counts, room = Counter[tuple[str, Kind]](), Counter[str]()
        for case in self.first:
            group, suite = (case.suite.name, case.kinds[0]), case.suite.name
            fits = not counts[group] or room[suite] + case.said <= SAMPLE_ROOM
            is_shown = fits and counts[group] < SAMPLE.get(case.kinds[0], 1)
            (sample if is_shown else others).append(case)
            counts[group] += is_shown
            room[suite] += is_shown * case.said
        return sample, others

    @cached_property
    def totals(self) -> Counter[tuple[str, Kind]]:
        """How many cases of a suite are shown for each kind first of all."""
        return self._index.totals()

    @cached_property
    def placed(self) -> dict[tuple[str, Kind], Counter[str]]:
        """How many of them each page holds, by file."""
        counts: dict[tuple[str, Kind], Counter[str]] = {group: Counter() for group in self.totals}
        for page in self.pages:
            for case in page.cases:
                counts[case.suite.name, case.kinds[0]][page.name] += 1
        return counts

    @property
    def unplaced(self) -> int:
        """How many cases no page holds."""
        return self.totals.total() - len(self.first)

    def named(self, suite: str, case_id: str) -> tuple[str, Facets]:
        """Where a case is shown, seen from the report, and what it can be filtered by; empty where no page has it."""
        case = self._index.named(suite, case_id)
        return (self.link(case), case.facets) if case else ("", Facets(suite=suite))

    def link(self, case: SelectedCase) -> str:
        """Where a case is shown, seen from the report: file and anchor; empty where no page has it."""
        return self._links.get(case.anchor, "")

    @cached_property
    def _links(self) -> dict[str, str]:
        return {
            case.anchor: f"{'' if page.name == REPORT else page.name}#{case.anchor}"
            for page in self.pages
            for case in page.cases
        }


def _page(number: int, cases: Sequence[SelectedCase]) -> Page:
    by_kind = sorted(cases, key=lambda case: ORDER.index(case.kinds[0]))
    return Page(name=f"cases-{str(number).zfill(4)}.html" if number else REPORT, cases=by_kind)


HEAD = ("suite", "case_id", "source", "slices", "shown_for", "improvement")
TAIL = ("unsupported_claims", "new_unsupported_claims", "failed", "shown_in")


def table(cases: CasePages, metrics: Sequence[str]) -> Iterator[str]:
    """The table of all cases as CSV: the heading, then a line for each, with two columns for each of `metrics`."""
    values = [f"{variant} {metric}" for metric in metrics for variant in (BASELINE, CANDIDATE)]
    yield first_line([*HEAD, *values, *TAIL])
    for case in cases:
        yield line(_cells(case, cases.link(case), metrics))


def _cells(case: SelectedCase, link: str, metrics: Sequence[str]) -> list[Value]:
    name, pair = case.tuned.case, case.pair
    return [
        case.suite.name,
        name.id,
        name.cluster,
        "; ".join(name.slices),
        " ".join("unsupported" if kind == "fabrication" else kind for kind in case.kinds),
        case.shift if pair and case.measured else None,
        *_values(case, metrics),
        len(case.tuned.claims),
        len(pair.new) if pair and pair.has_both_texts else None,
        int(case.tuned.failed),
        f"{REPORT}{link}" if link.startswith("#") else link,
    ]


def _values(case: SelectedCase, metrics: Sequence[str]) -> Iterator[float | None]:
    """Baseline and tuned of each metric; nothing where the suite lacks it or the answer has no value."""
    at = {metric.name: place for place, metric in enumerate(case.suite.metrics)}
    for metric in metrics:
        for brief in (case.baseline, case.tuned):
            yield brief.values[at[metric]] if brief and metric in at else None
