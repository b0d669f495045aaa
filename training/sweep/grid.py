"""The points of a sweep: combinations of values, and the training configuration of each."""

from __future__ import annotations

import json
import math
import random
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

import msgspec
from msgspec import Struct

from training.config import Config

PATHS = ("base", "data.train", "data.suites")
"""Keys whose values are paths, or data sets of the hub; a page shows their last part."""

Method = Literal["grid", "random"]


class Axis(Struct, frozen=True, kw_only=True):
    """Settings that change together."""

    keys: tuple[str, ...]
    """`table.key` of each setting."""
    values: list[tuple[Any, ...]]
    """The choices, each with a value per key."""


class SweepPoint(Struct, frozen=True, kw_only=True):
    """One training run of the sweep."""

    number: int
    """1 for the first."""
    values: dict[str, Any]
    """Its settings: `table.key` to value."""
    config: Config
    """The complete training configuration."""
    steps: int
    """Weight updates planned."""
    rows_seen: int
    """Training rows over all epochs; the duration is proportional to them."""

    @property
    def summary(self) -> str:
        """The settings, such as `optim.lr = 0.0003, lora.r = 8`."""
        return ", ".join(f"{key} = {shown(key, value)}" for key, value in self.values.items())


def combinations(axes: Sequence[Axis]) -> int:
    """Return the number of possible points."""
    return math.prod(len(axis.values) for axis in axes)


def draw(axes: Sequence[Axis], method: Method, points: int | None, seed: int) -> list[dict[str, Any]]:
    """Return the values of every point; the last axis changes fastest.

    `random` draws `points` combinations without repetition; a larger number starts with the points of a smaller one.
    """
    total = combinations(axes)
    if method == "grid":
        return [_combination(axes, number) for number in range(total)]
    source = random.Random(seed)
    drawn: dict[int, None] = {}
    while len(drawn) < min(points or 0, total):
        drawn.setdefault(source.randrange(total))
    return [_combination(axes, number) for number in drawn]


def _combination(axes: Sequence[Axis], number: int) -> dict[str, Any]:
    values: dict[str, Any] = {}
    for axis in reversed(axes):
        number, place = divmod(number, len(axis.values))
        values = dict(zip(axis.keys, axis.values[place], strict=True)) | values
    return values


def tables(config: Config, number: int, values: Mapping[str, Any]) -> dict[str, Any]:
    """Return the tables of the configuration of one point."""
    raw: dict[str, Any] = msgspec.to_builtins(config)
    raw["output"]["name"] = f"{config.output.name}-p{number:02d}"
    for full, value in values.items():
        table, _, key = full.rpartition(".")
        (raw[table] if table else raw)[key] = value
    return raw


def as_toml(config: Config) -> str:
    """Render a configuration as TOML."""
    return "\n".join(_lines(msgspec.to_builtins(config))) + "\n"


def _lines(tables: Mapping[str, Any]) -> Iterator[str]:
    """Yield lines of TOML; values of None are omitted."""
    yield from (f"{key} = {_toml(value)}" for key, value in tables.items() if not isinstance(value, dict))
    for name, table in tables.items():
        if isinstance(table, dict):
            yield f"\n[{name}]"
            yield from (f"{key} = {_toml(value)}" for key, value in table.items() if value is not None)


def _toml(value: Any) -> str:
    if isinstance(value, dict):
        return "{" + ", ".join(f"{_toml(key)} = {_toml(item)}" for key, item in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(_toml(item) for item in value) + "]"
    if isinstance(value, str):
        return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")
    return repr(value).lower() if isinstance(value, bool) else repr(value)


def shown(key: str, value: Any) -> str:
    """Format a value for people; a path becomes its last part."""
    if isinstance(value, list):
        return "[" + ", ".join(shown(key, item) for item in value) + "]"
    if isinstance(value, str):
        return Path(value).name if key in PATHS else value
    return _toml(value)


def short_names(keys: Sequence[str]) -> dict[str, str]:
    """Return each `table.key` without its table, unless another key has the same last part."""
    last = [key.rpartition(".")[2] for key in keys]
    return {key: short if last.count(short) == 1 else key for key, short in zip(keys, last, strict=True)}
