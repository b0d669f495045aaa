"""Section: errors and unscored answers, with every denominator."""

from __future__ import annotations

from msgspec import structs

from harness.schema import SuiteInfo
from reports import number_format, sentences, wording
from reports.cases.read import AnswerError, Tally
from reports.model import Block, Cell, Facets, Section, Table
from reports.run_data import RunView

MOST_NAMED = 10
COLUMNS = ["Suite and model", "Answers", "Usable", "Errors", "Truncated", "Empty", "With an unscored metric"]
NOTE = (
    "An engine error or a failed scorer counts against the tuned model: wrong for the tuned model, right for the "
    "baseline. What a truncated or empty answer counts as is up to each scorer: some call it wrong, others score the "
    "words that are there. An unscored answer has a reason and is left out."
)


def section(evidence: RunView) -> Section:
    counted: list[list[Cell]] = []
    named: list[tuple[list[Cell], Facets]] = []
    troubled = 0
    for suite in evidence.suites:
        tallies = evidence.tallies[suite.name]
        for variant in (v for v in evidence.variants if v in tallies):
            counted.append(_counts(suite.name, variant, tallies[variant]))
            named += [_named(suite, variant, trouble, evidence) for trouble in tallies[variant].troubles]
            troubled += tallies[variant].troubled
    caption = "Answers by outcome"
    blocks: list[Block] = [Table(caption=caption, columns=COLUMNS, rows=counted, numeric=[1, 2, 3, 4, 5, 6], note=NOTE)]
    if named:
        shown = named[:MOST_NAMED]
        blocks.append(
            Table(
                caption="Records with an error or an unscored metric",
                columns=["Case", "Model", "What happened", "Reason"],
                rows=[row for row, _ in shown],
                cases=[facets for _, facets in shown],
                note=f"{wording.shown_of('problem', len(shown), troubled)}.{sentences.others(troubled - len(shown))}",
            )
        )
    lead = (
        "No record failed, and every record was scored." if not named else "Records without a usable answer or a score."
    )
    return Section(id="errors", title="Errors and unscored answers", lead=lead, blocks=blocks)


def _counts(suite: str, variant: str, tally: Tally) -> list[Cell]:
    head = Cell(text=wording.variant(variant), note=suite if tally.text_kept else f"{suite}; {sentences.NO_TEXT}")
    numbers = (tally.answers, tally.usable, tally.errors, tally.cut, tally.empty, tally.unscored)
    cells = [Cell(text=number_format.number(n)) for n in numbers]
    if not tally.text_kept:
        for unknown in (1, 3, 4):
            cells[unknown] = number_format.missing()
    return [head, *cells]


def _named(suite: SuiteInfo, variant: str, trouble: AnswerError, evidence: RunView) -> tuple[list[Cell], Facets]:
    link, case_facets = evidence.cases.named(suite.name, trouble.case_id)
    facets = structs.replace(case_facets, kinds=tuple(dict.fromkeys((*case_facets.kinds, "error"))))
    head = Cell(text=trouble.case_id, note=suite.name, code=True, link=link)
    return [head, Cell(text=wording.variant(variant)), _state(trouble), Cell(text=trouble.reason)], facets


def _state(trouble: AnswerError) -> Cell:
    if not trouble.scorer:
        return Cell(text="engine error", tone="bad")
    if trouble.failed:
        return Cell(text=f"{wording.title(trouble.scorer)}: the scorer failed", tone="bad")
    return Cell(text=f"{wording.title(trouble.scorer)} unscored", tone="caution")
