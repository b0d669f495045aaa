"""Load a base model in NF4, and convert its values back to plain 16-bit weights.

An adapter trained on an NF4 base fits those rounded weights, not the original ones, so its adapter_config.json records
it. NF4 is blockwise with 64 weights per block, and the block scales are quantised too (QLoRA, arXiv 2305.14314,
section 3).
"""

from __future__ import annotations

import logging
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Literal

from harness.checkpoints.model_files import ADAPTER_CONFIG, BASE_QUANTISATION, CheckpointFolder
from harness.checkpoints.weights import load_model, save_model, without_warnings
from harness.errors import MissingExtra, UserError

NF4 = "nf4"
REASON = "it was trained on an NF4 base, so it is merged into that base's dequantised weights"

# On import, by PEFT too, bitsandbytes warns of a missing package of CPU kernels for a path that is not used here.
logging.getLogger("bitsandbytes.backends.cpu.ops").setLevel(logging.ERROR)

Storage = Literal["uint8", "bfloat16"]


def of_adapter(adapter: CheckpointFolder) -> str | None:
    """Return `nf4` for an adapter trained on an NF4 base, None for a plain one. Raises UserError for another format."""
    form = adapter.adapter_config.get(BASE_QUANTISATION)
    if form not in (None, NF4):
        raise UserError(
            f"{adapter.path / ADAPTER_CONFIG}: '{BASE_QUANTISATION}' is {form!r}; expected '{NF4}' or no such key. Its "
            "base cannot be made again here, and on another base its answers would be another model's"
        )
    return None if form is None else NF4


def installed() -> bool:
    """Whether bitsandbytes is installed; nothing is imported."""
    return find_spec("bitsandbytes") is not None


def load_nf4(folder: Path, device: Any = None, storage: Storage = "uint8", **more: Any) -> Any:
    """Load a model with its linear layers in NF4, with double quantisation and bfloat16 compute.

    Embeddings, output head and norms stay bfloat16. `device` defaults to the current CUDA device, or the CPU. `storage`
    is the data type that packs the 4-bit values; it changes no value. `more` is passed to from_pretrained. Raises
    MissingExtra without bitsandbytes, and UserError where weights are missing.
    """
    if not installed():
        raise MissingExtra("a base in NF4", "bitsandbytes", "train")
    import torch
    from transformers import BitsAndBytesConfig

    settings = BitsAndBytesConfig(
        load_in_4bit=True,
        bnb_4bit_quant_type=NF4,
        bnb_4bit_use_double_quant=True,
        bnb_4bit_compute_dtype=torch.bfloat16,
        bnb_4bit_quant_storage=getattr(torch, storage),
    )
    model = load_model(
        folder,
        dtype=torch.bfloat16,
        quantization_config=settings,
        device_map=None if device is None else {"": device},
        **more,
    )
    _keep_layout(model)
    return model


def _keep_layout(model: Any) -> None:
    """Stop bitsandbytes from repacking weights at the first evaluation on a CPU with AVX512-BF16.

    Repacked weights have no gradient and cannot be unpacked: training would silently go wrong after a validation.
    """
    for module in model.modules():
        if hasattr(module, "support_avx512bf16_for_cpu"):
            module.support_avx512bf16_for_cpu = False


def dequantise_to(folder: Path, out: Path) -> None:
    """Write the model in `folder` to `out` as bfloat16 weights with the values that its NF4 form computes with.

    The original weights are quantised once, because double quantisation would change them in a second round.
    """
    import torch

    model = load_nf4(folder)
    with without_warnings():
        model.dequantize(torch.bfloat16)
    save_model(model, out)
