"""Export a run as lm-evaluation-harness writes its results: a task per suite, with the judged model's metrics.

The format has a standard error and no interval: it says N/A, and the interval is in the task's metadata.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

import msgspec

from harness.sanitize import shown
from harness.schema import CANDIDATE, Manifest, SuiteInfo
from reports import wording
from reports.exports import hub

FILTER = "none"
"""The part of a metric's key for which the answers were not filtered."""
HIGHER_IS_BETTER = {"higher": True, "lower": False, "": None}


def write(run: Path, dataset: str = "") -> Iterator[str]:
    """Yield results.json. Raises UserError or NothingJudged as `hub.published` does."""
    stored = hub.published(run)
    suites = {suite.name: suite for suite in stored.manifest.suites}
    values: dict[str, dict[str, Any]] = {name: {"alias": name, "sample_len": s.asked} for name, s in suites.items()}
    configs = {name: _config(suite, stored.manifest) for name, suite in suites.items()}
    for suite, metric, row in hub.measured(stored, has_parts=True):
        values[suite.name] |= {
            f"{metric.name},{FILTER}": row.estimate.value,
            f"{metric.name}_stderr,{FILTER}": "N/A",
        }
        configs[suite.name]["metadata"]["estimates"][metric.name] = msgspec.to_builtins(row.estimate)
    written = {
        "results": values,
        "group_subtasks": {name: [] for name in suites},
        "configs": configs,
        "versions": {name: config["metadata"]["version"] for name, config in configs.items()},
        "n-shot": {},
        "higher_is_better": {
            name: {metric.name: HIGHER_IS_BETTER[metric.better] for metric in suite.metrics}
            for name, suite in suites.items()
        },
        "n-samples": {name: {"original": suite.cases, "effective": suite.asked} for name, suite in suites.items()},
        "task_hashes": {name: suite.hash for name, suite in suites.items()},
        **_model(stored.manifest),
    }
    yield msgspec.json.format(msgspec.json.encode(written), indent=2).decode() + "\n"


def _config(suite: SuiteInfo, manifest: Manifest) -> dict[str, Any]:
    return {
        "task": suite.name,
        "description": shown(suite.title),
        "doc_to_text": suite.prompt,
        "repeats": suite.samples,
        "generation_kwargs": {"temperature": suite.temperature},
        "metadata": {"version": suite.cases_hash[:12], "tunegate_run": shown(manifest.run_id), "estimates": {}},
    }


def _model(manifest: Manifest) -> dict[str, Any]:
    name = hub.model_name(manifest)
    started, ended = (datetime.fromisoformat(when) for when in (manifest.started, manifest.ended or manifest.started))
    return {
        "config": {
            "model": manifest.engine.get("name", ""),
            "model_args": f"pretrained={name}",
            "model_sha": manifest.checkpoints[CANDIDATE].digest,
        },
        "git_hash": manifest.git.get("commit"),
        "date": started.timestamp(),
        "model_source": manifest.engine.get("name", ""),
        "model_name": name,
        "model_name_sanitized": wording.slug(name),
        "total_evaluation_time_seconds": str((ended - started).total_seconds()),
    }
