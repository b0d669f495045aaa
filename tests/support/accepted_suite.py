"""A suite with every kind of metric and comparative gate in its own folder, and runs of it with scripted models."""

import random
from collections.abc import Sequence
from pathlib import Path

from harness.baseline.accept import Acceptance
from harness.engines.config import EngineConfig
from harness.evaluation.plan import Job, SuiteJob
from harness.evaluation.run import run
from harness.progress.progress import Progress
from harness.runs.folder import RunData, RunFolder, load_run
from harness.schema import ACCEPTED
from harness.suites.discovery import find_suites
from harness.suites.suite import Suite
from tests.support.mini import NAMES, right, rows, write_script, write_suite

CASES = rows(60)
TEST = '''"""Mini: clauses are found."""

from harness import Metric, Score, Suite
from harness.scoring.legal import clauses
from harness.scoring.base import scorer

LIKENESS = Metric(name="likeness", scorer="likeness", numerator="", kind="mean", worst=0.0, best=1.0)


@scorer(metrics=[LIKENESS], name="likeness")
def likeness(case, completion):
    if "boom" in completion.text:
        raise ValueError(completion.text)
    if "?" in completion.text:
        return Score(name="likeness", value=None, reason=f"cannot read {completion.text!r}")
    return Score(name="likeness", value=(len(completion.text) % 7) / 7)


suite = Suite(
    scorers=[clauses.among(["holdover", "assignment", "as is"]), likeness], slices=["instrument"], max_tokens=8
)


@suite.case
def test_finds_every_clause(record):
    assert record.scores.clauses.missing == []
'''
LEVEL = """[objective]
text = "Find the clauses."

[[gate]]
metric = "clause_recall"
rule = "at_least"
value = 0.2
"""
GATES = (
    LEVEL
    + """
[[gate]]
metric = "clause_exact_set"
rule = "improves"

[[gate]]
metric = "clause_macro_f1"
rule = "no_worse"
margin = 0.05

[[gate]]
metric = "false_alarm_rate"
rule = "reduces"
ratio = 0.9

[[gate]]
metric = "likeness"
rule = "improves"
slice = "instrument"
"""
)
SAID = Acceptance(reason="the model in production", accepted_at="2026-01-02T03:04:05Z", although="a first baseline")


def answers(share: float, seed: int) -> dict[str, str]:
    """Right answers to about `share` of the cases, and wrong ones of several kinds to the others."""
    rng = random.Random(seed)
    wrong = ["none", *NAMES, "due on sale", "the tenant's own words"]
    return {name: text if rng.random() < share else rng.choice(wrong) for name, text in right(CASES).items()}


OLD, NEW = answers(0.5, 1), answers(0.95, 2)


def write(root: Path, gates: str = GATES, test: str = TEST, cases: list[dict[str, object]] | None = None) -> Path:
    return write_suite(root, CASES if cases is None else cases, test, gates)


def suites(root: Path) -> list[Suite]:
    return list(find_suites([str(root / "evalsuites")]))


def evaluate(
    root: Path,
    tuned: dict[str, str],
    baseline: dict[str, str] | str | None = None,
    *,
    bars: Path | None = None,
    fail: Sequence[str] = (),
    limit: int | None = None,
) -> RunData:
    """Run the suite below `root`; `baseline` is a model's answers, or `accepted`."""
    asked = {"tuned": tuned} | ({"baseline": baseline} if isinstance(baseline, dict) else {})
    script = write_script(root, **asked, fail={"tuned": list(fail)})
    job = Job(
        suites=[SuiteJob(suite=s, cases=s.cases[:limit]) for s in suites(root)],
        candidate="new",
        baseline="old" if isinstance(baseline, dict) else baseline,
        bars=bars,
        engine=EngineConfig(name="fake", script=script, use_cache=False),
    )
    assert baseline in (None, ACCEPTED) or isinstance(baseline, dict)
    return load_run(run(job, RunFolder.create(root / "runs", "test"), Progress(quiet=True)).path)
