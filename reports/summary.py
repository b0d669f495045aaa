"""Shorten a report to two pages for signing: decision, what changed, limits and sign-off."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence

from msgspec import structs

from reports import sentences, wording
from reports.model import Block, Cell, Facts, Headline, Intervals, ReportModel, Section, Table, Text

KEPT = ("verdict", "picture", "limits", "signoff")
"""Sections of the summary."""
FEW = 2
"""Most suites that have a block each; more are the rows of one table."""
MOST_GATES = {1: 6, 2: 3}
"""Most unmet gates of a suite with their finding, by the number of suites."""
MOST_NAMES = 100
"""Most unmet gates that the table names, of all suites together."""
MOST_ROWS = 6
"""Most metrics in the chart."""


def summary(model: ReportModel) -> ReportModel:
    """Return the summary of a report; every part of it is in the report too."""
    suites = [block for section in model.sections for block in section.blocks if isinstance(block, Headline)]
    further = [block for section in model.sections if section.id == "gates" for block in section.blocks]
    kept = [section for section in model.sections if section.id in KEPT]
    sections = [structs.replace(section, blocks=list(_blocks(section, suites, further))) for section in kept]
    title = model.title.replace("Evaluation report", "Evaluation summary", 1)
    return structs.replace(model, title=title, sections=[section for section in sections if section.blocks])


def _blocks(section: Section, suites: Sequence[Headline], further: Sequence[Block]) -> Iterator[Block]:
    for block in section.blocks:
        if isinstance(block, Headline) and len(suites) <= FEW:
            yield _headline(block, len(suites))
        elif isinstance(block, Headline):
            if block is suites[0]:
                yield _table(suites, further)
        elif section.id == "picture":
            if isinstance(block, Facts) and len(suites) <= FEW:
                yield block
            if isinstance(block, Intervals) and len(suites) == 1:
                yield structs.replace(block, rows=block.rows[:MOST_ROWS])
                if len(block.rows) > MOST_ROWS or any(isinstance(other, Text) for other in section.blocks):
                    yield Text(text="The report has the metrics that are not in this chart.", tone="muted")
        elif section.id == "limits":
            if isinstance(block, Text):
                yield block
        elif section.id == "signoff" or (isinstance(block, Text) and _is_needed(block)):
            yield block


def _is_needed(block: Text) -> bool:
    """Tell whether a text of the verdict is a warning, or says what a term means."""
    return block.tone == "caution" or block.text in sentences.TERMS.values()


def _headline(block: Headline, suites: int) -> Headline:
    """Shorten a suite's verdict; "What changed" repeats its glance."""
    shown = block.unmet[: MOST_GATES[suites]]
    first, _, more = block.reason.partition(". ")
    others = " The report names the others." if more or len(shown) < len(block.unmet) else ""
    return structs.replace(block, unmet=shown, reason=f"{first.rstrip('.')}.{others}", glance=[])


def _table(suites: Sequence[Headline], further: Sequence[Block]) -> Table:
    """Tabulate suites: the outcome of each, what changed, and its unmet gates by name."""
    return Table(
        caption="Suites",
        columns=["Suite", "Outcome", "What changed", "Gates"],
        rows=[
            [
                Cell(text=suite.suite, note=suite.size),
                Cell(text=wording.outcome(suite.outcome), badge=suite.outcome),
                Cell(text=suite.sentence, note=" ".join(f"{name}: {text}." for name, text in suite.glance)),
                Cell(text=suite.reason.partition(". ")[0].rstrip("."), note=_unmet(suite, further, len(suites))),
            ]
            for suite in suites
        ],
        note="The report has the finding of each gate.",
    )


def _unmet(suite: Headline, further: Sequence[Block], suites: int) -> str:
    """Name the unmet gates of a suite by outcome; `further` has the tables of those that its verdict leaves out."""
    tables = [block for block in further if isinstance(block, Table) and block.caption.startswith(f"{suite.suite}: ")]
    named = [(cell.text, cell.note.partition(": ")[0]) for cell in suite.unmet]
    named += [(row[1].text, row[0].text) for table in tables for row in table.rows if row[1].badge != "pass"]
    shown = list(Counter(named).items())[: max(1, MOST_NAMES // suites)]
    by_outcome: dict[str, list[str]] = {}
    for (outcome, name), times in shown:
        by_outcome.setdefault(outcome, []).append(name if times == 1 else f"{name} ({wording.count(times, 'gate')})")
    left = len(named) - sum(times for _, times in shown)
    more = [f"And {wording.count(left, 'other')}."] if left else []
    return " ".join([*(f"{outcome}: {'; '.join(names)}." for outcome, names in by_outcome.items()), *more])
