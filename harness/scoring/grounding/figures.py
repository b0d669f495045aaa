"""Score money, percentages, dates, durations and counts of an answer against its source.

A figure is `supported` if the source states it, `derived` if one rule yields it from figures of the source,
`contradictory` if its words and its numeral disagree, and `ungrounded` otherwise. The last two are fabricated. The last
figure of a cut answer is not judged if it is broken off. A true figure that the source does not state is ungrounded.
"""

from __future__ import annotations

import re

from harness.schema import Case, Completion, Metric, Score, Span
from harness.scoring.base import make_span, scorer, whole_length
from harness.scoring.grounding.claims import failed_score, score_claims
from harness.scoring.grounding.derivations import SourceFigures, derive, equal, source_of
from harness.scoring.text.quantities import Figure, figures_in
from harness.scoring.text.refusals import without_denied

GROUNDED = ("supported", "derived")
VERDICTS = [*GROUNDED, "contradictory", "ungrounded"]
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
    source = source_of(case.document)
    return [_span(text, figure, source, case.cluster) for figure in stated]


def _span(text: str, figure: Figure, source: SourceFigures, cluster: str) -> Span:
    verdict, reason, origin = _verdict(text, figure, source)
    reason += ", read month first" if figure.ambiguous else ""
    source_range = (origin.start, origin.end) if origin else None
    return make_span(text, figure.start, figure.end, figure.kind, verdict, reason, source_range, cluster)


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
    derivation = derive(figure, source, about)
    if derivation is None:
        return "ungrounded", UNGROUNDED, None
    rule, origin = derivation
    return "derived", f"rule: {rule}", origin


@scorer(metrics=METRICS, name="figures")
def ungrounded(case: Case, completion: Completion) -> Score:
    """Figures that the source does not support. A failed completion counts as one ungrounded figure."""
    if completion.finish_reason == "error":
        return failed_score("figures", "figures", "ungrounded")
    return score_claims("figures", "figures", judge(case, completion), GROUNDED, VERDICTS, "ungrounded")
