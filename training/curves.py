"""Draws the losses of a training log as an SVG file. Knows no run and no model."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from harness.errors import MissingExtra


def write_curve(log: Sequence[dict[str, Any]], file: Path) -> None:
    """Training and validation loss by step; the lowest validation loss is marked. Same log, same bytes."""
    try:
        import matplotlib
    except ImportError:
        raise MissingExtra("the loss curve", "matplotlib", "report") from None
    from matplotlib.backends.backend_svg import FigureCanvasSVG
    from matplotlib.figure import Figure

    with matplotlib.rc_context({"svg.fonttype": "none", "svg.hashsalt": "loss"}):
        figure = Figure(figsize=(7, 4), layout="constrained")
        FigureCanvasSVG(figure)
        axes = figure.add_subplot()
        trained = [(row["step"], row["loss"]) for row in log if "loss" in row]
        held_out = [(row["step"], row["validation_loss"]) for row in log if "validation_loss" in row]
        if trained:
            axes.plot(*zip(*trained, strict=True), color="#7a8793", linewidth=1, label="training", gid="training")
        if held_out:
            axes.plot(*zip(*held_out, strict=True), "o-", color="#0b5cad", label="validation", gid="validation")
            step, loss = min(held_out, key=lambda point: (point[1], point[0]))
            axes.annotate(f"lowest {loss:.3f} at step {step}", (step, loss), (0, 10), textcoords="offset points")
        axes.set(xlabel="step", ylabel="loss, nats per answer token", ylim=(0, None))
        axes.spines[["top", "right"]].set_visible(False)
        if trained or held_out:
            axes.legend(frameon=False)
        figure.savefig(file, format="svg", metadata={"Date": None})
