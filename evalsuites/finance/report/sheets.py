"""Draw fact sheets: funds, periods, metrics and values that make every kind of case possible.

The suite and training share no values: every amount, percentage and change is a multiple of three of its last
digit shown in the suite, and never in training.
"""

import random
import tomllib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

BANKS = Path(__file__).parent / "banks"
FLOWS = ("net operating income", "rental revenue", "fee income")
RANGES = {"occupancy rate": (741, 989), "loan-to-value ratio": (331, 619)}
SHARES = tuple(RANGES)
UNITS = {
    "net income": "USD thousands",
    "net asset value": "USD millions",
    "expense ratio": "basis points",
    "rating": "name",
} | dict.fromkeys(FLOWS, "USD thousands")


@dataclass(frozen=True)
class Value:
    """A value of the table: `number` in thousands of dollars, tenths of a million or of a percent, or basis points."""

    entity: str
    period: str
    metric: str
    number: int
    name: str = ""

    @property
    def cell(self) -> str:
        if self.name:
            return self.name
        size = abs(self.number)
        tenths = self.metric == "net asset value" or unit_of(self.metric) == "percent"
        text = f"{size / 10:,.1f}" if tenths else f"{size:,}"
        return f"({text})" if self.number < 0 else text

    @property
    def line(self) -> str:
        return " | ".join((self.entity, self.period, self.metric, unit_of(self.metric), self.cell))


@dataclass
class Sheet:
    """A sheet: `first` and `second` are its funds, `before` and `now` its periods."""

    first: str
    second: str
    before: str
    now: str
    heading: str
    required: str
    flow: str
    share: str
    alike: bool
    statements: list[list[str]]
    values: dict[tuple[str, str, str], Value] = field(default_factory=dict)
    order: list[tuple[str, str, str]] = field(default_factory=list)

    @property
    def gap(self) -> str:
        """The metric that the sheet may have for the other fund and the other period alone."""
        return next(metric for metric in SHARES if metric != self.share)

    def number(self, entity: str, period: str, metric: str) -> int:
        return self.values[entity, period, metric].number

    def document(self) -> str:
        rows = "\n".join(self.values[place].line for place in self.order if place in self.values)
        listed = "\n".join(f"- {' / '.join(wordings)}" for wordings in self.statements)
        head = "entity | period | metric | unit | value"
        return f"{self.heading}\n{head}\n{rows}\n{self.required}\n{listed}"


def unit_of(metric: str) -> str:
    return UNITS.get(metric, "percent")


@cache
def bank(name: str) -> dict[str, Any]:
    """The phrases of `eval` or `train`."""
    return tomllib.loads((BANKS / f"{name}.toml").read_text("utf-8"))


class Numbers:
    """Draws values that are, or are not, multiples of three, and never one twice in a sheet."""

    def __init__(self, rng: random.Random, threes: bool) -> None:
        self.rng, self.threes = rng, threes
        self.taken: set[tuple[str, int]] = set()

    def draw(self, metric: str, least: int, most: int, rest: int) -> int:
        """A number of the metric's own step; `rest` is its remainder by three outside the suite."""
        family = {"percent": "bp", "basis points": "bp"}.get(unit_of(metric), "money")
        size = {"USD thousands": 10, "USD millions": 100, "percent": 10}
        while True:
            number = self.rng.randint(least, most)
            key = (family, number * size.get(unit_of(metric), 1))
            if number % 3 == (0 if self.threes else rest) and key not in self.taken and number % 10:
                self.taken.add(key)
                return number


def draw_sheet(name: str, rng: random.Random, kinds: Sequence[str]) -> Sheet:
    """A sheet from the bank `name` that cases of these kinds can ask about."""
    pools = bank(name)["pools"]
    sheet = _blank(pools, rng)
    numbers = Numbers(rng, name == "eval")
    put = _putter(sheet)
    change = _flow(sheet, numbers, put, name == "eval")
    while not change:
        change = _flow(sheet, numbers, put, name == "eval")
    for entity in (sheet.first, sheet.second):
        least, most = RANGES[sheet.share]
        before = numbers.draw(sheet.share, least, most, 1)
        now = numbers.draw(sheet.share, max(least, before - 60), min(most, before + 60), 2)
        put(entity, sheet.before, sheet.share, before)
        put(entity, sheet.now, sheet.share, now)
    if "negative" in kinds:
        _losses(sheet, numbers, put)
    if "units" in kinds:
        for entity in (sheet.first, sheet.second):
            put(entity, sheet.now, "net asset value", numbers.draw("net asset value", 211, 989, 1))
            put(entity, sheet.now, "expense ratio", numbers.draw("expense ratio", 41, 189, 2))
    if not {"negative", "units"} & set(kinds):
        for entity in (sheet.first, sheet.second):
            put(entity, sheet.now, "total return", numbers.draw("total return", 11, 49, 1))
    if "not_reported" in kinds:
        for entity, period in ((sheet.first, sheet.before), (sheet.second, sheet.now)):
            put(entity, period, sheet.gap, numbers.draw(sheet.gap, *RANGES[sheet.gap], 1))
    if rng.random() < 0.5 and (sheet.first, sheet.now, "total return") in sheet.values:
        put(rng.choice(pools["benchmarks"]), sheet.now, "total return", numbers.draw("total return", 11, 59, 1))
    _names(sheet, rng, pools, put, rated="not_reported" not in kinds or rng.random() < 0.4)
    sheet.order = list(sheet.values)
    rng.shuffle(sheet.order)
    return sheet


Put = Callable[..., None]


def _blank(pools: dict[str, list[Any]], rng: random.Random) -> Sheet:
    stems = [f"{a} {b}" for a, b in zip(rng.sample(pools["firsts"], 2), rng.sample(pools["seconds"], 2), strict=True)]
    types = rng.sample(pools["types"], 2)
    alike = rng.random() < 0.5
    year = rng.choice(pools["years"])
    quarter = rng.randint(1, 3)
    before, now = rng.choice(
        [
            (f"Q{quarter} {year}", f"Q{quarter + 1} {year}"),
            (f"Q{quarter} {year - 1}", f"Q{quarter} {year}"),
            (f"FY {year - 1}", f"FY {year}"),
        ]
    )
    return Sheet(
        first=f"{stems[0]} {types[0]}",
        second=f"{stems[0] if alike else stems[1]} {types[1]}",
        before=before,
        now=now,
        heading=rng.choice(pools["headings"]),
        required=pools["required"],
        flow=rng.choice(FLOWS),
        share=rng.choice(SHARES),
        alike=alike,
        statements=rng.sample(pools["statements"], rng.randint(1, 2)),
    )


def _putter(sheet: Sheet) -> Put:
    def put(entity: str, period: str, metric: str, number: int = 0, name: str = "") -> None:
        tens = 10 if unit_of(metric) == "USD thousands" else 1
        sheet.values[entity, period, metric] = Value(entity, period, metric, number * tens, name)

    return put


def _flow(sheet: Sheet, numbers: Numbers, put: Put, threes: bool) -> bool:
    """Amounts of both funds and periods; False where the percent change belongs to the other side."""
    drawn = {}
    for entity in (sheet.first, sheet.second):
        before = numbers.draw(sheet.flow, 121, 899, 1)
        now = numbers.draw(sheet.flow, before * 4 // 5, before * 6 // 5 + 3, 2)
        drawn[entity] = (before, now)
    for entity, (before, now) in drawn.items():
        put(entity, sheet.before, sheet.flow, before)
        put(entity, sheet.now, sheet.flow, now)
    before, now = drawn[sheet.first]
    tenths = tenths_of_change(before, now)
    return abs(tenths) >= 10 and (tenths % 3 == 0) == threes


def tenths_of_change(before: int, now: int) -> int:
    """The change in tenths of a percent, rounded, halves away from zero."""
    size = (abs(now - before) * 2000 + before) // (2 * before)
    return size if now > before else -size


def _losses(sheet: Sheet, numbers: Numbers, put: Put) -> None:
    put(sheet.first, sheet.before, "net income", numbers.draw("net income", 31, 199, 1))
    put(sheet.first, sheet.now, "net income", -numbers.draw("net income", 31, 199, 2))
    put(sheet.second, sheet.now, "net income", numbers.draw("net income", 31, 199, 1))
    put(sheet.first, sheet.now, "total return", -numbers.draw("total return", 11, 79, 2))
    put(sheet.second, sheet.now, "total return", numbers.draw("total return", 11, 79, 1))


def _names(sheet: Sheet, rng: random.Random, pools: dict[str, list[str]], put: Put, rated: bool) -> None:
    if rated:
        for entity, rating in zip((sheet.first, sheet.second), rng.sample(pools["ratings"], 2), strict=True):
            put(entity, sheet.now, "rating", 0, rating)
