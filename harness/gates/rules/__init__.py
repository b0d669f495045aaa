"""Declares the rules of gates: the keys of each, what it asks for, and how its bar reads. Knows no number of a run.

What a rule says of its numbers is in `gates`, and what it can show in `power`; every rule has its part in both.
"""

from collections.abc import Callable
from typing import Literal

from msgspec import Struct

from harness.formatting import number, points
from harness.schema import Gate, Rule


class GateRule(Struct, frozen=True, kw_only=True):
    """What is known of a rule before anything is judged by it."""

    in_words: Callable[[Gate], str]
    """The bar as a reader says it, such as `at least 95.0%`."""
    unit: Literal["share", "points", "ratio"]
    """What is judged: the level itself, its difference from the baseline's, or their quotient."""
    needs: tuple[str, ...] = ()
    """Keys of the gate that it needs."""
    takes: tuple[str, ...] = ()
    """Keys that it takes besides; any other key would have no effect and is refused."""
    lower_is_easier: bool
    """Its bar asks for less when it falls."""
    compares: bool = False
    """It needs a baseline."""
    is_tested: bool = False
    """Without a margin it is a claim with an exact test, which Holm corrects over all such claims of a suite."""
    is_for_fewer: bool = False
    """Only for a rate where fewer is better."""
    one_decides: bool = False
    """One case fails it, however few there are."""


def bar_in_words(gate: Gate) -> str:
    """The bar as a reader says it, such as `at least 95.0%`."""
    return GATE_RULES[gate.rule].in_words(gate)


def is_tested(gate: Gate) -> bool:
    """It claims an improvement of any size, which an exact test has to show."""
    return GATE_RULES[gate.rule].is_tested and gate.margin == 0


def _level(gate: Gate) -> str:
    value = gate.value if gate.value is not None else 0.0
    return number(value, abs(value) <= 1)


def _margin(gate: Gate) -> str:
    return points(gate.margin, True).lstrip("+")


def _better(gate: Gate) -> str:
    if not gate.margin:
        return "better than the baseline"
    by = f"{gate.margin:.0%} of it" if gate.unit == "relative" else _margin(gate)
    return f"better than the baseline by more than {by}"


def _less(gate: Gate) -> str:
    ratio = gate.ratio if gate.ratio is not None else 1.0
    return "less than the baseline's" if ratio == 1 else f"at most {ratio:.0%} of the baseline's"


GATE_RULES: dict[Rule, GateRule] = {
    "at_least": GateRule(
        in_words=lambda gate: f"at least {_level(gate)}", unit="share", needs=("value",), lower_is_easier=True
    ),
    "at_most": GateRule(
        in_words=lambda gate: f"at most {_level(gate)}", unit="share", needs=("value",), lower_is_easier=False
    ),
    "improves": GateRule(
        in_words=_better,
        unit="points",
        takes=("margin", "unit"),
        lower_is_easier=True,
        compares=True,
        is_tested=True,
    ),
    "no_worse": GateRule(
        in_words=lambda gate: f"at most {_margin(gate)} worse than the baseline",
        unit="points",
        needs=("margin",),
        lower_is_easier=False,
        compares=True,
    ),
    "reduces": GateRule(
        in_words=_less, unit="ratio", needs=("ratio",), lower_is_easier=False, compares=True, is_for_fewer=True
    ),
    "never": GateRule(
        in_words=lambda gate: f"none in at least {gate.n_min} cases",
        unit="share",
        needs=("n_min",),
        lower_is_easier=True,
        is_for_fewer=True,
        one_decides=True,
    ),
}
"""Every rule, in the order in which pages and messages name them."""

COMPARATIVE: frozenset[Rule] = frozenset(name for name, rule in GATE_RULES.items() if rule.compares)
"""Rules that need a baseline."""
