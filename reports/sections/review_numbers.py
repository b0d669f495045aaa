"""Tables of one suite's reviews: agreement, preference, what was found, times. Knows no batch and no other suite."""

from __future__ import annotations

from collections.abc import Sequence

from harness.reviewed import Reviews, spent
from harness.schema import BASELINE, CANDIDATE, Comparison, Estimate, Metric, SuiteInfo
from harness.stats import reviews
from harness.stats.consensus import CHOICES, agreed, passages
from harness.stats.reviews import Remark
from harness.stats.times import Times, times
from reports import figures, sentences, words
from reports.model import Block, Cell, Table, Text

AGREEMENT_NOTE = (
    "Of answers that two people or more judged; who decided a difference is left out. Alpha is Krippendorff's: ordinal "
    "for scores, so that near misses weigh less, nominal for the rest. It falls towards 0 where nearly all say the "
    "same; AC1 is Gwet's and does not. Same passage is the F1 of the words marked as fabricated."
)
PREFERENCE_NOTE = (
    "A tie, or both bad, is half a preference. Several people's words on one case are averaged; what a third person "
    "decided stands in the place of the others' words. The interval is clustered by {cluster}: it speaks of {clusters} "
    "like these as these people judge them."
)
FOUND_NOTE = (
    "Change is tuned minus baseline, where one person judged both answers. Of scores the test is Wilcoxon's on the "
    "means of {clusters}. These p values are not corrected for their number."
)
NO_TIME = (
    "Review time is not measured: nobody made drafts of these models usable. The time in which two answers are read "
    "side by side says nothing of either."
)
NOT_COMPARED = "preference and scores are not measured: nobody compared two answers."
VARIANTS = (BASELINE, CANDIDATE)
PREFERRED = {BASELINE: "Baseline", CANDIDATE: "Tuned", "tie": "Tie", "both_bad": "Both bad"}


def blocks(found: Reviews, suite: SuiteInfo, title: str) -> list[Block]:
    """Every table that the reviews of one suite and rubric fill; `title` names them."""
    remarks = found.remarks
    made: list[Block] = [Text(text=f"{title}: {NOT_COMPARED}")]
    if any(r.score.name == reviews.PREFERENCE.scorer for r in remarks):
        made = [_preference(remarks, suite, title), _found(remarks, suite, title)]
    texts = {(s.remark.item, s.remark.variant): s.record.completion.text for s in found.said}
    made += _agreement(remarks, passages(remarks, lambda r: texts[r.item, r.variant]), suite, title)
    drafts = spent(found)
    return [*made, _times(times(drafts), remarks, suite, title) if drafts else Text(text=f"{title}: {NO_TIME}")]


def cell(found: Estimate, unit: figures.Unit, cluster: str) -> Cell:
    """A number with its interval, or why there is none, and what is behind it."""
    if found.value is None:
        return Cell(text=figures.NOT_MEASURED, note=found.reason or "", tone="muted", estimate=found)
    bounds = figures.interval(found, unit) or found.method
    size = f"n {figures.number(found.n)}, {figures.sources(found, cluster)}"
    return Cell(text=figures.value(found, unit), note=f"{bounds}\n{size}", estimate=found)


def _agreement(remarks: Sequence[Remark], marked: Estimate, suite: SuiteInfo, title: str) -> list[Block]:
    rows = [
        [
            Cell(text=words.title(a.measure.name)),
            cell(a.raw, "share", suite.cluster),
            cell(a.alpha, "coefficient", suite.cluster),
            cell(a.ac1, "coefficient", suite.cluster),
        ]
        for a in agreed(remarks)
    ]
    if not rows:
        return []
    blank = Cell(text=figures.DASH, tone="muted")
    rows.append([Cell(text="Same passage", note="F1 of words"), cell(marked, "share", suite.cluster), blank, blank])
    columns = ["What was said", "Same", "Alpha", "AC1"]
    caption = f"Agreement of reviewers: {title}"
    return [Table(caption=caption, columns=columns, rows=rows, numeric=[1, 2, 3], note=AGREEMENT_NOTE)]


def _preference(remarks: Sequence[Remark], suite: SuiteInfo, title: str) -> Table:
    people = dict.fromkeys(r.reviewer for r in remarks)
    parts = {"Everybody": reviews.settled(remarks)}
    if len(people) > 1:
        parts |= {who: [r for r in remarks if r.reviewer == who] for who in people}
    rows = []
    for who, some in parts.items():
        found, counted = reviews.preference(some), reviews.choices(some)
        said, tone = sentences.preferred(found)
        counts = [Cell(text=figures.number(counted[choice])) for choice in CHOICES]
        note = "decided what others differed on" if all(r.decides for r in some) else ""
        rows.append(
            [Cell(text=who, note=note), cell(found, "share", suite.cluster), Cell(text=said, tone=tone), *counts]
        )
    columns = ["Reviewer", "Tuned preferred", "Reading", *(PREFERRED[choice] for choice in CHOICES)]
    caption = f"Which answer people prefer: {title}"
    read_as = PREFERENCE_NOTE.format(cluster=suite.cluster, clusters=words.plural(suite.cluster))
    return Table(caption=caption, columns=columns, rows=rows, numeric=[1, 3, 4, 5, 6], note=read_as)


def _found(remarks: Sequence[Remark], suite: SuiteInfo, title: str) -> Table:
    kept = reviews.settled(remarks)
    rows = []
    for metric in reviews.JUDGED:
        if any(r.score.name == metric.scorer for r in kept):
            levels = _levels(kept, metric, suite)
            rows.append([_head(metric), *levels, *_change(reviews.comparison(kept, metric), metric)])
    columns = ["What people found", "Baseline", "Tuned", "Change", "Reading"]
    note = FOUND_NOTE.format(clusters=words.plural(suite.cluster))
    return Table(caption=f"What people found: {title}", columns=columns, rows=rows, numeric=[1, 2, 3], note=note)


def _head(metric: Metric) -> Cell:
    return Cell(text=words.title(metric.name), note=words.direction(metric.higher_is_better, metric.says))


def _levels(remarks: Sequence[Remark], metric: Metric, suite: SuiteInfo) -> list[Cell]:
    unit: figures.Unit = "share" if is_share(metric) else "number"
    return [
        cell(reviews.level([r for r in remarks if r.variant == variant], metric), unit, suite.cluster)
        for variant in VARIANTS
    ]


def is_share(metric: Metric) -> bool:
    """Shown in percent: neither a score on a scale nor a count an answer."""
    return metric.kind != "mean" and metric not in reviews.SEVERITIES


def _change(found: Comparison, metric: Metric) -> list[Cell]:
    unit: figures.Unit = "points" if is_share(metric) else "number"
    said, tone = sentences.reading(found, metric.higher_is_better)
    return [
        Cell(
            text=figures.value(found.difference, unit),
            note=figures.interval(found.difference, unit) or found.difference.reason or found.difference.method,
            estimate=found.difference,
        ),
        Cell(text=said, tone=tone, note=figures.test(found.p_value, found.test)),
    ]


def _times(found: Times, remarks: Sequence[Remark], suite: SuiteInfo, title: str) -> Table:
    blank = Cell(text=figures.DASH, tone="muted")
    medians = [
        [Cell(text=name, note="lower is better"), *(cell(by[v], "seconds", suite.cluster) for v in VARIANTS), blank]
        for name, by in (("Median time in use", found.active), ("Median time by the clock", found.wall))
    ]
    ratio = [Cell(text="Ratio of times in use", note="geometric means, within a person"), blank, blank]
    edits = [[_head(metric), *_levels(remarks, metric, suite), blank] for metric in reviews.FIXED]
    return Table(
        caption=f"Time and edits: {title}",
        columns=["Making a draft usable", "Baseline", "Tuned", "Tuned over baseline"],
        rows=[*medians, [*ratio, cell(found.ratio, "ratio", suite.cluster)], *edits],
        numeric=[1, 2, 3],
        note=sentences.capped(found.least_s, found.most_s, found.capped, found.drafts),
    )
