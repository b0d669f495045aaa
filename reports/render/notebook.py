"""Render the results of a run as an HTML fragment for notebooks: outcome, gates and metrics of each suite."""

from __future__ import annotations

from msgspec import structs

from harness.runs.folder import Results
from reports import wording
from reports.assemble import view_of
from reports.model import Block, Table
from reports.render import html
from reports.run_data import overall
from reports.sections import gates, results
from reports.sections.verdict import warnings


def render(run: Results) -> str:
    """Return the fragment: gates first and metrics folded below them; without a baseline, metrics first."""
    evidence = view_of(run)
    judged = [
        structs.replace(gates.table(suite, verdicts, f"Gates of {suite.name}"), folded=False)
        for suite in evidence.suites
        if (verdicts := evidence.verdicts(suite.name))
    ]
    measured = results.section(evidence).blocks
    if not run.metrics.comparisons:
        measured = [_levels(block, 1 + len(evidence.variants)) for block in measured]
    template = html.environment().get_template("notebook.html.jinja")
    return template.render(
        run=run,
        overall=overall(run.verdicts),
        warnings=warnings(evidence, not run.is_large),
        models=[(wording.variant(name), model.name) for name, model in run.manifest.checkpoints.items()],
        blocks=[*judged, *measured] if run.metrics.comparisons else [*measured, *judged],
    )


def _levels(block: Block, columns: int) -> Block:
    """Open a table and keep its first columns, without the changes that need a baseline."""
    if not isinstance(block, Table):
        return block
    rows = [row[:columns] for row in block.rows]
    return structs.replace(block, columns=block.columns[:columns], rows=rows, note="", folded=False)
