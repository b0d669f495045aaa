"""Print what gates need and can show: lines for a terminal, a page of Markdown. Computes nothing.

Gates that cannot pass come first. Slice values of one gate that can show the same are put together.
"""

from __future__ import annotations

import re
import textwrap
from collections.abc import Sequence

from msgspec import structs

from harness.formatting import count, phrase, plural, round_to_two_digits
from harness.gates.power import GatePower, suite_power
from harness.gates.rules.base import Assumed
from harness.schema import GateFile
from harness.suites.suite import Suite

LOUD = "CANNOT PASS"
LABEL = re.compile(r"(?<=_of_)\w+(?=-)|(?<==)[^\]]+(?=\]$)")
"""The label and the slice value in the names of gates: `recall_of_insurance-at_least-0.8`, `a-improves[kind=x]`."""
MADE = (
    "Written by `make power`; no model runs. [Before you run anything](../before.md) says how to read it. "
    "`tunegate power SUITE` prints each gate with the errors that it allows."
)
SHORT = (
    "A good model passes these gates less often than the target. What a pass means is the same. A star stands for any "
    "label or slice value. In brackets: the independent sources of the cases, where they are fewer."
)
GOOD = (
    "A suite has enough cases if a good model passes that often. A good model makes half the errors that the gate "
    "allows, is as good as the baseline where the gate compares them, or is right in 10 more of 100."
)
REACH = "not even with a faultless model (for `no_worse`: one that changes nothing)"


def heading(
    rows: Sequence[GatePower], assumed: Assumed, taken_from: str | None = None, other: Sequence[str] = ()
) -> list[str]:
    """How many gates cannot pass, and what was assumed; `other` suites had other cases in the run taken from."""
    source = f"Measured in {taken_from} where it holds the suite; else assumed" if taken_from else "Assumed"
    short = sum(not row.can_pass for row in rows)
    can_all = "The one gate can pass" if len(rows) == 1 else f"All {len(rows)} gates can pass"
    if few := sum(row.is_enough is False for row in rows):
        can_all += f"; {'it needs' if len(rows) == 1 else f'{few} need' if few > 1 else '1 needs'} more cases"
    verdict = f"{short} of {count(len(rows), 'gate')} cannot pass with these cases, {REACH}" if short else can_all
    lines = [f"{verdict}.", f"{source}: {assumed.says}. Target: a pass {assumed.power:.0%} of the time."]
    return [
        *lines,
        *(f"{name}: that run asked other cases than the suite has now, and these are its own." for name in other),
    ]


def loud_first(rows: Sequence[GatePower]) -> list[GatePower]:
    """Gates that cannot pass, then the others, each as they came; slice values that say the same in one row."""
    together: dict[tuple[object, ...], list[GatePower]] = {}
    for row in sorted(rows, key=lambda r: r.can_pass):
        stem = row.gate.partition("[")[0]
        key = (row.suite, stem, row.slice_value is None, row.units, row.contracts, tuple(row.says))
        together.setdefault(key, []).append(row)
    return [_merged(same) for same in together.values()]


def _merged(same: Sequence[GatePower]) -> GatePower:
    if len(same) == 1:
        return same[0]
    stem, _, rest = same[0].gate.partition("[")
    values = ", ".join(row.slice_value or "" for row in same)
    return structs.replace(same[0], gate=f"{stem}[{rest.partition('=')[0]}={values}]")


def needs(row: GatePower) -> str:
    """`needs about 180 cases from 60 contracts; you have 120 from 40`, or that these are enough.

    Empty where only a run can tell, or where the cases are enough and something else is in the way.
    """
    are_clusters = row.contracts == row.cases
    has = f"{row.cases:,}" if are_clusters else f"{row.cases:,} from {row.contracts:,}"
    if row.is_enough:
        return f"has enough: {count(row.cases, 'case')}" + (
            "" if are_clusters else f" from {count(row.contracts, row.cluster)}"
        )
    if row.is_enough is None or (row.contracts_needed or row.contracts + 1) <= row.contracts:
        return ""
    if row.contracts_needed is None:
        return f"needs more than 20,000 {plural(row.cluster)}; you have {has}"
    clusters = round_to_two_digits(row.contracts_needed)
    if are_clusters:
        return f"needs about {count(clusters, 'case')}; you have {has}"
    cases = round_to_two_digits(row.contracts_needed * row.cases / row.contracts)
    return f"needs about {count(cases, 'case')} from {count(clusters, row.cluster)}; you have {has}"


def sentences(row: GatePower) -> list[str]:
    """What the gate can show, one thought each; the assumption that it alone rests on comes last."""
    lines = [*row.says, *([row.assumes] if row.assumes else [])]
    lines[0] = f"{LOUD}: {lines[0]}" if not row.can_pass else lines[0]
    return lines


def title(row: GatePower) -> str:
    """Name a gate by what it judges: `clause recall, instrument lease: at least 95.0%`."""
    stem, _, judged = row.gate.partition("[")
    where = f", {judged.rstrip(']').replace('=', ' ')}" if judged else ""
    return f"{phrase(stem.partition('-')[0])}{phrase(where)}: {row.bar}"


def lines(rows: Sequence[GatePower], head: Sequence[str], width: int) -> list[str]:
    """Text of at most `width` columns: for each gate what it needs, then what it can show."""
    made = [line for text in [*head, GOOD] for line in textwrap.wrap(text, width)]
    for row in loud_first(rows):
        made += ["", f"{row.suite}  {title(row)}"]
        for text in filter(None, [needs(row), *sentences(row)]):
            made += textwrap.wrap(text, width, initial_indent="  ", subsequent_indent="    ")
    return made


def markdown(rows: Sequence[GatePower], head: Sequence[str]) -> str:
    """A page: one line for each suite, then the gates whose cases are too few."""
    lines = ["# What the gates can show", "", f"{MADE}\n", *(f"{line}\n" for line in head), f"{GOOD}\n"]
    lines += [
        "| suite | cases | gates | enough cases | need more | cannot pass | need a run |",
        "|---|--:|--:|--:|--:|--:|--:|",
    ]
    for suite in dict.fromkeys(row.suite for row in rows):
        own = [row for row in rows if row.suite == suite]
        few, stuck = sum(row.is_enough is False and row.can_pass for row in own), sum(not row.can_pass for row in own)
        cells = [max(r.cases for r in own), len(own), sum(r.is_enough is True for r in own), few, stuck]
        numbers = " | ".join(f"{cell:,}" for cell in [*cells, len(own) - sum(cells[2:])])
        lines.append(f"| `{suite}` | {numbers} |")
    short = sorted((row for row in rows if row.is_enough is False), key=lambda row: row.can_pass)
    if short:
        lines += ["", "## Gates that need more cases", "", SHORT, ""]
        lines += ["| suite | gate | good model passes | cases | needed |", "|---|---|---|---|---|", *_short(short)]
    return "\n".join(lines)


def _short(rows: Sequence[GatePower]) -> list[str]:
    """`| legal/mini | a-at_least-0.5 | 76% | 40 | 52 |`: gates of labels or slices, or with equal numbers, together."""
    families: dict[tuple[str, bool, str], list[GatePower]] = {}
    for row in rows:
        families.setdefault((row.suite, row.can_pass, LABEL.sub("*", row.gate)), []).append(row)
    names: dict[tuple[str, ...], list[str]] = {}
    for (suite, can_pass, family), own in families.items():
        often = _range([row.chance or 0.0 for row in own], ".0%") if can_pass else LOUD
        has = _sizes([(row.cases, row.contracts) for row in own])
        name = f"`{own[0].gate}`" if len(own) == 1 else f"`{family}` ({len(own)} gates)"
        names.setdefault((f"`{suite}`", often, has, _needed(own)), []).append(name)
    return [f"| {suite} | {', '.join(gates)} | {' | '.join(cells)} |" for (suite, *cells), gates in names.items()]


def _needed(rows: Sequence[GatePower]) -> str:
    """Cases that these gates need, or what else is in the way of one."""
    other = [row for row in rows if not needs(row)]
    if other:
        return "; ".join(other[0].says)
    clusters = [row.contracts_needed for row in rows if row.contracts_needed]
    if len(clusters) < len(rows):
        return "over 20,000"
    pairs = zip(rows, clusters, strict=True)
    return _sizes([(round_to_two_digits(n * row.cases / row.contracts), round_to_two_digits(n)) for row, n in pairs])


def _sizes(pairs: Sequence[tuple[int, int]]) -> str:
    """`432 (72)`: cases, and the clusters that they come from where these are fewer."""
    cases, clusters = (_range(column) for column in zip(*pairs, strict=True))
    return cases if cases == clusters else f"{cases} ({clusters})"


def _range(numbers: Sequence[float], form: str = ",") -> str:
    low, high = format(min(numbers), form), format(max(numbers), form)
    return low if low == high else f"{low} to {high}"


def power_summary(suite: Suite, gates: GateFile) -> list[str]:
    """One line a gate: how many cases it needs, or what it can show where only a run can tell."""
    rows = suite_power(suite, gates, Assumed())
    told = [structs.replace(row, says=[needs(row) or row.says[0]]) for row in rows]
    return [f"power: {row.gate}: {row.says[0]}" for row in loud_first(told)]
