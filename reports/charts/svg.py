"""Prepare matplotlib's SVG for a page: inline, labelled, themed, and valid under a strict content policy.

matplotlib gives every mark a style attribute, which a hashed `style-src` blocks; each distinct style becomes a class.
Colours are placeholders that become the style sheet's variables, so that dark mode applies to the chart.
"""

from __future__ import annotations

import hashlib
import re

from markupsafe import escape

from harness.sanitize import shown

INK, MUTED, GRID, PAPER = "#010101", "#020202", "#030303", "#040404"
ACCENT, GOOD, BAD, CAUTION = "#050505", "#060606", "#070707", "#080808"
VARIABLES = {
    INK: "--ink",
    MUTED: "--muted",
    GRID: "--line",
    PAPER: "--paper",
    ACCENT: "--accent",
    GOOD: "--good",
    BAD: "--bad",
    CAUTION: "--caution",
}
TAG = re.compile(r"<[^>]*>")
BETWEEN = re.compile(r">\s+<")
ID = re.compile(r' id="([^"]*)"')
USE = re.compile(r'(?:href="#|url\(#)([^")]*)')
NAMED = re.compile(r'( id="|href="#|url\(#)')
STYLE = re.compile(r' style="([^"]*)"')
FACE = re.compile(r"font-family: [^;]*; ")
EMPTY = re.compile(r"<g/>|<defs></defs>")
IDLE = re.compile(r' transform="rotate\(-?0 [^"]*\)"')
BREAK = re.compile(r" \n")
LONG = re.compile(r"-?\d+\.\d{2,}")
DROPPED = re.compile(
    r"<\?xml[^>]*\?>|<!DOCTYPE[^>]*>|<!--.*?-->|<metadata>.*?</metadata>|<style[^>]*>.*?</style>", re.DOTALL
)


def inline(drawing: str, prefix: str, kind: str, label: str) -> tuple[str, str]:
    """Return the chart as inline SVG, and its style rules, one per line.

    `prefix` makes its IDs unique in the page, `kind` is its class, `label` its alternative text.
    """
    svg = EMPTY.sub("", BETWEEN.sub("><", DROPPED.sub("", drawing).strip()))
    used = set(USE.findall(svg))
    svg = TAG.sub(lambda tag: _named(tag[0], used, prefix), svg)
    rules: dict[str, str] = {}
    svg = TAG.sub(lambda tag: STYLE.sub(lambda style: _class(style[1], rules), tag[0]), svg)
    head = f'<svg class="{kind}" role="img" aria-label="{escape(shown(label))}" '
    return svg.replace("<svg ", head, 1), "".join(f"{rule}\n" for rule in rules.values())


def _named(tag: str, used: set[str], prefix: str) -> str:
    """Drop a tag's unused ID, prefix its other IDs and shorten its numbers."""
    tag = IDLE.sub("", BREAK.sub("", ID.sub(lambda match: match[0] if match[1] in used else "", tag)))
    return LONG.sub(lambda number: f"{float(number[0]):.1f}", NAMED.sub(rf"\g<1>{prefix}-", tag))


def _class(style: str, rules: dict[str, str]) -> str:
    """Return the class of a style, the same in all charts, and add its rule where it is new."""
    name = f"s{hashlib.sha256(style.encode()).hexdigest()[:8]}"
    rules[name] = f".{name}{{{_themed(style)}}}"
    return f' class="{name}"'


def _themed(style: str) -> str:
    """Replace placeholder colours by variables, and drop the font so that the page's applies."""
    for colour, variable in VARIABLES.items():
        style = style.replace(colour, f"var({variable})")
    return FACE.sub("", style)
