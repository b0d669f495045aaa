"""Build the report model from loaded runs."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

from msgspec import structs

from harness.errors import UserError
from harness.runs.folder import SEAL, RunData, load_run
from reports import sentences, wording
from reports.assumptions import Assumptions
from reports.model import CasePage, ReportModel
from reports.run_data import RunView, overall
from reports.sections import SECTIONS, cases, models_compared

UNSEALED = "the run is not sealed"


def build(runs: Sequence[RunData | Path], assumptions: Assumptions | None = None) -> ReportModel:
    """Build one report from one evaluation run and, optionally, the training run behind it.

    `assumptions` are the reader's own, for the business estimate.

    Raises UserError unless there is exactly one evaluation run and at most one training run.
    """
    return report(read(runs, assumptions))


def read(runs: Sequence[RunData | Path], assumptions: Assumptions | None = None) -> RunView:
    """Load the runs of one report; the answers of a large run stay on disk."""
    loaded = [run if isinstance(run, RunData) else load_run(run, even_large=False) for run in runs]
    evals = [run for run in loaded if run.manifest.kind == "eval"]
    trainings = [run for run in loaded if run.manifest.kind == "train"]
    if len(evals) != 1 or len(trainings) > 1:
        raise UserError(
            f"a report needs one evaluation run and at most one training run; found {len(evals)} and {len(trainings)}. "
            "Name one evaluation run folder, then optionally its training run"
        )
    return replace(gather(evals[0], trainings[0] if trainings else None), assumptions=assumptions)


def report(evidence: RunView) -> ReportModel:
    """Build the report, with as many cases as fit on one page."""
    sections = [(group, section(evidence)) for group, section in SECTIONS]
    return ReportModel(
        title=f"Evaluation report: {_title(evidence)}",
        run_id=evidence.run.manifest.run_id,
        seal=evidence.seal,
        outcome=overall(evidence.run.verdicts),
        context=models_compared.context(evidence),
        sections=[structs.replace(section, group=group) for group, section in sections if section is not None],
    )


def _title(evidence: RunView) -> str:
    return wording.listing(suite.name for suite in evidence.suites) or "no suite"


def pages(evidence: RunView) -> Iterator[CasePage]:
    """Build the pages of the cases that the report does not hold, one at a time."""
    names = [page.name for page in evidence.cases.pages]
    for before, page, after in zip(names, evidence.cases.pages[1:], [*names[2:], ""], strict=False):
        yield CasePage(
            name=page.name,
            title=f"{_title(evidence)}: cases, {sentences.page(names.index(page.name), len(names) - 1)}",
            run_id=evidence.run.manifest.run_id,
            seal=evidence.seal,
            outcome=overall(evidence.run.verdicts),
            sections=cases.on_page(evidence, page),
            before=before,
            after=after,
        )


def gather(run: RunData, training: RunData | None) -> RunView:
    """Combine a run with the digest of its seal."""
    seal = run.path / SEAL
    if not seal.exists():
        return RunView(run=run, training=training, seal=UNSEALED)
    return RunView(run=run, training=training, seal=hashlib.sha256(seal.read_bytes()).hexdigest())
