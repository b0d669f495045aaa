"""Every answer and every case of a run in one temporary SQLite database, which joins, adds up and sorts them.

The database has no name. SQLite holds it in memory while it is small and then on disk (its page cache is 2 MB), so that
a report on a million cases needs no more memory than one on a thousand.
"""

from __future__ import annotations

import sqlite3
import tempfile
import weakref
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Literal

import msgspec
from msgspec import Struct

from harness.errors import UserError
from harness.schema import BASELINE, CANDIDATE, SuiteInfo
from reports.cases.read import AnswerSummary, Fabrication
from reports.cases.select import ORDER, Pair, SelectedCase
from reports.model import Kind

TABLES = """
pragma journal_mode = off;
create table answers (
    number integer primary key, suite text, variant text, case_id blob, claims integer, said integer,
    brief blob
);
create table cases (
    suite integer, case_id blob, cluster blob, tuned integer, baseline integer,
    kind integer, kinds blob, shift real, rank real, measured integer, wrong integer, wrong_before integer,
    same_prompt integer, same_expected integer, textless integer, new integer
);
"""
CASE = "insert into cases values (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
ANSWERS_BY = """
create index by_suite on answers (suite, variant);
create index by_case on answers (suite, variant, case_id);
"""
CASES_BY = """
create index in_order on cases (kind, suite, rank desc, case_id);
create index by_name on cases (suite, case_id);
"""
PAIRS = """
select b.brief, t.brief from answers t indexed by by_suite
join answers b indexed by by_case on b.suite = t.suite and b.variant = ? and b.case_id = t.case_id
where t.suite = ? and t.variant = ? order by t.number
"""
TUNED = """
select brief from answers indexed by by_suite where suite = ? and variant = ? and brief is not null order by number
"""
COMMONEST = """
select count(*), min(number) from answers indexed by by_suite where suite = ? and variant = ? and said is not null
group by said order by 1 desc, 2 limit 1
"""
FABRICATING = TUNED.replace("order by", "and claims order by")
CHOSEN = """
select c.suite, c.kinds, c.shift, c.measured, c.wrong, c.wrong_before, b.brief, t.brief from cases c
join answers t on t.number = c.tuned left join answers b on b.number = c.baseline
"""
SORTED = f"{CHOSEN} order by c.kind, c.suite, c.rank desc, c.case_id"
PLACES = """
with placed as (
    select rowid as id, kind, suite,
    row_number() over (partition by kind, suite order by rank desc, case_id) as place from cases
), sample as (select * from placed order by kind > 1, place, kind, suite limit ?)
"""
SAMPLE = "".join((PLACES, CHOSEN, "join sample s on s.id = c.rowid order by s.kind > 1, s.place, s.kind, s.suite"))
"""The first regressions and gains of every suite, then the next ones, then the other kinds in the same way."""
NAMED = f"{CHOSEN} where c.suite = ? and c.case_id = ?"
WITH_NEW = f"{CHOSEN} where c.suite = ? and c.new order by c.tuned"
WORST = "select case_id from cases where suite = ? and kind = 0 order by rank desc, case_id limit ?"
TOTALS = "select suite, kind, count(*) from cases group by suite, kind"
JOINT = """
select
    count(*), count(baseline), count(distinct cluster), coalesce(sum(textless), 0) = 0,
    coalesce(sum(same_prompt), 0), coalesce(sum(same_expected), 0), coalesce(sum(kind = 0), 0),
    coalesce(sum(instr(kinds, x'01') > 0), 0),
    coalesce(sum(measured), 0), count(distinct case when measured then cluster end),
    coalesce(sum(measured and wrong), 0), coalesce(sum(measured and wrong_before), 0),
    coalesce(sum(measured and wrong and instr(kinds, x'03') > 0), 0)
from cases where suite = ?
"""
"""In the order of `Joint`."""


class Joint(Struct, frozen=True):
    """What the cases of a suite come to."""

    cases: int
    """All of them."""
    pairs: int
    """Cases with both answers; where there is none, the tuned answers stand alone and are the cases."""
    contracts: int
    """That the cases come from."""
    both_texts: bool
    """Both answers of every pair are kept."""
    same_prompt: int
    """Pairs whose answers are to the same prompt."""
    same_expected: int
    """Pairs whose answers are held to the same."""
    worse: int
    """Pairs that regress."""
    better: int
    """Pairs that get better by some metric, those that regress by another included."""
    measured: int
    """Cases that the primary metric has values for."""
    measured_contracts: int
    """That those come from."""
    wrong: int
    """Of those, tuned answers that fall short of the best."""
    wrong_before: int
    """The same for the baseline."""
    failed: int
    """Cases of `wrong` where the engine or a scorer failed."""


class CaseIndex:
    """Every answer of baseline and tuned, and every case that a report shows; of repeats, only which text they have."""

    def __init__(self, suites: Sequence[SuiteInfo]) -> None:
        self._suites = list(suites)
        self._place = {suite.name: place for place, suite in enumerate(suites)}
        self._findings: defaultdict[tuple[str, str], Counter[str]] = defaultdict(Counter)
        self._db = sqlite3.connect("")
        weakref.finalize(self, self._db.close)
        self._db.executescript(TABLES)

    def findings(self, suite: str, what: Literal["tuned", "new", "fixed", "kept"]) -> Counter[str]:
        """Count by noun the unsupported claims of the tuned answers, of one model alone, or of both."""
        return self._findings[suite, what]

    def _count(self, suite: str, **found: Iterable[Fabrication]) -> None:
        for what, claims in found.items():
            self._findings[suite, what].update(claim.noun for claim in claims)

    def add(self, answers: Iterable[tuple[str, str, AnswerSummary]]) -> None:
        """Take in all answers, each with its suite and variant."""
        with _kept():
            self._db.executemany("insert into answers values (?, ?, ?, ?, ?, ?, ?)", self._answer_rows(answers))
            self._db.executescript(ANSWERS_BY)

    def _answer_rows(self, answers: Iterable[tuple[str, str, AnswerSummary]]) -> Iterator[tuple[Any, ...]]:
        for suite, variant, brief in answers:
            if brief.repeat > 1:
                yield brief.number, suite, variant, None, 0, brief.text_key, None
                continue
            if variant == CANDIDATE:
                self._count(suite, tuned=brief.claims)
            name, claims = _bytes(brief.case.id), len(brief.claims)
            yield brief.number, suite, variant, name, claims, brief.text_key, PACK.encode(brief)

    def show(self, cases: Iterable[SelectedCase]) -> None:
        """Take in all cases that a report shows."""
        with _kept():
            self._db.executemany(CASE, map(self._case_row, cases))
            self._db.executescript(CASES_BY)

    def _case_row(self, case: SelectedCase) -> tuple[Any, ...]:
        pair, kinds = case.pair, bytes(map(ORDER.index, case.kinds))
        name = _bytes(case.tuned.case.id), _bytes(case.tuned.case.cluster)
        numbers = case.tuned.number, case.baseline.number if case.baseline else None
        columns = (self._place[case.suite.name], *name, *numbers, kinds[0], kinds, case.shift, case.rank)
        headline = (case.measured, case.wrong, case.wrong_before)
        if pair is None:
            return (*columns, *headline, 0, 0, 0, 0)
        self._count(case.suite.name, new=pair.new, fixed=pair.fixed, kept=pair.persisting)
        return (*columns, *headline, *pair.same_question, not pair.has_both_texts, len(pair.new))

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

    def commonest(self, suite: str, variant: str) -> tuple[int, int]:
        """How many answers of a variant are its commonest text, and the number of the first of them."""
        return self._db.execute(COMMONEST, (suite, variant)).fetchone() or (0, 0)

    def joint(self, suite: str) -> Joint:
        """What the cases of a suite come to."""
        return Joint(*self._db.execute(JOINT, (self._place[suite],)).fetchone())

    def cases(self) -> Iterator[SelectedCase]:
        """The cases by their first kind and suite, those that changed most by the primary metric first."""
        return self._chosen(SORTED)

    def sample(self, most: int) -> Iterator[SelectedCase]:
        """The cases, or some, in the order in which pages take them: regressions and gains of every suite in turn."""
        return self._chosen(SAMPLE, most)

    def named(self, suite: str, case_id: str) -> SelectedCase | None:
        """The case of this id; of several, the last that came in."""
        *_, last = None, *self._chosen(NAMED, self._place.get(suite), _bytes(case_id))
        return last

    def with_new_claims(self, suite: str) -> Iterator[Pair]:
        """Pairs whose tuned answer makes new unsupported claims, in the order of the tuned answers."""
        pairs = (case.pair for case in self._chosen(WITH_NEW, self._place[suite]))
        return (pair for pair in pairs if pair is not None)

    def worst(self, suite: str, most: int) -> list[str]:
        """Ids of the regressions, those that fell most by the primary metric first."""
        rows = self._db.execute(WORST, (self._place[suite], most))
        return [case_id.decode("utf-8", "surrogatepass") for (case_id,) in rows]

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
