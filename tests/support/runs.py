"""Run folders of literal content, for tests of everything that looks back on runs."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from harness.runs.folder import RunFolder
from harness.schema import Checkpoint, Estimate, Manifest, Metric, MetricRow, Metrics, Outcome, SuiteInfo, Verdict
from tests.support import sample
from tests.support.sample import SUITE

SUITES = {SUITE, "general/basics"}
METRICS = [
    Metric(name="clause_recall", scorer="clauses", numerator="tp", denominator="gold"),
    Metric(name="answer_words", scorer="given", numerator="words", higher_is_better=False),
]


def make_suite(**more: Any) -> SuiteInfo:
    own = {"title": "Clauses are found.", "objective": "Find clauses.", "cases": 40, "asked": 40, "metrics": METRICS}
    return sample.make_suite(**{**own, "slices": [], **more})


def make_verdict(outcome: Outcome = "pass", **more: Any) -> Verdict:
    fields: dict[str, Any] = {
        "suite": SUITE,
        "gate": "clause_recall-at_least-0.9",
        "metric": "clause_recall",
        "rule": "at_least",
        "outcome": outcome,
        "bar": "at least 90.0%",
        "reason": "as it is",
        "seen": "as it is",
    }
    return Verdict(**{**fields, **more})


def make_level(value: float = 0.9, **more: Any) -> MetricRow:
    fields: dict[str, Any] = {
        "suite": SUITE,
        "variant": "tuned",
        "metric": "clause_recall",
        "estimate": Estimate(value=value, low=value - 0.05, high=value + 0.05, n=80, clusters=40, method="wilson"),
    }
    return MetricRow(**{**fields, **more})


def name_of(day: int, slug: str = "eval") -> str:
    """Name of a run that started on this day of November."""
    return f"202611{day:02d}T080000Z-{slug}-{day:08x}"


def write_run(
    root: Path,
    day: int = 1,
    outcomes: tuple[Outcome, ...] = ("pass",),
    value: float = 0.9,
    seal: bool = True,
    **more: Any,
) -> Path:
    """A sealed evaluation that started on this day of November; `more` are fields of its manifest."""
    fields: dict[str, Any] = {
        "run_id": name_of(day),
        "kind": "eval",
        "status": "finished",
        "started": f"2026-11-{day:02d}T08:00:00Z",
        "ended": f"2026-11-{day:02d}T08:05:00Z",
        "checkpoints": {
            "keyword_floor": Checkpoint(name="keyword floor", kind="scripted", path="", digest="f" * 64),
            "tuned": Checkpoint(name=f"runs/adapter-{day}", kind="adapter", path="/m", digest=f"{day:02x}" * 32),
            "baseline": Checkpoint(name="org/base", kind="model", path="/m", digest="b" * 64),
        },
        "suites": [make_suite()],
    }
    manifest = Manifest(**{**fields, **more})
    folder = RunFolder(root / manifest.run_id)
    folder.path.mkdir(parents=True)
    folder.write_manifest(manifest)
    if manifest.kind == "eval":
        words = make_level(61.5, metric="answer_words", estimate=Estimate(value=61.5, n=80, clusters=40))
        sliced = make_level(0.1, slice="instrument", slice_value="lease")
        rows = [make_level(value), words, sliced, make_level(0.2, variant="baseline")]
        folder.write_metrics(Metrics(metrics=rows))
        folder.write_verdicts([make_verdict(outcome, gate=f"g{at}") for at, outcome in enumerate(outcomes)])
    if seal:
        folder.seal()
    return folder.path


def write_history(root: Path) -> Path:
    """Two evaluations, a training, an evaluation that was not sealed, a folder of something else."""
    write_run(root, 2, ("pass", "fail"), 0.8)
    write_run(root, 1)
    write_run(root, 3, seal=False, status="running", ended=None)
    write_run(root, 4, run_id=name_of(4, "train"), kind="train", suites=[])
    (root / "demo-data").mkdir()
    return root
