"""Assumptions of the business estimate: how long people take, what an hour costs."""

from __future__ import annotations

from pathlib import Path

import msgspec
from msgspec import Struct, field

from harness.errors import refuse_all
from harness.files import read_toml


class Assumptions(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A TOML file of these keys, each with a default."""

    minutes_per_review: float = 5.0
    """Minutes that a person needs to check one answer against its source."""
    minutes_per_fix: float = 10.0
    """Additional minutes for an answer that is wrong or incomplete."""
    answers_per_month: int | None = None
    """Answers that people check per month."""
    cost_per_hour: float | None = None
    """Cost of one hour of review."""
    currency: str = ""
    """Currency of `cost_per_hour`."""
    metrics: dict[str, str] = field(default_factory=dict)
    """By suite, the metric whose share of answers needs no fix."""


def load(path: Path) -> Assumptions:
    """Read a file of assumptions. Raises one UserError that names every problem in it."""
    values = read_toml(path, "Expected assumptions of a business estimate")
    known = Assumptions.__struct_fields__
    problems = [f"unknown key '{key}'. Known: {', '.join(known)}" for key in values if key not in known]
    for key in filter(values.__contains__, known):
        try:
            value = getattr(msgspec.convert({key: values[key]}, Assumptions, strict=True), key)
        except msgspec.ValidationError as error:
            problems.append(f"'{key}' is {values[key]!r}: {error}")
            continue
        if isinstance(value, (int, float)) and not 0 <= value < 10**9:
            problems.append(f"'{key}' is {value}: expected a number from 0 to below 1,000,000,000")
    refuse_all([f"{path}: {problem}" for problem in problems], f"{path}: assumptions that cannot be used")
    return msgspec.convert(values, Assumptions, strict=True)
