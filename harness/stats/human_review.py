"""What people's remarks on answers come to: levels, paired comparisons, preference.

Several people's words on one case are averaged inside it, as repeats are: neither counts as a case. Where somebody
decided what others differed on, the decision stands in the place of their words.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from typing import TypeVar

import msgspec
import numpy as np
from msgspec import Struct

from harness.schema import BASELINE, CANDIDATE, Comparison, Estimate, Metric, Observation, Score
from harness.scoring.base import ratios
from harness.stats import permutation
from harness.stats.estimates import estimate
from harness.stats.intervals import Array
from harness.stats.observations import Observations
from harness.stats.paired import compare
from harness.stats.pairs import pair

LEAST, MOST = 1, 5


class Scale(Struct, frozen=True, kw_only=True):
    """One question about one answer."""

    name: str
    """Its name, as a field of what a reviewer says and of the rubric."""
    says: str
    """What is asked, in a sentence without an end."""
    ends: tuple[str, str]
    """What the lowest and the highest number mean, in a few words."""

    @property
    def scorer(self) -> str:
        """The score that it is kept as."""
        return f"human_{self.name}"


SCALES = (
    Scale(name="accuracy", says="How right it is", ends=("wrong in substance", "all of it right")),
    Scale(name="completeness", says="How whole it is", ends=("nothing of what was asked", "all of it there")),
)
"""In the order in which they are asked and told."""


class Rating(Struct, frozen=True, kw_only=True):
    """One finding of one person on one answer, joined with what it is about."""

    reviewer: str
    """Who."""
    suite: str
    """Suite of the answer."""
    case_id: str
    """Case of the answer."""
    repeat: int
    """Which of the case's answers."""
    variant: str
    """Whose answer."""
    input_hash: str
    """Second join key of the case."""
    cluster: str
    score: Score
    """What was found; without a value where the person did not judge."""
    decides: bool = False
    """Given by the person who decided where others differed."""

    @property
    def item(self) -> tuple[str, str, int]:
        """What two people who see the same have in common."""
        return self.suite, self.case_id, self.repeat


ON_A_SCALE = tuple(
    Metric(
        name=scale.name,
        scorer=scale.scorer,
        numerator="",
        kind="mean",
        worst=LEAST,
        best=MOST,
        says=f"{scale.says}, {LEAST} to {MOST}.",
    )
    for scale in SCALES
)
FABRICATED, *SEVERITIES = ratios(
    "human_fabrication",
    {},
    {"answers_with_a_fabrication = any": "Share of answers in which a fabrication was marked."}
    | {f"{each}_fabrications = {each}": "Marked passages an answer." for each in ("critical", "major", "minor")},
)
[MISSED] = ratios(
    "human_missed", {}, {"listed_clauses_missed = missed / listed": "Share of the clauses that the cases list."}
)
JUDGED = (*ON_A_SCALE, FABRICATED, *SEVERITIES, MISSED)
"""What is said of each of two answers that stand side by side."""
FIXED = EDITED, UNCHANGED = (
    *ratios("human_fix", {}, {"draft_edited = edit_distance / draft_length": "Edits by character of the draft."}),
    *ratios("human_fix", {"drafts_unchanged = unchanged": "Share of drafts taken as they were."}),
)
"""What is said of each draft that was edited."""
PREFERENCE = Metric(
    name="preference",
    scorer="human_preference",
    numerator="",
    kind="mean",
    worst=0,
    best=1,
    says="Share of pairs in which the tuned answer was preferred; a tie, or both bad, is half.",
)

COUNTED: dict[str, Callable[[Score], float]] = {
    "any": lambda score: float(any(score.counts.values())),
    "unchanged": lambda score: float(score.counts["edit_distance"] == 0),
}
"""Counts that follow from those of a score."""

K = TypeVar("K", bound=Hashable)


def adjudicated(remarks: Iterable[Rating]) -> list[Rating]:
    """The remarks that estimates are made of: where a person decided, the others' words on that are left out."""
    listed = list(remarks)
    decided = {_subject(r) for r in listed if r.decides and r.score.value is not None}
    return [r for r in listed if r.decides == (_subject(r) in decided)]


def _subject(remark: Rating) -> tuple[tuple[str, str, int], str]:
    return remark.item, remark.score.name


def level(remarks: Iterable[Rating], metric: Metric) -> Estimate:
    """One variant's level, from its remarks of one suite; what was not judged is counted as unscored."""
    return estimate(observed(remarks, metric), metric)


def observed(remarks: Iterable[Rating], metric: Metric) -> Observations:
    """One observation a case."""
    mine = [r for r in remarks if r.score.name == metric.scorer]
    scored = [r for r in mine if r.score.value is not None]
    cases = [
        Observation(
            case_id=case_id,
            input_hash=input_hash,
            cluster=some[0].cluster,
            numerator=float(np.mean([_numerator(r.score, metric) for r in some])),
            denominator=float(np.mean([r.score.counts[metric.denominator] if metric.denominator else 1 for r in some])),
        )
        for (case_id, input_hash), some in _by(scored, lambda r: (r.case_id, r.input_hash)).items()
    ]
    return Observations(cases=cases, records=len(mine), unscored=len(mine) - len(scored))


def _numerator(score: Score, metric: Metric) -> float:
    if metric.kind == "mean":
        assert score.value is not None
        return score.value
    derived = COUNTED.get(metric.numerator)
    return derived(score) if derived else float(score.counts[metric.numerator])


def comparison(remarks: Iterable[Rating], metric: Metric) -> Comparison:
    """Tuned against baseline, paired within the person: only where one person judged both answers to a case.

    For scores on a scale the p value is Wilcoxon's on cluster means; for counts that of `paired.compare`.
    """
    mine = [r for r in remarks if r.score.name == metric.scorer and r.score.value is not None]
    both = [
        remark
        for some in _by(mine, lambda r: (r.reviewer, *r.item)).values()
        if {BASELINE, CANDIDATE} <= {r.variant for r in some}
        for remark in some
    ]
    sides = [observed([r for r in both if r.variant == variant], metric) for variant in (CANDIDATE, BASELINE)]
    pairs = pair(sides[0], sides[1], metric)
    compared = compare(pairs)
    if metric.kind != "mean" or pairs.unusable:
        return compared
    tuned, baseline = pairs.sums
    p_value, test = signed_ranks((tuned[:, 0] - baseline[:, 0]) / tuned[:, 1])
    return msgspec.structs.replace(compared, p_value=p_value, test=test)


def signed_ranks(differences: Array) -> tuple[float, str]:
    """Two-sided p of Wilcoxon's signed-rank test (1945); zeros are left out, ties share their ranks.

    Exact by flipping signs where that leaves few outcomes, else by seeded draws; see `permutation.swap_test`.
    """
    from scipy import stats

    moved = np.round(differences, 9)
    moved = moved[moved != 0]
    ranks = stats.rankdata(np.abs(moved))
    up, down = np.where(moved > 0, ranks, 0.0)[:, None], np.where(moved < 0, ranks, 0.0)[:, None]
    p_value, test = permutation.swap_test(up, down, lambda totals: totals[:, 0] - totals[:, 1])
    return p_value, test.replace("cluster sign-flip", "Wilcoxon signed ranks")


def preference(remarks: Iterable[Rating]) -> Estimate:
    """How often the tuned answer was preferred; ties and pairs that are both bad count half. Clustered on cluster."""
    return level(remarks, PREFERENCE)


def choices(remarks: Iterable[Rating]) -> Counter[str]:
    """How often each choice was made, person by person: tuned, baseline, tie, both_bad."""
    return Counter(
        choice
        for r in remarks
        if r.score.name == PREFERENCE.scorer and r.score.value is not None
        for choice in r.score.extracted.get("choice", ())
    )


def rate(right: int, of: int, nothing: str) -> Estimate:
    """A share of independent yes-or-no answers, with Wilson's interval; `nothing` says why there are none."""
    if not of:
        return Estimate(value=None, reason=nothing)
    answers = Observations.of((str(i), float(i < right), 1.0) for i in range(of))
    return estimate(answers, Metric(name="rate", scorer="people", numerator="yes"))


def _by(remarks: Iterable[Rating], key: Callable[[Rating], K]) -> Mapping[K, Sequence[Rating]]:
    groups: dict[K, list[Rating]] = {}
    for remark in remarks:
        groups.setdefault(key(remark), []).append(remark)
    return groups
