"""What a configuration may ask of a model and a machine, told from config.json. Opens no weight file."""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import Any

from harness.checkpoints import quantization
from harness.checkpoints.model_files import CheckpointFolder
from harness.checkpoints.resolve import EMBEDDED, embedded_model, resolve
from harness.errors import UserError, how_to_install
from training import distributed, lora, trackers
from training.batching import total_steps
from training.config import Config
from training.data.rows import count_rows
from training.estimate import shapes


def base_folder(text: str) -> Path:
    """Model folder of a base checkpoint; an adapter is a UserError. A local folder's weights are not opened."""
    return local_folder(text) or Path(resolve(text).path)


def local_folder(text: str) -> Path | None:
    """The same where it is on this machine, else None."""
    if text == EMBEDDED:
        return embedded_model()
    folder = Path(text).expanduser()
    files = CheckpointFolder(folder)
    if files.is_adapter or (folder / "adapter").is_dir():
        raise UserError(f"'base' is {text}, an adapter. Merge it first with `tunegate merge` and train on the result")
    return folder if files.is_model else None


def model_problems(config: Config) -> list[str]:
    """Every clash between the configuration, the model's shapes, this machine and the number of rows."""
    try:
        folder = base_folder(config.base)
        facts = CheckpointFolder(folder).config
    except UserError as error:
        return [str(error)]
    return shape_problems(config, facts, str(folder / "config.json"))


def shape_problems(config: Config, facts: dict[str, Any], where: str) -> list[str]:
    """The same for a model whose config.json is known; `where` names it."""
    problems = [*_length(config, facts), *_quantised(config, facts), *_dtype(config), *_warmup(config)]
    problems += [*trackers.missing(config.records.trackers), *distributed.problems(config)]
    if config.train.compile and not compiler():
        problems.append("'train.compile' is true, but there is no C++ compiler here. Install g++, or set it to false")
    try:
        problems += lora.problems(config, shapes.of(facts, where))
    except UserError as error:
        problems.append(str(error))
    return problems


def _length(config: Config, facts: dict[str, Any]) -> list[str]:
    most = facts.get("max_position_embeddings")
    if most and config.data.max_length > most:
        return [f"'data.max_length' is {config.data.max_length}; the model reads at most {most}. Set {most} or less"]
    return []


def _quantised(config: Config, facts: dict[str, Any]) -> list[str]:
    found = []
    if "quantization_config" in facts:
        found.append(f"'base' is {config.base}, which is quantised. Name the 16-bit or 32-bit model")
    if config.model.quantise == "none":
        return found
    if not quantization.installed():
        found.append(f"'model.quantise' is nf4, which needs the package 'bitsandbytes'. {how_to_install('train')}")
    if config.train.dtype == "float32":
        found.append("'train.dtype' is float32; a base in nf4 computes in bfloat16. Set it to auto")
    return found


def _dtype(config: Config) -> list[str]:
    import torch

    if not torch.cuda.is_available() or torch.cuda.is_bf16_supported():
        return []
    needs = "needs bfloat16, which this device cannot compute"
    found = []
    if config.train.dtype == "bfloat16":
        found.append(f"'train.dtype' is bfloat16; it {needs}. Set it to float32")
    if config.model.quantise != "none":
        found.append(f"'model.quantise' is {config.model.quantise}; it {needs}. Leave it out")
    return found


def compiler() -> str | None:
    """The C++ compiler that torch.compile would use."""
    return os.environ.get("CXX") or shutil.which("g++") or shutil.which("clang++")


def _warmup(config: Config) -> list[str]:
    """Counts the rows where the number of steps depends on them, unless they are streamed."""
    settings = config.train
    if config.data.streaming:
        return []
    try:
        rows = 0 if settings.max_steps else count_rows(config.data.train)
    except (OSError, UserError):
        return []
    rows = min(rows, config.data.rows or rows)
    total = total_steps(rows, settings.rows_per_step, settings.epochs, settings.max_steps)
    warmup = round(config.optim.warmup_ratio * total)
    if warmup < total:
        return []
    return [
        f"'optim.warmup_ratio' is {config.optim.warmup_ratio}: {warmup} of {total} steps would be warm-up. "
        "Set it between 0 and 0.1"
    ]


def chosen_dtype(config: Config) -> str:
    """float32 or bfloat16: what `auto` means on this machine.

    bfloat16 for a base in NF4, and on devices with matrix units for it: CUDA from Ampere on, x86 processors with AMX.
    """
    import torch

    if config.model.quantise == quantization.NF4:
        return "bfloat16"
    if config.train.dtype != "auto":
        return config.train.dtype
    if torch.cuda.is_available():
        return "bfloat16" if torch.cuda.is_bf16_supported() else "float32"
    has_amx = getattr(torch.cpu, "_is_amx_tile_supported", lambda: False)
    return "bfloat16" if has_amx() else "float32"
