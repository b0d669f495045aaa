"""Errors and unscored answers: every denominator in the open."""

from __future__ import annotations

from msgspec import structs

from harness.schema import SuiteInfo
from reports import case_words, figures, sentences, words
from reports.briefs import Tally, Trouble
from reports.evidence import Evidence
from reports.model import Block, Cell, Facets, Section, Table

MOST_NAMED = 50
COLUMNS = ["Suite and model", "Answers", "Usable", "Errors", "Cut at the limit", "Empty", "With an unscored metric"]
NOTE = (
    "An engine error, and a scorer that failed, count against the claim being made: wrong for the tuned model, right "
    "for the baseline. "
    "An answer that was cut or empty counts as wrong. An unscored answer has a reason and is left out."
)


def section(evidence: Evidence) -> Section:
    counted: list[list[Cell]] = []
    named: list[tuple[list[Cell], Facets]] = []
    troubled = 0
    for suite in evidence.suites:
        tallies = evidence.tallies[suite.name]
        for variant in (v for v in evidence.variants if v in tallies):
            counted.append(_counts(suite.name, variant, tallies[variant]))
            named += [_named(suite, variant, trouble, evidence) for trouble in tallies[variant].troubles]
            troubled += tallies[variant].troubled
    caption = "Answers by what became of them"
    blocks: list[Block] = [Table(caption=caption, columns=COLUMNS, rows=counted, numeric=[1, 2, 3, 4, 5, 6], note=NOTE)]
    if named:
        shown = named[:MOST_NAMED]
        blocks.append(
            Table(
                caption="Records with an error or an unscored metric",
                columns=["Case", "Model", "What happened", "Reason"],
                rows=[row for row, _ in shown],
                cases=[facets for _, facets in shown],
                note=f"{words.shown_of('record', len(shown), troubled)}.{case_words.others(troubled - len(shown))}",
            )
        )
    lead = (
        "No record failed and none went unscored." if not named else "Records that gave no usable answer or no score."
    )
    return Section(id="errors", title="Errors and unscored answers", lead=lead, blocks=blocks)


def _counts(suite: str, variant: str, tally: Tally) -> list[Cell]:
    head = Cell(text=words.variant(variant), note=suite if tally.text_kept else f"{suite}; {sentences.NO_TEXT}")
    numbers = (tally.answers, tally.usable, tally.errors, tally.cut, tally.empty, tally.unscored)
    cells = [Cell(text=figures.number(n)) for n in numbers]
    if not tally.text_kept:
        for unknown in (1, 3, 4):
            cells[unknown] = Cell(text=figures.DASH, tone="muted")
    return [head, *cells]


def _named(suite: SuiteInfo, variant: str, trouble: Trouble, evidence: Evidence) -> tuple[list[Cell], Facets]:
    link, found = evidence.cases.named(suite.name, trouble.case_id)
    facets = structs.replace(found, kinds=tuple(dict.fromkeys((*found.kinds, "error"))))
    head = Cell(text=trouble.case_id, note=suite.name, code=True, link=link)
    return [head, Cell(text=words.variant(variant)), _state(trouble), Cell(text=trouble.reason)], facets


def _state(trouble: Trouble) -> Cell:
    if not trouble.scorer:
        return Cell(text="engine error", tone="bad")
    if trouble.failed:
        return Cell(text=f"{words.title(trouble.scorer)}: the scorer failed", tone="bad")
    return Cell(text=f"{words.title(trouble.scorer)} unscored", tone="caution")
