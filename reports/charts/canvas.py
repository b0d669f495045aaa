"""A matplotlib figure measured in units from its upper left corner, and the looks of what stands on it. Knows no data.

matplotlib is loaded when a sheet is made. A unit is a pixel where the drawing is shown at full size.
"""

from __future__ import annotations

import io
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, NamedTuple

from harness.errors import MissingExtra
from harness.sanitize import shown
from reports.charts import svg

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

RULES = {"svg.fonttype": "none", "text.parse_math": False, "font.family": "sans-serif"}
LONGEST = 36
"""Most characters of a label; the table twin has it whole."""


class Look(NamedTuple):
    """How a mark is drawn."""

    shape: str
    colour: str
    full: bool


@contextmanager
def settings(salt: str) -> Iterator[None]:
    """Inside, figures give equal bytes each time. Raises MissingExtra where matplotlib is not installed."""
    try:
        import matplotlib
    except ImportError:
        raise MissingExtra("A chart", "matplotlib", "report") from None
    with warnings.catch_warnings(), matplotlib.rc_context({**RULES, "svg.hashsalt": salt}):
        warnings.filterwarnings("ignore", message="Glyph")  # the page's own fonts draw the text
        yield


def sheet(width: float, height: float) -> Figure:
    """An empty figure without a ground."""
    from matplotlib.figure import Figure

    made = Figure(figsize=(width / 72, height / 72), dpi=72)
    made.patch.set_visible(False)
    return made


def saved(figure: Figure) -> str:
    """The figure as SVG."""
    from matplotlib.backends.backend_svg import FigureCanvasSVG

    out = io.StringIO()
    FigureCanvasSVG(figure).print_svg(out, metadata={"Date": None, "Creator": None, "Format": None, "Type": None})
    return out.getvalue()


def size(figure: Figure) -> tuple[float, float]:
    """Width and height in units."""
    width, height = figure.get_size_inches() * 72
    return float(width), float(height)


def axes(figure: Figure, left: float, top: float, width: float, height: float) -> Axes:
    """Axes whose vertical scale counts units downwards; without frame and ground."""
    across, down = size(figure)
    made = figure.add_axes((left / across, 1 - (top + height) / down, width / across, height / down))
    made.set_ylim(height, 0)
    made.patch.set_visible(False)
    made.spines[:].set_visible(False)
    made.tick_params(axis="both", length=0, labelsize=11, labelcolor=svg.MUTED)
    made.set_yticks([])
    made.set_axisbelow(True)
    return made


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
    """A line of text whose middle is at `y`; `over` hides the lines that it stands on."""
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
    """A thin line across the sheet."""
    from matplotlib.lines import Line2D

    level = 1 - y / size(figure)[1]
    figure.add_artist(Line2D([0, 1], [level, level], color=svg.GRID, linewidth=1))


def short(text: str, longest: int = LONGEST) -> str:
    """A label that fits its column."""
    return text if len(text) <= longest else text[: longest - 1] + "…"
