"""Score money, percentages, dates, durations and counts of an answer against its source.

A figure is `supported` if the source states it, `derived` if one rule yields it from figures of the
source or from others near it in the answer, `contradictory` if its words and its numeral disagree, `unclear` if it is a
count that only the question states, and `ungrounded` otherwise. Contradictory and ungrounded figures are
fabricated. The last figure of a cut answer is not judged if it is broken off. A true figure that the source does not
state is ungrounded.
"""

from __future__ import annotations

import re
from collections.abc import Container, Sequence

from harness.schema import Case, Completion, Metric, Score, Span
from harness.scoring.base import make_span, scorer, whole_length
from harness.scoring.grounding.claims import UNCLEAR, failed_score, score_claims
from harness.scoring.grounding.derivations import SourceFigures, derive, equal, source_of
from harness.scoring.grounding.worked_out import MOST_NEAR, NEAR, follows
from harness.scoring.text.quantities import Figure, SizeKey, figures_in, size_key
from harness.scoring.text.refusals import without_denied

GROUNDED = ("supported", "derived")
VERDICTS = [*GROUNDED, UNCLEAR, "contradictory", "ungrounded"]
PASSES = 2
"""Rounds in which figures are worked out; the second uses what the first yields."""
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
        says="Share of the amounts, percentages, dates, periods and counts stated that the source does not support.",
    ),
]


def judge(case: Case, completion: Completion) -> list[Span]:
    """Judge each figure that an answer states, without those that it denies."""
    return without_denied(case, completion.text, judge_all(case, completion), GROUNDED)


def judge_all(case: Case, completion: Completion) -> list[Span]:
    """Judge each figure of an answer, in order."""
    text = completion.text
    whole = whole_length(completion)
    stated = [figure for figure in figures_in(text) if figure.end <= whole]
    if not stated:
        return []
    source, asked = source_of(case.document), figures_in(case.input.get("question", ""))
    given = {size_key(figure.unit, figure.value) for figure in asked}
    verdicts = [_verdict(text, figure, source, given) for figure in stated]
    for _ in range(PASSES):
        known = [f for f, (verdict, _, _) in zip(stated, verdicts, strict=True) if verdict in (*GROUNDED, UNCLEAR)]
        steps = {
            at: step
            for at, figure in enumerate(stated)
            if verdicts[at][0] in ("ungrounded", UNCLEAR) and (step := _worked_out(text, figure, known, asked, source))
        }
        verdicts = [steps.get(at, verdict) for at, verdict in enumerate(verdicts)]
        if not steps:
            break
    return [_span(text, figure, verdict, case.cluster) for figure, verdict in zip(stated, verdicts, strict=True)]


Verdict = tuple[str, str, Figure | None]
"""Verdict, reason, and the figure of the source that it rests on."""


def _worked_out(
    text: str, figure: Figure, known: Sequence[Figure], asked: Sequence[Figure], source: SourceFigures
) -> Verdict | None:
    """The verdict on a figure that follows from others of the answer or the question; its origin may be there."""
    near = [other for other in known if other is not figure and abs(other.start - figure.start) <= NEAR]
    near.sort(key=lambda other: abs(other.start - figure.start))
    step = follows(figure, [*near[:MOST_NEAR], *asked[:MOST_NEAR]], source, _is_about(text, figure))
    if step is None:
        return None
    rule, origin = step
    return "derived", f"rule: {rule}", origin if origin in source.figures else None


def _is_about(text: str, figure: Figure) -> bool:
    return bool(ABOUT.search(text, max(0, figure.start - 20), figure.start))


def _span(text: str, figure: Figure, judged: Verdict, cluster: str) -> Span:
    verdict, reason, origin = judged
    reason += ", read month first" if figure.ambiguous else ""
    source_range = (origin.start, origin.end) if origin else None
    return make_span(text, figure.start, figure.end, figure.kind, verdict, reason, source_range, cluster)


def _verdict(text: str, figure: Figure, source: SourceFigures, given: Container[SizeKey]) -> Verdict:
    if figure.restated is not None:
        same = next((s for s in source.figures if s[2:6] == figure[2:6]), None)
        if same:
            return "supported", "rule: equal, the source contradicts itself in the same words", same
        return "contradictory", "the words and the numeral disagree", None
    same = equal(figure, source, about=False)
    if same:
        return "supported", "rule: equal", same
    derivation = derive(figure, source, _is_about(text, figure))
    if derivation is None and figure.kind == "count" and size_key("", figure.value) in given:
        return UNCLEAR, "a count of the question", None
    if derivation is None:
        return "ungrounded", UNGROUNDED, None
    rule, origin = derivation
    return "derived", f"rule: {rule}", origin


@scorer(metrics=METRICS, name="figures")
def ungrounded(case: Case, completion: Completion) -> Score:
    """Figures that the source does not support. A failed completion counts as one ungrounded figure."""
    if completion.finish_reason == "error":
        return failed_score("figures", "figures", "ungrounded")
    return score_claims("figures", "figures", judge(case, completion), (*GROUNDED, UNCLEAR), VERDICTS, "ungrounded")
