"""Paired differences between the columns of a side-by-side page, and what keeps columns from being compared."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence

from msgspec import structs

from harness.errors import UserError
from harness.formatting import first_few
from harness.schema import Comparison, Estimate, Metric
from harness.stats.observations import observations
from harness.stats.paired import compare, holm
from harness.stats.pairs import pair
from reports import number_format, sentences, wording
from reports.model import Cell, Table
from reports.number_format import Unit
from reports.side_by_side.columns import Column
from reports.side_by_side.rows import SuiteRows

COLUMNS = ["Run", "Value", "Difference", "Cases", "Test"]
NOTE = (
    "Differences are paired: they use only the cases that both runs answered, with the same input and expected answer. "
    "Intervals are 95% and account for cases that share a source. p values are adjusted for the number of runs (Holm)."
)
OTHER_SCORER = "not compared: the runs have different versions of its scorer"
NOTHING = Estimate(value=None, reason="not in this run")


def tables(columns: Sequence[Column], suite: SuiteRows, baseline: int) -> list[Table]:
    """Return one table per metric with the differences of all columns against one; all but the first are folded."""
    return [_table(columns, suite, metric, baseline, place) for place, metric in enumerate(suite.metrics)]


def _table(columns: Sequence[Column], suite: SuiteRows, metric: Metric, baseline: int, place: int) -> Table:
    found = {at: _compare(columns, suite, metric, at, baseline) for at in range(len(columns)) if at != baseline}
    tested = {at: c.p_value for at, c in found.items() if isinstance(c, Comparison) and c.p_value is not None}
    adjusted = dict(zip(tested, holm(list(tested.values())), strict=True))
    share = unit(columns, suite, metric) == "share"
    return Table(
        caption=f"{wording.title(metric.name)} of {suite.name}: difference from {columns[baseline].letter}, paired",
        columns=COLUMNS,
        rows=[_row(columns, suite, metric, at, found.get(at), adjusted.get(at), share) for at in range(len(columns))],
        numeric=[1, 2],
        note=f"{wording.capital(wording.direction(metric.better, metric.says))}. {NOTE}",
        folded=place > 0,
    )


def _row(
    columns: Sequence[Column],
    suite: SuiteRows,
    metric: Metric,
    at: int,
    found: Comparison | str | None,
    p_value: float | None,
    is_share: bool,
) -> list[Cell]:
    column = columns[at]
    row = [
        Cell(text=column.letter, note=column.model),
        number_format.estimate_cell(_level(column, suite.name, metric), "share" if is_share else "number"),
    ]
    if not isinstance(found, Comparison):
        return [*row, Cell(text=found or "baseline of this table", tone="muted"), *[Cell(text=number_format.DASH)] * 2]
    adjusted = structs.replace(found, p_value=p_value)
    reading, tone = sentences.reading(adjusted, metric.better)
    measured = found.difference
    notes = [wording.count(measured.n, "case"), reading] if measured.value is not None else [measured.reason or ""]
    return [
        *row,
        structs.replace(number_format.estimate_cell(measured, "points" if is_share else "change", *notes), tone=tone),
        Cell(text=sentences.tally(found, metric)),
        Cell(text=number_format.p_value(p_value), note=found.test + sentences.why_unclear(adjusted)),
    ]


def _compare(columns: Sequence[Column], suite: SuiteRows, metric: Metric, at: int, baseline: int) -> Comparison | str:
    """Compare two columns, or say why they are not compared."""
    scores, other = suite.scores[at], suite.scores[baseline]
    versions = [columns[place].scorer_version(suite.name, metric) for place in (at, baseline)]
    if scores is None or other is None or None in versions:
        return "not compared: one of the runs does not have it"
    if versions[0] != versions[1]:
        return OTHER_SCORER
    return compare(pair(observations(scores, metric), observations(other, metric, "baseline"), metric))


def _level(column: Column, suite: str, metric: Metric) -> Estimate:
    return column.run.metrics.level(suite, column.variant, metric.name) or NOTHING


def unit(columns: Sequence[Column], suite: SuiteRows, metric: Metric) -> Unit:
    """Return the unit of a metric's values in all columns."""
    levels = (_level(column, suite.name, metric).value for column in columns)
    return "share" if metric.is_percentage(levels) else "number"


def misfits(columns: Sequence[Column], suite: SuiteRows, baseline: int) -> Iterator[str]:
    """Say in what the columns of a suite do not fit together, one sentence each."""
    first = columns[baseline]
    lacking = [column.letter for column, scores in zip(columns, suite.scores, strict=True) if scores is None]
    if lacking:
        yield f"No answers to {suite.name}: {wording.listing(lacking)}. The column is empty there."
    versions = Counter(row.id for row in suite.rows.values())
    changed = [name for name, times in versions.items() if times > 1]
    if changed:
        yield (
            f"{wording.count(len(changed), 'case ID')} of {suite.name} with another input or expected answer in some "
            f"runs: {first_few(changed, 3)}. Each version has its own row, with missing cells."
        )
    for place, column in enumerate(columns):
        pairs = [(row.answers[place], row.answers[baseline]) for row in suite.rows.values()]
        shared = [(own, other) for own, other in pairs if own and other]
        differing = sum(own.prompt != other.prompt for own, other in shared)
        if differing:
            yield (
                f"{column.letter} received other prompts than {first.letter} for {number_format.number(differing)} of "
                f"{wording.count(len(shared), 'case')} of {suite.name}: template or tokenizer differ."
            )


def refuse_unrelated(columns: Sequence[Column], suites: Sequence[SuiteRows]) -> None:
    """Raise UserError where no case is in two columns."""
    if any(sum(a is not None for a in row.answers) > 1 for suite in suites for row in suite.rows.values()):
        return
    held = "; ".join(
        f"{column.run.path.name}: {wording.listing(s.name for s in column.run.manifest.suites) or 'no suite'}"
        for column in columns
    )
    raise UserError(f"--side-by-side: no case is in two of these runs ({held}). Name runs of the same suite and cases")
