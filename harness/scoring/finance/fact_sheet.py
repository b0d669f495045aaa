"""Parse a fact sheet: rows of entity, period, metric, unit and value, and the statements a report must have.

A sheet is text with one table under the head `entity | period | metric | unit | value`. A value in brackets, or with a
minus, is negative; the unit `name` marks a value that is a name, such as a rating. After a line that begins with
"Required", each line `- one wording / another wording` is a statement that a report must have in one of the wordings.
Values have the canonical units of `text.quantities`: cents, basis points, plain counts.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from fractions import Fraction
from typing import NamedTuple

from harness.errors import refuse_all
from harness.scoring.base import DocumentCache
from harness.scoring.finance.periods import Period, periods_in
from harness.scoring.grounding.label_units import readings_of
from harness.scoring.text.normalize import lower, plain
from harness.scoring.text.numbers import digits_value, step
from harness.scoring.text.phrases import BEFORE, Phrases
from harness.scoring.text.quantities import Figure, SizeKey, size_key

HEAD = ("entity", "period", "metric", "unit", "value")
NAME = "name"
"""Unit of rows with a name as value."""
UNITS = "percent, %, basis points, bps, count, name, or USD, EUR or GBP with thousands or millions"
ALIASES = {
    "net operating income": ("operating income", "NOI"),
    "net income": ("net loss", "net profit", "net earnings"),
    "net asset value": ("NAV", "net assets"),
    "distributions paid": ("distributions", "distributed"),
    "return": ("return", "returned"),
    "occupancy rate": ("occupancy", "occupied"),
    "loan-to-value ratio": ("loan-to-value", "LTV"),
    "rental revenue": ("rental income", "rents"),
    "expense ratio": ("expenses",),
}
"""Other names of metrics, or of those that have a word."""
KINDS_OF_FUND = {"fund", "trust", "reit", "etf", "portfolio", "partnership", "index", "benchmark", "composite"}
BENCHMARKS = ("index", "benchmark", "composite")
"""Words for a benchmark, in its name or alone."""
FUNDS = ("fund", "trust", "reit", "partnership")
"""Words for a fund that stand alone for the one that was named."""
NUMBER = re.compile(r"\(?[-\u2212]?\s?(\d[\d,]*(?:\.\d+)?)\)?")
WORD = re.compile(r"[a-z0-9]+")


class SheetRow(NamedTuple):
    """One line of the table; the figure's range is that of its value in the sheet."""

    entity: str
    period: Period
    metric: str
    figure: Figure
    """The value without its sign, in the canonical unit; for a name as `name_key` writes it."""
    shown: Fraction | str
    """The number as the sheet prints it, without sign and scale."""
    sign: int

    @property
    def value(self) -> Fraction:
        """The number with its sign; 0 for a name."""
        return Fraction(0) if isinstance(self.figure.value, str) else self.figure.value * self.sign

    @property
    def place(self) -> str:
        """Entity, period and metric in one."""
        return f"{self.entity}, {self.period.part} {self.period.year}, {self.metric}"


class Sheet(NamedTuple):
    """A fact sheet, prepared for finding its names in an answer."""

    rows: tuple[SheetRow, ...]
    disclosures: tuple[tuple[str, ...], ...]
    """Accepted wordings of each required statement, as `wording_key` writes them."""
    by_size: dict[SizeKey, tuple[SheetRow, ...]]
    metrics: dict[str, frozenset[str]]
    """Metrics by the unit of their values."""
    periods: frozenset[Period]
    known: frozenset[str]
    """Every entity and named value, as `name_key` writes it."""
    names: Phrases[tuple[str, frozenset[str]]]
    """Finds entities, metrics and named values: kind, and the names of the sheet that may be meant."""
    lines: frozenset[str]
    """The table's lines, to recognise a copy."""


def name_key(name: str) -> str:
    """Return a name in lower case with single spaces."""
    return " ".join(name.lower().split())


def is_benchmark(entity: str) -> bool:
    """Whether an entity is an index, by a word of its name."""
    return any(word in BENCHMARKS for word in entity.lower().split())


def wording_key(text: str) -> str:
    """Return the words of a text between single spaces, without case, punctuation and line breaks."""
    return " ".join(WORD.findall(lower(plain(text))))


@DocumentCache
def read_sheet(document: str) -> Sheet:
    """Parse the sheet in a document. Raises one UserError for a missing head, bad rows and conflicting values."""
    problems: list[str] = []
    rows: list[SheetRow] = []
    wordings: list[tuple[str, ...]] = []
    table, required, at = False, False, 0
    for number, line in enumerate(document.splitlines(keepends=True), 1):
        cells = [cell.strip() for cell in line.split("|")]
        if len(cells) == 1:
            required = required or line.lower().startswith("required")
            if required and line.lstrip().startswith("-"):
                wordings.append(tuple(wording_key(w) for w in line.strip().lstrip("- ").split(" / ") if w.strip()))
        elif tuple(cell.lower() for cell in cells) == HEAD:
            table = True
        else:
            row = _row(cells, at + len(line.rstrip()) - len(cells[-1]))
            rows += [row] if isinstance(row, SheetRow) else []
            problems += [f"line {number}: {row}"] if isinstance(row, str) else []
        at += len(line)
    if not table:
        problems.insert(0, f"it has no line '{' | '.join(HEAD)}' ; a fact sheet's table begins with it")
    refuse_all([f"fact sheet: {p}" for p in problems + _conflicts(rows)], "fact sheet that cannot be read")
    by_size: dict[SizeKey, tuple[SheetRow, ...]] = {}
    for row in rows:
        key = size_key(row.figure.unit, row.figure.value)
        by_size[key] = (*by_size.get(key, ()), row)
    units = {row.figure.unit for row in rows}
    return Sheet(
        rows=tuple(rows),
        disclosures=tuple(wordings),
        by_size=by_size,
        metrics={unit: frozenset(row.metric for row in rows if row.figure.unit == unit) for unit in units},
        periods=frozenset(row.period for row in rows),
        known=frozenset(name_key(str(name)) for r in rows for name in (r.entity, r.figure.value)),
        names=_names(rows),
        lines=frozenset(" ".join(line.split()) for line in document.splitlines() if "|" in line),
    )


def _row(cells: Sequence[str], at: int) -> SheetRow | str:
    """A row whose value is at an offset, or what is wrong with it."""
    if len(cells) != len(HEAD):
        return f"it has {len(cells)} cells, expected {len(HEAD)}: {', '.join(HEAD)}"
    entity, period, metric, unit, value = cells
    known = next((each for _, _, each in periods_in(period)), None)
    if known is None or not (known.part and known.year):
        return f"period {period!r} cannot be read. Write Q2 2025, H1 2025 or FY 2025"
    if unit.lower() == NAME:
        figure = Figure(at, at + len(value), NAME, NAME, name_key(value))
        return SheetRow(entity, known, metric.lower(), figure, value, 1)
    number = NUMBER.fullmatch(value)
    if not number:
        return f"value {value!r} is not a number"
    shown = digits_value(number[1])
    bare = Figure(at, at + len(value), "count", "", shown, step=step(number[1]))
    readings = readings_of(bare, [unit])
    if len(readings) == 1 and unit.lower() != "count":
        return f"unit {unit!r} is unknown. Expected one of {UNITS}"
    return SheetRow(entity, known, metric.lower(), readings[:2][-1], shown, -1 if value[0] in "(-\u2212" else 1)


def _conflicts(rows: Iterable[SheetRow]) -> list[str]:
    values: dict[str, tuple[object, int]] = {}
    said = [(row.place, (row.figure.value, row.sign)) for row in rows]
    return [f"{place} has two values; keep one" for place, value in said if values.setdefault(place, value) != value]


def _names(rows: Sequence[SheetRow]) -> Phrases[tuple[str, frozenset[str]]]:
    """Every spelling with its kind and the names that it may mean."""
    ways: dict[str, dict[str, set[str]]] = {}
    for row in rows:
        for way in _short_names(name_key(row.entity)):
            ways.setdefault(way, {}).setdefault("entity", set()).add(row.entity)
        for way in metric_ways(row.metric):
            ways.setdefault(way, {}).setdefault("metric", set()).add(row.metric)
        if row.figure.unit == NAME:
            ways.setdefault(str(row.figure.value), {}).setdefault(NAME, set()).add(str(row.figure.value))
    benchmarks = {row.entity for row in rows if is_benchmark(row.entity)}
    if benchmarks:
        bare = ((BENCHMARKS, benchmarks), (FUNDS, {row.entity for row in rows} - benchmarks))
        ways |= {word: {"entity": set(meant)} for words, meant in bare for word in words if meant}
    for row in rows:
        for kind, name in (("entity", row.entity), ("metric", row.metric)):
            ways[name_key(name)][kind] = {name}
    kinds = {way: min(kinds.items()) for way, kinds in ways.items() if any(map(str.isalnum, way))}
    return Phrases({way: (kind, frozenset(meant)) for way, (kind, meant) in kinds.items()}, BEFORE, r"(?![\w+])")


def metric_ways(metric: str) -> Iterator[str]:
    """Yield spellings of a metric in lower case: its name, without "rate" or "per share", and its other names."""
    stem = re.sub(r"\s+(?:rate|ratio|paid|held|per (?:share|unit))$", "", metric)
    other = next((ways for word, ways in ALIASES.items() if word == metric or word in WORD.findall(metric)), ())
    for way in (metric, stem, *other):
        yield name_key(way)
        yield name_key(way).removesuffix("s") if way[-1:] == "s" else f"{name_key(way)}s"


def _short_names(entity: str) -> list[str]:
    """The name, its beginnings ("Alder Row Income" to "Alder"), these with the kind of fund, and its last words."""
    words = entity.split()
    starts = [" ".join(words[:n]) for n in range(1, len(words) + 1)]
    ends = [f"{start} {words[-1]}" for start in starts[:-1] if words[-1] in KINDS_OF_FUND]
    return [*starts, *ends, *(" ".join(words[n:]) for n in range(1, len(words) - 1))]
