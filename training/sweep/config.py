"""The sweep file: reading it and checking every point, with all problems reported at once.

Paths are relative to the sweep file; those among the values of [vary] are relative to the training configuration.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, get_type_hints

from msgspec import Struct

from harness.errors import UserError, refuse_all
from harness.files import digest, dotted, home_expanded, read_toml
from training import model_checks
from training.batching import planned
from training.config import Config
from training.config_file import EXPECTED, check, read_fields, suggestion
from training.data.rows import count_rows, is_there
from training.sweep.grid import Axis, Method, SweepPoint, combinations, draw, shown, tables

REFUSED = {
    "output": "it does not affect the result; every point gets its own run folder",
    "records": "it does not affect the result",
    "select": "points with different metrics could not be compared",
    "forgetting": "points with different metrics could not be compared",
    "data.validation": "points with different validation rows could not be compared",
    "data.suites": "it does not affect the result",
    "data.allow_contaminated": "it does not affect the result",
    "train.peak_tflops": "it does not affect the result",
    "train.seed": "the best of several seeds is luck, which another seed does not repeat",
}
"""Tables and keys that points must not change, and why."""


class SweepSettings(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The sweep file."""

    config: str
    """The training configuration that every point changes."""
    method: Method = "grid"
    """`grid`: every combination; `random`: a sample of them."""
    points: int | None = None
    """Number of combinations that `random` draws."""
    seed: int = 0
    """Seed of that draw."""
    confirm: bool = True
    """Evaluate the winner on the suite's test cases, once."""
    vary: dict[str, Any]
    """`table.key` to a list of values; keys separated by commas change together."""


class SweepPlan(Struct, frozen=True, kw_only=True):
    """A valid sweep."""

    settings: SweepSettings
    """The sweep file."""
    config: Config
    """The training configuration."""
    points: list[SweepPoint]
    """All points."""
    digest: str
    """Digest of everything that determines the points."""


def load(path: Path) -> SweepPlan:
    """Read the sweep file, its training configuration, and the configuration of every point.

    Raises UserError that lists every problem of both files, or else every problem of the points.
    """
    path = Path(path)
    raw = read_toml(path, "Expected a sweep, with config = ... and a table [vary]")
    problems: list[str] = []
    settings = SweepSettings(**{"config": "", "vary": {}} | read_fields(SweepSettings, raw, problems))
    axes = _axes(settings.vary, problems)
    problems += _draw_problems(settings, axes, raw)
    file = (path.resolve().parent / home_expanded(settings.config)).resolve()
    config, config_problems = _config(file) if settings.config else (None, [])
    problems += _nothing_to_choose_by(config, axes, settings.config) if config else []
    refuse_all([*(f"{path}: {p}" for p in problems), *config_problems], f"{path}: the sweep cannot be used")
    assert config is not None
    drawn = draw(axes, settings.method, settings.points, settings.seed)
    inputs = [settings.method, settings.points, settings.seed, settings.vary, file.read_text("utf-8")]
    return SweepPlan(
        settings=settings, config=config, points=_points(config, drawn, file.parent, path), digest=digest(inputs)
    )


def _draw_problems(settings: SweepSettings, axes: Sequence[Axis], raw: Mapping[str, Any]) -> Iterator[str]:
    if raw.get("method", "grid") == "grid" and settings.points is not None:
        yield "'points' is for method = \"random\"; a grid trains every combination. Leave it out"
    if settings.method == "random":
        total = combinations(axes)
        if settings.points is None:
            yield "'points' is missing. Set it to the number of combinations that method = \"random\" draws"
        elif settings.points < 1:
            yield f"'points' is {settings.points}; set it to 1 or more"
        elif len(axes) == len(list(dotted(settings.vary))) and settings.points > total:
            yield f"'points' is {settings.points}, but [vary] has {total} combinations. Set {total} or less"


def _axes(vary: Mapping[str, Any], problems: list[str]) -> list[Axis]:
    """Return the groups of keys with their values; unquoted `optim.lr`, a table in TOML, means the same as quoted."""
    axes: list[Axis] = []
    seen: set[str] = set()
    for names, values in dotted(vary):
        keys = tuple(key.strip() for key in names.split(","))
        key_problems = [*_bad_keys(keys), *_bad_values(names, keys, values)]
        key_problems += [
            f"'vary.{key}' is listed twice. Keep one" for key in keys if key in seen or keys.count(key) > 1
        ]
        seen.update(keys)
        problems += dict.fromkeys(key_problems)
        if not key_problems:
            rows = [(value,) for value in values] if len(keys) == 1 else [tuple(value) for value in values]
            axes.append(Axis(keys=keys, values=rows))
    return axes


def settable() -> list[str]:
    """Return every `table.key` of a training configuration that a point may change."""
    hints = get_type_hints(Config)
    full = []
    for name, hint in hints.items():
        is_table = isinstance(hint, type) and issubclass(hint, Struct)
        full += [f"{name}.{key}" for key in hint.__struct_fields__] if is_table else [name]
    return [key for key in full if _refusal(key) is None]


def _refusal(key: str) -> str | None:
    return REFUSED.get(key) or REFUSED.get(key.partition(".")[0])


def _bad_keys(keys: Sequence[str]) -> Iterator[str]:
    known = settable()
    for key in keys:
        if reason := _refusal(key):
            yield f"'vary.{key}' cannot be varied: {reason}. Set it in the training configuration"
        elif key not in known:
            within = [name for name in known if name.startswith(f"{key}.")]
            hint = f"name a key of it: {', '.join(within)}" if within else suggestion(key, known)
            yield f"'vary.{key}' is unknown; {hint}"


def _bad_values(names: str, keys: Sequence[str], values: Any) -> Iterator[str]:
    if not isinstance(values, list) or not values:
        yield f"'vary.{names}' is {values!r}; expected a list of values, such as [8, 16]"
        return
    if len(keys) > 1:
        for value in values:
            if not isinstance(value, list) or len(value) != len(keys):
                yield f"'vary.{names}' holds {value!r}; expected lists of {len(keys)} values, one for each key"
    repeated = [value for place, value in enumerate(values) if value in values[:place]]
    if repeated:
        yield f"'vary.{names}' names {repeated[0]!r} twice. Keep one"


def _config(file: Path) -> tuple[Config | None, list[str]]:
    """Read the training configuration, or return its problems."""
    try:
        raw = read_toml(file, EXPECTED)
    except UserError as error:
        return None, [str(error)]
    config, problems = check(raw, file.parent, model_checks.model_problems)
    return config, [f"{file}: {problem}" for problem in problems]


def _nothing_to_choose_by(config: Config, axes: Sequence[Axis], name: str) -> Iterator[str]:
    """Yield reasons why the points could not be compared."""
    if config.select.suite:
        return
    if not config.data.validation:
        yield (
            f"{name} has neither [select] nor data.validation, so the points cannot be compared. Name a suite with "
            "validation cases in [select], or rows in data.validation"
        )
    if any("base" in axis.keys for axis in axes):
        yield (
            "'vary.base' needs [select] in the training configuration: losses of two bases are per other tokens and "
            "cannot be compared. Name a suite with validation cases there"
        )


def _points(config: Config, drawn: Sequence[Mapping[str, Any]], folder: Path, path: Path) -> list[SweepPoint]:
    """Return every point with its configuration, checked as for training.

    Raises UserError that lists the problems of all points.
    """
    points: list[SweepPoint] = []
    problems: dict[str, list[int]] = {}
    for number, values in enumerate(drawn, 1):
        whole, found = check(tables(config, number, values), folder, _point_problems)
        for problem in found:
            problems.setdefault(problem, []).append(number)
        if whole is not None:
            rows = whole.data.rows or count_rows(whole.data.train, whole.data.streaming)
            steps, seen = planned(rows, whole.train)
            points.append(SweepPoint(number=number, values=dict(values), config=whole, steps=steps, rows_seen=seen))
    listed = [f"{path}: {_named(numbers, drawn)}: {problem}" for problem, numbers in problems.items()]
    refuse_all(listed, f"{path}: points that cannot be trained")
    return points


def _named(numbers: Sequence[int], drawn: Sequence[Mapping[str, Any]]) -> str:
    if len(numbers) > 1:
        return "every point" if len(numbers) == len(drawn) else f"points {', '.join(map(str, numbers))}"
    values = drawn[numbers[0] - 1]
    return f"point {numbers[0]} ({', '.join(f'{key} = {shown(key, value)}' for key, value in values.items())})"


def _point_problems(config: Config) -> list[str]:
    """Return the problems that training would report before its first step: conflicts with the model, too few rows."""
    problems = model_checks.model_problems(config)
    wanted = config.data.rows
    if (
        wanted
        and all(map(is_there, config.data.train))
        and wanted > (rows := count_rows(config.data.train, config.data.streaming))
    ):
        problems.append(f"'data.rows' is {wanted}, but there are {rows} training rows. Lower it, or leave it out")
    return problems
