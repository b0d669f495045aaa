"""The columns of a side-by-side page: which variant of which run each shows, and what to know before comparing them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from string import ascii_uppercase

from msgspec import Struct

from harness.errors import UserError
from harness.runs.folder import Results, load_results
from harness.runs.project import find_run
from harness.schema import CANDIDATE, Metric, SuiteInfo
from reports import wording
from reports.assemble import view_of
from reports.run_data import RunView

SEPARATOR = ":"
"""Between a run and the variant of it that is meant, where it is not the tuned model."""


class Column(Struct, frozen=True, kw_only=True):
    """One variant of one run."""

    letter: str
    """Its name in the page."""
    view: RunView
    """The run."""
    variant: str
    """Whose answers are shown."""

    @property
    def run(self) -> Results:
        """What is stored of the run."""
        return self.view.run

    @property
    def model(self) -> str:
        """Name of the checkpoint that answered."""
        return self.run.manifest.checkpoints[self.variant].name

    def suite(self, name: str) -> SuiteInfo | None:
        """Return the run's record of a suite, or None where it did not run; gated metrics have a direction."""
        return next((suite for suite in self.view.suites if suite.name == name), None)

    def scorer_version(self, suite: str, metric: Metric) -> str | None:
        """Return the version of the scorer behind a metric; None where the run does not have the metric."""
        info = self.suite(suite)
        if info is None or all(own.name != metric.name for own in info.metrics):
            return None
        return info.scorers.get(metric.scorer, info.scorers_hash)


def open_columns(named: Sequence[str], root: Path) -> tuple[list[Column], Column]:
    """Find the runs; return their columns in the order in which they started, and the one that was named first.

    Each is `RUN`, or `RUN:VARIANT` such as `RUN:baseline`. Raises UserError where they are not several evaluations.
    """
    if len(named) < 2:
        raise UserError(f"--side-by-side: found {len(named)} run, expected two or more. Name several runs")
    if len(named) > len(ascii_uppercase):
        raise UserError(f"--side-by-side: found {len(named)} runs, expected at most {len(ascii_uppercase)}")
    chosen = [_choose(text, root) for text in named]
    if len({(view.run.path.resolve(), variant) for view, variant in chosen}) < len(chosen):
        raise UserError(f"--side-by-side: {wording.listing(named)} name one run twice. Name each run once")
    in_order = sorted(range(len(chosen)), key=lambda place: chosen[place][0].run.manifest.started)
    columns = [
        Column(letter=letter, view=chosen[place][0], variant=chosen[place][1])
        for letter, place in zip(ascii_uppercase, in_order, strict=False)
    ]
    return columns, columns[in_order.index(0)]


def _choose(text: str, root: Path) -> tuple[RunView, str]:
    name, variant = text.rsplit(SEPARATOR, 1) if SEPARATOR in text else (text, CANDIDATE)
    run = load_results(find_run(name, root))
    if run.manifest.kind != "eval":
        raise UserError(f"{run.path}: a {run.manifest.kind} run has no answers to compare. Name evaluation runs")
    if variant not in run.manifest.checkpoints:
        known = ", ".join(run.manifest.checkpoints) or "none"
        raise UserError(
            f"{run.path}: no answers of '{variant}'. Its variants: {known}. Name one: RUN{SEPARATOR}VARIANT"
        )
    return view_of(run), variant


def suite_names(columns: Iterable[Column]) -> list[str]:
    """Return the suites of all columns, in the order in which they come."""
    return list(dict.fromkeys(suite.name for column in columns for suite in column.run.manifest.suites))


def metrics_of(columns: Sequence[Column], suite: str) -> list[Metric]:
    """Return the metrics of a suite, newest run first: the primary, then those that any run's gates judge, the rest."""
    known: dict[str, Metric] = {}
    for column in reversed(columns):
        info = column.suite(suite)
        for metric in column.view.ranked_metrics(info) if info else ():
            known.setdefault(metric.name, metric)
    judged = {verdict.metric for column in columns for verdict in column.view.verdicts(suite)}
    first = {*judged, next(iter(known), "")}
    return sorted(known.values(), key=lambda metric: metric.name not in first)
