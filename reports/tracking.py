"""Send a run to trackers: metrics with their intervals, verdicts, the report and the table of cases."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

from harness.files import dotted, file_sha256
from harness.runs.folder import SEAL, RunData, load_run
from harness.runs.trackers import Trackers
from harness.schema import Estimate, combine_outcomes
from reports.cases.pages import REPORT
from reports.write import publish

SENT = ("run.json", "metrics.json", "verdicts.json", SEAL)
"""Files of a run that are sent; its answers are in the report and its table of cases."""


def send(path: Path, names: Sequence[str], say: Callable[[str], None]) -> list[str]:
    """Send a run, and return the trackers that failed. Raises UserError where the run cannot be read."""
    run = load_run(path, even_large=False)
    trackers = Trackers(names, path, _settings(run), say, _tags(run))
    for row in run.train_log:
        trackers.log_row(row)
    if run.manifest.kind == "eval":
        trackers.log(dict(_numbers(run)))
        if not (path / "report" / REPORT).is_file():
            publish([path], path / "report")
    files = [path / name for name in SENT] + sorted((path / "report").glob("*"))
    trackers.add([file for file in files if file.is_file()])
    trackers.close(run.standing.word)
    return trackers.failed


def _settings(run: RunData) -> dict[str, Any]:
    manifest = run.manifest
    models = {
        f"{variant}.{key}": getattr(checkpoint, key)
        for variant, checkpoint in manifest.checkpoints.items()
        for key in ("name", "kind", "digest")
    }
    suites = {f"suite.{suite.name}": suite.hash for suite in manifest.suites}
    training = (manifest.training or {}).get("config", {})
    settings = models | suites | dict(dotted(training)) | dict(dotted(manifest.sampling))
    return {_name(key): value for key, value in settings.items()}


def _tags(run: RunData) -> dict[str, str]:
    manifest, seal = run.manifest, run.path / SEAL
    facts = {
        "kind": manifest.kind,
        "status": run.standing.word,
        "outcome": combine_outcomes([verdict.outcome for verdict in run.verdicts]) if run.verdicts else "",
        "digest": file_sha256(seal) if seal.is_file() else "",
        "commit": manifest.git.get("commit"),
    }
    gates = {_name(f"gate/{v.suite}/{v.gate}"): v.outcome for v in run.verdicts}
    return {name: str(value) for name, value in facts.items() if value} | gates


def _numbers(run: RunData) -> Iterator[tuple[str, float]]:
    """Yield what was measured over whole suites; slices are in the report."""
    for row in run.metrics.metrics:
        if row.slice is None:
            yield from _parts(f"{row.suite}/{row.variant}/{row.metric}", row.estimate)
    for pair in run.metrics.comparisons:
        if pair.slice is None:
            yield from _parts(f"{pair.suite}/difference/{pair.comparison.metric}", pair.comparison.difference)
    for outcome, count in Counter(verdict.outcome for verdict in run.verdicts).items():
        yield f"gates/{outcome}", count


def _parts(name: str, estimate: Estimate) -> Iterator[tuple[str, float]]:
    numbers = {"": estimate.value, ".low": estimate.low, ".high": estimate.high, ".n": estimate.n}
    yield from ((_name(name + part), value) for part, value in numbers.items() if value is not None)


def _name(text: str) -> str:
    """Replace the characters that MLflow refuses in names."""
    return re.sub(r"[^\w./ -]", "_", text)
