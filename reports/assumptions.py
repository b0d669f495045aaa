"""What a reader may state and no run measures: how long people take, what an hour costs. Knows no run, no wording."""

from __future__ import annotations

from pathlib import Path

import msgspec
from msgspec import Struct, field

from harness.errors import refuse_all
from harness.files import read_toml


class Assumptions(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What no run measures: a TOML file of these keys, each with a default."""

    minutes_per_review: float = 5.0
    """Minutes in which a person reads one answer beside its source."""
    minutes_per_fix: float = 10.0
    """Minutes more that an answer costs which is wrong or not whole."""
    answers_per_month: int | None = None
    """Answers that people read in a month."""
    cost_per_hour: float | None = None
    """What an hour of review costs."""
    currency: str = ""
    """Of that cost."""
    metrics: dict[str, str] = field(default_factory=dict)
    """By suite, the metric that says which answers need no fix."""


def load(path: Path) -> Assumptions:
    """Read a file of assumptions; everything that is wrong with it is named in one UserError."""
    found = read_toml(path, "Expected assumptions of a business estimate")
    known = Assumptions.__struct_fields__
    problems = [f"unknown key '{key}'. Known: {', '.join(known)}" for key in found if key not in known]
    for key in filter(found.__contains__, known):
        try:
            value = getattr(msgspec.convert({key: found[key]}, Assumptions, strict=True), key)
        except msgspec.ValidationError as error:
            problems.append(f"'{key}' is {found[key]!r}: {error}")
            continue
        if isinstance(value, (int, float)) and not 0 <= value < 10**9:
            problems.append(f"'{key}' is {value}: expected a number that is not negative")
    refuse_all([f"{path}: {problem}" for problem in problems], f"{path}: assumptions that cannot be used")
    return msgspec.convert(found, Assumptions, strict=True)
