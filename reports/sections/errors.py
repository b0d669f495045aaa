"""Errors and unscored answers: every denominator in the open."""

from __future__ import annotations

from harness.schema import Record, Score
from reports import words
from reports.evidence import Evidence
from reports.model import Block, Cell, Section, Table

MOST_NAMED = 50
NOTE = (
    "An engine error, and a scorer that failed, count against the claim being made: wrong for the tuned model, right "
    "for the baseline. "
    "An answer that was cut or empty counts as wrong. An unscored answer has a reason and is left out."
)


def section(evidence: Evidence) -> Section:
    counted: list[list[Cell]] = []
    named: list[list[Cell]] = []
    for suite in evidence.suites:
        by_variant = evidence.run.by_variant(suite.name)
        for variant in (v for v in evidence.variants if v in by_variant):
            counted.append(_counts(suite.name, variant, by_variant[variant]))
            named += [row for record in by_variant[variant] for row in _named(suite.name, record)]
    blocks: list[Block] = [
        Table(
            caption="Answers by what became of them",
            columns=[
                "Suite and model",
                "Answers",
                "Usable",
                "Errors",
                "Cut at the limit",
                "Empty",
                "With an unscored metric",
            ],
            rows=counted,
            numeric=[1, 2, 3, 4, 5, 6],
            note=NOTE,
        )
    ]
    if named:
        shown = words.shown_of("record", min(MOST_NAMED, len(named)), len(named))
        columns = ["Case", "Model", "What happened", "Reason"]
        caption = "Records with an error or an unscored metric"
        blocks.append(Table(caption=caption, columns=columns, rows=named[:MOST_NAMED], note=f"{shown}."))
    lead = (
        "No record failed and none went unscored." if not named else "Records that gave no usable answer or no score."
    )
    return Section(id="errors", title="Errors and unscored answers", lead=lead, blocks=blocks)


def _counts(suite: str, variant: str, records: list[Record]) -> list[Cell]:
    errors = sum(r.error is not None for r in records)
    cut = sum(r.completion.finish_reason == "length" for r in records)
    empty = sum(r.error is None and not r.completion.text.strip() for r in records)
    unscored = sum(any(s.value is None for s in r.scores.values()) for r in records)
    usable = sum(r.completion.finish_reason == "stop" and bool(r.completion.text.strip()) for r in records)
    head = Cell(text=words.variant(variant), note=suite)
    if not all(r.text_kept for r in records):
        unknown = Cell(text=words.DASH, tone="muted")
        answers, failed, without = (Cell(text=words.number(n)) for n in (len(records), errors, unscored))
        return [
            Cell(text=head.text, note=f"{suite}; {words.NO_TEXT}"),
            answers,
            unknown,
            failed,
            unknown,
            unknown,
            without,
        ]
    return [head, *(Cell(text=words.number(n)) for n in (len(records), usable, errors, cut, empty, unscored))]


def _named(suite: str, record: Record) -> list[list[Cell]]:
    head = Cell(text=record.case.id, note=suite, code=True)
    who = Cell(text=words.variant(record.variant))
    if record.error is not None:
        return [[head, who, Cell(text="engine error", tone="bad"), Cell(text=record.error)]]
    return [
        [head, who, _state(name, score), Cell(text=score.reason or "")]
        for name, score in record.scores.items()
        if score.value is None
    ]


def _state(name: str, score: Score) -> Cell:
    if score.failed:
        return Cell(text=f"{words.title(name)}: the scorer failed", tone="bad")
    return Cell(text=f"{words.title(name)} unscored", tone="caution")
