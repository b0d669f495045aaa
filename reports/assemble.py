"""Build the report model from loaded runs."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

from msgspec import structs

from harness.errors import UserError
from harness.files import file_sha256
from harness.runs.folder import SEAL, Results, RunData, load_run
from reports import number_format, wording
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
    of = number_format.number(len(names) - 1)
    for number, page in enumerate(evidence.cases.pages[1:], 1):
        yield CasePage(
            name=page.name,
            title=f"{_title(evidence)}: cases, page {number_format.number(number)} of {of}",
            run_id=evidence.run.manifest.run_id,
            seal=evidence.seal,
            outcome=overall(evidence.run.verdicts),
            sections=cases.on_page(evidence, page),
            before=names[number - 1],
            after=names[number + 1] if number + 1 < len(names) else "",
        )


def view_of(results: Results) -> RunView:
    """Return the view of a run whose answers stay on disk."""
    fields = {name: getattr(results, name) for name in Results.__struct_fields__}
    return gather(RunData(**fields, records=[], suite_of=[], train_log=[]))


def gather(run: RunData, training: RunData | None = None) -> RunView:
    """Combine a run with the digest of its seal."""
    seal = run.path / SEAL
    return RunView(run=run, training=training, seal=file_sha256(seal) if seal.exists() else UNSEALED)
