"""Parse a fact sheet: rows of entity, period, metric, unit and value, and the statements a report must have.

A sheet is text with one table under the head `entity | period | metric | unit | value`. A value in brackets, or with a
minus, is negative; the unit `name` marks a value that is a name, such as a rating. After a line that begins with
"Required", each line `- one wording / another wording` is a statement that a report must have in one of the wordings.
Values have the canonical units of `text.quantities`: cents, basis points, plain counts.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from fractions import Fraction
from typing import NamedTuple

from harness.errors import refuse_all
from harness.scoring.base import DocumentCache
from harness.scoring.finance.vocabulary import PERIOD, PERIOD_LETTERS, period_key, read_words
from harness.scoring.text.normalize import plain
from harness.scoring.text.quantities import SizeKey, figures_in, size_key

HEAD = ("entity", "period", "metric", "unit", "value")
NAME = "name"
"""Unit of rows with a name as value."""
SCALES = {"": 1, "thousands": 10**3, "millions": 10**6, "billions": 10**9}
CURRENCIES = ("USD", "EUR", "GBP")
UNITS: dict[str, tuple[str, int]] = {
    "percent": ("bp", 100),
    "%": ("bp", 100),
    "basis points": ("bp", 1),
    "bps": ("bp", 1),
    "count": ("", 1),
    NAME: (NAME, 1),
}
"""Canonical unit and factor by the unit's name in the sheet, besides money."""
ALIASES = {
    "net operating income": ("operating income", "NOI"),
    "net income": ("net loss", "net profit", "net earnings"),
    "net asset value": ("NAV", "net assets"),
    "distributions paid": ("distributions", "distributed"),
    "total return": ("return", "returns", "returned"),
    "occupancy rate": ("occupancy", "occupied"),
    "loan-to-value ratio": ("loan-to-value", "LTV"),
    "rental revenue": ("rental income", "rents"),
    "expense ratio": ("expenses",),
}
"""Other names of metrics; one that two metrics of a sheet share counts for neither."""
KINDS_OF_FUND = {"fund", "trust", "reit", "etf", "portfolio", "partnership", "index", "benchmark", "composite"}
NUMBER = re.compile(r"\(?[-\u2212]?\s?\d[\d,]*(?:\.\d+)?\)?")


class SheetRow(NamedTuple):
    """One line of the table, with the range of its value in the sheet."""

    entity: str
    period: str
    metric: str
    unit: str
    value: Fraction | str
    """Signed, in the canonical unit; a name as `name_key` writes it."""
    size: Fraction | str
    """The value without its sign."""
    shown: Fraction
    """The number as the sheet prints it, without sign and scale."""
    start: int
    end: int
    place: str
    """Entity, period and metric in one."""


class Sheet(NamedTuple):
    """A fact sheet, prepared for finding its names in an answer."""

    rows: tuple[SheetRow, ...]
    disclosures: tuple[tuple[str, ...], ...]
    """Accepted wordings of each required statement, as `wording_key` writes them."""
    by_size: dict[SizeKey, tuple[SheetRow, ...]]
    metrics: dict[str, frozenset[str]]
    """Metrics by the unit of their values."""
    periods: tuple[str, ...]
    """Keys of the periods, in chronological order."""
    names: tuple[str, ...]
    """Every fund, benchmark and rating of the sheet."""
    mentions: re.Pattern[str]
    """Finds entities, periods, metrics and named values in lower-case text; the group names the kind."""
    means: dict[str, tuple[str, str]]
    """Kind and canonical name by the lower-case words of a mention."""
    loose: frozenset[SizeKey]
    """Figures outside the table."""
    lines: frozenset[str]
    """The table's lines, to recognise a copy."""


def name_key(name: str) -> str:
    """Return a name in lower case with single spaces."""
    return " ".join(name.lower().split())


def wording_key(text: str) -> str:
    """Return the words of a text, without case, punctuation and line breaks."""
    return read_words(plain(text)).plain.strip()


@DocumentCache
def read_sheet(document: str) -> Sheet:
    """Parse the sheet in a document. Raises one UserError for a missing head, bad rows and conflicting values."""
    problems: list[str] = []
    rows: list[SheetRow] = []
    wordings: list[tuple[str, ...]] = []
    outside: list[str] = []
    table, required, at = False, False, 0
    for number, line in enumerate(document.splitlines(keepends=True), 1):
        cells = [cell.strip() for cell in line.split("|")]
        if len(cells) == 1:
            required = required or line.lower().startswith("required")
            if required and line.lstrip().startswith("-"):
                wordings.append(tuple(wording_key(w) for w in line.strip().lstrip("- ").split(" / ") if w.strip()))
            outside.append(line)
        elif tuple(cell.lower() for cell in cells) == HEAD:
            table = True
        else:
            row = _row(cells, at + line.rindex("|") + 1, line[line.rindex("|") + 1 :])
            rows += [row] if isinstance(row, SheetRow) else []
            problems += [f"line {number}: {row}"] if isinstance(row, str) else []
        at += len(line)
    if not table:
        problems.insert(0, f"it has no line '{' | '.join(HEAD)}' ; a fact sheet's table begins with it")
    refuse_all([f"fact sheet: {p}" for p in problems + _conflicts(rows)], "fact sheet that cannot be read")
    return _sheet(rows, wordings, "".join(outside), document)


def _row(cells: Sequence[str], at: int, cell: str) -> SheetRow | str:
    """A row, or what is wrong with it."""
    if len(cells) != len(HEAD):
        return f"it has {len(cells)} cells, expected {len(HEAD)}: {', '.join(HEAD)}"
    entity, period, metric, unit, value = cells
    canonical = _unit(unit)
    if canonical is None:
        known = [*UNITS, "USD, EUR or GBP with thousands or millions"]
        return f"unit {unit!r} is unknown. Expected one of {', '.join(known)}"
    key = period_key(period)
    if key is None:
        return f"period {period!r} cannot be read. Write Q2 2025, H1 2025 or FY 2025"
    start = at + len(cell) - len(cell.lstrip())
    place = f"{entity}, {key}, {metric.lower()}"
    if canonical[0] == NAME:
        name = name_key(value)
        return SheetRow(entity, key, metric.lower(), NAME, name, name, Fraction(0), start, start + len(value), place)
    if not NUMBER.fullmatch(value):
        return f"value {value!r} is not a number"
    shown = Fraction(re.sub(r"[^\d.]", "", value))
    size = shown * canonical[1]
    signed = -size if value[0] in "(-\u2212" else size
    return SheetRow(entity, key, metric.lower(), canonical[0], signed, size, shown, start, start + len(value), place)


def _unit(written: str) -> tuple[str, int] | None:
    if written.lower() in UNITS:
        return UNITS[written.lower()]
    currency, _, scale = written.partition(" ")
    if currency in CURRENCIES and scale.lower() in SCALES:
        return currency, 100 * SCALES[scale.lower()]
    return None


def _conflicts(rows: Iterable[SheetRow]) -> list[str]:
    values: dict[tuple[str, str, str], Fraction | str] = {}
    conflicts = []
    for row in rows:
        place = (row.entity, row.period, row.metric)
        if values.setdefault(place, row.value) != row.value:
            conflicts.append(f"{', '.join(place)} has two values; keep one")
    return conflicts


def _sheet(rows: Sequence[SheetRow], wordings: Iterable[tuple[str, ...]], outside: str, document: str) -> Sheet:
    by_size: dict[SizeKey, tuple[SheetRow, ...]] = {}
    for row in rows:
        key = size_key(row.unit, row.size)
        by_size[key] = (*by_size.get(key, ()), row)
    entities = list(dict.fromkeys(row.entity for row in rows))
    values = list(dict.fromkeys(str(row.value) for row in rows if row.unit == NAME))
    means = _meanings(entities, list(dict.fromkeys(row.metric for row in rows)), values)
    return Sheet(
        rows=tuple(rows),
        disclosures=tuple(wordings),
        by_size=by_size,
        metrics={unit: frozenset(r.metric for r in rows if r.unit == unit) for unit in {r.unit for r in rows}},
        periods=tuple(sorted({row.period for row in rows}, key=_in_time)),
        names=(*(name_key(entity) for entity in entities), *values),
        mentions=_pattern(means),
        means=means,
        loose=frozenset(size_key(f.unit, f.value) for f in figures_in(outside)),
        lines=frozenset(" ".join(line.split()) for line in document.splitlines() if "|" in line),
    )


def _in_time(period: str) -> tuple[str, str]:
    return period[-4:], period[:-4]


def _meanings(entities: Sequence[str], metrics: Sequence[str], values: Sequence[str]) -> dict[str, tuple[str, str]]:
    """Kind and canonical name by each spelling; a spelling that two names share is left out."""
    ways: dict[str, set[tuple[str, str]]] = {}
    for entity in entities:
        for way in _short_names(name_key(entity)):
            ways.setdefault(way, set()).add(("entity", entity))
    for metric in metrics:
        for way in metric_ways(metric):
            ways.setdefault(way, set()).add(("metric", metric))
    for value in values:
        ways.setdefault(value, set()).add((NAME, value))
    full = {name_key(e): ("entity", e) for e in entities} | {m: ("metric", m) for m in metrics}
    return {way: next(iter(meant)) for way, meant in ways.items() if len(meant) == 1} | full


def metric_ways(metric: str) -> list[str]:
    """List spellings of a metric in lower case: its name, the name without "rate" or "ratio", its other names."""
    stem = re.sub(r"\s+(?:rate|ratio|paid|held)$", "", metric)
    return [name_key(way) for way in (metric, stem, *ALIASES.get(metric, ()))]


def _short_names(entity: str) -> list[str]:
    """The name, its beginnings ("Alder Row Income" to "Alder"), these with the kind of fund, and its last words."""
    words = entity.split()
    starts = [" ".join(words[:n]) for n in range(1, len(words) + 1)]
    ends = [f"{start} {words[-1]}" for start in starts[:-1] if words[-1] in KINDS_OF_FUND]
    tails = [" ".join(words[n:]) for n in range(1, len(words) - 1)]
    return list(dict.fromkeys([*starts, *ends, *tails]))


def _pattern(means: dict[str, tuple[str, str]]) -> re.Pattern[str]:
    def either(kind: str) -> str:
        ways = sorted((way for way, meant in means.items() if meant[0] == kind), key=len, reverse=True)
        return "|".join(re.escape(way).replace(r"\ ", r"\s+") for way in ways) or r"(?!)"

    kinds = "|".join(f"(?P<{kind}>{either(kind)})" for kind in (NAME, "entity", "metric"))
    first = re.escape("".join(sorted({way[0] for way in means} | set(PERIOD_LETTERS))))
    return re.compile(rf"\b(?=[{first}])(?:(?:{kinds})(?![\w+])|{PERIOD})")
