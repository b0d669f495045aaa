"""How far reviewers agree, measure by measure, and each of them with themselves. Knows remarks; no event, no page."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

from msgspec import Struct

from harness.schema import BASELINE, CANDIDATE, Estimate, Score
from harness.stats.agreement import ac1, alpha, ratings, raw_agreement
from harness.stats.reviews import Remark, rate
from harness.stats.scales import LEAST, MOST, SCALES
from harness.stats.spans import Marked, token_f1

POINTS = tuple(str(point) for point in range(LEAST, MOST + 1))
NO_YES = ("no", "yes")
CHOICES = (BASELINE, CANDIDATE, "tie", "both_bad")


class Measure(Struct, frozen=True, kw_only=True):
    """One thing that reviewers say of an answer, as a label."""

    name: str
    """Its name."""
    scorer: str
    """Score that it is read from."""
    labels: tuple[str, ...]
    """What may be said."""
    ordered: bool
    """The labels have an order."""
    label: Callable[[Score], str]
    """What a score says."""


MEASURES = (
    *(
        Measure(name=one.name, scorer=one.scorer, labels=POINTS, ordered=True, label=lambda s: f"{s.value:.0f}")
        for one in SCALES
    ),
    Measure(
        name="fabrication_marked",
        scorer="human_fabrication",
        labels=NO_YES,
        ordered=False,
        label=lambda s: NO_YES[any(s.counts.values())],
    ),
    Measure(
        name="critical_fabrication_marked",
        scorer="human_fabrication",
        labels=NO_YES,
        ordered=False,
        label=lambda s: NO_YES[s.counts["critical"] > 0],
    ),
    Measure(
        name="clause_missed",
        scorer="human_missed",
        labels=NO_YES,
        ordered=False,
        label=lambda s: NO_YES[s.counts["missed"] > 0],
    ),
    Measure(
        name="preference",
        scorer="human_preference",
        labels=CHOICES,
        ordered=False,
        label=lambda s: s.extracted["choice"][0],
    ),
)


class Agreed(Struct, frozen=True, kw_only=True):
    """How far reviewers agree on one measure."""

    measure: Measure
    """What they said."""
    raw: Estimate
    """Share of pairs of reviewers that said the same."""
    alpha: Estimate
    """Krippendorff's."""
    ac1: Estimate
    """Gwet's."""


def agreed(remarks: Iterable[Remark]) -> list[Agreed]:
    """Agreement on every measure that somebody spoke of. Whoever decided a difference knew it, and is left out."""
    said = [r for r in remarks if r.score.value is not None and not r.decides]
    found = []
    for measure in MEASURES:
        mine = [r for r in said if r.score.name == measure.scorer]
        if mine:
            given = (((r.item, r.variant), r.cluster, r.reviewer, measure.label(r.score)) for r in mine)
            rated = ratings(given, measure.labels, measure.ordered)
            found.append(Agreed(measure=measure, raw=raw_agreement(rated), alpha=alpha(rated), ac1=ac1(rated)))
    return found


def passages(remarks: Iterable[Remark], text_of: Callable[[Remark], str]) -> Estimate:
    """Token F1 of the passages that reviewers of one answer called fabricated, whatever the severity."""
    by_answer: dict[object, dict[str, Remark]] = {}
    for r in remarks:
        if r.score.name == "human_fabrication" and r.score.value is not None and not r.decides:
            by_answer.setdefault((r.item, r.variant), {})[r.reviewer] = r
    marked = []
    for by_reviewer in by_answer.values():
        some = list(by_reviewer.values())
        marked.append(Marked(some[0].cluster, text_of(some[0]), [r.score.spans for r in some]))
    return token_f1(marked)


def same_again(shown_twice: Sequence[tuple[object, object]]) -> Estimate:
    """How often a reviewer who saw an item twice, the sides changed, preferred the same answer."""
    judged = [(one, other) for one, other in shown_twice if one is not None and other is not None]
    return rate(sum(a == b for a, b in judged), len(judged), "no item was judged twice by one reviewer")
