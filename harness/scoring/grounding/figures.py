"""Scores money, percentages, dates, durations and counts of an answer against its source. Knows no right answer.

A figure is `supported` where the source states it, `derived` where one stated rule yields it from figures of the
source, `contradictory` where its words and its numeral disagree, and `ungrounded` otherwise. The last two are
fabricated. A figure that a cut answer breaks off in is not judged. A true figure that the source does not hold is
ungrounded here.
"""

from __future__ import annotations

import re

from harness.schema import Case, Completion, Metric, Score, SourceSpan, Span
from harness.scoring.base import scorer, unbroken
from harness.scoring.grounding.derivations import SourceFigures, derive, equal, source_of
from harness.scoring.text.quantities import Figure, figures_in
from harness.scoring.text.refusals import without_denied

VERDICTS = ["supported", "derived", "contradictory", "ungrounded"]
FABRICATED = {"contradictory", "ungrounded"}
UNGROUNDED = "not in the source, and no rule yields it"
ABOUT = re.compile(
    r"(?:\b(?:about|approx(?:\.|imately)?|around|roughly|nearly|almost|circa|ca\.|close\s+to)|~)\s*$", re.I
)

METRICS = [
    Metric(
        name="figure_ungrounded_rate",
        scorer="figures",
        numerator="ungrounded",
        denominator="figures",
        higher_is_better=False,
        says="Share of the amounts, percentages, dates, periods and counts stated that the source does not bear out.",
    ),
]


def judge(case: Case, completion: Completion) -> list[Span]:
    """A span, with its verdict, for each figure that an answer states."""
    return without_denied(case, completion.text, judge_all(case, completion), ("supported", "derived"))


def judge_all(case: Case, completion: Completion) -> list[Span]:
    """The same with figures that the answer denies, in order."""
    text = completion.text
    whole = unbroken(completion)
    stated = [figure for figure in figures_in(text) if figure.end <= whole]
    if not stated:
        return []
    source = source_of(case.document)
    return [_span(text, figure, source, case.cluster) for figure in stated]


def _span(text: str, figure: Figure, source: SourceFigures, cluster: str) -> Span:
    verdict, reason, origin = _verdict(text, figure, source)
    return Span(
        start=figure.start,
        end=figure.end,
        quote=text[figure.start : figure.end],
        kind=figure.kind,
        verdict=verdict,
        reason=reason + (", read month first" if figure.ambiguous else ""),
        source=SourceSpan(doc_id=cluster, start=origin.start, end=origin.end) if origin else None,
    )


def _verdict(text: str, figure: Figure, source: SourceFigures) -> tuple[str, str, Figure | None]:
    if figure.restated is not None:
        same = next((s for s in source.figures if s[2:6] == figure[2:6]), None)
        if same:
            return "supported", "rule: equal, the source contradicts itself in the same words", same
        return "contradictory", "the words and the numeral disagree", None
    same = equal(figure, source, about=False)
    if same:
        return "supported", "rule: equal", same
    about = bool(ABOUT.search(text, max(0, figure.start - 20), figure.start))
    found = derive(figure, source, about)
    return ("derived", f"rule: {found[0]}", found[1]) if found else ("ungrounded", UNGROUNDED, None)


@scorer(metrics=METRICS, name="figures")
def ungrounded(case: Case, completion: Completion) -> Score:
    """Figures that the source does not bear out. A failed completion counts as one such figure."""
    if completion.finish_reason == "error":
        return Score(name="figures", value=1.0, counts={"figures": 1, "ungrounded": 1, "responses_with": 1})
    spans = judge(case, completion)
    bad = sum(span.verdict in FABRICATED for span in spans)
    return Score(
        name="figures",
        value=float(bad),
        extracted={verdict: [s.quote for s in spans if s.verdict == verdict] for verdict in VERDICTS},
        counts={"figures": len(spans), "ungrounded": bad, "responses_with": int(bad > 0)},
        spans=spans,
    )
