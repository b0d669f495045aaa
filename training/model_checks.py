"""What a configuration may ask of a model, told from config.json alone. Opens no weight file and trains nothing."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from harness.checkpoints import EMBEDDED, embedded_model, read_json, resolve
from harness.errors import UserError
from training.config import ALL_LINEAR, Config

HEAD_WORDS = ("lm_head", "embed_tokens", "wte", "embed_out", "word_embeddings")


def base_folder(text: str) -> Path:
    """Model folder of a base checkpoint; an adapter is a UserError. A local folder's weights are not opened."""
    if text == EMBEDDED:
        return embedded_model()
    folder = Path(text).expanduser()
    if (folder / "adapter_config.json").is_file() or (folder / "adapter").is_dir():
        raise UserError(f"'base' is {text}, an adapter. Merge it first with `tunegate merge` and train on the result")
    if (folder / "config.json").is_file():
        return folder
    return Path(resolve(text).path)


def model_problems(config: Config) -> list[str]:
    """Every clash between the configuration and the model's shapes."""
    try:
        folder = base_folder(config.base)
        facts = read_json(folder / "config.json")
    except UserError as error:
        return [str(error)]
    problems = [*_length(config, facts), *_targets(config, folder, facts), *_dtype(config)]
    if "quantization_config" in facts:
        problems.append(f"'base' is {config.base}, which is quantised. Name the 16-bit or 32-bit model")
    return problems


def _length(config: Config, facts: dict[str, Any]) -> list[str]:
    most = facts.get("max_position_embeddings")
    if most and config.data.max_length > most:
        return [f"'data.max_length' is {config.data.max_length}; the model reads at most {most}. Set {most} or less"]
    return []


def _targets(config: Config, folder: Path, facts: dict[str, Any]) -> list[str]:
    names = config.lora.target_modules
    if names == ALL_LINEAR:
        return []
    problems = []
    tied = bool(facts.get("tie_word_embeddings", False))
    head = [n for n in names if n.rpartition(".")[2] in HEAD_WORDS]
    if tied and head:
        problems.append(
            f"'lora.target_modules' names {', '.join(head)}; this model ties its output head to its embeddings, and an "
            f'adapter on either breaks both when merged. Leave them out, or set it to "{ALL_LINEAR}"'
        )
    linear = linear_names(folder)
    ends = {name.rpartition(".")[2] for name in linear}
    known = [n for n in names if n in linear or any(full.endswith(f".{n}") for full in linear)]
    absent = [n for n in names if n not in known and not (tied and n in head)]
    if absent:
        problems.append(
            f"'lora.target_modules' names {', '.join(absent)}, which the model does not have. "
            f"Its linear layers: {', '.join(sorted(ends))}"
        )
    return problems


def linear_names(folder: Path) -> set[str]:
    """Full names of the model's linear layers, built without memory for weights."""
    import torch
    from transformers import AutoConfig, AutoModelForCausalLM

    with torch.device("meta"):
        model = AutoModelForCausalLM.from_config(AutoConfig.from_pretrained(str(folder), local_files_only=True))
    return {name for name, module in model.named_modules() if isinstance(module, torch.nn.Linear)}


def _dtype(config: Config) -> list[str]:
    import torch

    if config.train.dtype == "bfloat16" and torch.cuda.is_available() and not torch.cuda.is_bf16_supported():
        return ["'train.dtype' is bfloat16, which this device cannot compute. Set it to float32"]
    return []


def chosen_dtype(config: Config) -> str:
    """float32 or bfloat16: what `auto` means on this machine.

    bfloat16 on devices with matrix units for it: CUDA from Ampere on, x86 processors with AMX.
    """
    import torch

    if config.train.dtype != "auto":
        return config.train.dtype
    if torch.cuda.is_available():
        return "bfloat16" if torch.cuda.is_bf16_supported() else "float32"
    has_amx = getattr(torch.cpu, "_is_amx_tile_supported", lambda: False)
    return "bfloat16" if has_amx() else "float32"
