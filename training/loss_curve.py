"""The loss curve of a training log as SVG, with the task metric if there is one."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from harness.errors import extra_needed_by

LOSSES = (
    ("loss", "training", {"color": "#7a8793", "linewidth": 1}),
    ("validation_loss", "validation", {"color": "#0b5cad", "marker": "o"}),
    ("general_loss", "general text", {"color": "#b4632b", "marker": "s", "linestyle": "--", "linewidth": 1}),
)
METRICS = (
    ("task_metric", "task", {"color": "#0b5cad", "marker": "o"}),
    ("general_metric", "general cases", {"color": "#b4632b", "marker": "s", "linestyle": "--"}),
)


def write_curve(log: Sequence[dict[str, Any]], file: Path) -> None:
    """Plot losses by step, and metrics with intervals below, and mark the selected step. Equal logs give equal bytes.

    Raises MissingExtra without matplotlib.
    """
    with extra_needed_by("the loss curve", "report", "matplotlib"):
        from matplotlib import style
    from matplotlib.backends.backend_svg import FigureCanvasSVG
    from matplotlib.figure import Figure

    has_metric = any("task_metric" in row or "general_metric" in row for row in log)
    # As in `reports.charts`, a style of the user's own does not apply.
    with style.context(["default", {"svg.fonttype": "none", "svg.hashsalt": "loss"}]):
        figure = Figure(figsize=(7, 6.5 if has_metric else 4), layout="constrained")
        FigureCanvasSVG(figure)
        panels = figure.subplots(2 if has_metric else 1, 1, sharex=True, squeeze=False)[:, 0]
        _plot(panels[0], log, LOSSES, "validation_loss")
        panels[0].set(ylabel="loss, nats per token", ylim=(0, None))
        if has_metric:
            _plot(panels[1], log, METRICS, "task_metric")
            panels[1].set(ylabel="metric, with 95% interval")
        for axes in panels:
            axes.spines[["top", "right"]].set_visible(False)
            if axes.lines:
                axes.legend(frameon=False)
        panels[-1].set_xlabel("step")
        figure.savefig(file, format="svg", metadata={"Date": None})


def _plot(axes: Any, log: Sequence[dict[str, Any]], series: Sequence[tuple[str, str, Any]], chosen_by: str) -> None:
    """Plot the series, each with its interval if it has one, and label the value of the selected adapter."""
    for key, name, style in series:
        rows = [row for row in log if key in row]
        if rows:
            steps, values = [row["step"] for row in rows], [row[key] for row in rows]
            axes.plot(steps, values, label=name, gid=name.replace(" ", "-"), **style)
        low, high = (key.replace("_metric", f"_{end}") for end in ("low", "high"))
        bounded = [(row["step"], row[low], row[high]) for row in rows if low != key and low in row]
        if bounded:
            axes.fill_between(*zip(*bounded, strict=True), color=style["color"], alpha=0.12, linewidth=0)
    chosen = [row for row in log if row.get("best") and chosen_by in row]
    if chosen:
        step, value = chosen[-1]["step"], chosen[-1][chosen_by]
        axes.annotate(f"kept: {value:.3f} at step {step}", (step, value), (0, 10), textcoords="offset points")
