"""Parse an answer about a fact sheet: each figure with its sign, and the entity, period and metric it is about.

A figure belongs to the mention attached to it ("$3 million in Q2 2025"), else to the nearest one before it in its
clause, else after it in its clause, else to the last mention before it in the sentence, and then in the text; with no
mention at all, to those of the question. Lists of equal length are paired in order ("A and B returned 2% and 3%").
"""

from __future__ import annotations

import re
from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Sequence
from functools import lru_cache
from itertools import pairwise
from typing import NamedTuple

from harness.scoring.finance.fact_sheet import NAME, SCALES, Sheet, read_sheet
from harness.scoring.finance.vocabulary import Words, breaks_in, period_key, read_words, related, with_year
from harness.scoring.text.normalize import lower
from harness.scoring.text.quantities import Figure, figures_in

MINUS = re.compile(
    r"(?<![\w.,)%])(?P<before>[-\u2212\u2013])(?=[$€£]?\s?\d)|[$€£](?P<inside>[-\u2212\u2013])(?=\d)"
    r"|[$€£](?P<open>\()\d[\d,.]*(?P<close>\))"
    r"|(?P<opened>\()[$€£]?\d[\d,.]*(?P<closed>\))(?=\s?(?:%|per\s?cent|basis|bps|thousand|million|billion))"
    r"|(?<=\b(?:of|as|is|at|to|by)\s)(?P<whole>\()[$€£]?\d[\d,.]*"
    r"(?:\s?(?:thousand|million|billion|%|percent))*(?P<end>\))"
)


def signed_figures(text: str) -> Iterator[tuple[Figure, bool]]:
    """Yield the figures of a text and whether a minus or brackets negate them: "$(1.2) million", "-2.1%"."""
    minus, letters = [], list(text)
    for match in MINUS.finditer(text):
        minus.append(match.end() if match["before"] or match["inside"] else match.start() + 1)
        for group, at in enumerate(match.regs[1:], 1):
            if match[group]:
                letters[at[0]] = " "
    for figure in figures_in("".join(letters)):
        if any(figure.start - 1 <= at <= figure.end for at in minus):
            yield _with_signs(figure, text), True
        else:
            yield figure, False


def _with_signs(figure: Figure, text: str) -> Figure:
    start, end = figure.start, figure.end
    while start and text[start - 1] in "-\u2212\u2013($€£":
        start -= 1
    end += "(" in text[start:end] and ")" not in text[start:end] and text[end : end + 1] == ")"
    return figure._replace(start=start, end=end)


SENTENCE = re.compile(r"[.!?\n](?<!vs\.)(?<!U\.S\.)(?:(?<=\n)\n*|[\"”)]?\s+(?=[A-Z0-9$(\"“]))")
ATTACHED = re.compile(
    r"(?:\s(?:times|an?\s(?:share|unit|year)|per\s(?:share|unit)))?"
    r"\s*\(?\s*(?:(?:in|for|during|at|by|of|on|as\s+of|over|at\s+the\s+end\s+of)\s+)(?:the\s+)?|\s*\((?:the\s+)?"
    r"|\s+(?:the|a)\s+(?=\Z)",
    re.I,
)
ATTACHED_METRIC = re.compile(r"\s+(?:(?:in|of|as)\s+)?(?:its\s+|the\s+)?", re.I)
LABEL = re.compile(r"\s*:\s*[-$(+\d]")
"""After a mention that belongs to what follows: "Q1 2025: 92.1%"."""
TAIL = "~"
VERSUS = re.compile(r"versus|vs|against", re.I)
LIST_GAP = re.compile(r"\s*(?:,|,?\s*\b(?:and|to|or|versus|vs\.?|against)\b)\s*(?:the\s+)?", re.I)
COMPARED = re.compile(r"\b(?:from|versus|vs\.?|against|(?:compared|compares)\s+(?:with|to)|than)\s+(?:an?\s+)?$", re.I)
POINTS = re.compile(r"\s*(?:percentage[\s-]points?|ppts?\b|pp\b|p\.p\.)|(?<=%)\s*points?\b", re.I)
CURRENCY = re.compile(r"\s*(?P<currency>USD|EUR|GBP)\b(?:\s+(?P<scale>thousands|millions|billions)\b)?", re.I)
WORDED_POINTS = re.compile(r"(?:percentage\s+points?|\bpp)$", re.I)


class FigureMention(NamedTuple):
    """An entity, period, metric or named value in a text."""

    start: int
    end: int
    kind: str
    """entity, period, metric or name."""
    value: str


class Stated(NamedTuple):
    """A figure, or a name as a value, with what it is about; None where that is unknown."""

    figure: Figure
    negative: bool
    """Written with a minus or in brackets."""
    points: bool
    """In percentage points."""
    entities: frozenset[str] | None
    periods: frozenset[str] | None
    metric: str | None
    clause: tuple[int, int]
    sentence: int


class ParsedAnswer(NamedTuple):
    """An answer with its figures and mentions."""

    text: str
    masked: str
    """The text with `_` for its entities, periods and named values, `~` for an entity's last words alone."""
    words: Words
    stated: list[Stated]
    mentions: list[FigureMention]
    sentences: list[int]
    """Where sentences begin."""
    scope: QuestionScope


class QuestionScope(NamedTuple):
    """Entities, periods and metrics of the question, for figures whose sentence names none."""

    entities: frozenset[str]
    periods: frozenset[str]
    metrics: tuple[str, ...]


def mentions_in(low: str, sheet: Sheet) -> list[FigureMention]:
    """List the mentions in a lower-case text, with relative periods resolved where possible."""
    mentions: list[FigureMention] = []
    last: str | None = None
    for match in sheet.mentions.finditer(low):
        if match.lastgroup != "period":
            kind, value = sheet.means[" ".join(match[0].split())]
            mentions.append(FigureMention(match.start(), match.end(), kind, value))
            continue
        key = period_key(match[0])
        if key is not None:
            key = with_year(key, sheet.periods, last) or key
            last = key
        elif last or len(sheet.periods) > 1:
            key = related(match[0], last or sheet.periods[-1], sheet.periods)
        mentions.append(FigureMention(match.start(), match.end(), "period", key or "?"))
    return mentions


@lru_cache(maxsize=1024)
def question_scope(question: str, document: str) -> QuestionScope:
    """Return what a question about the sheet in a document mentions."""
    mentions = mentions_in(lower(question), read_sheet(document))

    def named(kind: str) -> list[str]:
        return list(dict.fromkeys(m.value for m in mentions if m.kind == kind))

    return QuestionScope(frozenset(named("entity")), frozenset(named("period")), tuple(named("metric")))


def read_answer(text: str, sheet: Sheet, scope: QuestionScope) -> ParsedAnswer:
    """Parse every figure and named value of an answer, in order, with what each is about."""
    words = read_words(text)
    mentions = mentions_in(words.lower, sheet)
    sentences = [0, *(match.end() for match in SENTENCE.finditer(text))]
    breaks = sorted({*sentences, *breaks_in(words), len(text) + 1})
    masked = _masked(words.lower, text, mentions)
    words = words.outside(masked)
    values = [
        (*_with_points(_with_currency(figure, text), text), negative) for figure, negative in signed_figures(masked)
    ]
    names = [m for m in mentions if m.kind == NAME]
    values += [(Figure(m.start, m.end, NAME, NAME, m.value), False, False) for m in names]
    values.sort(key=lambda value: value[0].start)
    attribution = _Attribution(text, mentions, [value[0] for value in values], breaks, sentences, scope, sheet)
    stated = [attribution.place(index, points, negative) for index, (_, points, negative) in enumerate(values)]
    return ParsedAnswer(text, masked, words, stated, mentions, sentences, scope)


def _masked(low: str, text: str, mentions: Sequence[FigureMention]) -> str:
    pieces, at = [], 0
    for m in mentions:
        if m.kind != "metric":
            tail = m.kind == "entity" and not low.startswith(m.value.split(" ", 1)[0].lower(), m.start)
            pieces += [text[at : m.start], (TAIL if tail else "_") * (m.end - m.start)]
            at = m.end
    return "".join([*pieces, text[at:]])


def _with_points(figure: Figure, text: str) -> tuple[Figure, bool]:
    """The figure in percentage points if its unit says so, also for "2.0 pp"."""
    if figure.kind == "percent" and WORDED_POINTS.search(text, figure.start, figure.end):
        return figure, True
    match = POINTS.match(text, figure.end) if figure.kind in ("percent", "count") else None
    if not match or isinstance(figure.value, str):
        return figure, False
    factor = 100 if figure.kind == "count" else 1
    whole = figure._replace(end=match.end(), kind="percent", unit="bp", value=figure.value * factor)
    return whole._replace(step=figure.step * factor), True


def _with_currency(figure: Figure, text: str) -> Figure:
    """The figure as money if its currency follows: "3,420 USD thousands"."""
    match = CURRENCY.match(text, figure.end) if figure.kind == "count" else None
    if not match or isinstance(figure.value, str):
        return figure
    factor = 100 * SCALES.get((match["scale"] or "").lower(), 1)
    whole = figure._replace(end=match.end(), kind="money", unit=match["currency"].upper())
    return whole._replace(value=figure.value * factor, step=figure.step * factor)


class _Attribution:
    """Decides which mentions each figure of an answer belongs to."""

    def __init__(
        self,
        text: str,
        mentions: Sequence[FigureMention],
        figures: Sequence[Figure],
        breaks: Sequence[int],
        sentences: Sequence[int],
        scope: QuestionScope,
        sheet: Sheet,
    ) -> None:
        self.text, self.mentions, self.figures = text, mentions, figures
        self.breaks, self.sentences, self.scope, self.sheet = breaks, sentences, scope, sheet
        self.starts = [m.start for m in mentions]
        self.runs = self._lists()
        self.attached = [self._attached(index) for index in range(len(figures))]
        bound = {m.start for attached in self.attached for m in attached.values()}
        self.by_kind = {kind: [m for m in mentions if m.kind == kind] for kind in ("entity", "period", "metric")}
        self.free = {kind: [m for m in listed if m.start not in bound] for kind, listed in self.by_kind.items()}
        self.all_periods = scope.periods | {m.value for m in self.by_kind["period"]}

    def place(self, index: int, points: bool, negative: bool) -> Stated:
        """Return a figure with its entity, period, metric, clause and sentence."""
        figure = self.figures[index]
        clause = self._clause(figure)
        entity = self._nearest("entity", index, clause)
        period = self._nearest("period", index, clause)
        entities = frozenset([entity]) if entity else self.scope.entities or None
        periods = frozenset([period]) if period else self.scope.periods or None
        compared = COMPARED.search(self.text, max(clause[0], figure.start - 24), figure.start)
        if compared and "period" not in self.attached[index]:
            periods = self.all_periods or None
        number = bisect_right(self.sentences, figure.start) - 1
        return Stated(figure, negative, points, entities, periods, self._metric(index, clause), clause, number)

    def _clause(self, figure: Figure) -> tuple[int, int]:
        at = bisect_right(self.breaks, figure.start)
        return self.breaks[at - 1], self.breaks[at]

    def _attached(self, index: int) -> dict[str, FigureMention]:
        """Mentions that follow the figure at once, joined by words such as "in" and "for"."""
        figure = self.figures[index]
        limit = self._clause(figure)[1]
        if index + 1 < len(self.figures):
            limit = min(limit, self.figures[index + 1].start)
        attached: dict[str, FigureMention] = {}
        at = figure.end
        for number in range(bisect_left(self.starts, at), len(self.mentions)):
            m = self.mentions[number]
            if m.start >= limit or m.kind in attached or m.kind == NAME:
                break
            joint = ATTACHED_METRIC if m.kind == "metric" else ATTACHED
            if not joint.fullmatch(self.text, at, m.start) or LABEL.match(self.text, m.end):
                break
            attached[m.kind] = m
            at = m.end
        return attached

    def _nearest(self, kind: str, index: int, clause: tuple[int, int]) -> str | None:
        if joined := self._joined(kind, index, clause):
            return joined
        figure, free = self.figures[index], self.free[kind]
        start, end = clause
        before = [m for m in free if start <= m.start < figure.start]
        if before:
            return before[-1].value
        after = [m for m in free if figure.end <= m.start < end]
        after = after or [self.attached[at][kind] for at in self.runs[index] if kind in self.attached[at]]
        if after:
            return after[0].value
        earlier = [m for m in free if m.start < start] or [m for m in self.by_kind[kind] if m.start < figure.start]
        if earlier:
            return earlier[-1].value
        sentence = bisect_right(self.sentences, figure.start)
        return next((m.value for m in free if bisect_right(self.sentences, m.start) == sentence), None)

    def _joined(self, kind: str, index: int, clause: tuple[int, int]) -> str | None:
        """The mention attached to a figure, or at its position in a list of mentions as long as its list of figures."""
        run, attached = self.runs[index], self.attached[index]
        if kind in attached or len(run) == 1:
            return attached[kind].value if kind in attached else None
        start, end = clause
        last = self.figures[run[-1]].end
        versus = kind == "entity" and bool(
            VERSUS.search(self.text, self.figures[run[0]].end, self.figures[run[1]].start)
        )
        if versus or "respectively" in self.text[last : last + 16]:
            start = self.sentences[bisect_right(self.sentences, self.figures[index].start) - 1]
        free = [m for m in self.free[kind] if start <= m.start < end]
        joined = versus or all(LIST_GAP.fullmatch(self.text, a.end, b.start) for a, b in pairwise(free))
        return free[run.index(index)].value if len(free) == len(run) and joined else None

    def _lists(self) -> list[list[int]]:
        """For each figure, the figures of its list: itself alone, or several joined by "and"."""
        runs: list[list[int]] = []
        for index, figure in enumerate(self.figures):
            joined = index and LIST_GAP.fullmatch(self.text, self.figures[index - 1].end, figure.start)
            if joined:
                runs[-1].append(index)
            runs.append(runs[-1] if joined else [index])
        return runs

    def _metric(self, index: int, clause: tuple[int, int]) -> str | None:
        """The metric of the figure's clause; metrics of another unit are ignored."""
        if joined := self._joined("metric", index, clause):
            return joined
        figure = self.figures[index]
        fit = self.sheet.metrics.get(figure.unit, ())
        some = [m for m in self.free["metric"] if clause[0] <= m.start < clause[1] and m.value in fit]
        before = [m for m in some if m.start < figure.start]
        after = [m for m in some if m.start >= figure.end]
        chosen = before[-1:] or after[:1]
        return chosen[0].value if chosen else None
