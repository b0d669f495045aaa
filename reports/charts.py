"""Training curves by matplotlib, as inline SVG that a strict style policy lets through. Loads matplotlib late.

matplotlib gives every mark a style attribute, which a hashed `style-src` blocks; each distinct style becomes a class.
Colours are written as stand-ins and turned into the style sheet's variables, so that dark mode reaches the chart.
"""

from __future__ import annotations

import hashlib
import io
import re
from typing import Any

from markupsafe import escape

from harness.errors import MissingExtra
from harness.visible import shown
from reports.model import Curve

INK, MUTED, GRID = "#010101", "#020202", "#030303"
SERIES = ("#040404", "#050505")
VARIABLES = {INK: "--ink", MUTED: "--muted", GRID: "--line", SERIES[0]: "--muted", SERIES[1]: "--accent"}
DASHES = ("-", "-")
MARKERS = ("", "o")
TAG = re.compile(r"<[^>]*>")
IDS = re.compile(r'( id="|href="#|url\(#)')
STYLE = re.compile(r' style="([^"]*)"')
UNSAFE = re.compile(r"<\?xml[^>]*\?>|<!DOCTYPE[^>]*>|<metadata>.*?</metadata>|<style[^>]*>.*?</style>", re.DOTALL)


def draw(curve: Curve) -> tuple[str, str]:
    """A curve as (svg, css). Raises MissingExtra where matplotlib is not installed."""
    return _classes(_inline(_plot(curve), curve), curve.id)


def _plot(curve: Curve) -> str:
    try:
        import matplotlib
        from matplotlib.backends.backend_svg import FigureCanvasSVG
        from matplotlib.figure import Figure
    except ImportError:
        raise MissingExtra("The training curve", "matplotlib", "report") from None
    settings: dict[str, Any] = {
        "svg.fonttype": "none",
        "svg.hashsalt": curve.id,
        "text.parse_math": False,
        "font.family": "sans-serif",
        "font.size": 10,
        "text.color": INK,
        "axes.labelcolor": MUTED,
        "xtick.color": MUTED,
        "ytick.color": MUTED,
        "axes.edgecolor": GRID,
        "grid.color": GRID,
    }
    with matplotlib.rc_context(settings):
        figure = Figure(figsize=(8.2, 3.4), layout="constrained")
        canvas = FigureCanvasSVG(figure)
        axes = figure.add_subplot()
        for i, line in enumerate(curve.lines):
            which = 1 if line.name.startswith("Validation") else 0
            x, y = zip(*line.points, strict=True)
            axes.plot(
                x,
                y,
                MARKERS[which] + DASHES[which],
                color=SERIES[which],
                label=shown(line.name),
                lw=1 + which,
                ms=5,
                zorder=2 + i,
            )
        axes.set(xlabel=shown(curve.x), ylabel=shown(curve.y))
        axes.grid(axis="y", linewidth=0.8)
        axes.spines[["top", "right", "left"]].set_visible(False)
        axes.legend(frameon=False, loc="upper right")
        out = io.StringIO()
        canvas.print_svg(out, metadata={"Date": None, "Creator": None, "Format": None, "Type": None})
    return out.getvalue()


def _inline(svg: str, curve: Curve) -> str:
    """Without prolog, metadata, inner style sheet and white ground; ids made unique to the chart; labelled."""
    svg = UNSAFE.sub("", svg).strip()
    svg = re.sub(r"<!--.*?-->\s*", "", svg, flags=re.DOTALL)
    svg = re.sub(r'(<g id="patch_1">).*?(</g>)', r"\1\2", svg, count=1, flags=re.DOTALL)
    svg = re.sub(r'(<g id="patch_2">).*?(</g>)', r"\1\2", svg, count=1, flags=re.DOTALL)
    svg = TAG.sub(lambda tag: IDS.sub(rf"\g<1>{curve.id}-", tag[0]), svg)
    return svg.replace("<svg ", f'<svg class="curve" role="img" aria-label="{escape(shown(curve.title))}" ', 1)


def _classes(svg: str, prefix: str) -> tuple[str, str]:
    """Each distinct style attribute as a class; the rules come back apart."""
    names: dict[str, str] = {}

    def name(match: re.Match[str]) -> str:
        digest = hashlib.sha256(match[1].encode()).hexdigest()[:8]
        return f' class="{names.setdefault(match[1], f"{prefix}-{digest}")}"'

    made = TAG.sub(lambda tag: STYLE.sub(name, tag[0]), svg)
    return made, "".join(f".{klass}{{{_themed(style)}}}\n" for style, klass in names.items())


def _themed(style: str) -> str:
    """Stand-in colours as variables; a font shorthand as the size alone, so that the page's face holds."""
    for colour, variable in VARIABLES.items():
        style = style.replace(colour, f"var({variable})")
    return re.sub(r"font: (?:\w+ )*([\d.]+px) [^;]*", r"font-size: \1", style)
