"""Finds thresholds that every model meets or that none can meet, by the range of the metric."""

import math

from harness.schema import Gate, Metric


def problems(gate: Gate, metric: Metric) -> list[str]:
    """What is wrong with the threshold of a gate on this metric, in sentences; empty where models can pass and fail."""
    low, high = (0.0, math.inf) if metric.unbounded else metric.limits
    if gate.value is not None:
        return _of_level(gate, gate.value, metric, low, high)
    if not gate.margin:
        return []
    if gate.unit == "relative":
        # A rate where fewer is better cannot fall by more than all of it; any other may double.
        high = math.inf if metric.higher_is_better else 1.0
        low = 0.0
    said = f"'margin' is {gate.margin:g}: "
    if gate.margin < high - low:
        return []
    if (low, high) == (0.0, 1.0) and gate.margin >= 2:
        return [said + _no_share(gate.margin)]
    if gate.rule == "no_worse":
        return [f"{said}no loss is larger than {high - low:g}, so the gate cannot fail. Use a smaller margin"]
    return [f"{said}no gain is larger than {high - low:g}, so the gate cannot pass. Use a smaller margin"]


def _of_level(gate: Gate, value: float, metric: Metric, low: float, high: float) -> list[str]:
    said = f"'value' is {value:g}: "
    if not low <= value <= high:
        if (low, high) == (0.0, 1.0) and 2 <= value <= 100:
            return [said + _no_share(value) + _declare(metric)]
        return [f"{said}'{metric.name}' is {_range(low, high)}" + (_declare(metric) if value > high else "")]
    at_least = gate.rule == "at_least"
    easy, hard = (low, high) if at_least else (high, low)
    if value == easy:
        which = "least" if at_least else "most"
        return [
            f"{said}every model is at {which} {value:g}, so the gate cannot fail. Use another value or remove the gate"
        ]
    if value == hard:
        never = ". Use rule 'never' where none is allowed" if not at_least and metric.kind == "ratio" else ""
        return [f"{said}no number of cases shows {value:g}, so the gate cannot pass{never or '. Use another value'}"]
    return []


def _no_share(value: float) -> str:
    share = value / 100
    return f"{value:g} is not a share; did you mean {f'{share:.2f}' if round(share, 2) == share else f'{share:g}'}?"


def _declare(metric: Metric) -> str:
    if metric.kind != "ratio":
        return ""
    return f" If '{metric.name}' can be more than 1, declare it with Metric(unbounded=True)"


def _range(low: float, high: float) -> str:
    if math.isinf(high):
        return f"a number of {low:g} or more"
    return f"a {'share,' if (low, high) == (0.0, 1.0) else 'number'} from {low:g} to {high:g}"
