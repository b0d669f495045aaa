"""Checks of a configuration against the model's config.json and this machine, without opening weights."""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import Any

from harness import threads
from harness.checkpoints import quantization
from harness.checkpoints.model_files import CheckpointFolder, text_settings
from harness.checkpoints.resolve import EMBEDDED, embedded_model, resolve
from harness.errors import UserError, how_to_install
from harness.files import home_expanded
from harness.runs.trackers import missing
from training import distributed, lora
from training.batching import planned
from training.config import Config
from training.data.rows import count_rows
from training.estimate import shapes


def base_folder(text: str) -> Path:
    """Return the model folder of a base checkpoint. Raises UserError for an adapter and an unknown name."""
    return local_folder(text) or Path(resolve(text).path)


def local_folder(text: str) -> Path | None:
    """Return the model folder of a base that is on this machine, else None. Raises UserError for an adapter."""
    if text == EMBEDDED:
        return embedded_model()
    folder = home_expanded(text)
    files = CheckpointFolder(folder)
    if files.is_adapter or (folder / "adapter").is_dir():
        raise UserError(f"'base' is {text}, an adapter. Merge it first with `tunegate merge` and train on the result")
    return folder if files.is_model else None


def model_problems(config: Config) -> list[str]:
    """Return every conflict between the configuration, the model, this machine and the number of rows."""
    try:
        files = CheckpointFolder(base_folder(config.base))
        facts, packed = files.config, files.quantization_file
    except UserError as error:
        return [str(error)]
    return shape_problems(config, facts, str(files.path / "config.json"), packed)


def shape_problems(config: Config, facts: dict[str, Any], where: str, packed: str = "") -> list[str]:
    """Return the conflicts for a model with these fields of config.json, which `where` names.

    `packed` is the file that says that its weights are quantised.
    """
    problems = [*_length(config, facts), *_quantised(config, packed), *_dtype(config), *_warmup(config)]
    problems += [*missing(config.records.trackers, "'records.trackers'"), *distributed.problems(config)]
    if config.train.compile and not compiler():
        problems.append("'train.compile' is true, but no C++ compiler was found. Install g++, or set it to false")
    try:
        problems += lora.problems(config, shapes.of(facts, where))
    except UserError as error:
        problems.append(str(error))
    return problems


def _length(config: Config, facts: dict[str, Any]) -> list[str]:
    limit = text_settings(facts).get("max_position_embeddings")
    if limit and config.data.max_length > limit:
        return [f"'data.max_length' is {config.data.max_length}; the model reads at most {limit}. Set {limit} or less"]
    return []


def _quantised(config: Config, packed: str) -> list[str]:
    conflicts = []
    if packed:
        conflicts.append(f"'base' is {config.base}, which {packed} says is quantised. Name the 16-bit or 32-bit model")
    if config.model.quantise == "none":
        return conflicts
    if not quantization.installed():
        conflicts.append(f"'model.quantise' is nf4, which needs the package 'bitsandbytes'. {how_to_install('train')}")
    if config.train.dtype == "float32":
        conflicts.append("'train.dtype' is float32; a base in nf4 computes in bfloat16. Set it to auto")
    return conflicts


def _dtype(config: Config) -> list[str]:
    import torch

    if not torch.cuda.is_available() or torch.cuda.is_bf16_supported():
        return []
    needs = "needs bfloat16, which this device does not support"
    conflicts = []
    if config.train.dtype == "bfloat16":
        conflicts.append(f"'train.dtype' is bfloat16; it {needs}. Set it to float32")
    if config.model.quantise != "none":
        conflicts.append(f"'model.quantise' is {config.model.quantise}; it {needs}. Leave it out")
    return conflicts


def compiler() -> str | None:
    """Return the C++ compiler that torch.compile would use, if any."""
    return os.environ.get("CXX") or shutil.which("g++") or shutil.which("clang++")


def _warmup(config: Config) -> list[str]:
    """Check the warm-up; rows are counted if the number of steps depends on them, unless they are streamed."""
    if config.data.streaming:
        return []
    try:
        rows = 0 if config.train.max_steps else count_rows(config.data.train)
    except (OSError, UserError):
        return []
    rows = min(rows, config.data.rows or rows)
    total, _ = planned(rows, config.train)
    warmup = round(config.optim.warmup_ratio * total)
    if warmup < total:
        return []
    return [
        f"'optim.warmup_ratio' is {config.optim.warmup_ratio}: {warmup} of {total} steps would be warm-up. "
        "Set it between 0 and 0.1"
    ]


def chosen_dtype(config: Config) -> str:
    """Return float32 or bfloat16, resolving `auto` for this machine.

    It is bfloat16 for a base in NF4 and on devices with instructions for it: CUDA from Ampere on, x86 CPUs with AMX or
    AVX512-BF16.
    """
    import torch

    if config.model.quantise == quantization.NF4:
        return "bfloat16"
    if config.train.dtype != "auto":
        return config.train.dtype
    if torch.cuda.is_available():
        return "bfloat16" if torch.cuda.is_bf16_supported() else "float32"
    return "bfloat16" if threads.has_bfloat16() else "float32"
