"""How far raters agree on the same answers.

Every coefficient is 1 - observed disagreement / disagreement by chance; they differ in what chance would give. Alpha
and kappa take it from how often each label was given, so they fall towards 0 where one label is rare, however seldom
raters differ (Feinstein and Cicchetti 1990); AC1 does not.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Hashable, Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import combinations
from typing import Any, NamedTuple

import numpy as np
from msgspec import Struct

from harness.schema import BASELINE, CANDIDATE, Estimate, Metric, Score, Span
from harness.stats import bootstrap
from harness.stats.cluster_variance import FEW_DISAGREEMENTS, FEW_ERRORS
from harness.stats.estimates import estimate
from harness.stats.human_review import LEAST, MOST, SCALES, Rating, rate
from harness.stats.intervals import Array, Codes
from harness.stats.observations import Observations
from harness.stats.permutation import SEED, Statistic
from harness.stats.score_table import codes

EXACT = Metric(name="exact_agreement", scorer="raters", numerator="same")


@dataclass(frozen=True)
class Ratings:
    """Labels that raters gave to items; any number of raters, and not everyone rates everything."""

    counts: Array
    """How many raters gave each item each label; shape (items, labels)."""
    clusters: Codes
    """Of each item, 0..C-1."""
    ordered: bool
    """The labels have an order, lowest first."""

    @cached_property
    def shared(self) -> Ratings:
        """Items that two raters or more rated."""
        is_shared = self.counts.sum(axis=1) >= 2
        _, clusters = np.unique(self.clusters[is_shared], return_inverse=True)
        return Ratings(self.counts[is_shared], clusters, self.ordered)

    @cached_property
    def cluster_count(self) -> int:
        return len(np.unique(self.clusters))

    @cached_property
    def agreeing(self) -> Array:
        """Of shared items: share of the pairs of raters who gave one label."""
        raters = self.counts.sum(axis=1)
        shares: Array = (self.counts * (self.counts - 1)).sum(axis=1) / (raters * (raters - 1))
        return shares

    def holding(self, items: Any) -> int:
        """Clusters that hold one of these items."""
        return len(np.unique(self.clusters[items]))

    def by_cluster(self, columns: Array) -> Array:
        """Sums of the items' columns; shape (clusters, columns)."""
        sums = np.zeros((self.cluster_count, columns.shape[1]))
        np.add.at(sums, self.clusters, columns)
        return sums


def ratings(
    given: Iterable[tuple[Hashable, Hashable, str, str]], labels: Sequence[str], ordered: bool = False
) -> Ratings:
    """Ratings from (item, cluster, rater, label); a rater's last label of an item counts."""
    last = {(item, rater): (cluster, label) for item, cluster, rater, label in given}
    number: dict[Hashable, int] = {}
    clusters: dict[Hashable, Hashable] = {}
    for (item, _), (cluster, _) in last.items():
        number.setdefault(item, len(number))
        clusters.setdefault(item, cluster)
    counts = np.zeros((len(number), len(labels)))
    place = {label: i for i, label in enumerate(labels)}
    for (item, _), (_, label) in last.items():
        counts[number[item], place[label]] += 1
    return Ratings(counts, codes(str(cluster) for cluster in clusters.values()), ordered)


def raw_agreement(found: Ratings) -> Estimate:
    """Share of pairs of raters who gave an item one label, averaged over items; its score interval is clustered."""
    shared = found.shared
    return _exact(shared.agreeing.tolist(), [str(c) for c in shared.clusters])


def exact_agreement(first: Sequence[str], second: Sequence[str], clusters: Sequence[str]) -> Estimate:
    """Share of answers to which both gave the same label, with its clustered interval."""
    return _exact([float(a == b) for a, b in zip(first, second, strict=True)], clusters)


def _exact(agreeing: Sequence[float], clusters: Sequence[str]) -> Estimate:
    if not agreeing:
        return Estimate(value=None, reason=NOBODY_TWICE)
    return estimate(Observations.of((c, share, 1.0) for share, c in zip(agreeing, clusters, strict=True)), EXACT)


def alpha(found: Ratings) -> Estimate:
    """Krippendorff's alpha, nominal, or ordinal where the labels have an order; items rated once play no part.

    1 - D_o / D_e from the coincidences o_ck = sum_u n_uc (n_uk - [c = k]) / (m_u - 1). The ordinal distance of two
    labels, squared, is that of their mean ranks among all ratings (Krippendorff 2011, "Computing Krippendorff's
    Alpha-Reliability").
    """
    shared = found.shared
    counts, labels = shared.counts, shared.counts.shape[1]
    pairs = counts[:, :, None] * counts[:, None, :] - counts[:, :, None] * np.eye(labels)
    columns = (pairs / (counts.sum(axis=1) - 1)[:, None, None]).reshape(len(counts), labels**2)
    given = counts.sum(axis=0) / max(1.0, counts.sum())

    def of(totals: Array) -> Array:
        return _alpha(totals.reshape(-1, labels, labels), shared.ordered)

    return _coefficient(shared, shared, columns, of, float(given @ given), needs_two_labels=True)


def _alpha(coincidences: Array, ordered: bool) -> Array:
    """Alpha of each matrix; NaN where only one label was given."""
    given = coincidences.sum(axis=2)
    total = given.sum(axis=1)
    apart: Array = 1 - np.eye(given.shape[1])[None]
    if ordered:
        ranks = given.cumsum(axis=1) - given / 2
        apart = (ranks[:, :, None] - ranks[:, None, :]) ** 2
    observed = (coincidences * apart).sum(axis=(1, 2)) * (total - 1)
    by_chance = (given[:, :, None] * given[:, None, :] * apart).sum(axis=(1, 2))
    return 1 - _divided(observed, by_chance)


def ac1(found: Ratings) -> Estimate:
    """Gwet's AC1: (p_a - p_e) / (1 - p_e), p_e = sum of q (1 - q) over labels, by their number less 1.

    p_a is the raw agreement of items rated twice or more; q a label's share of an item's ratings, averaged over all
    items, those rated once too (Gwet 2008, "Computing inter-rater reliability in the presence of high agreement").
    """
    shared, labels = found.shared, found.counts.shape[1]
    raters = found.counts.sum(axis=1)
    is_shared = raters >= 2
    agreeing = np.zeros(len(raters))
    agreeing[is_shared] = shared.agreeing
    columns = np.column_stack([agreeing, is_shared, found.counts / raters[:, None]])

    def by_chance(totals: Array) -> Array:
        shares = totals[:, 2:] / totals[:, 2:].sum(axis=1, keepdims=True)
        expected: Array = (shares * (1 - shares)).sum(axis=1) / (labels - 1)
        return expected

    def of(totals: Array) -> Array:
        expected = by_chance(totals)
        return _divided(_divided(totals[:, 0], totals[:, 1]) - expected, 1 - expected)

    chance = float(by_chance(columns.sum(axis=0)[None])[0]) if len(columns) else 0.0
    return _coefficient(found, shared, columns, of, chance, needs_two_labels=False)


def kappa(first: Sequence[str], second: Sequence[str], labels: Sequence[str], clusters: Sequence[str]) -> Estimate:
    """Cohen's kappa of two raters, with quadratic weights over ordered labels; with two labels it is plain."""
    items = range(len(first))
    both = [*zip(items, clusters, ["1"] * len(first), first, strict=True)]
    both += zip(items, clusters, ["2"] * len(first), second, strict=True)
    shared, size = ratings(both, labels, ordered=True), len(labels)
    place = {label: i for i, label in enumerate(labels)}
    columns = np.zeros((len(first), size * size))
    columns[items, [place[a] * size + place[b] for a, b in zip(first, second, strict=True)]] = 1
    apart = (np.arange(size)[:, None] - np.arange(size)[None, :]) ** 2

    def of(totals: Array) -> Array:
        table = totals.reshape(-1, size, size)
        by_chance = table.sum(axis=2)[:, :, None] * table.sum(axis=1)[:, None, :]
        observed = (table * apart).sum(axis=(1, 2)) * table.sum(axis=(1, 2))
        return 1 - _divided(observed, (by_chance * apart).sum(axis=(1, 2)))

    given = shared.counts.sum(axis=0) / max(1.0, shared.counts.sum())
    return _coefficient(shared, shared, columns, of, float(given @ given), needs_two_labels=True)


NOBODY_TWICE = "no item was rated by two people"


def _coefficient(
    rated: Ratings, shared: Ratings, columns: Array, of: Statistic, chance: float, *, needs_two_labels: bool
) -> Estimate:
    """The coefficient of the items' summed columns, with its interval.

    Not measured under ten clusters rated twice. Without an interval where disagreement by chance rests on fewer than
    ten clusters that hold another label than the usual one. Where fewer than ten hold a disagreement, the bounds are
    no tighter than the score interval of the share of disagreements has them, as 1 - coefficient grows with it.
    """
    items, clusters = len(shared.counts), shared.cluster_count
    sized: dict[str, Any] = {"n": items, "clusters": clusters}
    if clusters < bootstrap.FEWEST_CLUSTERS:
        reason = f"two people rated {items} items from {clusters} clusters" if items else NOBODY_TWICE
        return Estimate(value=None, reason=f"{reason}; agreement is shown from {bootstrap.FEWEST_CLUSTERS} on", **sized)
    sums = rated.by_cluster(columns)
    value = float(of(sums.sum(axis=0)[None])[0])
    if np.isnan(value):
        return Estimate(value=None, reason="everybody gave one label throughout: chance would agree as well", **sized)
    unusual = shared.counts.argmax(axis=1) != shared.counts.sum(axis=0).argmax()
    unusual |= (shared.counts > 0).sum(axis=1) > 1
    holders = shared.holding(unusual)
    if needs_two_labels and holders < FEW_ERRORS.fewest:
        few = f"only {holders} clusters hold another label than the usual one, {FEW_ERRORS.fewest} are needed"
        return Estimate(value=value, method=f"interval withheld: {few}", **sized)
    drawn = bootstrap.bounds(rated.cluster_count, lambda times: of(times @ sums))
    if drawn is None:
        return Estimate(value=value, method="interval withheld: too many resamples hold one label only", **sized)
    (low, high), method = drawn, "cluster bootstrap"
    if shared.holding(shared.agreeing < 1) < FEW_DISAGREEMENTS.fewest:
        raw = raw_agreement(shared)
        assert raw.value is not None and raw.low is not None and raw.high is not None
        each = (1 - value) / (1 - raw.value) if raw.value < 1 else 1 / (1 - chance)
        low, high = min(low, 1 - each * (1 - raw.low)), max(high, 1 - each * (1 - raw.high))
        method += f", {FEW_DISAGREEMENTS.name}"
    return Estimate(value=value, low=max(-1.0, low), high=min(1.0, high), method=method, seed=SEED, **sized)


def _divided(above: Array, below: Array) -> Array:
    quotients: Array = np.divide(above, below, out=np.full(np.shape(above), np.nan), where=below != 0)
    return quotients


TOKEN = re.compile(r"\w+|[^\w\s]")
F1 = Metric(name="span_f1", scorer="raters", numerator="both", denominator="either")


class Marked(NamedTuple):
    """One text as every rater of it marked it."""

    cluster: str
    text: str
    """What was marked."""
    by_rater: Sequence[Sequence[Span]]
    """Each rater's passages; empty where a rater marked none."""


def tokens(text: str, spans: Iterable[Span]) -> set[int]:
    """Words and signs of a text that the spans touch, by their place."""
    places = [(m.start(), m.end()) for m in TOKEN.finditer(text)]
    return {i for span in spans for i, (start, end) in enumerate(places) if start < span.end and end > span.start}


def token_f1(marked: Iterable[Marked]) -> Estimate:
    """2 |both| / (|one| + |other|) over the tokens that any two raters of a text marked, summed over texts.

    Texts on which neither marked anything have nothing to count. The interval is that of a clustered ratio, by text
    where clusters hold one each.
    """
    texts = []
    for one in marked:
        sets = [tokens(one.text, spans) for spans in one.by_rater]
        pairs = list(combinations(sets, 2))
        both = sum(2 * len(a & b) for a, b in pairs)
        either = sum(len(a) + len(b) for a, b in pairs)
        if pairs:
            texts.append((one.cluster, both, either))
    if not any(either for _, _, either in texts):
        reason = "no two people marked any passage" if texts else "no text was read by two people"
        return Estimate(value=None, reason=reason)
    return estimate(Observations.of(texts), F1)


POINTS = tuple(str(point) for point in range(LEAST, MOST + 1))
NO_YES = ("no", "yes")
CHOICES = (BASELINE, CANDIDATE, "tie", "both_bad")


class ReviewMeasure(Struct, frozen=True, kw_only=True):
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
        ReviewMeasure(name=one.name, scorer=one.scorer, labels=POINTS, ordered=True, label=lambda s: f"{s.value:.0f}")
        for one in SCALES
    ),
    *(
        ReviewMeasure(name=name, scorer=scorer, labels=NO_YES, ordered=False, label=label)
        for name, scorer, label in (
            ("fabrication_marked", "human_fabrication", lambda s: NO_YES[any(s.counts.values())]),
            ("critical_fabrication_marked", "human_fabrication", lambda s: NO_YES[s.counts["critical"] > 0]),
            ("clause_missed", "human_missed", lambda s: NO_YES[s.counts["missed"] > 0]),
        )
    ),
    ReviewMeasure(
        name="preference",
        scorer="human_preference",
        labels=CHOICES,
        ordered=False,
        label=lambda s: s.extracted["choice"][0],
    ),
)


class Agreed(Struct, frozen=True, kw_only=True):
    """How far reviewers agree on one measure."""

    measure: ReviewMeasure
    """What they said."""
    raw: Estimate
    """Share of pairs of reviewers that said the same."""
    alpha: Estimate
    """Krippendorff's."""
    ac1: Estimate
    """Gwet's."""


def agreed(remarks: Iterable[Rating]) -> list[Agreed]:
    """Agreement on every measure that somebody spoke of. Whoever decided a difference knew it, and is left out."""
    scored = [r for r in remarks if r.score.value is not None and not r.decides]
    agreements = []
    for measure in MEASURES:
        mine = [r for r in scored if r.score.name == measure.scorer]
        if mine:
            given = (((r.item, r.variant), r.cluster, r.reviewer, measure.label(r.score)) for r in mine)
            rated = ratings(given, measure.labels, measure.ordered)
            agreements.append(Agreed(measure=measure, raw=raw_agreement(rated), alpha=alpha(rated), ac1=ac1(rated)))
    return agreements


def passages(remarks: Iterable[Rating], text_of: Callable[[Rating], str]) -> Estimate:
    """Token F1 of the passages that reviewers of one answer called fabricated, whatever the severity."""
    by_answer: dict[object, dict[str, Rating]] = {}
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
