"""Builds the report from loaded runs. Knows no file format; computes no estimate."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path

from harness.errors import UserError
from harness.store import SEAL, RunData, check_seal, load_run
from reports import words
from reports.evidence import Evidence, overall
from reports.model import ReportModel
from reports.sections import SECTIONS

UNSEALED = "the run is not sealed"


def build(runs: Sequence[RunData | Path]) -> ReportModel:
    """One report from one evaluation run and, where given, the training run behind it.

    Raises UserError where there is not exactly one evaluation run, or more than one training run.
    """
    loaded = [run if isinstance(run, RunData) else load_run(run) for run in runs]
    evals = [run for run in loaded if run.manifest.kind == "eval"]
    trainings = [run for run in loaded if run.manifest.kind == "train"]
    if len(evals) != 1 or len(trainings) > 1:
        raise UserError(
            f"a report needs one evaluation run and at most one training run; found {len(evals)} and {len(trainings)}. "
            "Name one evaluation run folder, then optionally its training run"
        )
    evidence = gather(evals[0], trainings[0] if trainings else None)
    made = [section(evidence) for section in SECTIONS]
    return ReportModel(
        title=f"Evaluation report: {words.listing(s.name for s in evidence.suites) or 'no suite'}",
        run_id=evidence.run.manifest.run_id,
        seal=evidence.seal,
        outcome=overall(evidence.run.verdicts),
        sections=[section for section in made if section is not None],
    )


def gather(run: RunData, training: RunData | None) -> Evidence:
    """A run with its seal checked."""
    seal = run.path / SEAL
    if not seal.exists():
        return Evidence(run=run, training=training, seal=UNSEALED)
    digest = hashlib.sha256(seal.read_bytes()).hexdigest()
    return Evidence(run=run, training=training, seal=digest, changed_files=tuple(check_seal(run.path)))
