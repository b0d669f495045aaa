"""Human review: who reviewed, how far they agree, what they found; empty, and said so, as long as nobody did.

Reviewers stand under the pseudonyms of their events. The run holds no profession, so none is claimed.
"""

from __future__ import annotations

from collections import Counter

from harness import reviewed
from harness.reviewed import Reviews, Session
from harness.schema import SuiteInfo
from harness.stats.consensus import same_again
from harness.stats.reviews import rate
from reports import figures, sentences, words
from reports.evidence import Evidence
from reports.model import Block, Cell, Section, Table, Text
from reports.sections import judges, review_numbers
from reports.sections.review_numbers import cell

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


def section(evidence: Evidence) -> Section:
    found = reviewed.read(evidence.run.path)
    judged = judges.blocks(evidence.run)
    if not found.sessions:
        said = LABELLED if judged else NOBODY
        return Section(id="review", title="Human review", blocks=[Text(text=said, tone="caution"), *judged])
    blocks = [Text(text=WHO), _sessions(found), _checks(found), *_not_judged(found)]
    blocks += [block for suite in evidence.suites for block in _suite(found.of(suite.name), suite)]
    return Section(id="review", title="Human review", lead=LEAD, blocks=[*blocks, *judged])


def _sessions(found: Reviews) -> Table:
    skipped = Counter(one.session.file for one in reviewed.not_judged(found))
    rows = [_session(session, skipped[session.file]) for session in found.sessions]
    columns = ["Reviewer", "Review", "Items", "Not judged", "Consent", "Events"]
    return Table(caption="Reviewers", columns=columns, rows=rows, numeric=[2, 3], note=SESSIONS_NOTE)


def _session(session: Session, skipped: int) -> list[Cell]:
    kind = "decides differences" if session.kind == reviewed.DECISION else MODES[session.mode]
    blind = "blind" if session.blind else "not blind"
    left = [f"{figures.number(session.not_reached)} not reached"] if session.not_reached else []
    before = [f"after {words.count(session.practice, 'practice item')}"] if session.practice else []
    return [
        Cell(text=session.reviewer),
        Cell(text=kind, note="\n".join(filter(None, [blind, str(session.rubric.get("name", ""))]))),
        Cell(text=figures.number(len(session.shown)), note="; ".join([*left, *before])),
        Cell(text=figures.number(skipped)),
        Cell(
            text=figures.moment(session.consented_at) if session.consented_at else "not recorded", note=session.source
        ),
        Cell(text=figures.short(session.seal), note=session.file, code=True),
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
                text="Tuned model guessed", note=f"{figures.number(asked - said)} of {figures.number(asked)} left open"
            ),
            cell(guessed, "share", "guess"),
            Cell(text=reading, tone=tone),
        ],
        [
            Cell(text="Same preference again", note="an item seen twice, the sides changed"),
            cell(again, "share", "item"),
            Cell(text=figures.DASH, tone="muted"),
        ],
    ]
    columns = ["Check", "Share", "Reading"]
    return Table(caption="Checks on the reviews", columns=columns, rows=rows, numeric=[1], note=CHECKS_NOTE)


def _not_judged(found: Reviews) -> list[Block]:
    skipped = reviewed.not_judged(found)
    if not skipped:
        return []
    rows = [
        [Cell(text=one.case_id, code=True, note=one.suite), Cell(text=one.session.reviewer), Cell(text=one.reason)]
        for one in skipped[:MOST]
    ]
    note = f"{words.capital(words.shown_of('item', len(rows), len(skipped)))}."
    return [Table(caption="Not judged", columns=["Case", "Reviewer", "Reason"], rows=rows, note=note)]


def _suite(found: Reviews, suite: SuiteInfo) -> list[Block]:
    """One group of tables a rubric: answers to two questions are not put together."""
    rubrics = found.rubrics
    return [
        block
        for rubric in rubrics
        for block in review_numbers.blocks(
            found.asked(rubric),
            suite,
            suite.name if len(rubrics) == 1 else f"{suite.name}, rubric {figures.short(rubric)}",
        )
    ]
