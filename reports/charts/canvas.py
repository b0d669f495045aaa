"""A matplotlib figure with coordinates from its upper left corner, and helpers to draw on it.

matplotlib is loaded when a figure is created. A unit is a pixel where the chart is shown at full size.
"""

from __future__ import annotations

import io
import warnings
from collections.abc import Callable
from typing import TYPE_CHECKING, NamedTuple

from harness.errors import extra_needed_by
from harness.sanitize import shown
from reports.charts import svg

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

RULES = {"svg.fonttype": "none", "text.parse_math": False, "font.family": "sans-serif"}
LONGEST = 36
"""Most characters of a label; the table next to the chart has it whole."""


class Look(NamedTuple):
    """How a mark is drawn."""

    shape: str
    colour: str
    full: bool


def inline(name: str, narrow: bool, kind: str, label: str, draw: Callable[[], Figure]) -> tuple[str, str]:
    """Draw a figure as (svg, css) with reproducible bytes, as `svg.inline` makes them; narrow ones have own IDs.

    Raises MissingExtra where matplotlib is not installed.
    """
    with extra_needed_by("A chart", "report", "matplotlib"):
        from matplotlib import style
        from matplotlib.backends.backend_svg import FigureCanvasSVG
    prefix, out = f"{name}-narrow" if narrow else name, io.StringIO()
    # A style of the user's own, such as text.usetex, does not apply.
    with warnings.catch_warnings(), style.context(["default", {**RULES, "svg.hashsalt": prefix}]):
        warnings.filterwarnings("ignore", message="Glyph")  # the page's own fonts draw the text
        FigureCanvasSVG(draw()).print_svg(out, metadata=dict.fromkeys(("Date", "Creator", "Format", "Type")))
    return svg.inline(out.getvalue(), prefix, f"{kind} {'narrow' if narrow else 'wide'}", label)


def sheet(width: float, height: float) -> Figure:
    """Create an empty figure without a background."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width / 72, height / 72), dpi=72)
    figure.patch.set_visible(False)
    return figure


def lines_only(axes: Axes) -> None:
    """Style axes of a line chart: horizontal grid lines and a line below, without frame and background."""
    axes.patch.set_visible(False)
    axes.grid(axis="y", color=svg.GRID, linewidth=1)
    axes.spines[:].set_color(svg.GRID)
    axes.spines[["top", "right", "left"]].set_visible(False)
    axes.tick_params(length=0, labelsize=11, labelcolor=svg.MUTED)


def size(figure: Figure) -> tuple[float, float]:
    """Return width and height in units."""
    width, height = figure.get_size_inches() * 72
    return float(width), float(height)


def axes(figure: Figure, left: float, top: float, width: float, height: float) -> Axes:
    """Add axes whose vertical scale counts units downwards, without frame and background."""
    across, down = size(figure)
    plot = figure.add_axes((left / across, 1 - (top + height) / down, width / across, height / down))
    plot.set_ylim(height, 0)
    plot.patch.set_visible(False)
    plot.spines[:].set_visible(False)
    plot.tick_params(axis="both", length=0, labelsize=11, labelcolor=svg.MUTED)
    plot.set_yticks([])
    plot.set_axisbelow(True)
    return plot


def say(
    figure: Figure,
    x: float,
    y: float,
    text: str,
    colour: str = svg.INK,
    size_: float = 12,
    bold: bool = False,
    side: str = "left",
    over: bool = False,
) -> None:
    """Write a line of text centred at `y`; `over` hides the lines below it."""
    across, down = size(figure)
    figure.text(
        x / across,
        1 - y / down,
        shown(text),
        color=colour,
        fontsize=size_,
        fontweight="bold" if bold else "normal",
        ha=side,
        va="center_baseline",
        bbox={"facecolor": svg.PAPER, "edgecolor": "none", "pad": 1} if over else None,
    )


def rule(figure: Figure, y: float) -> None:
    """Draw a thin line across the figure."""
    from matplotlib.lines import Line2D

    level = 1 - y / size(figure)[1]
    figure.add_artist(Line2D([0, 1], [level, level], color=svg.GRID, linewidth=1))
