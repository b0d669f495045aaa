"""One session of training: loads the model, runs the loop, and writes the selected adapter."""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec
import torch

from harness.checkpoints.model_files import ADAPTER_CONFIG, BASE_QUANTISATION, read_json
from harness.checkpoints.resolve import hub_revision
from harness.checkpoints.weights import save_model
from harness.formatting import phrase
from training import model as models
from training.checkpointing import TrainingState, written
from training.hooks import MODEL, Hooks, NotFinite
from training.job import TrainingJob
from training.loop import Loop, put
from training.throughput import peak_mib
from training.validation import Questions, ValidationSet


def fit(job: TrainingJob, state: TrainingState, hooks: Hooks, out: Path) -> dict[str, Any]:
    """Train to the end and return the facts that the run records.

    Writes to `out` the adapter of the best validation, or of the last step without validation data. Raises
    `hooks.Stopped`, and `hooks.NotFinite` after writing the best adapter so far.
    """
    config = job.config
    hooks.at(MODEL)
    model = models.load(Path(job.base.path), config.lora, job.dtype, config.train.seed, config.model)
    train = msgspec.structs.replace(config.train, gradient_checkpointing="on" if job.checkpointing else "off")
    loop = Loop(model, train, config.optim, hooks, state)
    try:
        loop.run(job.train.documents, job.steps, job.held)
    except NotFinite as error:
        raise NotFinite(f"{error}. {_write_finite(job, loop, model, out)}") from None
    _write(job, loop, model, out, state.best_adapter)
    trainable = sum(p.numel() for p in loop.adapter.values())
    return {
        "steps": state.step,
        "stopped_early": state.stopped_early,
        "best_step": state.best_step,
        "best_validation_loss": state.best.get("validation_loss"),
        "chosen_by": _chosen_by(job.held, state.best.get("task")),
        "selection": _before_and_after(job.held.select, state, "task"),
        "forgetting": {
            "before": state.before.get("general_loss"),
            "after": state.best.get("general_loss"),
            "cases": _before_and_after(job.held.forgetting, state, "general"),
        },
        "trainable_parameters": trainable,
        "gradient_checkpointing": job.checkpointing,
        "device": _device(loop.accelerator.device),
        "processes": loop.accelerator.num_processes,
        "wall_s": round(state.wall_s, 1),
        "cpu_s": round(state.cpu_s, 1),
        "peak_memory_mib": peak_mib(loop.accelerator.device),
        "peak_flops_per_s": loop.meter.peak,
    }


def _write_finite(job: TrainingJob, loop: Loop, model: models.AnswerLoss, out: Path) -> str:
    """Write the best adapter, or the last one with a finite loss, and say where it is."""
    state = loop.state
    step, weights = (state.best_step, state.best_adapter) if state.best_adapter else loop.finite
    if step:
        _write(job, loop, model, out, weights)
        return f"The adapter of step {step} is in {out}"
    return f"The adapter saved before is still in {out}" if out.exists() else "There is no earlier adapter to save"


def _write(job: TrainingJob, loop: Loop, model: models.AnswerLoss, out: Path, weights: dict[str, Any]) -> None:
    """Write the adapter with `weights`, or with its own if they are empty."""
    if weights:
        put(loop.adapter, weights)
    gathered = loop.weights()
    if loop.accelerator.is_main_process:
        write_adapter(model, job.config.base, out, job.config.model.quantise, gathered, hub_revision(job.base))


def _chosen_by(held: ValidationSet, best: Mapping[str, Any] | None) -> str:
    """Describe the choice; `best` is the metric of the chosen adapter, without a value where none was measured."""
    if held.select and best and best["value"] is not None:
        most = "highest" if held.select.metric.higher_is_better else "lowest"
        return f"{most} {phrase(held.select.metric.name)} of {held.select.suite.name}"
    if held.select and not held.documents:
        return f"first validation; {phrase(held.select.metric.name)} was never measured"
    return "lowest validation loss" if held.documents else "last step; no validation rows"


def _before_and_after(questions: Questions | None, state: TrainingState, name: str) -> dict[str, Any] | None:
    """Return the metric of the base model and of the selected adapter, as estimates."""
    if questions is None:
        return None
    levels = {"before": state.before.get(name), "best": state.best.get(name)}
    is_share = questions.metric.is_percentage(level["value"] for level in levels.values() if level)
    return questions.facts | {"is_share": is_share} | levels


def write_adapter(
    model: models.AnswerLoss,
    base: str,
    out: Path,
    quantise: str = "none",
    weights: dict[str, Any] | None = None,
    revision: str | None = None,
) -> None:
    """Write adapter_config.json and adapter_model.safetensors, atomically.

    The configuration records a quantised base, and the `revision` of one on the hub, since the adapter on other weights
    would be another model. `weights` are the adapter's by parameter name, for a model that has only shards of them.
    Raises UserError where the disk is full.
    """
    part = out.with_name(f".{out.name}.part")
    shutil.rmtree(part, ignore_errors=True)
    settings = model.model.peft_config["default"]
    settings.base_model_name_or_path, settings.revision = base, revision
    with written(out, part):
        save_model(model.model, part, save_embedding_layers=False, state_dict=weights)
        (part / "README.md").unlink(missing_ok=True)
        if quantise != "none":
            file = part / ADAPTER_CONFIG
            file.write_text(json.dumps(read_json(file) | {BASE_QUANTISATION: quantise}, indent=2), "utf-8")
        shutil.rmtree(out, ignore_errors=True)
        part.replace(out)


def _device(device: torch.device) -> str:
    return str(torch.cuda.get_device_name(device)) if device.type == "cuda" else str(device.type)
