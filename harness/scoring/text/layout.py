"""Find the cells of tables and of JSON in a text, with the labels of each: row, column and caption.

A table is a run of lines whose cells are parted by bars, as Markdown writes them, or by two or more spaces. A column's
head is above it; the caption is the nearest line before the table that ends no sentence. In JSON a label is the path of
keys.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NamedTuple

CELL = re.compile(r"\S+(?:[ ]\S+)*")
VALUE = re.compile(
    r"[-+\u2212\u2013(\[]{0,2}(?:US)?[$€£]?\s?[-\u2212(]?\d[\d,.]*\s?(?:%|x|bps?|million|[kmb])?[)\]]?\s?[*†‡§]*"
    r"(?:\(\w\))?",
    re.I,
)
RULE = re.compile(r"[\s|:=+\u2500-\u257f_-]*[-=_\u2500]{2}[\s|:=+\u2500-\u257f_-]*")
JSON_PART = re.compile(r'"(?P<key>(?:[^"\\]|\\.)*)"\s*:|"(?P<text>(?:[^"\\]|\\.)*)"|(?P<number>-?\d[\d.]*)|[][{},]')
YEAR = re.compile(r"(?:FY\s?)?(?:19|20)\d\d", re.I)
DIGIT, LETTER = re.compile(r"\d"), re.compile(r"[^\W\d_]")
MARK = re.compile(r"[$€£%]|\b(?:bps|basis points|(?:in)?(?:thousand|million)s?|percent|USD|EUR|GBP)\b", re.I)
"""A unit, in a caption."""
SCALED = re.compile(
    r"\((?:[a-z]+ ){0,3}in\s?(?:thousands|millions|billions)\b[^()\n]{0,60}\)"
    r"|(?:[$€£]|\b(?:money|amounts?|dollars|figures|USD|EUR|GBP)\b)[^.;,\n]{0,40}\b(?:thousands|millions|000s)\b"
    r"|\b(?:thousands|millions|000s)\b(?: of)? (?:U\.S\. )?(?:dollars|euros|pounds)",
    re.I,
)
"""The scale of a table, said in a line before it: "as follows (in thousands):"."""
MOST_HEADS = 4
"""Lines of a table's head."""
LONGEST_CAPTION, LONGEST_ROW = 120, 200
DEEP = 8
"""Spaces before a part of a head that stands alone in its line."""
NEAR = 3
"""Columns of text between a cell and its head."""
FENCED = re.compile(r"```\w*\s*(?=[{\[])(?P<json>[^`]*)")
"""A block of code that may be JSON."""
Range = tuple[int, int]


class Cell(NamedTuple):
    """One cell with a value: its range, its table, row and column, and the ranges of its labels."""

    start: int
    end: int
    table: int
    row: int
    column: int
    labels: tuple[Range, ...]
    """Of the row, then of the column."""
    captions: tuple[Range, ...]


def cells_in(text: str) -> list[Cell]:
    """List the cells of a text in order."""
    fenced = FENCED.search(text) if "```" in text else None
    start, end = fenced.span("json") if fenced else (0, len(text))
    if (fenced or text.lstrip()[:1] in "{[") and '":' in text[start:end]:
        return list(_json_cells(text, start, end))
    return list(_Tables(text).cells())


class Line(NamedTuple):
    """A line of a table: its cells as ranges; a bar parts empty cells too."""

    start: int
    cells: tuple[Range, ...]
    has_bars: bool


class _Tables:
    """Reads the lines of a text one after another, with the head and the captions that hold for the next row."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.heads: list[Line] = []
        self.captions: tuple[Range, ...] = ()
        self.unit: tuple[Range, ...] = ()
        self.table = self.row = 0

    def cells(self) -> Iterator[Cell]:
        at, previous = 0, ""
        for raw in self.text.splitlines(keepends=True):
            content = raw.rstrip()
            line = _line(content, at) if content and not RULE.fullmatch(content) else None
            if line is not None and len(line.cells) > 1 and not self._is_head(line, previous):
                if previous == "unit" and self.heads and len(self.heads[-1].cells) > len(line.cells) + 1:
                    self.heads = []  # of another table, above the line that says the unit of this one
                previous = "row"
                self.row += 1
                yield from self._row(line)
            elif line is not None and len(line.cells) > 1:
                self.heads = [*self.heads, line] if previous == "head" and len(self.heads) < MOST_HEADS else [line]
                previous = "head"
                self.table += 1
                self._take_unit(line)
            elif line is not None:
                self.heads = [*self.heads, line] if previous == "head" else self.heads
                self._take_unit(line)
            elif content and not RULE.fullmatch(content):
                here = ((at, at + len(content)),)
                self.captions = here if len(content) <= LONGEST_CAPTION else self.captions
                self.unit = here if self.captions == here and MARK.search(content) else self.unit
                previous = "unit" if self.unit == here else "text"
                for scale in SCALED.finditer(content):
                    self.unit = ((at + scale.start(), at + scale.end()),)
            elif not content and previous not in ("head", "unit"):
                previous = ""
            at += len(raw)

    def _take_unit(self, line: Line) -> None:
        """A unit alone in its line, such as "(in thousands)", is that of the whole table."""
        written = [cell for cell in line.cells if cell[0] < cell[1]]
        if len(written) == 1 and MARK.search(self.text, *written[0]) and not DIGIT.search(self.text, *written[0]):
            self.unit = (written[0],)

    def _is_head(self, line: Line, previous: str) -> bool:
        """Whether a line is a table's head: it has no value, and no row can precede it."""
        if any(VALUE.fullmatch(self.text, *cell) and not YEAR.fullmatch(self.text, *cell) for cell in line.cells[1:]):
            return False
        return previous != "row" if line.has_bars else previous != "row" or self.text[line.start].isspace()

    def _is_label(self, cell: Range) -> bool:
        return bool(LETTER.search(self.text, *cell)) and not DIGIT.search(self.text, *cell)

    def _row(self, line: Line) -> Iterator[Cell]:
        captions = (*self.captions, *(each for each in self.unit if each not in self.captions))
        labels = [cell for at, cell in enumerate(line.cells) if not at or self._is_label(cell)]
        stubs = [h.cells[0] for h in self.heads if h.cells[0][0] - h.start < line.cells[0][1] - line.start]
        for at, cell in enumerate(line.cells):
            if at and cell[0] < cell[1]:
                heads = [h.cells[at] for h in self.heads[::-1] if at < len(h.cells)]
                head = heads if line.has_bars else _above(self.heads, line, cell)
                others = [other for other in labels if other != cell]
                column = head[0][0] if head else at
                yield Cell(*cell, self.table, self.row, column, (*others, *head), (*stubs, *captions))


def _line(content: str, at: int) -> Line | None:
    """The cells of a line, or None if it is no line of a table."""
    bar = "\t" if "\t" in content else "|"
    if content.count("|") > 1 or " | " in content or bar == "\t":
        ranges = []
        body = content.rstrip().removesuffix("|")
        first = len(body) - len(body.lstrip())
        start = first + 1 if body[first : first + 1] == "|" else 0
        for part in body[start:].split(bar):
            lead = len(part) - len(part.lstrip())
            ranges.append((at + start + lead, at + start + max(lead, len(part.rstrip()))))
            start += len(part) + 1
        return Line(at, tuple(ranges), True)
    cells = tuple((at + m.start(), at + m.end()) for m in CELL.finditer(content))
    if len(cells) > 1 and len(content) <= LONGEST_ROW:
        return Line(at, cells, False)
    return Line(at, cells, False) if len(content) - len(content.lstrip()) > DEEP else None


def _above(heads: list[Line], line: Line, cell: Range) -> list[Range]:
    """The parts of the head over a cell: those that overlap it, or else the nearest of each line."""
    start, end = cell[0] - line.start, cell[1] - line.start
    over = []
    for head in heads:
        shifted = [(first - head.start, last - head.start, (first, last)) for first, last in head.cells]
        here = [whole for first, last, whole in shifted if first < end and start < last]
        if not here:
            near = [
                (min(abs(first - end), abs(start - last), abs(last - end)), whole) for first, last, whole in shifted
            ]
            here = [min(near)[1]] if near and min(near)[0] <= NEAR else []
        over += here[-1:]
    return over[::-1]


def _json_cells(text: str, start: int, end: int) -> Iterator[Cell]:
    """Values of the JSON in a range, each with the keys on the way to it as its labels."""
    path: list[Range | None] = []
    key: Range | None = None
    row = 0
    for part in JSON_PART.finditer(text, start, end):
        if part["key"] is not None:
            key = part.span("key")
        elif part["text"] is not None or part["number"] is not None:
            span = part.span("text" if part["text"] is not None else "number")
            keys = [each for each in (*path, key) if each]
            row += 1
            yield Cell(*span, 0, row, 0, tuple(keys[::-1][:2]), tuple(keys[::-1][2:]))
            key = key if path and path[-1] is None else None
        elif part[0] in "{[":
            path.append(key)
            key = None
        elif part[0] in "]}" and path:
            path.pop()
            key = None
