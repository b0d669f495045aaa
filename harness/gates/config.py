"""Reads gates.toml and names its gates. Knows what may be written there, and no record or number.

Every mistake in a file is named in one message. Light: reading gates loads no numeric library.
"""

import math
from collections.abc import Collection, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal, get_type_hints

import msgspec
from msgspec import Struct

from harness.errors import refuse_all
from harness.files import files_below, read_toml, shown_path
from harness.formatting import count, first_few
from harness.gates.rules import COMPARATIVE, GATE_RULES, HIGHER_IS_BETTER
from harness.schema import Gate, GateFile, Metric, Objective, Verdict
from harness.suites.cases import folded
from harness.suites.suite import Suite

ALWAYS = ("metric", "rule", "slice", "values", "n_min")
"""Keys that every rule takes; besides them those of its entry in GATE_RULES."""
EXPECTED = {
    str: "a text",
    str | None: "a text",
    int: "a whole number",
    float: "a number",
    float | None: "a number",
    list[str] | None: "a list of texts",
    Literal["points", "relative"]: "points or relative",
}
"""What to write for a key, by its type."""


class GateId(Struct, frozen=True, kw_only=True):
    """One verdict that a gate file asks for."""

    id: str
    """Stable name, such as `clause_recall-at_least-0.95[instrument=lease]`."""
    gate: Gate
    """The bar."""
    slice_value: str | None = None
    """The value of `gate.slice` that it judges."""


def suites_with_bars(bars: Path | None) -> list[str]:
    """Names of the suites that a copy of the evalsuites folder has gates for; none where there is no copy."""
    if bars is None:
        return []
    return sorted(path.parent.relative_to(bars).as_posix() for path in files_below(bars, "gates.toml"))


def suites_left_out(bars: Path | None, seen: Collection[str]) -> list[str]:
    """Suites with gates below `bars` that are not `seen`: they were removed or renamed, are long or lack their data."""
    return [f"{name} ({bars} has gates for it)" for name in suites_with_bars(bars) if name not in seen]


def load_gates(path: Path) -> GateFile:
    """Read one gates.toml; everything that is wrong with it is named in one UserError."""
    tables_by_key = read_toml(path, "Every suite states its gates in gates.toml")
    problems = [
        f"unknown key '{key}'. A gate file has [objective] and [[gate]] tables"
        for key in sorted(tables_by_key)
        if key not in ("objective", "gate")
    ]
    objective = _objective(tables_by_key.get("objective"), problems)
    tables = tables_by_key.get("gate", [])
    if isinstance(tables, dict):
        problems.append("found [gate], expected [[gate]]. Write two brackets")
        tables = [tables]
    elif not isinstance(tables, list) or not tables:
        problems.append("no [[gate]] was found. A suite without a gate lets anything merge; write at least one")
        tables = []
    gates = [_gate(table, number, problems) for number, table in enumerate(tables, 1)]
    usable = [gate for gate in gates if gate is not None]
    problems += _repeated([_stem(gate) + _sliced(gate) for gate in usable])
    refuse_all([f"{shown_path(path)}: {p}" for p in problems], f"{shown_path(path)}: gates that cannot be used")
    assert objective is not None
    return GateFile(objective=objective, gate=usable)


def _objective(table: Any, problems: list[str]) -> Objective | None:
    try:
        objective = msgspec.convert(table, Objective, strict=True)
    except msgspec.ValidationError:
        objective = None
    if objective is None or not objective.text.strip():
        problems.append("[objective] needs one key, text: the aim in the business's own words")
    return objective


def _gate(table: Any, number: int, problems: list[str]) -> Gate | None:
    """One gate, or None with its problems added."""
    if not isinstance(table, dict):
        problems.append(f"gate {number} is not a table. Write [[gate]] and its keys below it")
        return None
    where = f"gate {number} ({table.get('metric', 'no metric')} {table.get('rule', 'no rule')})"
    types = get_type_hints(Gate)
    own: list[str] = []
    for key, value in table.items():
        if key not in types:
            own.append(f"unknown key '{key}'. Known: {', '.join(types)}")
        elif key == "rule" and str(value) not in GATE_RULES:
            own.append(f"unknown rule '{value}'. Known: {', '.join(GATE_RULES)}")
        else:
            own += _type_problem(key, value, types[key])
    own += [f"'{key}' is missing" for key in ("metric", "rule") if key not in table]
    if not own:
        gate = msgspec.convert(table, Gate, strict=True)
        own += _key_problems(gate, table)
        if not own:
            return gate
    problems += [f"{where}: {p}" for p in own]
    return None


def _type_problem(key: str, value: Any, kind: Any) -> list[str]:
    try:
        converted = msgspec.convert(value, kind, strict=True)
    except msgspec.ValidationError:
        return [f"'{key}' is {value!r}: expected {EXPECTED[kind]}"]
    if isinstance(converted, float) and not math.isfinite(converted):
        return [f"'{key}' is {value}: a threshold must be a finite number"]
    return []


def _key_problems(gate: Gate, table: Mapping[str, Any]) -> list[str]:
    needed, optional = GATE_RULES[gate.rule].needs, GATE_RULES[gate.rule].takes
    problems = [f"rule '{gate.rule}' needs '{key}'" for key in needed if key not in table]
    taken = [*needed, *optional]
    problems += [
        f"'{key}' has no effect on rule '{gate.rule}', which takes {', '.join(taken) or 'no key of its own'}"
        for key in table
        if key not in (*ALWAYS, *taken)
    ]
    if gate.n_min < 0 or ("n_min" in needed and "n_min" in table and gate.n_min < 1):
        problems.append(f"'n_min' is {gate.n_min}: it counts cases, and 'never' needs at least 1; 300 shows under 1%")
    if gate.values is not None and (gate.slice is None or not gate.values):
        problems.append("'values' lists which values of 'slice' are judged: name the slice, and one value or more")
    if gate.margin < 0 or ("margin" in needed and "margin" in table and gate.margin == 0):
        problems.append(f"'margin' is {gate.margin:g}: it must be above 0, such as 0.02 for 2 points")
    if gate.ratio is not None and not 0 < gate.ratio <= 1:
        problems.append(f"'ratio' is {gate.ratio:g}: it must lie in (0, 1]; 0.75 asks for a cut of 25%")
    return problems


def validate(gate_file: GateFile, metrics: Iterable[Metric], slices: Iterable[str], name: str = "gates.toml") -> None:
    """Refuse gates that name an unknown metric or slice tag, or a rule that does not fit, and those that are idle."""
    known = {m.name: m for m in metrics}
    tags = list(slices)
    problems: list[str] = []
    for number, gate in enumerate(gate_file.gate, 1):
        where = f"{name}: gate {number} ({gate.metric} {gate.rule})"
        metric = known.get(gate.metric)
        if metric is None:
            problems.append(f"{where}: unknown metric '{gate.metric}'. The suite has: {', '.join(known) or 'none'}")
        elif GATE_RULES[gate.rule].is_for_fewer and (metric.higher_is_better or metric.kind != "ratio"):
            problems.append(f"{where}: '{gate.rule}' is for a rate where fewer is better; '{gate.metric}' is not one")
        elif gate.rule in COMPARATIVE and not metric.better:
            problems.append(
                f"{where}: '{gate.metric}' is neutral, so that no change of it is better or worse. Use at_least or "
                "at_most, or a metric with a direction"
            )
        else:
            problems += [f"{where}: {problem}" for problem in GATE_RULES[gate.rule].idle(gate, metric)]
            is_default = metric.kind == "ratio" and metric.higher_is_better  # Others say their direction themselves.
            own = None if is_default else metric.higher_is_better
            ways = {HIGHER_IS_BETTER.get(other.rule, own) for other in gate_file.gate if other.metric == gate.metric}
            if metric.better and ways - {None} == {not metric.higher_is_better}:
                less, more = ("less", "more") if metric.higher_is_better else ("more", "less")
                problems.append(
                    f"{where}: the gates ask for {less} of it only, and {more} is better. Correct the rule, or declare "
                    f"Metric(higher_is_better={less == 'more'}); or, where {more} is better up to that limit, add a "
                    f"gate that asks for {more}"
                )
        if gate.slice is not None and gate.slice not in tags:
            problems.append(f"{where}: unknown slice '{gate.slice}'. The suite has: {', '.join(tags) or 'none'}")
    refuse_all(problems, f"{name}: gates that do not fit the suite")


def gate_ids(gate_file: GateFile, slice_values: Mapping[str, Sequence[str]], suite: str = "") -> list[GateId]:
    """Every verdict the file asks for, in file order and then slice value order; known before any record exists.

    `suite` is named in errors.
    """
    name = f"{suite}/gates.toml".lstrip("/")
    ids: list[GateId] = []
    problems: list[str] = []
    for gate in gate_file.gate:
        if gate.slice is None:
            ids.append(GateId(id=_stem(gate), gate=gate))
        elif not slice_values.get(gate.slice):
            problems.append(f"{name}: no case has the slice '{gate.slice}' that {_stem(gate)} names")
        else:
            known_values = slice_values[gate.slice]
            problems += [
                f"{name}: {_stem(gate)}: no case has {gate.slice}={value}. It can be: {', '.join(known_values)}"
                for value in gate.values or ()
                if value not in known_values
            ]
            ids += [
                GateId(id=f"{_stem(gate)}[{gate.slice}={value}]", gate=gate, slice_value=value)
                for value in known_values
                if gate.values is None or value in gate.values
            ]
    problems += [f"{name}: {p}" for p in _repeated([i.id for i in ids])]
    refuse_all(problems, f"{name}: gates that cannot be named")
    return ids


def unjudged_cases(gate_file: GateFile, suite: Suite) -> list[str]:
    """Say of each metric that only gates of slices judge, how many cases have no tag of these and escape them.

    Of a mean over labels, also which of them no case expects, so that the mean says nothing of them.
    """
    lines = []
    known = {metric.name: metric.labels for metric in suite.metrics}
    expected = {folded(text) for case in suite.cases for text in case.expected} if any(known.values()) else set()
    for metric in dict.fromkeys(gate.metric for gate in gate_file.gate):
        absent = [repr(label) for label in known.get(metric, ()) if folded(label) not in expected]
        if 0 < len(absent) < len(known.get(metric, ())):
            lines.append(
                f"{suite.name}: no case expects {first_few(absent, 3)}, so no gate of {metric} judges "
                f"{'it' if len(absent) == 1 else 'them'}. Add such cases, or remove the label from the scorer"
            )
        tags = dict.fromkeys(gate.slice for gate in gate_file.gate if gate.metric == metric)
        lacking = 0 if None in tags else sum(case.tags.keys().isdisjoint(tags) for case in suite.cases)
        if lacking:
            names = " or ".join(f"'{tag}'" for tag in tags)
            lines.append(
                f"{suite.name}: {lacking:,} of {count(len(suite.cases), 'case')} have no {names} and are judged by no "
                f"gate of {metric}. Add the tag, or a gate without slice"
            )
    return lines


def _stem(gate: Gate) -> str:
    bar = gate.value if gate.value is not None else gate.ratio if gate.ratio is not None else gate.margin or None
    parts = [gate.metric, gate.rule, *([f"{bar:.12g}"] if bar is not None else [])]
    return "-".join([*parts, *(["relative"] if gate.unit == "relative" and gate.margin else [])])


def gate_of(verdict: Verdict) -> Gate:
    """The metric, rule and number of a verdict's gate, which its ID has."""
    stem = verdict.gate.partition("[")[0]
    number = stem.removeprefix(f"{verdict.metric}-{verdict.rule}").removeprefix("-").removesuffix("-relative")
    key = {"share": "value", "points": "margin", "ratio": "ratio"}[GATE_RULES[verdict.rule].unit]
    unit: Literal["points", "relative"] = "relative" if stem.endswith("-relative") else "points"
    gate = Gate(metric=verdict.metric, rule=verdict.rule, unit=unit)
    return msgspec.structs.replace(gate, **{key: float(number)}) if number else gate


def _sliced(gate: Gate) -> str:
    return f"[{gate.slice}{'=' + ','.join(gate.values) if gate.values else ''}]" if gate.slice else ""


def _repeated(names: Sequence[str]) -> list[str]:
    return [
        f"{name} is stated {names.count(name)} times. State it once"
        for name in dict.fromkeys(names)
        if names.count(name) > 1
    ]


def gates_path(suite: Suite, bars: Path | None) -> Path:
    """The suite's gates.toml, or its twin below `bars`, a copy of the evalsuites folder."""
    return bars / suite.place / suite.gates_path.name if bars else suite.gates_path


def load_suite_gates(suite: Suite, bars: Path | None) -> GateFile:
    """Read and check the gates of a suite. Unknown metrics, rules, keys and slices are UserErrors."""
    path = gates_path(suite, bars)
    gate_file = load_gates(path)
    validate(gate_file, suite.metrics, suite.slices, shown_path(path))
    return gate_file
