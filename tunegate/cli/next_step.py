"""The command that usually comes next, which many commands print in their last lines."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path
from shlex import quote
from typing import TYPE_CHECKING

import typer

from harness.runs.status import no_merge
from harness.schema import BASELINE, CANDIDATE

if TYPE_CHECKING:
    from harness.gates.power import GatePower
    from harness.runs.folder import Results, RunData
    from harness.schema import Checkpoint


def next_step(command: str, reason: str = "") -> None:
    """Print the command that usually comes next, and what for."""
    typer.echo(f"next: {command}" + (f"    # {reason}" if reason else ""))


def after_verdicts(judged: RunData | Results, run: str, report: str, has_other_cases: bool = False) -> None:
    """Name the next step of a judged run: its report, its use as the baseline, or the merge or service of its model.

    `run` is how the user names the run; `report` is the command that opens its report. `tunegate serve` finds no model
    by its name at a server.
    """
    manifest = judged.manifest
    is_unmet = any(verdict.outcome not in ("pass", "skipped") for verdict in judged.verdicts)
    checkpoints, kind = manifest.checkpoints, manifest.checkpoints[CANDIDATE].kind
    is_alone = BASELINE not in checkpoints
    is_no_use = kind in ("imported", "scripted") or (
        not is_alone and (kind == "endpoint" or no_merge(manifest, judged.path.name))
    )
    if is_unmet or has_other_cases or is_no_use:
        next_step(report, "open the report")
    elif is_alone:
        next_step(f'tunegate baseline accept {run} --reason "..."', "compare later models with this one")
    else:
        after_approval(checkpoints[CANDIDATE])


def after_approval(checkpoint: Checkpoint) -> None:
    """Name the next step of a model that may be used: an adapter is merged, other models are served."""
    if checkpoint.kind == "adapter":
        next_step(f"tunegate merge {quote(checkpoint.name)} OUT", "merge the adapter into its base")
    else:
        next_step(f"tunegate serve {quote(checkpoint.name)}")


def after_model_card(checkpoint: Checkpoint, was_evaluated: bool, is_approved: bool) -> None:
    """Name the next step of a model with a card."""
    if is_approved:
        after_approval(checkpoint)
    elif was_evaluated:
        next_step(f"tunegate runs --checkpoint {checkpoint.digest[:12]}", "see the runs that evaluated it")
    else:
        next_step(f"tunegate compare BASELINE {quote(checkpoint.name)}", "judge it against the model in use")


def after_power(gates: Collection[GatePower], suites: Collection[str]) -> None:
    """Name the next step after a look at the power of gates: cases for those that cannot pass, or a run."""
    short = next((gate.suite for gate in gates if not gate.can_pass), None)
    if short:
        next_step(f"tunegate cases import FILE --into {short} --append", "add cases")
    else:
        next_step(" ".join(["tunegate compare BASELINE TUNED", *(f"--suite {suite}" for suite in suites)]))


def after_labels(run: str, rubric: Path | None, by_people: bool, by_model: bool) -> None:
    """Name the next step of a run whose answers a model or people labelled: the other's labels, or the report."""
    if not by_people:
        command = f"tunegate labels import {run} LABELS.jsonl --rubric {rubric or 'RUBRIC.toml'} --reviewer NAME"
        next_step(command, "measure how far people agree")
    elif not by_model:
        next_step(f"tunegate judge {run} --rubric {rubric} --by MODEL", "measure how far a model agrees")
    else:
        next_step(f"tunegate report {run}", "write the report, which says who judged the answers")
