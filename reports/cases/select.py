"""A line on every answer and every case of a run, in a temporary database: joined, added up and sorted there.

The database has no name. It is in memory while it is small, then on the disk (SQLite's page cache is 2 MB), so that a
report on any number of cases fits into memory. Knows no wording and no layout.
"""

from __future__ import annotations

import hashlib
import re
import sqlite3
import tempfile
import weakref
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from functools import cached_property
from typing import Any, Literal, NamedTuple

import msgspec
from msgspec import Struct

from harness.errors import UserError
from harness.schema import BASELINE, CANDIDATE, Metric, SuiteInfo
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


ORDER: tuple[Kind, ...] = ("regression", "gain", "fabrication", "error", "wrong", "unchanged")
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


def choose(
    suite: SuiteInfo, metric: Metric | None, pairs: Iterable[Pair], alone: Iterable[AnswerSummary]
) -> Iterator[SelectedCase]:
    """The cases of one suite; `metric` says which answers are wrong.

    Without pairs, the tuned answers `alone` are shown.
    """
    at = suite.metrics.index(metric) if metric else None

    def wrong(answer: AnswerSummary) -> bool | None:
        return None if metric is None or at is None else falls_short(answer.values[at], metric)

    compared = False
    for pair in pairs:
        compared, moved, now, before = True, shift(pair, suite), wrong(pair.tuned), wrong(pair.baseline)
        yield SelectedCase(
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
        yield SelectedCase(suite=suite, tuned=tuned, kinds=kinds, measured=metric is not None, wrong=bool(now))


def anchor(suite: str, case_id: str) -> str:
    """An address of letters, digits and hyphens: a name that a reader knows, and a digest that tells cases apart."""
    slug = re.sub(r"[^a-z0-9]+", "-", case_id.lower()).strip("-")[:40].strip("-")
    digest = hashlib.sha256(f"{suite}\0{case_id}".encode("utf-8", errors="surrogatepass")).hexdigest()[:8]
    return "-".join(filter(None, ("case", slug, digest)))


def _true(*found: tuple[Kind, object]) -> tuple[Kind, ...]:
    return tuple(kind for kind, holds in found if holds) or ("unchanged",)


TABLES = """
pragma journal_mode = off;
create table answers (
    number integer primary key, suite text, variant text, case_id blob, claims integer, brief blob
);
create table cases (
    suite integer, case_id blob, cluster blob, tuned integer, baseline integer,
    kind integer, kinds blob, shift real, away real, measured integer, wrong integer, wrong_before integer,
    same_prompt integer, same_expected integer, textless integer, new integer, gone integer, kept integer
);
"""
CASE = "insert into cases values (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
ANSWERS_BY = """
create index by_suite on answers (suite, variant);
create index by_case on answers (suite, variant, case_id);
"""
CASES_BY = """
create index in_order on cases (kind, suite, away desc, case_id);
create index by_name on cases (suite, case_id);
"""
PAIRS = """
select b.brief, t.brief from answers t indexed by by_suite
join answers b indexed by by_case on b.suite = t.suite and b.variant = ? and b.case_id = t.case_id
where t.suite = ? and t.variant = ? order by t.number
"""
TUNED = "select brief from answers indexed by by_suite where suite = ? and variant = ? order by number"
FABRICATING = TUNED.replace("order by", "and claims order by")
CHOSEN = """
select c.suite, c.kinds, c.shift, c.measured, c.wrong, c.wrong_before, b.brief, t.brief from cases c
join answers t on t.number = c.tuned left join answers b on b.number = c.baseline
"""
SORTED = f"{CHOSEN} order by c.kind, c.suite, c.away desc, c.case_id"
NAMED = f"{CHOSEN} where c.suite = ? and c.case_id = ?"
WITH: dict[Literal["new", "kept"], str] = {
    "new": f"{CHOSEN} where c.suite = ? and c.new order by c.tuned",
    "kept": f"{CHOSEN} where c.suite = ? and c.kept order by c.tuned",
}
WORST = "select case_id from cases where suite = ? and shift < 0 order by shift, case_id limit ?"
TOTALS = "select suite, kind, count(*) from cases group by suite, kind"
JOINT = """
select
    (select count(*) from answers indexed by by_suite where suite = :name and variant = :tuned),
    (select coalesce(sum(claims), 0) from answers indexed by by_suite where suite = :name and variant = :tuned),
    count(baseline), count(distinct cluster), coalesce(sum(textless), 0),
    coalesce(sum(same_prompt), 0), coalesce(sum(same_expected), 0),
    coalesce(sum(new), 0), coalesce(sum(gone), 0), coalesce(sum(kept), 0), coalesce(sum(shift < 0), 0),
    coalesce(sum(measured), 0), count(distinct case when measured then cluster end),
    coalesce(sum(measured and wrong), 0), coalesce(sum(measured and wrong_before), 0)
from cases where suite = :suite
"""
"""In the order of `Joint`."""


class Joint(Struct, frozen=True):
    """What the cases of a suite come to."""

    answers: int
    """First answers of the tuned model."""
    claims: int
    """What they fabricate."""
    pairs: int
    """Cases with both answers; where there is none, the tuned answers stand alone and are the cases."""
    contracts: int
    """That the cases come from."""
    textless: int
    """Pairs of which one text is not kept."""
    same_prompt: int
    """Pairs whose answers are to the same prompt."""
    same_expected: int
    """Pairs whose answers are held to the same."""
    new: int
    """Fabricated by the tuned model only."""
    gone: int
    """Fabricated by the baseline only."""
    kept: int
    """Fabricated by both."""
    worse: int
    """Pairs whose tuned answer moved for the worse."""
    measured: int
    """Cases that the headline metric has values for."""
    measured_contracts: int
    """That those come from."""
    wrong: int
    """Of those, tuned answers that fall short of the best."""
    wrong_before: int
    """The same for the baseline."""

    @property
    def both_texts(self) -> bool:
        """Both answers of every pair are kept."""
        return not self.textless


class CaseIndex:
    """Every first answer of baseline and tuned, and every case that a report shows."""

    def __init__(self, suites: Sequence[SuiteInfo]) -> None:
        self._suites = list(suites)
        self._place = {suite.name: place for place, suite in enumerate(suites)}
        self._db = sqlite3.connect("")
        weakref.finalize(self, self._db.close)
        self._db.executescript(TABLES)

    def add(self, answers: Iterable[tuple[str, str, AnswerSummary]]) -> None:
        """Take in all answers, each with its suite and variant."""
        rows = ((b.number, s, v, _bytes(b.case.id), len(b.claims), PACK.encode(b)) for s, v, b in answers)
        with _kept():
            self._db.executemany("insert into answers values (?, ?, ?, ?, ?, ?)", rows)
            self._db.executescript(ANSWERS_BY)

    def show(self, cases: Iterable[SelectedCase]) -> None:
        """Take in all cases that a report shows."""
        with _kept():
            self._db.executemany(CASE, (_row(self._place[case.suite.name], case) for case in cases))
            self._db.executescript(CASES_BY)

    def pairs(self, suite: str) -> Iterator[Pair]:
        """First answers of baseline and tuned to one case with the same input, in the order of the tuned ones."""
        for before, after in self._db.execute(PAIRS, (BASELINE, suite, CANDIDATE)):
            baseline, tuned = UNPACK.decode(before), UNPACK.decode(after)
            if baseline.input_key == tuned.input_key:
                yield Pair(baseline=baseline, tuned=tuned)

    def tuned(self, suite: str, fabricating: bool = False) -> Iterator[AnswerSummary]:
        """First answers of the tuned model in their order: all, or those that fabricate."""
        for (found,) in self._db.execute(FABRICATING if fabricating else TUNED, (suite, CANDIDATE)):
            yield UNPACK.decode(found)

    def joint(self, suite: str) -> Joint:
        """What the cases of a suite come to."""
        asked = {"name": suite, "tuned": CANDIDATE, "suite": self._place[suite]}
        return Joint(*self._db.execute(JOINT, asked).fetchone())

    def cases(self, most: int = -1) -> Iterator[SelectedCase]:
        """The cases, or the first of them, by their first kind, suite, shift and id."""
        return self._chosen(f"{SORTED} limit ?", most)

    def named(self, suite: str, case_id: str) -> SelectedCase | None:
        """The case of this id; of several, the last that came in."""
        *_, found = None, *self._chosen(NAMED, self._place.get(suite), _bytes(case_id))
        return found

    def having(self, suite: str, what: Literal["new", "kept"]) -> Iterator[Pair]:
        """Pairs with new fabrications, or such as both answers make, in the order of the tuned answers."""
        found = (case.pair for case in self._chosen(WITH[what], self._place[suite]))
        return (pair for pair in found if pair is not None)

    def worst(self, suite: str, most: int) -> list[str]:
        """Ids of the cases that moved farthest for the worse."""
        found = self._db.execute(WORST, (self._place[suite], most))
        return [case_id.decode("utf-8", "surrogatepass") for (case_id,) in found]

    def totals(self) -> Counter[tuple[str, Kind]]:
        """How many cases of a suite are shown for each kind first of all."""
        return Counter({(self._suites[suite].name, ORDER[kind]): n for suite, kind, n in self._db.execute(TOTALS)})

    def _chosen(self, query: str, *values: Any) -> Iterator[SelectedCase]:
        for suite, kinds, shift, measured, wrong, wrong_before, before, after in self._db.execute(query, values):
            yield SelectedCase(
                suite=self._suites[suite],
                tuned=UNPACK.decode(after),
                baseline=UNPACK.decode(before) if before else None,
                kinds=tuple(ORDER[kind] for kind in kinds),
                shift=shift,
                measured=bool(measured),
                wrong=bool(wrong),
                wrong_before=bool(wrong_before),
            )


def _row(suite: int, case: SelectedCase) -> tuple[Any, ...]:
    pair, kinds = case.pair, bytes(map(ORDER.index, case.kinds))
    name = _bytes(case.tuned.case.id), _bytes(case.tuned.case.cluster)
    numbers = case.tuned.number, case.baseline.number if case.baseline else None
    found = (suite, *name, *numbers, kinds[0], kinds, case.shift, abs(case.shift))
    headline = (case.measured, case.wrong, case.wrong_before)
    if pair is None:
        return (*found, *headline, 0, 0, 0, 0, 0, 0)
    claims = map(len, (pair.new, pair.fixed, pair.persisting))
    return (*found, *headline, *pair.same_question, not pair.has_both_texts, *claims)


def _bytes(text: str) -> bytes:
    return text.encode("utf-8", "surrogatepass")


PACK = msgspec.msgpack.Encoder()
UNPACK = msgspec.msgpack.Decoder(AnswerSummary)


@contextmanager
def _kept() -> Iterator[None]:
    """What the disk refuses is a user's to solve."""
    try:
        yield
    except sqlite3.OperationalError as error:
        raise UserError(
            f"{tempfile.gettempdir()}: what a report counts cannot be kept ({error}). Free space, or set TMPDIR to a "
            "folder with two kilobytes for each case of the run"
        ) from None


REPORT = "report.html"
TABLE = "cases.csv"
ROOM = 1_200_000
"""Bytes of cases on one page."""
MOST = 5_000
"""Most cases on all pages together."""


class Page(NamedTuple):
    name: str
    """File."""
    cases: Sequence[SelectedCase]
    """In the report's order."""


class CasePages:
    """The cases of a run in the order in which a reader should see them, laid out on pages."""

    def __init__(self, ledger: CaseIndex) -> None:
        self._ledger = ledger

    def __iter__(self) -> Iterator[SelectedCase]:
        return self._ledger.cases()

    @cached_property
    def first(self) -> list[SelectedCase]:
        """Those that stand on pages."""
        return list(self._ledger.cases(MOST))

    @cached_property
    def pages(self) -> list[Page]:
        """The report first; every other page is full but the last."""
        pages: list[Page] = []
        start, room = 0, ROOM
        for number, case in enumerate(self.first):
            if case.size > room and number > start:
                pages.append(_page(len(pages), self.first[start:number]))
                start, room = number, ROOM
            room -= case.size
        return [*pages, _page(len(pages), self.first[start:])]

    @cached_property
    def totals(self) -> Counter[tuple[str, Kind]]:
        """How many cases of a suite are shown for each kind first of all."""
        return self._ledger.totals()

    @cached_property
    def placed(self) -> dict[tuple[str, Kind], Counter[str]]:
        """How many of them each page holds, by file."""
        found: dict[tuple[str, Kind], Counter[str]] = {group: Counter() for group in self.totals}
        for page in self.pages:
            for case in page.cases:
                found[case.suite.name, case.kinds[0]][page.name] += 1
        return found

    @property
    def unplaced(self) -> int:
        """How many cases no page holds."""
        return self.totals.total() - len(self.first)

    def named(self, suite: str, case_id: str) -> tuple[str, Facets]:
        """Where a case is shown, seen from the report, and what it can be filtered by; empty where no page has it."""
        found = self._ledger.named(suite, case_id)
        return (self.link(found), found.facets) if found else ("", Facets(suite=suite))

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
    return Page(name=f"cases-{str(number).zfill(4)}.html" if number else REPORT, cases=cases)
