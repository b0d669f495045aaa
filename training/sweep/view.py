"""A sweep as terminal text and as Markdown."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from rich.table import Table as Grid

from harness.formatting import format_duration, markdown_table
from harness.schema import Estimate
from training.estimate.report import text
from training.sweep.grid import SweepPoint, short_names, shown
from training.sweep.results import LOSS, Caution, Confirmed, SweepRow, SweepTable

NO_TEST = "[select] names no suite, so the winner was not tested. Evaluate it: pytest evalsuites --checkpoint ADAPTER"
NOTHING = "-"


def show(table: SweepTable, width: int) -> str:
    """Render the sweep as text."""
    grid = Grid(box=None, padding=(0, 2, 0, 0))
    for name in ("rank", "point", "changes", "measured", "best step", "cost", "diagnosis"):
        grid.add_column(name, justify="right" if name in ("rank", "point") else "left")
    for place, row in _ordered(table):
        rank, point, _, *measured, step, rate, memory, time, diagnosis = _row(table, row, place)
        loss = [] if measured[-1] == NOTHING else [f"loss {measured[-1]}"]
        cost = [f"{rate} tokens/s", f"{memory} MiB", time] if row.status == "finished" else [NOTHING]
        grid.add_row(
            rank,
            point,
            changes(row.values, "\n"),
            "\n".join([*measured[:-1], *loss]) or NOTHING,
            step,
            "\n".join(cost),
            diagnosis,
        )
    return text([_title(table), "", grid, "", *_failures(table), *_sentences(table)], width)


def markdown(table: SweepTable) -> str:
    """Render the sweep as Markdown."""
    headings = ["rank", "point", "changes", *_measures(table), "best step", "tokens/s", "MiB", "time", "diagnosis"]
    rows = (map(_escaped, _row(table, row, place)) for place, row in _ordered(table))
    lines = markdown_table([_escaped(heading) for heading in headings], rows)
    failures = [f"- {_escaped(line)}" for line in _failures(table)]
    sentences = [f"{_escaped(line)}\n" for line in _sentences(table)]
    parts = [f"# Sweep of {_escaped(table.name)}", "", _title(table), "", *lines, "", *failures]
    return "\n".join([*parts, *([""] if failures else []), *sentences])


def dry(points: Sequence[SweepPoint], measure: str, width: int) -> str:
    """Render the points of a sweep before training."""
    grid = Grid()
    for name in ("point", "steps", "rows seen"):
        grid.add_column(name, justify="right", no_wrap=True)
    grid.add_column("changes")
    for point in points:
        grid.add_row(str(point.number), f"{point.steps:,}", f"{point.rows_seen:,}", point.summary)
    total = sum(point.steps for point in points)
    head = f"{len(points)} points, compared by {measure}; nothing is trained"
    return text([head, grid, f"{total:,} steps in all"], width)


def changes(values: dict[str, Any], sep: str = ", ") -> str:
    """Format settings with short names, such as `lr 0.0003, r 8`."""
    names = short_names(list(values))
    return sep.join(f"{names[key]} {shown(key, value)}" for key, value in values.items())


def _title(table: SweepTable) -> str:
    done = f"{len(table.ranked)} of {len(table.rows)} points"
    measure = table.measure
    better = "higher" if measure.higher_is_better else "lower"
    if not measure.suite:
        return f"{done} by {LOSS}, nats per answer token, {better} is better"
    return f"{done} by {measure.name} of {measure.suite} on the validation cases, {better} is better"


def _measures(table: SweepTable) -> list[str]:
    return [f"{table.measure.name} (95%)", "loss"] if table.measure.suite else ["loss"]


def _ordered(table: SweepTable) -> list[tuple[str, SweepRow]]:
    """Return each row with its rank, best first and unfinished last."""
    others = [(NOTHING, row) for row in table.rows if row.status != "finished"]
    return [*((str(place), row) for place, row in enumerate(table.ranked, 1)), *others]


def _row(table: SweepTable, row: SweepRow, rank: str) -> list[str]:
    measured = [level(row.metric) if row.status == "finished" else NOTHING] if table.measure.suite else []
    return [
        rank,
        str(row.number),
        changes(row.values),
        *measured,
        _number(row.validation_loss, ".4f"),
        NOTHING if row.steps is None else f"{row.steps if row.best_step is None else row.best_step} of {row.steps}",
        _number(row.tokens_per_s, ",.0f"),
        _number(row.peak_memory_mib, ",d"),
        NOTHING if row.wall_s is None else format_duration(row.wall_s),
        row.diagnosis or row.status,
    ]


def _number(value: float | int | None, form: str) -> str:
    return NOTHING if value is None else format(value, form)


def level(found: Estimate | None) -> str:
    """Format an estimate: `0.781 (0.702 to 0.845), n 128`."""
    if found is None or found.value is None:
        return "not measured"
    bounds = f" ({found.low:.3f} to {found.high:.3f})" if found.low is not None and found.high is not None else ""
    return f"{found.value:.3f}{bounds}, n {found.n}"


def _failures(table: SweepTable) -> list[str]:
    return [f"point {row.number} ({changes(row.values)}) failed: {row.error}" for row in table.failed]


def _sentences(table: SweepTable) -> list[str]:
    best = table.winner
    if best is None:
        return []
    before = f" Its base model has {level(best.before)}." if best.before else ""
    lines = [f"Best: point {best.number} ({changes(best.values)}), run {best.run}.{before}"]
    if len(table.ranked) > 1:
        lines.append(_caution(table.caution, len(table.ranked)))
    if table.confirmed:
        lines += _confirmed(table, table.confirmed, best)
    elif not table.measure.suite:
        lines.append(NO_TEST)
    return lines


def _caution(bias: Caution | None, points: int) -> str:
    if bias is None:
        return (
            f"The best of {points} looks better than it is. Its metric has no interval, so the effect of chance "
            "is unknown."
        )
    return (
        f"The best of {bias.points} looks better than it is: if all were equally good, chance alone would make the "
        f"best of them look up to {bias.at_most:.3f} better (standard error {bias.standard_error:.3f} times "
        f"{bias.at_most / bias.standard_error if bias.standard_error else 0:.2f}; less, since the points share "
        "their cases). The choice of each point's best step by the same cases adds to it."
    )


def _confirmed(table: SweepTable, test: Confirmed, best: SweepRow) -> list[str]:
    chosen = next((row for row in table.rows if row.run == test.trained), None)
    against = f", against {level(chosen.metric)} on the validation cases that chose it" if chosen else ""
    lines = [
        f"Test: {table.measure.name} of point {test.point} is {level(test.metric)} on the test cases{against}. "
        f"Run {test.run}."
    ]
    if test.baseline is not None and test.difference is not None and test.difference.value is not None:
        d = test.difference
        bounds = f" ({d.low:+.3f} to {d.high:+.3f})" if d.low is not None and d.high is not None else ""
        lines.append(f"Its base model has {level(test.baseline)}; the difference is {d.value:+.3f}{bounds}, paired.")
    if test.gates:
        lines.append(f"Gates: {', '.join(f'{count} {outcome}' for outcome, count in test.gates.items())}.")
    if test.earlier:
        lines.append(
            f"The same test cases were used before by {', '.join(test.earlier)}: the more often a test is used, the "
            "less its result can be trusted."
        )
    if test.trained != best.run:
        why = ", which is no longer the best" if chosen else " before it was trained again"
        lines.append(
            f"The test ran for point {test.point}{why}. It does not run twice: evaluate point {best.number} on cases "
            "that no sweep has used."
        )
    return lines


def _escaped(text: str) -> str:
    return text.replace("|", "\\|").replace("\n", " ")
