"""Export the judged model's answers as a log of Inspect, which `inspect view` and `read_eval_log` read.

A log is about one task: several suites become one task whose samples and scores have the suite's name before their own.
"""

from __future__ import annotations

import math
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec

from harness import __version__
from harness.errors import extra_needed_by
from harness.runs.folder import Results, stream
from harness.schema import CANDIDATE, Case, Record, Score, SuiteInfo
from harness.suites.prompts import recorded_messages
from reports.exports import hub

STOP_REASONS = {"stop": "stop", "length": "max_tokens", "error": "unknown"}


def write(run: Path, dataset: str = "") -> Iterator[str]:
    """Yield the log as JSON: name the file `.json`. All answers of the judged model are in memory.

    Raises UserError or NothingJudged as `hub.published` does, and MissingExtra without inspect_ai.
    """
    with extra_needed_by("the format inspect", "inspect-log", "inspect_ai"):
        from inspect_ai.log import EvalLog, write_eval_log
    stored = hub.published(run)
    samples = list(_samples(stored))
    log = EvalLog.model_validate(
        {
            "status": "success",
            "eval": _spec(stored, dataset, samples),
            "results": {
                "total_samples": len(samples),
                "completed_samples": sum("error" not in sample["output"] for sample in samples),
                "scores": _scores(stored),
            },
            "stats": {"started_at": stored.manifest.started, "completed_at": stored.manifest.ended or ""},
            "samples": samples,
        }
    )
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "log.json"
        write_eval_log(log, str(file))
        yield file.read_text("utf-8")


def _spec(stored: Results, dataset: str, samples: list[dict[str, Any]]) -> dict[str, Any]:
    manifest = stored.manifest
    names = ", ".join(suite.name for suite in manifest.suites)
    ids = list(dict.fromkeys(sample["id"] for sample in samples))
    commit = manifest.git.get("commit")
    return {
        "created": manifest.started,
        "eval_id": manifest.run_id,
        "run_id": manifest.run_id,
        "task_id": manifest.run_id,
        "task": names,
        "dataset": {"name": dataset or names, "samples": len(ids), "sample_ids": ids},
        "model": hub.model_name(manifest),
        "model_generate_config": {
            name: manifest.sampling[name] for name in ("temperature", "seed") if name in manifest.sampling
        },
        "config": {"epochs": max((sample["epoch"] for sample in samples), default=1)},
        "revision": {"type": "git", "origin": "", "commit": commit} if commit else None,
        "packages": {"tunegate": __version__},
    }


def _scores(stored: Results) -> list[dict[str, Any]]:
    """Return each scorer's metrics over whole suites, with the estimate of each as its metadata."""
    scores: dict[str, dict[str, Any]] = {}
    for suite, metric, row in hub.measured(stored, has_parts=True):
        name = _within(stored, suite, metric.scorer)
        score = scores.setdefault(name, {"name": name, "scorer": metric.scorer, "metrics": {}})
        estimate = msgspec.to_builtins(row.estimate)
        score["metrics"][metric.name] = {"name": metric.name, "value": row.estimate.value, "metadata": estimate}
    return list(scores.values())


def _samples(stored: Results) -> Iterator[dict[str, Any]]:
    suites = {suite.name: suite for suite in stored.manifest.suites}
    model = hub.model_name(stored.manifest)
    for name, record in stream(stored.path):
        if record.variant == CANDIDATE:
            yield _sample(stored, suites[name], record, model)


def _sample(stored: Results, suite: SuiteInfo, record: Record, model: str) -> dict[str, Any]:
    case, completion = record.case, record.completion
    prompt = recorded_messages(suite.prompt, case) or [{"role": "user", "content": "\n\n".join(case.input.values())}]
    answer = {"role": "assistant", "content": completion.text, "model": model, "source": "generate"}
    output: dict[str, Any] = {
        "model": model,
        "choices": [{"message": answer, "stop_reason": STOP_REASONS[completion.finish_reason]}],
        "usage": {
            "input_tokens": completion.prompt_tokens,
            "output_tokens": completion.output_tokens,
            "total_tokens": completion.prompt_tokens + completion.output_tokens,
        },
    }
    if completion.latency_ms is not None:
        output["time"] = completion.latency_ms / 1000
    if completion.error is not None:
        output["error"] = completion.error
    return {
        "id": _within(stored, suite, case.id),
        "epoch": record.repeat,
        "input": prompt,
        "target": case.expected,
        "messages": [*prompt, answer],
        "output": output,
        "scores": {_within(stored, suite, name): _score(score) for name, score in record.scores.items()},
        "metadata": metadata(suite, case),
    }


def metadata(suite: SuiteInfo, case: Case) -> dict[str, str]:
    """Return what a sample is about; a tag that is called like one of the first two says that it is a tag."""
    about = {"suite": suite.name, "cluster": case.cluster}
    return about | {f"tag {name}" if name in about else name: value for name, value in case.tags.items()}


def _score(score: Score) -> dict[str, Any]:
    """Return a score; Inspect's value for one that was not scored is NaN."""
    evidence = {"extracted": score.extracted, "counts": score.counts, "spans": msgspec.to_builtins(score.spans)}
    value = math.nan if score.value is None else score.value
    return {"value": value, "explanation": score.reason, "metadata": evidence}


def _within(stored: Results, suite: SuiteInfo, name: str) -> str:
    """Return a name that is unique in the log."""
    return name if len(stored.manifest.suites) == 1 else f"{suite.name}/{name}"
