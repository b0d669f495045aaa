"""One sitting of a training: loads the model, runs the loop, writes the best adapter. Loads torch."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import torch

from harness import quantisation
from harness.checkpoints import ADAPTER_CONFIG, read_json
from training import model as models
from training.checkpointing import State
from training.job import Job
from training.loop import Hooks, Loop, put
from training.rates import peak_mib


def fit(job: Job, state: State, hooks: Hooks, out: Path) -> dict[str, Any]:
    """Train to the end, or to `loop.Stopped`; returns what the run records of it.

    The adapter of the lowest validation loss lies in `out` afterwards; of the last step where there is no validation.
    """
    config = job.config
    model = models.load(Path(job.base.path), config.lora, job.dtype, config.train.seed, config.model)
    loop = Loop(model, config.train, config.optim, hooks, state)
    loop.run(job.train.documents, job.steps, job.validation.documents if job.validation else [])
    if state.best_adapter:
        put(loop.adapter, state.best_adapter)
    if loop.accelerator.is_main_process:
        write_adapter(model, config.base, out, config.model.quantise)
    trainable = sum(p.numel() for p in loop.adapter.values())
    return {
        "steps": state.step,
        "stopped_early": state.stopped_early,
        "best_step": state.best_step,
        "best_validation_loss": state.best_loss,
        "chosen_by": "lowest validation loss" if state.best_adapter else "last step; no validation rows were given",
        "trainable_parameters": trainable,
        "device": _device(loop.accelerator.device),
        "processes": loop.accelerator.num_processes,
        "wall_s": round(state.wall_s, 1),
        "cpu_s": round(state.cpu_s, 1),
        "peak_memory_mib": peak_mib(loop.accelerator.device),
        "peak_flops_per_s": loop.meter.peak,
    }


def write_adapter(model: models.AnswerLoss, base: str, out: Path, quantise: str = "none") -> None:
    """Write adapter_config.json and adapter_model.safetensors, whole or not at all.

    The configuration says where the base was quantised: on other weights the adapter would be another model.
    """
    part = out.with_name(f".{out.name}.part")
    shutil.rmtree(part, ignore_errors=True)
    model.model.peft_config["default"].base_model_name_or_path = base
    model.model.save_pretrained(str(part), save_embedding_layers=False)
    (part / "README.md").unlink(missing_ok=True)
    if quantise != "none":
        file = part / ADAPTER_CONFIG
        file.write_text(json.dumps(read_json(file) | {quantisation.KEY: quantise}, indent=2), "utf-8")
    shutil.rmtree(out, ignore_errors=True)
    part.replace(out)


def _device(device: torch.device) -> str:
    return str(torch.cuda.get_device_name(device)) if device.type == "cuda" else str(device.type)
