"""The evaluation of a sweep's winner on the suite's test cases."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

from harness.engines.base import pick_engine
from harness.engines.config import EngineConfig
from harness.errors import UserError
from harness.evaluation.plan import Job, SuiteJob, make_plan
from harness.evaluation.run import run
from harness.gates.config import load_suite_gates
from harness.progress.progress import Progress
from harness.runs.folder import RunFolder
from harness.schema import BASELINE, CANDIDATE
from harness.suites.suite import Suite
from training.config import Config
from training.sweep.results import FILE, Confirmed, SweepRow, read
from training.validation import Questions


def check(questions: Questions, config: Config, engine: str | None) -> None:
    """Check engine, gates and prompt lengths of the test before any point is trained. Raises UserError."""
    suite = questions.suite
    pick_engine(engine)
    load_suite_gates(suite, None)
    job = Job(suites=[SuiteJob(suite=suite, cases=suite.cases)], candidate=config.base)
    make_plan(job, {CANDIDATE: questions.renderer})


def confirm(
    suite: Suite, metric: str, winner: SweepRow, config: Config, engine: str | None, progress: Progress
) -> Confirmed:
    """Evaluate the winner, trained by `config`, and its base model on every test case of the suite.

    An interrupted evaluation starts again; its completions are in the cache.
    """
    root = Path(config.output.dir)
    job = Job(
        suites=[SuiteJob(suite=suite, cases=suite.cases)],
        candidate=str(root / winner.run),
        baseline=config.base,
        engine=EngineConfig(name=engine),
    )
    results = run(job, RunFolder.create(root, f"{config.output.name}-test"), progress, parent_run_id=winner.run)
    outcomes = [verdict.outcome for verdict in results.verdicts]
    level = results.metrics.level(suite.name, CANDIDATE, metric)
    paired = results.metrics.comparison(suite.name, metric)
    assert level is not None
    return Confirmed(
        point=winner.number,
        trained=winner.run,
        run=results.path.name,
        metric=level,
        baseline=results.metrics.level(suite.name, BASELINE, metric),
        difference=paired.difference if paired else None,
        gates={outcome: outcomes.count(outcome) for outcome in dict.fromkeys(outcomes)},
    )


def used_before(root: Path, suite: str, but: Path) -> list[str]:
    """Return the names of other sweeps below `root` that used the test cases of this suite."""
    names = []
    for folder in sorted(file.parent for file in root.glob(f"sweep-*/{FILE}")):
        with suppress(UserError):
            table = None if folder == but else read(folder)
            if table and table.confirmed and table.measure.suite == suite:
                names.append(folder.name)
    return names
