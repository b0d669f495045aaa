"""A project with a suite and an approval policy, and runs in which checkpoints passed it or did not.

The fake engine answers, and the run is then sealed as one of the weights in question: what an engine that loads them
would have written.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from contextlib import chdir
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import msgspec

from harness.approval.policy import renew
from harness.checkpoints.resolve import resolve
from harness.runs.folder import SEAL, RunFolder, load_manifest, recorded_verdicts
from harness.schema import BASELINE, CANDIDATE, Checkpoint, Manifest, Outcome
from tests.support.mini import evaluate as run_suites
from tests.support.mini import right, rows, write_suite
from tests.support.mini import suites as suites_below

SUITE = "legal/mini"
CASES = 40
PASS_ON_BOTH = """[objective]
text = "Find the clauses."

[[gate]]
metric = "clause_recall"
rule = "at_least"
value = 0.5

[[gate]]
metric = "clause_exact_set"
rule = "at_least"
value = 0.5
"""
GATES = ["clause recall at least 50.0%", "clause exact set at least 50.0%"]
Answers = Mapping[str, str]


def write_project(root: Path, gates: str = PASS_ON_BOTH) -> Path:
    """A suite, and a policy that names it."""
    root.mkdir(parents=True, exist_ok=True)
    folder = write_suite(root, rows(CASES), gates=gates)
    approve_of(root)
    return folder


def approve_of(root: Path) -> None:
    """Let the policy name every suite of the project as it is now: what `tunegate approval` does."""
    with chdir(root):
        renew(suites_below(root), add_new=True)


def wrong() -> dict[str, str]:
    """An answer to every case that invents a clause, or misses the one that is there."""
    return {str(case["id"]): "none" if case["expected"] else "as is" for case in rows(CASES)}


def evaluate(
    runs: Path,
    weights: Path | Checkpoint,
    *,
    answers: Answers | None = None,
    baseline: Path | Checkpoint | str | None = None,
    asked: int | None = None,
    suites: list[str] | None = None,
    bars: Path | None = None,
) -> Path:
    """Evaluate weights on the project around the folder of runs; without `answers`, they are all right."""
    root = runs.parent
    before = wrong() if baseline and not isinstance(baseline, str) else baseline
    given = answers or right(rows(CASES))
    made = run_suites(root, given, before, runs=runs, bars=bars, limit=asked, names=suites).path
    (root / "script.json").unlink()
    checkpoints = {CANDIDATE: checkpoint_of(weights)}
    if baseline and not isinstance(baseline, str):
        checkpoints[BASELINE] = checkpoint_of(baseline)
    change(made, lambda m: msgspec.structs.replace(m, checkpoints=m.checkpoints | checkpoints))
    return made


def checkpoint_of(weights: Path | Checkpoint) -> Checkpoint:
    return weights if isinstance(weights, Checkpoint) else resolve(str(weights))


def change(folder: Path, edit: Callable[[Manifest], Manifest]) -> None:
    """Edit a run's manifest, and seal the run again."""
    manifest = edit(load_manifest(folder))
    (folder / SEAL).unlink(missing_ok=True)
    RunFolder(folder).write_manifest(manifest)
    RunFolder(folder).seal()


def generated(manifest: Manifest) -> Manifest:
    """Return the manifest as if a model had answered."""
    models = {name: msgspec.structs.replace(model, kind="model") for name, model in manifest.checkpoints.items()}
    return msgspec.structs.replace(manifest, checkpoints=models)


def reseal(folder: Path) -> None:
    """Seal a run as it is now."""
    change(folder, lambda manifest: manifest)


def after(minutes: int) -> str:
    """Return a time so many minutes after every run that the tests start, and on this side of a wrong clock."""
    return f"{LATER + timedelta(minutes=minutes):%Y-%m-%dT%H:%M:%SZ}"


LATER = datetime.now(UTC) + timedelta(hours=6)


def later(folder: Path, minutes: int) -> Path:
    """Let a run have started after all others, in order of the minutes."""
    change(folder, lambda m: msgspec.structs.replace(m, started=after(minutes)))
    return folder


def write_run(runs: Path, weights: Path | Checkpoint, *outcomes: Outcome, **more: Any) -> Path:
    """An evaluation whose answers are right, and whose gates are said to have come to these outcomes."""
    if not (runs.parent / "evalsuites").exists():
        write_project(runs.parent)
    folder = evaluate(runs, weights, **more)
    found = recorded_verdicts(folder)
    said = [msgspec.structs.replace(v, outcome=o) for v, o in zip(found, outcomes, strict=False)]
    (folder / "verdicts.json").write_bytes(msgspec.json.encode(said))
    reseal(folder)
    return folder


def edit_json(file: Path, edit: Callable[[Any], Any]) -> None:
    """Change a file of JSON."""
    file.write_text(json.dumps(edit(json.loads(file.read_text()))))
