"""People's labels by a rubric, and how far a judge that was asked the same agrees with them."""

from __future__ import annotations

from collections import Counter

from harness.events import batches
from harness.people import Agreement, agreement, judged_by
from harness.store import RunData
from reports import words
from reports.model import Block, Cell, Table, Text
from reports.sections.review_numbers import cell

NOTE = (
    "A judge model's scores are worth what its agreement with people is worth. Kappa has quadratic weights; of a judge "
    "that compares two answers it is held against people's preferences, where both bad is a tie."
)


def blocks(run: RunData) -> list[Block]:
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
        f"{who} labelled {words.count(count, 'answer')} by the rubric {rubric}"
        for (who, rubric), count in counted.items()
    ]
