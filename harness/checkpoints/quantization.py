"""Load a base model in NF4, and convert its values back to plain 16-bit weights.

An adapter trained on an NF4 base fits those rounded weights, not the original ones, so its adapter_config.json records
it. NF4 is blockwise with 64 weights per block, and the block scales are quantised too (QLoRA, arXiv 2305.14314,
section 3).
"""

from __future__ import annotations

import logging
import warnings
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Literal

from harness.checkpoints import model_files
from harness.checkpoints.model_files import ADAPTER_CONFIG, CheckpointFolder
from harness.errors import MissingExtra, UserError
from harness.formatting import count

NF4 = "nf4"
KEY = "base_quantisation"
"""Key of adapter_config.json with the format of the base that an adapter was trained on; absent for a plain base."""
REASON = "it was trained on an NF4 base, so it is merged into that base's dequantised weights"

# On import, by PEFT too, bitsandbytes warns of a missing package of CPU kernels for a path that is not used here.
logging.getLogger("bitsandbytes.backends.cpu.ops").setLevel(logging.ERROR)

Storage = Literal["uint8", "bfloat16"]


def of_adapter(adapter: CheckpointFolder) -> str | None:
    """Return `nf4` for an adapter trained on an NF4 base, None for a plain one. Raises UserError for another format."""
    form = adapter.adapter_config.get(KEY)
    if form not in (None, NF4):
        raise UserError(
            f"{adapter.path / ADAPTER_CONFIG}: '{KEY}' is {form!r}; expected '{NF4}' or no such key. Its base cannot "
            "be made again here, and on another base its answers would be another model's"
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
    model = model_files.load(
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
    with model_files.without_warnings():
        model.dequantize(torch.bfloat16)
    model_files.save(model, out)


def load_adapter(model: Any, adapter: str | Path, name: str = "default", **more: Any) -> Any:
    """Load an adapter with PEFT onto a loaded base, or onto what it returned for another adapter.

    Raises UserError where only a part of the adapter would have an effect, which PEFT allows.
    """
    from peft import PeftModel

    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message=f".*{KEY}.*")
        warnings.filterwarnings("ignore", message="Found missing adapter keys")
        try:
            if not isinstance(model, PeftModel):
                model = PeftModel.from_pretrained(model, str(adapter), adapter_name=name, **more)
            loaded = model.load_adapter(str(adapter), adapter_name=name, **more)  # Unlike the other, it says which.
        except RuntimeError as error:
            if "size mismatch" not in str(error):
                raise
            found = str(error).partition("size mismatch for ")[2].partition("\n")[0]
            raise UserError(
                f"{adapter}: its file does not fit its adapter_config.json or its base: {found} Save the adapter again "
                "with save_pretrained"
            ) from None
    problems = {"its file has no weights for": loaded.missing_keys, "its base has no place for": loaded.unexpected_keys}
    for problem, names in problems.items():
        if names:
            raise UserError(
                f"{adapter}: {problem} {count(len(names), 'tensor')} of the adapter, such as {names[0]}, so a part of "
                "the training would have no effect. Expected the names and target_modules of its own base: save the "
                "adapter again with save_pretrained"
            )
    return model
