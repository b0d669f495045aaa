"""Section: which cases score differently when the same model runs again, and how much that changes the metrics."""

from __future__ import annotations

from collections.abc import Mapping

from msgspec import structs

from harness.schema import BASELINE, CANDIDATE, Estimate, Record, SuiteInfo
from harness.stats.noise import flips, floors, repeat_flips
from reports import number_format, wording
from reports.model import Block, Cell, Section, Table
from reports.run_data import RunView

MOST = 10
"""Most cases in one table; all are counted."""
NOTE = (
    "The noise floor is the far end of the 95% interval of the difference between two passes of one model. A smaller "
    "change between two models cannot be distinguished from it."
)
Records = dict[str, list[Record]]
"""Records by variant."""


def section(evidence: RunView) -> Section | None:
    blocks: list[Block] = []
    for suite in evidence.suites:
        if not evidence.run.manifest.asked_twice and suite.samples < 2:
            continue
        records = _without_text(evidence, suite)
        if evidence.run.manifest.asked_twice:
            flipped = {metric.name: flips(records, metric) for metric in suite.metrics}
            caption = f"Cases of {suite.name} that flip between the passes"
            blocks += [_floors(evidence, suite, records), *_table(evidence, caption, suite, flipped)]
        for variant in (BASELINE, CANDIDATE) if suite.samples > 1 else ():
            flipped = {metric.name: repeat_flips(records.get(variant, []), metric) for metric in suite.metrics}
            caption = f"Cases of {suite.name} that flip between repeats, {wording.variant(variant)}"
            blocks += _table(evidence, caption, suite, flipped)
    lead = "What varies when the same model runs the same prompts again."
    return Section(id="repeats", title="Repeats", lead=lead, blocks=blocks) if blocks else None


def _without_text(evidence: RunView, suite: SuiteInfo) -> Records:
    """Return the suite's records by variant, without inputs and answers: only the scores are needed."""
    records: Records = {}
    for _, name, record in evidence.source:
        if name == suite.name:
            case = structs.replace(record.case, input={})
            bare = structs.replace(record, case=case, completion=structs.replace(record.completion, text=""))
            records.setdefault(record.variant, []).append(bare)
    return records


def _floors(evidence: RunView, suite: SuiteInfo, records: Records) -> Table:
    by_name = {metric.name: metric for metric in suite.metrics}
    rows = []
    for floor in floors(records, suite.metrics, ()):
        metric = by_name[floor.metric]
        unit = evidence.unit_of_change(suite.name, metric)
        seen = Estimate(value=floor.change, low=floor.low, high=floor.high, reason="nothing was compared")
        rows.append(
            [
                Cell(text=wording.metric(floor.metric, suite.shape), note=suite.name),
                number_format.estimate_cell(seen, unit),
                Cell(text=number_format.floor(floor.floor, unit)),
                Cell(text=number_format.number(floor.flips), note=wording.count(floor.cases, "case")),
            ]
        )
    columns = ["Metric", "Second pass minus first", "Noise floor", "Cases that flip"]
    caption = f"Run-to-run variation of {suite.name}"
    return Table(caption=caption, columns=columns, rows=rows, numeric=[1, 2, 3], note=NOTE)


def _table(evidence: RunView, caption: str, suite: SuiteInfo, flips_by_metric: Mapping[str, list[str]]) -> list[Block]:
    """Tabulate the cases that flip, each with its metrics; nothing where none does."""
    flipped: dict[str, list[str]] = {}
    for metric, ids in flips_by_metric.items():
        for case_id in ids:
            flipped.setdefault(case_id, []).append(metric)
    if not flipped:
        return []
    shown = list(flipped.items())[:MOST]
    places = [evidence.cases.named(suite.name, case_id) for case_id, _ in shown]
    rows = [
        [
            Cell(text=case_id, code=True, note=suite.name, link=link),
            Cell(text=wording.capital(wording.listing(wording.phrase(name) for name in on))),
        ]
        for (case_id, on), (link, _) in zip(shown, places, strict=True)
    ]
    left = " The others are not listed." if len(flipped) > MOST else ""
    note = f"{wording.capital(wording.shown_of('case', len(rows), len(flipped)))}.{left}"
    cases = [facets for _, facets in places]
    return [Table(caption=caption, columns=["Case", "Flips on"], rows=rows, cases=cases, note=note)]
