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
    ("task", "task", {"color": "#0b5cad", "marker": "o"}),
    ("general", "general cases", {"color": "#b4632b", "marker": "s", "linestyle": "--"}),
)


def write_curve(log: Sequence[dict[str, Any]], file: Path) -> None:
    """Plot losses by step, and metrics with intervals below, and mark the selected step. Equal logs give equal bytes.

    Raises MissingExtra without matplotlib.
    """
    with extra_needed_by("the loss curve", "report", "matplotlib"):
        import matplotlib
    from matplotlib.backends.backend_svg import FigureCanvasSVG
    from matplotlib.figure import Figure

    has_metric = any("task_metric" in row or "general_metric" in row for row in log)
    with matplotlib.rc_context({"svg.fonttype": "none", "svg.hashsalt": "loss"}):
        figure = Figure(figsize=(7, 6.5 if has_metric else 4), layout="constrained")
        FigureCanvasSVG(figure)
        panels = figure.subplots(2 if has_metric else 1, 1, sharex=True, squeeze=False)[:, 0]
        _losses(panels[0], log)
        if has_metric:
            _metrics(panels[1], log)
        for axes in panels:
            axes.spines[["top", "right"]].set_visible(False)
            if axes.lines:
                axes.legend(frameon=False)
        panels[-1].set_xlabel("step")
        figure.savefig(file, format="svg", metadata={"Date": None})


def _losses(axes: Any, log: Sequence[dict[str, Any]]) -> None:
    for key, name, style in LOSSES:
        points = [(row["step"], row[key]) for row in log if key in row]
        if points:
            axes.plot(*zip(*points, strict=True), label=name, gid=name.replace(" ", "-"), **style)
    _mark(axes, log, "validation_loss")
    axes.set(ylabel="loss, nats per token", ylim=(0, None))


def _metrics(axes: Any, log: Sequence[dict[str, Any]]) -> None:
    for key, name, style in METRICS:
        rows = [row for row in log if f"{key}_metric" in row]
        points = [(row["step"], row[f"{key}_metric"]) for row in rows]
        if points:
            axes.plot(*zip(*points, strict=True), label=name, gid=name.replace(" ", "-"), **style)
        bounded = [(r["step"], r[f"{key}_low"], r[f"{key}_high"]) for r in rows if f"{key}_low" in r]
        if bounded:
            axes.fill_between(*zip(*bounded, strict=True), color=style["color"], alpha=0.12, linewidth=0)
    _mark(axes, log, "task_metric")
    axes.set(ylabel="metric, with 95% interval")


def _mark(axes: Any, log: Sequence[dict[str, Any]], key: str) -> None:
    """Label the value at the step of the selected adapter."""
    chosen = [row for row in log if row.get("best") and key in row]
    if chosen:
        step, value = chosen[-1]["step"], chosen[-1][key]
        axes.annotate(f"kept: {value:.3f} at step {step}", (step, value), (0, 10), textcoords="offset points")
