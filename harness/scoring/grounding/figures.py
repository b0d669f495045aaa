"""Score money, percentages, dates, durations and counts of an answer against its source.

A figure is `supported` if the source states it, `derived` if one rule yields it from what is stated near it and in the
passages of the source that are about the same thing, `contradictory` if its words and its numeral disagree or it rises
where the source falls, `unclear` if it only counts things, belongs to an example, stands in the question or is perhaps
worked out (one of many steps yields it, and it stands in place of no figure of the source), and `ungrounded` otherwise.
Contradictory and ungrounded figures are fabricated. The last figure of a cut answer is not judged if it is broken off.
"""

from __future__ import annotations

import operator
import re
from bisect import bisect_left
from collections.abc import Iterator, Sequence
from dataclasses import replace
from fractions import Fraction
from functools import cached_property
from typing import TYPE_CHECKING, NamedTuple

from harness.schema import Case, Completion, Metric, Score, Span
from harness.scoring.base import make_span, scorer, whole_length
from harness.scoring.grounding.claims import UNCLEAR, failed_score, score_claims
from harness.scoring.grounding.contexts import PERIOD, QUARTER, Fact, months_of, source_of, text_of
from harness.scoring.grounding.cues import HEDGE, Cues, cues
from harness.scoring.grounding.derivations import DAY, FULL_DATE, MONTHS_IN, is_round
from harness.scoring.grounding.directions import direction, is_opposite, is_reversed
from harness.scoring.grounding.label_units import has_digits
from harness.scoring.grounding.listings import counted, listings_in, listings_of, noun_after, stems
from harness.scoring.text import guideline_ids
from harness.scoring.text.dates import periods_in
from harness.scoring.text.quantities import Figure, figures_in, size_key
from harness.scoring.text.refusals import without_denied

if TYPE_CHECKING:
    from harness.scoring.grounding.worked_out import Evidence

GROUNDED = ("supported", "derived")
START = operator.attrgetter("figure.start")
VERDICTS = [*GROUNDED, UNCLEAR, "contradictory", "ungrounded"]
PERHAPS = "perhaps worked out"
"""How the reason begins for a figure that some step yields, among many others."""
PASSES = 3
"""Rounds in which figures are worked out; each uses what the ones before yield."""
MOST_WORKED_OUT = 50
"""Figures of one answer that are worked out; the rest of a longer list is not in the source."""
SMALL = 12
"""Largest number that counts the things of a list."""
MORE_THAN = re.compile(
    r"\b(?:(?:just\s|well\s|a\slittle\s|slightly\s)?(?:more\sthan|over|above)|exceed(?:s|ed|ing)?)\s*$", re.I
)
LESS_THAN = re.compile(
    r"\b(?:nearly|almost|(?:just\s|a\slittle\s|slightly\s)?(?:less\sthan|under|below|short\sof))\s*$", re.I
)
ROUND_BY = Fraction(3, 100)
"""By how much of itself a figure after such words may be off."""
HALVED = re.compile(r"\bhal(?:f|ves|ved)\b|\bequal|\bevenly\b|\bsplit|\btwice\b|\bdouble|\b50\b", re.I)
ALIKE = 0.4
"""Least likeness of the contexts of a figure and of the one that it rounds; half is enough for `DISTINCT` digits."""
DISTINCT = 3
"""Digits of a rounded figure that another one hardly has by chance; with more of them the contexts do not matter."""
PRECISE = re.compile(r"\.\d|thousand|illion|\d\s?[kmb]n?\b", re.I)
"""In a figure that is rounded without a word that says so: a decimal or a scale."""
FISCAL = re.compile(r"fiscal|FY", re.I)
REPORTED = re.compile(r"\b(?:quarter|(?:three|six|nine|twelve)\s+months|(?:half-?)?year)\s+(?:ended|ending)", re.I)
MULTIPLE = re.compile(r"\s+times\s+(?:as|the|its|their|his|her|that|what|more|larger|higher)\b", re.I)
"""What follows a number that multiplies; a sentence that begins with it works something out."""
WORDS = re.compile(r"[A-Za-z]{2}")
HOLDINGS = (100, 1000, 10000)
OF_SHARES = re.compile(r"\s+(?:\w+\s+)?(?:shares|units)\b", re.I)
LIMIT = re.compile(
    r"(?:\b(?:up\s+to|at\s+(?:least|most)|(?:no|not)\s+(?:more|less|fewer)\s+than|(?:minimum|maximum|limit)\s+of"
    r"|(?:not|never)\s+(?:to\s+)?exceed(?:ing)?)\s+|(?<![\w%.])[+\u2212\u2013-])[$€£]?$",
    re.I,
)
"""Before a limit, such as "up to 38%", or a change with its sign."""
OF_A_LEVEL = ("share", "ratio", "part of an amount", "whole of a share", "amount after a rise", "amount after a fall")
"""Rules that yield no limit and no change."""
WHOLE, TOTAL = 10000, re.compile(r"\b(?:total|all|whole)\b", re.I)
WORKDAYS, DAYS_IN_WEEK = 5, 7
DAYS_IN_MONTH, BY_A_MONTH = 365 / 12, 0.05
"""Days of a month, and by how much of itself a period may be off that is said to be rough: "about three months"."""
EXAMPLE = re.compile(r"\b(?:for\s(?:example|instance)|e\.g\.|suppose|assum\w+|say,|imagine)", re.I)
FOR_EXAMPLE = re.compile(r"\b(?:for\s(?:example|instance)|e\.g\.)", re.I)
NEAR_VERB, NEAR_TIER = 40, 120
RESULT = re.compile(
    r"(?:\b(?:pays?|earns?|receives?|gets?|owes?|costs?|is|are|be|(?:comes?|amounts?)\s+to|means?|makes?|gives?|leaves?"
    rf"|equals?|saves?|totals?)\b|=){HEDGE}",
    re.I,
)
"""Before what follows from an assumed figure: "you pay $95"."""
JOINED = re.compile(r"\b(?:and|or|with)\b", re.I)
"""Between two assumed figures."""
TIERED = re.compile(r"\b(?:exceed\w*|excess|above|over|beyond|more\sthan|the\s(?:first|next|following))\b", re.I)
"""In or before a sentence whose example takes more than one step."""
TO_DATE = re.compile(r"\s*(?:to|through|until|[-\u2013])\s*[A-Z\d]")
QUARTER_ENDS = {"03-31": "Q1", "06-30": "Q2", "09-30": "Q3", "12-31": "Q4"}
LISTED = re.compile(r"\s*(?:,|(?:,\s*)?(?:and|or|to))\s*(?:by\s|about\s)?[$+-]?")
PERIODS = (3, 6, 9, 12)
"""Months of periods that are reported on."""
UNGROUNDED = "not in the source, and no rule yields it"
ABOUT = re.compile(
    r"(?:\b(?:about|approx(?:\.|imately)?|around|roughly|nearly|almost|circa|ca\.|close\s+to|just\s+(?:over|under)"
    r"|(?:a\s+little|slightly|somewhat)\s+(?:over|under|more\s+than|less\s+than))(?:\s+the\s+(?:first|last|next))?|~|≈)\s*$",
    re.I,
)
METRICS = [
    Metric(
        name="figure_ungrounded_rate",
        scorer="figures",
        numerator="ungrounded",
        denominator="figures",
        higher_is_better=False,
        says="Share of the amounts, percentages, dates, periods and counts stated that the source does not support.",
    ),
]


class Verdict(NamedTuple):
    """A verdict on a figure, its reason, and the figure of the source that it rests on."""

    verdict: str
    reason: str
    origin: Figure | None = None


def judge(case: Case, completion: Completion) -> list[Span]:
    """Judge each figure that an answer states, without those that it denies."""
    return without_denied(case, completion.text, judge_all(case, completion), GROUNDED)


def judge_all(case: Case, completion: Completion) -> list[Span]:
    """Judge each figure of an answer, in order."""
    answer = _Answer(completion.text, case, whole_length(completion))
    verdicts = answer.verdicts()
    return [
        _span(completion.text, fact.figure, verdict, case.cluster)
        for fact, verdict in zip(answer.stated, verdicts, strict=True)
    ]


def _span(text: str, figure: Figure, judged: Verdict, cluster: str) -> Span:
    reason = judged.reason + (", read month first" if figure.ambiguous else "")
    place = (judged.origin.start, judged.origin.end) if judged.origin else None
    return make_span(text, figure.start, figure.end, figure.kind, judged.verdict, reason, place, cluster)


class _Answer:
    """An answer that is judged against the source of its case."""

    def __init__(self, text: str, case: Case, whole: int) -> None:
        self.read, self.text = text_of(text), text
        self.stated = [fact for fact in self.read.facts if fact.figure.end <= whole]
        self.source = source_of(case.document)
        self.document = case.document
        self.question = case.input.get("question", "")
        self.asked = figures_in(self.question)

    @cached_property
    def evidence(self) -> Evidence:
        """What the figures may be worked out from; reads the source for it."""
        from harness.scoring.grounding.operands import operands_of
        from harness.scoring.grounding.worked_out import Evidence

        return Evidence(self.read, operands_of(self.document), self.asked)

    def verdicts(self) -> list[Verdict]:
        """Return the verdict on each stated figure."""
        verdicts = [self._as_written(fact) for fact in self.stated]
        for _ in range(PASSES):
            known = [f for f, v in zip(self.stated, verdicts, strict=True) if v.verdict in (*GROUNDED, UNCLEAR)]
            bare = [f for f, v in zip(self.stated, verdicts, strict=True) if v.verdict == "ungrounded"]
            tried = [at for at, verdict in enumerate(verdicts) if verdict.verdict in ("ungrounded", UNCLEAR)]
            found = {at: self._worked_out(self.stated[at], known, bare) for at in tried[:MOST_WORKED_OUT]}
            better = {at: verdict for at, verdict in found.items() if verdict}
            if not better:
                break
            verdicts = [better.get(at, verdict) for at, verdict in enumerate(verdicts)]
        known = [f for f, v in zip(self.stated, verdicts, strict=True) if v.verdict in (*GROUNDED, UNCLEAR)]
        rest = [at for at, verdict in enumerate(verdicts) if verdict.verdict == "ungrounded"]
        for at in rest[:MOST_WORKED_OUT]:
            verdicts[at] = self._perhaps_worked_out(self.stated[at], known) or verdicts[at]
        return verdicts

    def _perhaps_worked_out(self, fact: Fact, known: Sequence[Fact]) -> Verdict | None:
        """The verdict on a figure that some step yields, and that stands in place of no figure of the source."""
        if self._is_term(fact.figure) or self.evidence.is_misplaced(fact, known):
            return None
        step = self._step(fact, known, by_chance=True)
        if step and step.verdict == "derived":
            return Verdict(UNCLEAR, f"{PERHAPS}, {step.reason}", step.origin)
        return None

    def _step(self, fact: Fact, known: Sequence[Fact], by_chance: bool = False) -> Verdict | None:
        """The verdict on a figure that one step yields."""
        step = self.evidence.follows(fact, known, self._cues(fact), self._is_about(fact.figure), by_chance)
        if not step or self._is_no(step[0], fact):
            return None
        if is_reversed(fact, step[0], self._lines()):
            return Verdict("contradictory", f"rule: {step[0]}, in the other direction", step[1])
        return Verdict("derived", f"rule: {step[0]}", step[1])

    def _is_term(self, figure: Figure) -> bool:
        """Whether nobody works a figure out: "thirty (30) days", "Q3 2024"."""
        return "(" in self.text[figure.start : figure.end] or figure.unit == PERIOD

    def _worked_out(self, fact: Fact, known: Sequence[Fact], bare: Sequence[Fact]) -> Verdict | None:
        """The verdict on a figure that follows from others, or that others of an example follow from."""
        if self._is_term(fact.figure):
            return None
        step = self._step(fact, known)
        if step:
            return step
        mates = [f for f in self.stated if f.figure != fact.figure and (f.row == fact.row or f.column == fact.column)]
        along = self.evidence.parallel(fact, mates, self._cues) if fact in bare else None
        if along:
            return Verdict("derived", f"rule: {along[0]}, as for another figure", along[1])
        rounded = self._rounded(fact)
        if rounded:
            return Verdict("derived", "rule: rounding", rounded)
        if fact in bare and is_round(fact.figure) and self.evidence.is_assumed(fact, bare, known):
            return Verdict(UNCLEAR, "an example, from which another figure follows")
        return None

    def _is_no(self, rule: str, fact: Fact) -> bool:
        """Whether a rule yields no such figure: a limit, a signed figure, or a percentage by which something moved."""
        start = fact.figure.start
        moved = fact.figure.kind == "percent" and bool(direction(fact))
        is_limit = bool(LIMIT.search(self.text, max(0, start - NEAR_VERB), start))
        return (rule in OF_A_LEVEL and (is_limit or moved)) or (rule == "sum" and moved)

    def _lines(self) -> Iterator[list[Fact]]:
        """Yield the figures of each row, of each column and of each sentence of the source."""
        for line in self.evidence.source.lines():
            yield [self.source.facts[number] for number in line]

    def _rounded(self, fact: Fact) -> Figure | None:
        """The figure of the source that a figure rounds without saying so: of the most alike contexts, or by digits."""
        figure = fact.figure
        if figure.kind not in ("money", "percent") or not PRECISE.search(self.text, figure.start, figure.end):
            return None
        source = self.evidence.source
        like = source.likeness(fact.terms)
        for reading in fact.readings:
            value = Fraction(reading.value)
            digits = len(str(int(value / reading.step))) if reading.step else 1
            nearest = source.most_alike(reading.unit, like, 1 if digits < DISTINCT else len(source.facts))
            if nearest is None:
                continue
            for number, size, strength in zip(nearest.fact, nearest.value, nearest.strength, strict=True):
                origin: Figure = self.source.facts[number].figure
                is_finer = origin.step * value < reading.step * Fraction(origin.value)
                is_alike = digits > DISTINCT or strength >= (ALIKE if digits < DISTINCT else ALIKE / 2)
                if is_alike and is_finer and abs(size - float(value)) * 2 <= reading.step:
                    return origin
        return None

    def _as_written(self, fact: Fact) -> Verdict:
        figure, source = fact.figure, self.source
        if figure.restated is not None:
            same = next((s for s in source.figures if s[2:6] == figure[2:6]), None)
            if same:
                return Verdict("supported", "rule: equal, the source contradicts itself in the same words", same)
            if not (self._is_about(figure) or self._side(figure)):
                return Verdict("contradictory", "the words and the numeral disagree")
            fact = replace(fact, readings=(figure._replace(value=figure.restated),))
        for reading in fact.readings:
            same_size = source.by_size.get(size_key(reading.unit, reading.value))
            if same_size and is_opposite(fact, same_size):
                return Verdict("contradictory", "the source has it in the other direction")
            if same_size:
                origin = same_size[0].figure
                if (reading.unit, reading.value) == (origin.unit, origin.value):
                    return Verdict("supported", "rule: equal", origin)
                return Verdict("derived", "rule: unit of the table", origin)
        for rule, origin in self._forms(fact):
            return Verdict("derived", f"rule: {rule}", origin)
        if figure.kind != "date" and is_round(figure) and self._is_of_example(figure):
            return Verdict(UNCLEAR, "a round figure of an example")
        if figure.kind == "count":
            return self._count(fact)
        if figure.unit == PERIOD:
            return self._period(figure)
        if figure.kind == "percent" and self._is_rough_share(figure):
            return Verdict(UNCLEAR, "a share in words, which is rough or which the source writes in other words")
        if figure.unit == "bp" and figure.value == WHOLE and TOTAL.search(" ".join(self.read.labels(figure))):
            return Verdict("derived", "rule: the whole")
        if figure.unit == "date" and self._has_day_and_year(str(figure.value)):
            return Verdict("derived", "rule: part of date")
        if figure.unit == "date" and self._is_end_of_period(figure):
            return Verdict(UNCLEAR, "the first or the last day of a period of the source, or of a calendar year")
        if figure.unit == "months" and figure.value in PERIODS and "quarter" in self.document.lower():
            return Verdict(UNCLEAR, "the length of a period of reporting")
        return Verdict("ungrounded", UNGROUNDED)

    def _period(self, figure: Figure) -> Verdict:
        """The verdict on a quarter, a half or a fiscal year that the source does not name with its year."""
        period, undated = str(figure.value), self.source.undated
        year, months = period[:4], months_of(period)
        for other in self.source.figures:
            iso = str(other.value)
            if iso[:4] == year and other.unit == "date" and int(iso[5:7]) in months:
                return Verdict("derived", "rule: period of a date", other)
            if iso[:4] == year and other.unit == PERIOD and set(months_of(iso)) < set(months):
                return Verdict("derived", "rule: period of a shorter one", other)
        parts = {f"m{month:02d}" for month in months} | {f"q{(month + 2) // 3}" for month in months}
        parts |= {"FY": {f"y{year}"}, "H1": {"half"}, "H2": {"half"}}.get(period[5:], set())
        if (f"y{year}" in self.source.years and parts & undated) or self._is_asked(figure):
            return Verdict(UNCLEAR, "the source or the question names the period and its year apart")
        is_fiscal = FISCAL.search(self.text, figure.start, figure.end)
        if is_fiscal and REPORTED.search(self.document) and not QUARTER.search(self.document):
            return Verdict(UNCLEAR, "a period of a fiscal year, which the source dates by its end")
        return Verdict("ungrounded", UNGROUNDED)

    def _is_asked(self, figure: Figure) -> bool:
        """Whether the question names a period."""
        return any(each.iso == figure.value for each in periods_in(self.question))

    def _is_of_example(self, figure: Figure) -> bool:
        """Whether a figure may be assumed for an example, and is not what follows from one that is."""
        first, last = self.read.sentence(figure.start)
        if not (EXAMPLE.search(self.text, first, figure.start) or FOR_EXAMPLE.search(self.text, figure.end, last)):
            return False
        low, high = (
            bisect_left(self.read.figures, place, key=operator.attrgetter("start")) for place in (first, figure.start)
        )
        assumed = [f for f in self.read.figures[low:high] if f.unit == figure.unit and is_round(f)]
        assumed = [f for f in assumed if size_key(f.unit, f.value) not in self.source.by_size]
        if not assumed or not RESULT.search(self.text, max(first, figure.start - NEAR_VERB), figure.start):
            return True
        return bool(
            JOINED.search(self.text, assumed[-1].end, figure.start)
            or TIERED.search(self.text, max(0, first - NEAR_TIER), last)
        )

    def _is_end_of_period(self, figure: Figure) -> bool:
        """Whether a date ends a quarter that the source names, or is the first or the last day of a year in a range."""
        iso = str(figure.value)
        if iso in ("--01-01", "--12-31") or (iso.endswith("-01-01") and TO_DATE.match(self.text, figure.end)):
            return True
        quarter = QUARTER_ENDS.get(iso[-5:])
        if not quarter or FISCAL.search(self.document):
            return False
        named = size_key(PERIOD, f"{iso[:4]}-{quarter}") in self.source.by_size
        return named or (iso.startswith("--") and quarter.lower() in self.source.named)

    def _is_rough_share(self, figure: Figure) -> bool:
        """Whether a share is in words and is said to be rough, or is a half where the source halves something."""
        written = self.text[figure.start : figure.end].lower()
        if any(map(str.isdigit, written)):
            return False
        return (
            bool(self._side(figure))
            or self._is_about(figure)
            or (written == "half" and bool(HALVED.search(self.document)))
        )

    def _has_day_and_year(self, iso: str) -> bool:
        """Whether the source has the day of a full date, or a day of a month, without the year, and the year."""
        days = (f"-{iso[4:]}",) if len(iso) == FULL_DATE else (f"-{iso[4:]}-{day:02d}" for day in range(1, 32))
        return any(size_key("date", day) in self.source.by_size for day in days) and bool(
            re.search(rf"(?<!\d){iso[:4]}(?!\d)", self.document)
        )

    def _forms(self, fact: Fact) -> Iterator[tuple[str, Figure]]:
        """Figures of the source that a figure writes in another way."""
        about, side = self._is_about(fact.figure), self._side(fact.figure)
        for other in self.source.facts:
            for reading in fact.readings:
                for origin in other.readings:
                    rule = _same_in_other_form(reading, origin, about, side)
                    if rule:
                        yield rule, other.figure

    def _is_about(self, figure: Figure) -> bool:
        return bool(ABOUT.search(self.text, max(0, figure.start - 26), figure.start))

    def _side(self, figure: Figure) -> int:
        """1 after "more than", -1 after "nearly" and the like: the side on which the exact number lies; else 0."""
        before = self.text[max(0, figure.start - 26) : figure.start]
        return 1 if MORE_THAN.search(before) else -1 if LESS_THAN.search(before) else 0

    def _count(self, fact: Fact) -> Verdict:
        """The verdict on a number without a unit: a reference, a number of the question, or of things listed."""
        figure = fact.figure
        written = self.text[figure.start : figure.end]
        if written[0].isdigit() and re.search(rf"(?<![\d.,]){re.escape(written)}(?![\d]|[.,]\d)", self.document):
            return Verdict("supported", "a number of the source")
        if guideline_ids.numbered(self.document).get(written):
            return Verdict("supported", "a number of a section")
        if figure.value in HOLDINGS and OF_SHARES.match(self.text, figure.end):
            return Verdict(UNCLEAR, "a round number of shares, as an example")
        if any(size_key("", figure.value) == size_key(each.unit, each.value) for each in self.asked):
            return Verdict(UNCLEAR, "a count of the question")
        listed = self._listed(figure)
        if listed:
            return listed
        if MULTIPLE.match(self.text, figure.end) and WORDS.search(
            self.text, self.read.sentence(figure.start)[0], figure.start
        ):
            return Verdict("ungrounded", UNGROUNDED)
        if not isinstance(figure.value, str) and figure.value <= SMALL and "." not in written:
            return Verdict(UNCLEAR, "a small count, which may count what is listed")
        return Verdict("ungrounded", UNGROUNDED)

    def _listed(self, figure: Figure) -> Verdict | None:
        """The verdict on a count of things that the source lists; None if it lists none, or may count some of them."""
        noun = noun_after(self.text, figure.end)
        if not noun:
            return None
        sizes = counted(noun, stems(self.text[slice(*self.read.sentence(figure.start))]), listings_of(self.document))
        if figure.value in sizes:
            return Verdict("derived", "rule: count of a list")
        own = listings_in(self.read)
        if sizes and Fraction(figure.value) > sum(sizes) and all(figure.value != o.size for o in own):
            return Verdict("ungrounded", f"the source lists {max(sizes)}")
        if not sizes and self.source.always_counts(noun):
            return Verdict("ungrounded", "the source counts them, and otherwise")
        return None

    def _cues(self, fact: Fact) -> Cues:
        start, end = fact.figure.start, fact.figure.end
        said = cues(self.text, start, end, *self.read.sentence(start), self.read.labels(fact.figure))
        at = bisect_left(self.stated, start, key=START)
        before = self.stated[at - 1] if at else None
        if before and LISTED.fullmatch(self.text, before.figure.end, start):
            first = self._cues(before)
            return Cues(said.families | first.families, said.direction or first.direction)
        return said


def _same_in_other_form(figure: Figure, origin: Figure, about: bool, side: int) -> str | None:
    """The rule by which one figure writes another: a part of a date, another period, rounded, without its unit."""
    if isinstance(figure.value, str) or isinstance(origin.value, str):
        return "part of date" if origin.unit in ("date", PERIOD) and _is_part(figure, str(origin.value)) else None
    if origin.unit == "th" and figure.unit == "minutes":
        return "ordinal day" if figure.value == origin.value * DAY else None
    if figure.unit == origin.unit:
        is_other_period = figure.per and origin.per not in ("", figure.per)
        if is_other_period and figure.value == _half_up(origin.value * MONTHS_IN[figure.per] / MONTHS_IN[origin.per]):
            return "unit change"
        if about and figure.step and abs(origin.value - figure.value) * 2 <= figure.step:
            return "rounding"
        if (
            side
            and is_round(figure)
            and 0 < (origin.value - figure.value) * side <= max(figure.step, figure.value * ROUND_BY)
        ):
            return "rounding"
    if about and (figure.unit, origin.unit) == ("minutes", "business days"):
        return "unit change" if figure.value / DAY * WORKDAYS == origin.value * DAYS_IN_WEEK else None
    if (about or side) and {figure.unit, origin.unit} == {"minutes", "months"}:
        days, months = (float(each.value) for each in sorted((figure, origin), key=operator.attrgetter("unit")))
        if abs(days / DAY - months * DAYS_IN_MONTH) <= (months * DAYS_IN_MONTH) * BY_A_MONTH:
            return "unit change"
    if figure.kind == "count" and origin.kind in ("money", "percent") and has_digits(figure.value):
        plain = origin.value / 100
        scales = (1, 1000, 10**6) if origin.kind == "money" else (1, Fraction(1, 100), 100)  # 41.6%, 4,160 bps, 0.416
        if figure.value in [plain / scale for scale in scales]:
            return "unit left out"
    return None


def _half_up(value: Fraction) -> int:
    """The nearest whole number; a half is rounded up."""
    return (value * 2 + 1) // 2


def _is_part(figure: Figure, iso: str) -> bool:
    """Whether a figure is the month, the year, or the day and month of a date."""
    if iso.startswith("-"):
        return False
    if figure.kind == "count":
        return figure.value == int(iso[:4])
    return len(iso) == FULL_DATE and figure.unit == "date" and figure.value in (iso[:7], f"-{iso[4:]}")


@scorer(metrics=METRICS, name="figures")
def ungrounded(case: Case, completion: Completion) -> Score:
    """Figures that the source does not support. A failed completion counts as one ungrounded figure."""
    if completion.finish_reason == "error":
        return failed_score("figures", "figures", "ungrounded")
    return score_claims("figures", "figures", judge(case, completion), (*GROUNDED, UNCLEAR), VERDICTS, "ungrounded")
