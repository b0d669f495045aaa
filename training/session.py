"""One session of a training: loads the model, runs the loop, writes the best adapter. Loads torch."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import msgspec
import torch

from harness.checkpoints import model_files as weight_files
from harness.checkpoints import quantization
from harness.checkpoints.model_files import ADAPTER_CONFIG, read_json
from training import model as models
from training.checkpointing import TrainingState, written
from training.hooks import MODEL, Hooks, NotFinite
from training.job import TrainingJob
from training.loop import Loop, put
from training.throughput import peak_mib
from training.validation import Questions


def fit(job: TrainingJob, state: TrainingState, hooks: Hooks, out: Path) -> dict[str, Any]:
    """Train to the end, or to `hooks.Stopped`; returns what the run records of it.

    The chosen adapter lies in `out` afterwards: of the best evaluation, or of the last step where nothing chooses. The
    best so far is kept there too before `hooks.NotFinite` leaves.
    """
    config = job.config
    hooks.at(MODEL)
    model = models.load(Path(job.base.path), config.lora, job.dtype, config.train.seed, config.model)
    train = msgspec.structs.replace(config.train, gradient_checkpointing="on" if job.checkpointing else "off")
    loop = Loop(model, train, config.optim, hooks, state)
    try:
        loop.run(job.train.documents, job.steps, job.held)
    except NotFinite as error:
        raise NotFinite(f"{error}. {_keep_good(job, loop, model, out)}") from None
    _keep(job, loop, model, out, state.best_adapter)
    trainable = sum(p.numel() for p in loop.adapter.values())
    return {
        "steps": state.step,
        "stopped_early": state.stopped_early,
        "best_step": state.best_step,
        "best_validation_loss": state.best.get("validation_loss"),
        "chosen_by": _chosen_by(job),
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


def _keep_good(job: TrainingJob, loop: Loop, model: models.AnswerLoss, out: Path) -> str:
    """Write the best adapter, or the last one that gave a loss; says so."""
    state, good = loop.state, loop.good
    kept, weights = (state.best_step, state.best_adapter) if state.best_adapter else (good.step, good.adapter)
    if kept:
        _keep(job, loop, model, out, weights)
        return f"The adapter of step {kept} is kept in {out}"
    return f"The adapter kept before is still in {out}" if out.exists() else "There is no earlier adapter to keep"


def _keep(job: TrainingJob, loop: Loop, model: models.AnswerLoss, out: Path, weights: dict[str, Any]) -> None:
    """Write the adapter with these weights; with its own where there are none."""
    if weights:
        put(loop.adapter, weights)
    whole = loop.weights()
    if loop.accelerator.is_main_process:
        write_adapter(model, job.config.base, out, job.config.model.quantise, whole)


def _chosen_by(job: TrainingJob) -> str:
    held = job.held
    if held.select:
        best = "highest" if held.select.metric.higher_is_better else "lowest"
        return f"{best} {held.select.metric.name} of {held.select.suite.name}"
    return "lowest validation loss" if held.documents else "last step; no validation rows were given"


def _before_and_after(asked: Questions | None, state: TrainingState, name: str) -> dict[str, Any] | None:
    """The metric of the base model and of the chosen adapter, as estimates."""
    if asked is None:
        return None
    return asked.facts | {"before": state.before.get(name), "best": state.best.get(name)}


def write_adapter(
    model: models.AnswerLoss, base: str, out: Path, quantise: str = "none", weights: dict[str, Any] | None = None
) -> None:
    """Write adapter_config.json and adapter_model.safetensors, whole or not at all.

    The configuration says where the base was quantised: on other weights the adapter would be another model. `weights`
    are the adapter's by parameter name, where the model holds only parts of them.
    """
    part = out.with_name(f".{out.name}.part")
    shutil.rmtree(part, ignore_errors=True)
    model.model.peft_config["default"].base_model_name_or_path = base
    with written(out, part):
        weight_files.save(model.model, part, save_embedding_layers=False, state_dict=weights)
        (part / "README.md").unlink(missing_ok=True)
        if quantise != "none":
            file = part / ADAPTER_CONFIG
            file.write_text(json.dumps(read_json(file) | {quantization.KEY: quantise}, indent=2), "utf-8")
        shutil.rmtree(out, ignore_errors=True)
        part.replace(out)


def _device(device: torch.device) -> str:
    return str(torch.cuda.get_device_name(device)) if device.type == "cuda" else str(device.type)
