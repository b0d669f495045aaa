"""Draws a sweep as an SVG file: one dot a point, with its interval, the best at the top. Knows no run."""

from __future__ import annotations

from pathlib import Path

from harness.errors import MissingExtra
from training.sweep.table import LOSS, Table
from training.sweep.view import changes

ROW_INCHES = 0.35


def write_plot(table: Table, file: Path) -> None:
    """The finished points by what they are compared by. Same table, same bytes."""
    try:
        import matplotlib
    except ImportError:
        raise MissingExtra("the plot of a sweep", "matplotlib", "report") from None
    from matplotlib.backends.backend_svg import FigureCanvasSVG
    from matplotlib.figure import Figure

    rows = [(row, value) for row in table.ranked if (value := table.value(row)) is not None]
    with matplotlib.rc_context({"svg.fonttype": "none", "svg.hashsalt": "sweep"}):
        figure = Figure(figsize=(7, 1 + ROW_INCHES * max(len(rows), 2)), layout="constrained")
        FigureCanvasSVG(figure)
        axes = figure.add_subplot()
        for place, (row, value) in enumerate(rows):
            found = row.metric
            if found is not None and found.low is not None and found.high is not None:
                bounds = (found.low, found.high)
                axes.plot(bounds, (place, place), color="#7a8793", linewidth=1.5, gid=f"interval-{row.number}")
            axes.plot([value], [place], "o", color="#0b5cad", gid=f"point-{row.number}")
        axes.set_yticks(range(len(rows)), [f"{row.number}: {changes(row.values)}" for row, _ in rows])
        axes.set_ylim(max(len(rows), 1) - 0.5, -0.5)
        measure = table.measure
        axes.set_xlabel(f"{measure.name}, 95% interval" if measure.suite else f"{LOSS}, nats by answer token")
        axes.spines[["top", "right"]].set_visible(False)
        axes.grid(axis="x", color="#e3e7eb", linewidth=0.8)
        figure.savefig(file, format="svg", metadata={"Date": None})
