"""A finished run of the mini suite, made in memory of the process, for tests of what is done to runs later."""

from pathlib import Path

from harness.engines.config import EngineConfig
from harness.evaluation.plan import Job, SuiteJob
from harness.evaluation.run import run
from harness.progress.progress import Progress
from harness.runs.folder import RunData, RunFolder, load_run
from harness.suites.discovery import find_suites
from harness.suites.suite import Suite
from tests.support.mini import right, rows, write_script, write_suite


def suites(root: Path) -> list[Suite]:
    return list(find_suites([str(root / "evalsuites")]))


def make(root: Path, tuned: dict[str, str] | None = None, baseline: dict[str, str] | None = None) -> RunData:
    """Run the mini suite below `root`; by default the tuned model is right and the baseline is not."""
    write_suite(root)
    cases = rows()
    script = write_script(
        root,
        tuned=tuned or right(cases),
        baseline=baseline or dict.fromkeys(right(cases), "nothing is listed"),
    )
    found = suites(root)
    job = Job(
        suites=[SuiteJob(suite=s, cases=s.cases) for s in found],
        candidate="new",
        baseline="old",
        engine=EngineConfig(name="fake", script=script, use_cache=False),
    )
    return load_run(run(job, RunFolder.create(root / "runs", "test"), Progress(quiet=True)).path)
