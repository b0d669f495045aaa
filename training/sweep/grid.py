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

from harness.suites.tables import HUB
from training.config import Config

PATHS = ("base", "data.train", "data.suites")
"""Keys whose values are paths, or data sets of the hub."""

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
    text: str
    """The configuration as TOML."""
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
    count = points or 0
    source = random.Random(seed)
    drawn: dict[int, None] = {}
    while len(drawn) < min(count, total):
        drawn.setdefault(source.randrange(total))
    return [_combination(axes, number) for number in drawn]


def _combination(axes: Sequence[Axis], number: int) -> dict[str, Any]:
    chosen: list[tuple[Axis, int]] = []
    for axis in reversed(axes):
        number, place = divmod(number, len(axis.values))
        chosen.append((axis, place))
    pairs = ((axis.keys, axis.values[place]) for axis, place in reversed(chosen))
    return {key: value for keys, values in pairs for key, value in zip(keys, values, strict=True)}


def point_name(name: str, number: int) -> str:
    """Return the name of a point's run."""
    return f"{name}-p{number:02d}"


def point_text(config: Config, number: int, values: Mapping[str, Any], folder: Path) -> str:
    """Render the configuration of one point as TOML. Paths among the values are relative to `folder`."""
    tables: dict[str, Any] = msgspec.to_builtins(config)
    tables["output"]["name"] = point_name(config.output.name, number)
    for full, value in values.items():
        table, _, key = full.rpartition(".")
        (tables[table] if table else tables)[key] = _absolute(full, value, folder)
    return "\n".join(_lines(tables)) + "\n"


def _absolute(key: str, value: Any, folder: Path) -> Any:
    if key not in PATHS:
        return value
    if isinstance(value, list):
        return [
            str(folder / Path(text).expanduser()) if isinstance(text, str) and not text.startswith(HUB) else text
            for text in value
        ]
    is_folder = isinstance(value, str) and (folder / Path(value).expanduser()).is_dir()
    return str((folder / Path(value).expanduser()).resolve()) if is_folder else value


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
