"""A base model in NF4: how it is loaded, and its values as plain 16-bit weights again. Knows no training and no merge.

An adapter trained on an NF4 base fits those rounded weights, not the original ones, so its adapter_config.json says so.
NF4 is blockwise with 64 weights a block, the block scales quantised once more (QLoRA, arXiv 2305.14314, section 3).
"""

from __future__ import annotations

import logging
import warnings
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Literal

from harness.checkpoints import model_files, safety
from harness.checkpoints.model_files import ADAPTER_CONFIG, CheckpointFolder
from harness.errors import MissingExtra, UserError

NF4 = "nf4"
KEY = "base_quantisation"
"""Key of adapter_config.json that names the form of the base an adapter was trained on; absent where it was plain."""
REASON = "it was trained on an NF4 base, so it is merged into that base's dequantised weights"

# When it is imported, also by PEFT, bitsandbytes misses a package of CPU kernels for a path that is not taken here.
logging.getLogger("bitsandbytes.backends.cpu.ops").setLevel(logging.ERROR)

Storage = Literal["uint8", "bfloat16"]


def of_adapter(adapter: CheckpointFolder) -> str | None:
    """`nf4` where the adapter was trained on an NF4 base, None where on a plain one; another form is a UserError."""
    form = adapter.adapter_config.get(KEY)
    if form not in (None, NF4):
        raise UserError(
            f"{adapter.path / ADAPTER_CONFIG}: '{KEY}' is {form!r}; expected '{NF4}' or no such key. Its base cannot "
            "be made again here, and on another base its answers would be another model's"
        )
    return None if form is None else NF4


def installed() -> bool:
    """Is bitsandbytes here? Nothing is imported."""
    return find_spec("bitsandbytes") is not None


def load_nf4(folder: Path, device: Any = None, storage: Storage = "uint8", **more: Any) -> Any:
    """The model with its linear layers in NF4, double quantisation and bfloat16 compute; embeddings, output head and
    norms stay bfloat16.

    `device` defaults to the current CUDA device, or the CPU. `storage` is the number format that packs the 4-bit
    values; it changes no value. `more` goes to from_pretrained.
    """
    if not installed():
        raise MissingExtra("a base in NF4", "bitsandbytes", "train")
    import torch
    from transformers import AutoModelForCausalLM, BitsAndBytesConfig

    settings = BitsAndBytesConfig(
        load_in_4bit=True,
        bnb_4bit_quant_type=NF4,
        bnb_4bit_use_double_quant=True,
        bnb_4bit_compute_dtype=torch.bfloat16,
        bnb_4bit_quant_storage=getattr(torch, storage),
    )
    model = AutoModelForCausalLM.from_pretrained(
        str(folder),
        dtype=torch.bfloat16,
        quantization_config=settings,
        device_map=None if device is None else {"": device},
        **safety.MODEL,
        **more,
    )
    _keep_layout(model)
    return model


def _keep_layout(model: Any) -> None:
    """Stop bitsandbytes from repacking weights at the first evaluation on a CPU with AVX512-BF16.

    Repacked weights have no gradient and no way back: a training that is validated once would go wrong in silence.
    """
    for module in model.modules():
        if hasattr(module, "support_avx512bf16_for_cpu"):
            module.support_avx512bf16_for_cpu = False


def dequantise_to(folder: Path, out: Path) -> None:
    """Write the model in `folder` to `out` as bfloat16 weights with the values that its NF4 form computes with.

    The original weights are quantised once: with double quantisation a second round would move them again.
    """
    import torch
    from transformers.utils import logging as said

    model = load_nf4(folder)
    level = said.get_verbosity()
    said.set_verbosity_error()
    try:
        model.dequantize(torch.bfloat16)
    finally:
        said.set_verbosity(level)
    model_files.save(model, out)


def load_adapter(model: Any, adapter: Path, **more: Any) -> Any:
    """Put an adapter on a loaded base through PEFT, which does not know the key and would warn of it."""
    from peft import PeftModel

    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message=f".*{KEY}.*")
        return PeftModel.from_pretrained(model, str(adapter), **more)
