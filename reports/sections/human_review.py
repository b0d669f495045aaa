"""Tables of one suite's reviews: agreement, preference, what was found, times. Knows no batch and no other suite."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from harness.judges import human_review as judges_human_review
from harness.judges.human_labels import Agreement, agreement, judged_by
from harness.judges.human_review import Reviews, ReviewSession, time_spent
from harness.runs.folder import RunData
from harness.runs.score_events import batches
from harness.schema import BASELINE, CANDIDATE, Comparison, Estimate, Metric, SuiteInfo
from harness.stats import human_review
from harness.stats.agreement import CHOICES, agreed, passages, same_again
from harness.stats.human_review import Rating, rate
from harness.stats.review_times import Times, times
from reports import number_format, sentences, wording
from reports.model import Block, Cell, Section, Table, Text
from reports.run_data import RunView

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
    if any(r.score.name == human_review.PREFERENCE.scorer for r in remarks):
        made = [_preference(remarks, suite, title), _found(remarks, suite, title)]
    texts = {(s.remark.item, s.remark.variant): s.record.completion.text for s in found.said}
    made += _agreement(remarks, passages(remarks, lambda r: texts[r.item, r.variant]), suite, title)
    drafts = time_spent(found)
    return [*made, _times(times(drafts), remarks, suite, title) if drafts else Text(text=f"{title}: {NO_TIME}")]


def cell(found: Estimate, unit: number_format.Unit, cluster: str) -> Cell:
    """A number with its interval, or why there is none, and what is behind it."""
    if found.value is None:
        return Cell(text=number_format.NOT_MEASURED, note=found.reason or "", tone="muted", estimate=found)
    bounds = number_format.interval(found, unit) or found.method
    size = f"n {number_format.number(found.n)}, {number_format.sources(found, cluster)}"
    return Cell(text=number_format.value(found, unit), note=f"{bounds}\n{size}", estimate=found)


def _agreement(remarks: Sequence[Rating], marked: Estimate, suite: SuiteInfo, title: str) -> list[Block]:
    rows = [
        [
            Cell(text=wording.title(a.measure.name)),
            cell(a.raw, "share", suite.cluster),
            cell(a.alpha, "coefficient", suite.cluster),
            cell(a.ac1, "coefficient", suite.cluster),
        ]
        for a in agreed(remarks)
    ]
    if not rows:
        return []
    blank = Cell(text=number_format.DASH, tone="muted")
    rows.append([Cell(text="Same passage", note="F1 of words"), cell(marked, "share", suite.cluster), blank, blank])
    columns = ["What was said", "Same", "Alpha", "AC1"]
    caption = f"Agreement of reviewers: {title}"
    return [Table(caption=caption, columns=columns, rows=rows, numeric=[1, 2, 3], note=AGREEMENT_NOTE)]


def _preference(remarks: Sequence[Rating], suite: SuiteInfo, title: str) -> Table:
    people = dict.fromkeys(r.reviewer for r in remarks)
    parts = {"Everybody": human_review.adjudicated(remarks)}
    if len(people) > 1:
        parts |= {who: [r for r in remarks if r.reviewer == who] for who in people}
    rows = []
    for who, some in parts.items():
        found, counted = human_review.preference(some), human_review.choices(some)
        said, tone = sentences.preferred(found)
        counts = [Cell(text=number_format.number(counted[choice])) for choice in CHOICES]
        note = "decided what others differed on" if all(r.decides for r in some) else ""
        rows.append(
            [Cell(text=who, note=note), cell(found, "share", suite.cluster), Cell(text=said, tone=tone), *counts]
        )
    columns = ["Reviewer", "Tuned preferred", "Reading", *(PREFERRED[choice] for choice in CHOICES)]
    caption = f"Which answer people prefer: {title}"
    read_as = PREFERENCE_NOTE.format(cluster=suite.cluster, clusters=wording.plural(suite.cluster))
    return Table(caption=caption, columns=columns, rows=rows, numeric=[1, 3, 4, 5, 6], note=read_as)


def _found(remarks: Sequence[Rating], suite: SuiteInfo, title: str) -> Table:
    kept = human_review.adjudicated(remarks)
    rows = []
    for metric in human_review.JUDGED:
        if any(r.score.name == metric.scorer for r in kept):
            levels = _levels(kept, metric, suite)
            rows.append([_head(metric), *levels, *_change(human_review.comparison(kept, metric), metric)])
    columns = ["What people found", "Baseline", "Tuned", "Change", "Reading"]
    note = FOUND_NOTE.format(clusters=wording.plural(suite.cluster))
    return Table(caption=f"What people found: {title}", columns=columns, rows=rows, numeric=[1, 2, 3], note=note)


def _head(metric: Metric) -> Cell:
    return Cell(text=wording.title(metric.name), note=wording.direction(metric.higher_is_better, metric.says))


def _levels(remarks: Sequence[Rating], metric: Metric, suite: SuiteInfo) -> list[Cell]:
    unit: number_format.Unit = "share" if is_share(metric) else "number"
    return [
        cell(human_review.level([r for r in remarks if r.variant == variant], metric), unit, suite.cluster)
        for variant in VARIANTS
    ]


def is_share(metric: Metric) -> bool:
    """Shown in percent: neither a score on a scale nor a count an answer."""
    return metric.kind != "mean" and metric not in human_review.SEVERITIES


def _change(found: Comparison, metric: Metric) -> list[Cell]:
    unit: number_format.Unit = "points" if is_share(metric) else "number"
    said, tone = sentences.reading(found, metric.higher_is_better)
    return [
        Cell(
            text=number_format.value(found.difference, unit),
            note=number_format.interval(found.difference, unit) or found.difference.reason or found.difference.method,
            estimate=found.difference,
        ),
        Cell(text=said, tone=tone, note=number_format.test(found.p_value, found.test)),
    ]


def _times(found: Times, remarks: Sequence[Rating], suite: SuiteInfo, title: str) -> Table:
    blank = Cell(text=number_format.DASH, tone="muted")
    medians = [
        [Cell(text=name, note="lower is better"), *(cell(by[v], "seconds", suite.cluster) for v in VARIANTS), blank]
        for name, by in (("Median time in use", found.active), ("Median time by the clock", found.wall))
    ]
    ratio = [Cell(text="Ratio of times in use", note="geometric means, within a person"), blank, blank]
    edits = [[_head(metric), *_levels(remarks, metric, suite), blank] for metric in human_review.FIXED]
    return Table(
        caption=f"Time and edits: {title}",
        columns=["Making a draft usable", "Baseline", "Tuned", "Tuned over baseline"],
        rows=[*medians, [*ratio, cell(found.ratio, "ratio", suite.cluster)], *edits],
        numeric=[1, 2, 3],
        note=sentences.capped(found.least_s, found.most_s, found.capped, found.drafts),
    )


NOTE = (
    "A judge model's scores are worth what its agreement with people is worth. Kappa has quadratic weights; of a judge "
    "that compares two answers it is held against people's preferences, where both bad is a tie."
)


def judge_blocks(run: RunData) -> list[Block]:
    """Labels that people gave, and a table of every judge against every person; empty where there is neither."""
    found: list[Block] = [Text(text=f"{text}.") for text in _labelled(run)]
    rows = [_row(rubric.name, against) for rubric in judged_by(run.path) for against in agreement(run, rubric)]
    if rows:
        columns = ["Rubric", "Reviewer", "Same label", "Kappa"]
        found.append(Table(caption="Judge model against people", columns=columns, rows=rows, numeric=[2, 3], note=NOTE))
    return found


def _row(rubric: str, found: Agreement) -> list[Cell]:
    return [
        Cell(text=rubric),
        Cell(text=found.reviewer),
        cell(found.exact, "share", "contract"),
        cell(found.kappa, "coefficient", "contract"),
    ]


def _labelled(run: RunData) -> list[str]:
    """Who labelled how many answers by which rubric, outside of a review."""
    counted: Counter[tuple[str, str]] = Counter()
    for batch in batches(run.path):
        if batch.about.get("kind") == "human":
            counted[str(batch.about.get("reviewer", "")), str(batch.about.get("rubric", ""))] += len(batch.events)
    return [
        f"{who} labelled {wording.count(count, 'answer')} by the rubric {rubric}"
        for (who, rubric), count in counted.items()
    ]


NOBODY = (
    "Nobody has reviewed these answers. No score in this report is a lawyer's or any other person's; agreement with "
    "people, preference and review time are not measured."
)
LABELLED = (
    "Nobody has reviewed these answers side by side. People labelled some of them, as is said below; preference and "
    "review time are not measured."
)
LEAD = "What people said of these answers, and how far they agree with one another."
WHO = (
    "Reviewers stand here under the pseudonyms that the review gave them. The run holds neither their names nor their "
    "professions, so their words are not to be quoted as those of any profession."
)
MOST = 50
"""Most items that were not judged which the table names; all are counted."""
MODES = {"compare": "two answers, side by side", "fix": "one draft, made usable"}
SESSIONS_NOTE = "Practice items are counted nowhere. Items that a reviewer did not come to made no event."
CHECKS_NOTE = (
    "Guesses at which answer was the tuned model's are right half of the time by chance. One person's guesses hang "
    "together, which this interval does not know."
)


def section(evidence: RunView) -> Section:
    found = judges_human_review.read(evidence.run.path)
    judged = judge_blocks(evidence.run)
    if not found.sessions:
        said = LABELLED if judged else NOBODY
        return Section(id="review", title="Human review", blocks=[Text(text=said, tone="caution"), *judged])
    blocks = [Text(text=WHO), _sessions(found), _checks(found), *_not_judged(found)]
    blocks += [block for suite in evidence.suites for block in _suite(found.of(suite.name), suite)]
    return Section(id="review", title="Human review", lead=LEAD, blocks=[*blocks, *judged])


def _sessions(found: Reviews) -> Table:
    skipped = Counter(one.session.file for one in judges_human_review.not_judged(found))
    rows = [_session(session, skipped[session.file]) for session in found.sessions]
    columns = ["Reviewer", "Review", "Items", "Not judged", "Consent", "Events"]
    return Table(caption="Reviewers", columns=columns, rows=rows, numeric=[2, 3], note=SESSIONS_NOTE)


def _session(session: ReviewSession, skipped: int) -> list[Cell]:
    kind = "decides differences" if session.kind == judges_human_review.DECISION else MODES[session.mode]
    blind = "blind" if session.blind else "not blind"
    left = [f"{number_format.number(session.not_reached)} not reached"] if session.not_reached else []
    before = [f"after {wording.count(session.practice, 'practice item')}"] if session.practice else []
    return [
        Cell(text=session.reviewer),
        Cell(text=kind, note="\n".join(filter(None, [blind, str(session.rubric.get("name", ""))]))),
        Cell(text=number_format.number(len(session.shown)), note="; ".join([*left, *before])),
        Cell(text=number_format.number(skipped)),
        Cell(
            text=number_format.moment(session.consented_at) if session.consented_at else "not recorded",
            note=session.source,
        ),
        Cell(text=number_format.short(session.seal), note=session.file, code=True),
    ]


def _checks(found: Reviews) -> Table:
    """Whether the blind held, and whether reviewers agree with themselves."""
    guesses = [session.guess for session in found.sessions]
    said, right, asked = (sum(getattr(guess, name) for guess in guesses) for name in ("said", "right", "asked"))
    guessed = rate(right, said, "nobody guessed")
    reading, tone = sentences.blind(guessed)
    again = same_again(
        [(r.first.get("preference"), r.second.get("preference")) for session in found.sessions for r in session.repeats]
    )
    rows = [
        [
            Cell(
                text="Tuned model guessed",
                note=f"{number_format.number(asked - said)} of {number_format.number(asked)} left open",
            ),
            cell(guessed, "share", "guess"),
            Cell(text=reading, tone=tone),
        ],
        [
            Cell(text="Same preference again", note="an item seen twice, the sides changed"),
            cell(again, "share", "item"),
            Cell(text=number_format.DASH, tone="muted"),
        ],
    ]
    columns = ["Check", "Share", "Reading"]
    return Table(caption="Checks on the reviews", columns=columns, rows=rows, numeric=[1], note=CHECKS_NOTE)


def _not_judged(found: Reviews) -> list[Block]:
    skipped = judges_human_review.not_judged(found)
    if not skipped:
        return []
    rows = [
        [Cell(text=one.case_id, code=True, note=one.suite), Cell(text=one.session.reviewer), Cell(text=one.reason)]
        for one in skipped[:MOST]
    ]
    note = f"{wording.capital(wording.shown_of('item', len(rows), len(skipped)))}."
    return [Table(caption="Not judged", columns=["Case", "Reviewer", "Reason"], rows=rows, note=note)]


def _suite(found: Reviews, suite: SuiteInfo) -> list[Block]:
    """One group of tables a rubric: answers to two questions are not put together."""
    rubrics = found.rubrics
    return [
        block
        for rubric in rubrics
        for block in blocks(
            found.asked(rubric),
            suite,
            suite.name if len(rubrics) == 1 else f"{suite.name}, rubric {number_format.short(rubric)}",
        )
    ]
