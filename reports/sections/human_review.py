"""Section: what reviewers and judge models said of the answers, and how far they agree."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence

from harness.judges import human_review as judges_human_review
from harness.judges.human_labels import Agreement, agreement, judged_by
from harness.judges.human_review import Reviews, ReviewSession, time_spent
from harness.runs.folder import RunData
from harness.runs.score_events import batches, key_of
from harness.schema import BASELINE, CANDIDATE, Comparison, Estimate, Metric, RecordKey, SuiteInfo
from harness.stats import human_review
from harness.stats.agreement import CHOICES, NOBODY_TWICE, agreed, passages, same_again
from harness.stats.human_review import Rating, rate
from harness.stats.review_times import Times, times
from reports import number_format, sentences, wording
from reports.model import Block, Cell, Section, Table, Text
from reports.run_data import RunView

AGREEMENT_NOTE = (
    "Only answers that at least two people judged, without the person who decided differences. Alpha is "
    "Krippendorff's: ordinal for scores, so that near misses weigh less, nominal for the rest. It falls towards 0 "
    "where nearly all ratings are equal; Gwet's AC1 does not. Same passage is the F1 of the words marked as fabricated."
)
PREFERENCE_NOTE = (
    "A tie, or both bad, counts as half a preference. Several people's ratings of one case are averaged; a third "
    "person's decision replaces them. The interval is clustered by {cluster}: it covers {clusters} like these, as "
    "these people judge them."
)
FOUND_NOTE = (
    "Change is tuned minus baseline, where one person judged both answers. For scores, the test is Wilcoxon's on the "
    "means of {clusters}. These p values are not corrected for multiple comparisons."
)
NO_TIME = (
    "Review time is not measured: nobody corrected drafts of these models. The time to read two answers side by side "
    "says nothing about either."
)
NOT_COMPARED = "preference and scores are not measured: nobody compared two answers."
VARIANTS = (BASELINE, CANDIDATE)
PREFERRED = {BASELINE: "Baseline", CANDIDATE: "Tuned", "tie": "Tie", "both_bad": "Both bad"}


def blocks(reviews: Reviews, suite: SuiteInfo, title: str) -> list[Block]:
    """Build every table of the reviews of one suite and rubric; `title` names them."""
    remarks = reviews.remarks
    result: list[Block] = [Text(text=f"{title}: {NOT_COMPARED}")]
    if any(r.score.name == human_review.PREFERENCE.scorer for r in remarks):
        result = [_preference(remarks, suite, title), _findings(remarks, suite, title)]
    texts = {(s.remark.item, s.remark.variant): s.record.completion.answer for s in reviews.said}
    result += _agreement(remarks, passages(remarks, lambda r: texts[r.item, r.variant]), suite, title)
    drafts = time_spent(reviews)
    return [*result, _times(times(drafts), remarks, suite, title) if drafts else Text(text=f"{title}: {NO_TIME}")]


def cell(estimate: Estimate, unit: number_format.Unit, cluster: str, noun: str = "case") -> Cell:
    """Format a number with its interval and size, or the reason why there is none."""
    if estimate.value is None:
        return Cell(text=number_format.NOT_MEASURED, note=estimate.reason or "", tone="muted", estimate=estimate)
    bounds = number_format.interval(estimate, unit) or estimate.method
    size = number_format.basis(estimate, cluster, noun)
    return Cell(text=number_format.value(estimate, unit), note=f"{bounds}\n{size}", estimate=estimate)


def _agreement(remarks: Sequence[Rating], marked: Estimate, suite: SuiteInfo, title: str) -> list[Block]:
    nouns = {human_review.PREFERENCE.name: "case"}  # All else is said of an answer, of which a case has two.
    agreements = agreed(remarks)
    if agreements and all(a.raw.reason == NOBODY_TWICE for a in agreements):
        return [Text(text=f"{title}: agreement of reviewers is not measured: {NOBODY_TWICE}.")]
    rows = []
    for a in agreements:
        noun = nouns.get(a.measure.name, "answer")
        chance_corrected = (cell(found, "coefficient", suite.cluster, noun) for found in (a.alpha, a.ac1))
        title_cell = Cell(text=wording.title(a.measure.name))
        rows.append([title_cell, cell(a.raw, "share", suite.cluster, noun), *chance_corrected])
    if not rows:
        return []
    blank = number_format.missing()
    words = cell(marked, "share", suite.cluster, "marked word")
    rows.append([Cell(text="Same passage", note="F1 of words"), words, blank, blank])
    columns = ["Judgement", "Same", "Alpha", "AC1"]
    caption = f"Agreement of reviewers: {title}"
    return [Table(caption=caption, columns=columns, rows=rows, numeric=[1, 2, 3], note=AGREEMENT_NOTE)]


def _preference(remarks: Sequence[Rating], suite: SuiteInfo, title: str) -> Table:
    people = dict.fromkeys(r.reviewer for r in remarks)
    parts = [("Everybody", human_review.adjudicated(remarks))]
    if len(people) > 1:
        parts += [(who, [r for r in remarks if r.reviewer == who]) for who in people]
    rows = []
    for who, some in parts:
        estimate, counted = human_review.preference(some), human_review.choices(some)
        reading, tone = sentences.preferred(estimate)
        counts = [Cell(text=number_format.number(counted[choice])) for choice in CHOICES]
        note = "decided differences" if all(r.decides for r in some) else ""
        rows.append(
            [Cell(text=who, note=note), cell(estimate, "share", suite.cluster), Cell(text=reading, tone=tone), *counts]
        )
    columns = ["Reviewer", "Tuned preferred", "Reading", *(PREFERRED[choice] for choice in CHOICES)]
    caption = f"Which answer people prefer: {title}"
    read_as = PREFERENCE_NOTE.format(cluster=suite.cluster, clusters=wording.plural(suite.cluster))
    return Table(caption=caption, columns=columns, rows=rows, numeric=[1, 3, 4, 5, 6], note=read_as)


def _findings(remarks: Sequence[Rating], suite: SuiteInfo, title: str) -> Table:
    adjudicated = human_review.adjudicated(remarks)
    rows = []
    for metric in human_review.JUDGED:
        if any(r.score.name == metric.scorer for r in adjudicated):
            levels = _levels(adjudicated, metric, suite)
            rows.append([_head(metric), *levels, *_change(human_review.comparison(adjudicated, metric), metric)])
    columns = ["What people found", "Baseline", "Tuned", "Change", "Reading"]
    note = FOUND_NOTE.format(clusters=wording.plural(suite.cluster))
    return Table(caption=f"What people found: {title}", columns=columns, rows=rows, numeric=[1, 2, 3], note=note)


def _head(metric: Metric) -> Cell:
    return Cell(text=wording.title(metric.name), note=wording.direction(metric.better, metric.says))


def _levels(remarks: Sequence[Rating], metric: Metric, suite: SuiteInfo) -> list[Cell]:
    unit: number_format.Unit = "share" if is_share(metric) else "number"
    return [
        cell(human_review.level([r for r in remarks if r.variant == variant], metric), unit, suite.cluster)
        for variant in VARIANTS
    ]


def is_share(metric: Metric) -> bool:
    """Tell whether a metric is shown in percent: neither a score on a scale nor a count per answer."""
    return metric.kind != "mean" and metric not in human_review.SEVERITIES


def _change(comparison: Comparison, metric: Metric) -> list[Cell]:
    unit: number_format.Unit = "points" if is_share(metric) else "change"
    reading, tone = sentences.reading(comparison, metric.better)
    return [
        Cell(
            text=number_format.value(comparison.difference, unit),
            note=number_format.interval(comparison.difference, unit)
            or comparison.difference.reason
            or comparison.difference.method,
            estimate=comparison.difference,
        ),
        Cell(text=reading, tone=tone, note=sentences.test(comparison)),
    ]


def _times(review_times: Times, remarks: Sequence[Rating], suite: SuiteInfo, title: str) -> Table:
    blank = number_format.missing()
    medians = [
        [Cell(text=name, note="lower is better"), *(cell(by[v], "seconds", suite.cluster) for v in VARIANTS), blank]
        for name, by in (("Median active time", review_times.active), ("Median wall-clock time", review_times.wall))
    ]
    ratio = [Cell(text="Ratio of active times", note="geometric means, within a person"), blank, blank]
    edits = [[_head(metric), *_levels(remarks, metric, suite), blank] for metric in human_review.FIXED]
    return Table(
        caption=f"Time and edits: {title}",
        columns=["Correcting a draft", "Baseline", "Tuned", "Tuned over baseline"],
        rows=[*medians, [*ratio, cell(review_times.ratio, "ratio", suite.cluster)], *edits],
        numeric=[1, 2, 3],
        note=sentences.capped(review_times.least_s, review_times.most_s, review_times.capped, review_times.drafts),
    )


NOTE = (
    "Trust a judge model's scores only as far as it agrees with people. Kappa has quadratic weights; a judge that "
    "compares two answers is compared with people's preferences, where both bad is a tie."
)


def judge_blocks(run: RunData) -> list[Block]:
    """Warn of judges, count people's labels, and compare every judge with every person; empty where there is none."""
    result: list[Block] = [Text(text=f"{text}.", tone="caution") for text in dict.fromkeys(_doubted(run))]
    result += [Text(text=f"{text}.") for text in _labelled(run)]
    rows = [_row(rubric.name, against) for rubric in judged_by(run.path) for against in agreement(run, rubric)]
    if rows:
        columns = ["Rubric", "Reviewer", "Same label", "Kappa"]
        result.append(
            Table(caption="Judge model against people", columns=columns, rows=rows, numeric=[2, 3], note=NOTE)
        )
    return result


def _row(rubric: str, agreement: Agreement) -> list[Cell]:
    return [
        Cell(text=rubric),
        Cell(text=agreement.reviewer),
        cell(agreement.exact, "share", "source"),
        cell(agreement.kappa, "coefficient", "source"),
    ]


def _doubted(run: RunData) -> Iterator[str]:
    """Say why not to rely on a judge model, as it was recorded when it judged."""
    for batch in batches(run.path):
        for doubt in batch.about.get("doubts", ()):
            yield f"Judge {batch.about['judge']['name']}, rubric {batch.about['rubric']['name']}: {doubt}"


def _labelled(run: RunData) -> list[str]:
    """Say who gave which labels by which rubric, outside of a review; an answer labelled again counts once."""
    labelled = defaultdict[tuple[str, str], dict[RecordKey, str]](dict)
    for batch in batches(run.path):
        if batch.about.get("kind") == "human":
            by = str(batch.about.get("reviewer", "")), str(batch.about.get("rubric", ""))
            labelled[by].update((key_of(e), label) for e in batch.events for label in e.score.extracted["label"])
    return [
        f"{who} labelled {wording.count(len(labels), 'answer')} by the rubric {rubric}: {_by_variant(labels)}"
        for (who, rubric), labels in labelled.items()
    ]


def _by_variant(labels: Mapping[RecordKey, str]) -> str:
    """Count the labels of each variant: `baseline 1 × no; tuned 3 × yes, 1 × no`."""
    counted = defaultdict[str, Counter[str]](Counter)
    for (_, _, variant, _), label in labels.items():
        counted[variant][label] += 1
    each = ((variant, counts.most_common()) for variant, counts in sorted(counted.items()))
    return "; ".join(f"{variant} {', '.join(f'{n} × {label}' for label, n in counts)}" for variant, counts in each)


NOBODY = "Nobody has reviewed these answers: agreement with people, preference and review time are not measured."
LABELLED = (
    "Nobody has reviewed these answers side by side. People labelled some of them, as listed below; preference and "
    "review time are not measured."
)
LEAD = "What reviewers said about these answers, and how far they agree with one another."
WHO = (
    "Reviewers appear under their pseudonyms in the review. The run has neither their names nor their professions, so "
    "do not quote them as members of a profession."
)
MOST = 50
"""Most unjudged items in the table; all are counted."""
MODES = {"compare": "two answers, side by side", "fix": "one draft, corrected"}
SESSIONS_NOTE = "Practice items are not counted. Items that a reviewer did not reach have no event."
CHECKS_NOTE = (
    "By chance, half of the guesses at the tuned model's answer are right. One person's guesses are correlated; this "
    "interval does not account for that."
)


def section(evidence: RunView) -> Section:
    reviews = evidence.reviews
    judged = judge_blocks(evidence.run)
    if not reviews.sessions:
        lead = LABELLED if _labelled(evidence.run) else NOBODY
        return Section(id="review", title="Human review", blocks=[Text(text=lead, tone="caution"), *judged])
    found = [Text(text=WHO), _sessions(reviews), _checks(reviews), *_not_judged(reviews)]
    for suite in evidence.suites:
        found += [block for title, part in _by_rubric(reviews, suite.name) for block in blocks(part, suite, title)]
    return Section(id="review", title="Human review", lead=LEAD, blocks=[*found, *judged])


def preferring_baseline(evidence: RunView) -> list[str]:
    """Say of which suites people prefer the baseline's answers."""
    asked = [pair for suite in evidence.suites for pair in _preferences(evidence.reviews, suite.name)]
    return [
        f"{name}: People prefer the baseline's answers: the tuned model's in {number_format.estimate(share)} of pairs."
        for name, share in asked
        if sentences.preferred(share)[1] == "bad"
    ]


def at_a_glance(reviews: Reviews, suite: SuiteInfo) -> list[tuple[str, Cell]]:
    """Say in one row for each rubric whose answers people prefer; empty where nobody compared answers of the suite."""
    rows = []
    for title, share in _preferences(reviews, suite.name):
        if share.value is not None:
            reading, tone = sentences.preferred(share)
            text = f"{wording.capital(reading)}: the tuned model's answers in {number_format.estimate(share)} of pairs"
            rubric = title.removeprefix(suite.name).lstrip(", ")
            note = "\n".join(filter(None, [number_format.basis(share, suite.cluster), rubric]))
            rows.append(("People's preference", Cell(text=text, note=note, tone=tone)))
    return rows


def _preferences(reviews: Reviews, suite: str) -> list[tuple[str, Estimate]]:
    """Return how often people prefer the tuned model's answer, by rubric."""
    return [
        (title, human_review.preference(human_review.adjudicated(part.remarks)))
        for title, part in _by_rubric(reviews, suite)
    ]


def _by_rubric(reviews: Reviews, suite: str) -> list[tuple[str, Reviews]]:
    """Part the reviews of a suite by rubric, since results of two are not pooled; name the rubric where they differ."""
    own = reviews.of(suite)
    parts = {number_format.short(rubric): own.asked(rubric) for rubric in own.rubrics}
    names = {short: part.said[0].session.rubric.get("name", "") for short, part in parts.items()}
    titles = [f"{suite}, rubric {name} ({short})" for short, name in names.items()] if len(parts) > 1 else [suite]
    return list(zip(titles, parts.values(), strict=False))


def _sessions(reviews: Reviews) -> Table:
    skipped = Counter(one.session.file for one in judges_human_review.not_judged(reviews))
    rows = [_session(session, skipped[session.file]) for session in reviews.sessions]
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


def _checks(reviews: Reviews) -> Table:
    """Check whether the review was blind, and whether reviewers agree with themselves."""
    guesses = [session.guess for session in reviews.sessions]
    answered, right, shown = (sum(getattr(guess, name) for guess in guesses) for name in ("said", "right", "asked"))
    guessed = rate(right, answered, "nobody guessed")
    reading, tone = sentences.blind(guessed)
    again = same_again(
        [
            (r.first.get("preference"), r.second.get("preference"))
            for session in reviews.sessions
            for r in session.repeats
        ]
    )
    rows = [
        [
            Cell(
                text="Tuned model guessed",
                note=f"{number_format.number(shown - answered)} of {number_format.number(shown)} left open",
            ),
            cell(guessed, "share", "guess"),
            Cell(text=reading, tone=tone),
        ],
        [
            Cell(text="Same preference again", note="items shown twice, with the sides swapped"),
            cell(again, "share", "item"),
            number_format.missing(),
        ],
    ]
    columns = ["Check", "Share", "Reading"]
    return Table(caption="Checks on the reviews", columns=columns, rows=rows, numeric=[1], note=CHECKS_NOTE)


def _not_judged(reviews: Reviews) -> list[Block]:
    skipped = judges_human_review.not_judged(reviews)
    if not skipped:
        return []
    rows = [
        [
            Cell(text=one.event.case_id, code=True, note=one.event.suite),
            Cell(text=one.session.reviewer),
            Cell(text=one.event.score.reason or ""),
        ]
        for one in skipped[:MOST]
    ]
    note = f"{wording.capital(wording.shown_of('item', len(rows), len(skipped)))}."
    return [Table(caption="Not judged", columns=["Case", "Reviewer", "Reason"], rows=rows, note=note)]
