"""What the gates of a suite can show now, one line each, for whoever writes cases. Formulas are elsewhere."""

from __future__ import annotations

from msgspec import structs

from harness.evidence import FEWEST_CLUSTERS
from harness.gatefile import GateId, gate_ids
from harness.power.enough import GOOD_MODELS, contracts_enough
from harness.power.report import GatePower, suite_power
from harness.power.rules import Assumed
from harness.power.view import loud_first
from harness.schema import GateFile
from harness.stats.wording import rough
from harness.suite import Suite


def briefly(suite: Suite, gates: GateFile) -> list[str]:
    """One line a gate: what its cases can show, or that they can only ever be inconclusive and how many it takes."""
    rows = suite_power(suite, gates, Assumed())
    asked = gate_ids(gates, suite.slice_values(), suite.name)
    told = [structs.replace(row, says=[_says(row, one)]) for row, one in zip(rows, asked, strict=True)]
    return [f"power: {row.gate}: {row.says[0]}" for row in loud_first(told)]


def _says(row: GatePower, asked: GateId) -> str:
    cases = f"{row.cases:,} case{'' if row.cases == 1 else 's'}"
    of = f"{cases} from {row.contracts:,} {row.cluster}s" if row.contracts != row.cases else cases
    if row.can_pass:
        return f"{of}: {'; '.join(row.says)}"
    enough = row.contracts_needed or contracts_enough(asked.gate)
    many = "more than 20,000" if enough is None else f"about {rough(enough):,}"
    few = f"with {of} this can only ever be inconclusive; {many} {row.cluster}s are needed"
    why = f" ({'; '.join(row.says)})" if row.contracts >= FEWEST_CLUSTERS else ""
    return f"{few}, for a model that {GOOD_MODELS[row.rule].does}{why}"
