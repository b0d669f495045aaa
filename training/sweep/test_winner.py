"""Asks the winner of a sweep its suite's test cases, once. Trains nothing."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from harness.engines.base import pick_engine
from harness.engines.config import EngineConfig
from harness.errors import UserError
from harness.evaluation.plan import Job, SuiteJob, make_plan
from harness.evaluation.run import run
from harness.gates.config import load_suite_gates
from harness.progress.progress import Progress
from harness.runs.folder import Results, RunFolder
from harness.schema import BASELINE, CANDIDATE, Estimate
from harness.suites.suite import Suite
from training.config import Config
from training.sweep.results import FILE, Confirmed, SweepRow, read
from training.validation import Questions


def check(questions: Questions, config: Config, engine: str | None) -> None:
    """Refuse before anything is trained what would stop the test after it: engine, gates, prompts that are too long."""
    suite = questions.suite
    pick_engine(engine)
    load_suite_gates(suite, None)
    job = Job(suites=[SuiteJob(suite=suite, cases=suite.cases)], candidate=config.base)
    make_plan(job, {CANDIDATE: questions.renderer})


def confirm(
    suite: Suite, metric: str, winner: SweepRow, config: Config, engine: str | None, progress: Progress
) -> Confirmed:
    """Evaluate the winner, trained by `config`, and its base model on every test case of the suite.

    An interrupted evaluation is made anew; its answers are in the cache.
    """
    root = Path(config.output.dir)
    job = Job(
        suites=[SuiteJob(suite=suite, cases=suite.cases)],
        candidate=str(root / winner.run),
        baseline=config.base,
        engine=EngineConfig(name=engine),
    )
    made = run(job, RunFolder.create(root, f"{config.output.name}-test"), progress, parent_run_id=winner.run)
    outcomes = [verdict.outcome for verdict in made.verdicts]
    level = _level(made, suite.name, metric, CANDIDATE)
    assert level is not None
    return Confirmed(
        point=winner.number,
        trained=winner.run,
        run=made.path.name,
        metric=level,
        baseline=_level(made, suite.name, metric, BASELINE),
        difference=_difference(made, suite.name, metric),
        gates={outcome: outcomes.count(outcome) for outcome in dict.fromkeys(outcomes)},
    )


def _level(made: Results, suite: str, metric: str, variant: str) -> Estimate | None:
    wanted = (suite, variant, metric, None)
    rows = made.metrics.metrics
    return next((r.estimate for r in rows if (r.suite, r.variant, r.metric, r.slice) == wanted), None)


def _difference(made: Results, suite: str, metric: str) -> Estimate | None:
    rows = made.metrics.comparisons
    found = (r for r in rows if (r.suite, r.comparison.metric, r.slice) == (suite, metric, None))
    return next((r.comparison.difference for r in found), None)


def asked_before(root: Path, suite: str, but: Path) -> list[str]:
    """Other sweeps below `root` that asked the test cases of this suite."""
    return list(_asked(sorted(root.glob(f"sweep-*/{FILE}")), suite, but))


def _asked(files: Iterable[Path], suite: str, but: Path) -> Iterable[str]:
    for file in files:
        if file.parent == but:
            continue
        try:
            table = read(file.parent)
        except UserError:
            continue
        if table and table.confirmed and table.measure.suite == suite:
            yield file.parent.name
