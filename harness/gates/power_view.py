"""Prints what gates can show: plain lines, a table for a terminal, a page of Markdown. Computes nothing.

Gates that cannot pass come first. Slice values of one gate that can show the same are put together.
"""

from __future__ import annotations

import io
from collections.abc import Sequence

from msgspec import structs

from harness.formatting import count, plural, round_to_two_digits
from harness.gates.config import GateId, gate_ids
from harness.gates.power import GatePower, clusters_enough, suite_power
from harness.gates.rules import GATE_RULES
from harness.gates.rules.base import FEWEST_CLUSTERS, Assumed
from harness.schema import GateFile
from harness.suites.suite import Suite

LOUD = "CANNOT PASS"
MADE = "Made by `make power`, before any model is asked; the guide says how to read it."
REACH = "even a faultless model (for `no_worse`: one that changes nothing)"


def heading(
    rows: Sequence[GatePower], assumed: Assumed, taken_from: str | None = None, other: Sequence[str] = ()
) -> list[str]:
    """How many gates cannot pass, and what was assumed; `other` suites had other cases in the run taken from."""
    source = f"Measured in {taken_from} where it holds the suite; else assumed" if taken_from else "Assumed"
    short = sum(not row.can_pass for row in rows)
    verdict = f"{short} of {len(rows)} gates cannot pass: {REACH}" if short else f"All {len(rows)} gates can pass"
    lines = [f"{verdict}.", f"{source}: {assumed.says}. Chances are asked to reach {assumed.power:.0%}."]
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


def counted(row: GatePower) -> str:
    """`408 counted in 336 cases from 168 contracts`."""
    units = "" if row.units == row.cases else f"{row.units:,} counted in "
    clusters = "" if row.contracts == row.cases else f" from {count(row.contracts, row.cluster)}"
    return f"{units}{count(row.cases, 'case')}{clusters}"


def sentences(row: GatePower) -> list[str]:
    """What the gate can show, one thought each; the assumption that it alone rests on comes last."""
    lines = [*row.says, *([row.assumes] if row.assumes else [])]
    lines[0] = f"{LOUD}: {lines[0]}" if not row.can_pass else lines[0]
    return lines


def plain_lines(rows: Sequence[GatePower], head: Sequence[str]) -> list[str]:
    """Text without colour or width."""
    lines = list(head)
    for row in loud_first(rows):
        mark = f"{LOUD}  " if not row.can_pass else ""
        lines += ["", f"{mark}{row.suite}  {row.gate}  ({counted(row)})"]
        lines += [f"    {said}" for said in sentences(row)]
    return lines


def terminal_text(rows: Sequence[GatePower], head: Sequence[str], width: int) -> str:
    """A table for a terminal, with colour codes."""
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, padding=(0, 2, 0, 0), header_style="dim")
    for name in ("gate", "counts", "can show"):
        table.add_column(name, overflow="fold")
    for row in loud_first(rows):
        style = "" if row.can_pass else "bold red"
        table.add_row(
            Text(f"{row.suite}\n{row.gate}", style=style),
            Text(counted(row)),
            Text("\n".join(sentences(row)), style=style),
            end_section=True,
        )
    out = io.StringIO()
    console = Console(file=out, width=width, force_terminal=True)
    for line in head:
        console.print(Text(line))
    console.print(table)
    return out.getvalue()


def markdown(rows: Sequence[GatePower], head: Sequence[str]) -> str:
    """A page with a table for each suite."""
    lines = ["# What the gates can show", "", f"{MADE}\n", *(f"{line}\n" for line in head)]
    for suite in dict.fromkeys(row.suite for row in rows):
        lines += [f"## {suite}", "", "| gate | counts | can show |", "|---|---|---|"]
        for row in loud_first([r for r in rows if r.suite == suite]):
            name = f"**{row.gate}**" if not row.can_pass else f"`{row.gate}`"
            lines.append(f"| {name} | {counted(row)} | {'; '.join(sentences(row))} |".replace("\n", " "))
        lines.append("")
    return "\n".join(lines[:-1])


def power_summary(suite: Suite, gates: GateFile) -> list[str]:
    """One line a gate: what its cases can show, or that they can only ever be inconclusive and how many it takes."""
    rows = suite_power(suite, gates, Assumed())
    asked = gate_ids(gates, suite.slice_values(), suite.name)
    told = [structs.replace(row, says=[_says(row, one)]) for row, one in zip(rows, asked, strict=True)]
    return [f"power: {row.gate}: {row.says[0]}" for row in loud_first(told)]


def _says(row: GatePower, asked: GateId) -> str:
    cases = count(row.cases, "case")
    of = f"{cases} from {count(row.contracts, row.cluster)}" if row.contracts != row.cases else cases
    if row.can_pass:
        return f"{of}: {'; '.join(row.says)}"
    enough = row.contracts_needed or clusters_enough(asked.gate)
    many = "more than 20,000" if enough is None else f"about {round_to_two_digits(enough):,}"
    few = f"with {of} this can only ever be inconclusive; {many} {plural(row.cluster)} are needed"
    why = f" ({'; '.join(row.says)})" if row.contracts >= FEWEST_CLUSTERS else ""
    return f"{few}, for a model that {GATE_RULES[row.rule].good_model}{why}"
