"""PEFT adapters on tiny models, and tiny models that say more, for the tests of checkpoints and engines."""

import json
import shutil
import struct
from pathlib import Path
from typing import Any


class Bomb:
    """Unpickled, it makes a file."""

    def __init__(self, marker: Path) -> None:
        self.marker = marker

    def __reduce__(self) -> tuple[object, tuple[object, ...]]:
        return Path.touch, (self.marker,)


def save_adapter(base: Path, out: Path, *, seed: int = 1, zero: bool = False, std: float = 0.2, **config: Any) -> Path:
    """A LoRA adapter with random weights, or with an all-zero B (no effect); `config` goes to LoraConfig."""
    import torch
    from peft import LoraConfig, get_peft_model
    from transformers import AutoModelForCausalLM

    torch.manual_seed(seed)
    model = AutoModelForCausalLM.from_pretrained(base)
    settings = {"r": 4, "lora_alpha": 8, "target_modules": "all-linear", "task_type": "CAUSAL_LM"} | config
    tuned = get_peft_model(model, LoraConfig(**settings))
    for name, tensor in tuned.named_parameters():
        if "lora_B" in name and not zero:
            torch.nn.init.normal_(tensor, std=std)
    tuned.save_pretrained(out)
    return out


def enliven(model: Path, out: Path) -> Path:
    """A copy with larger, untied weights: the original repeats its last token whatever is asked."""
    import torch
    from transformers import AutoModelForCausalLM

    shutil.copytree(model, out)
    change_json(out / "config.json", tie_word_embeddings=False)
    torch.manual_seed(3)
    lively = AutoModelForCausalLM.from_pretrained(out)
    for tensor in lively.parameters():
        if tensor.dim() > 1:
            torch.nn.init.normal_(tensor, std=0.3)
    lively.save_pretrained(out)
    return out


def without_weights(model: Path, out: Path, *names: str) -> Path:
    """A copy whose file lacks these tensors."""
    from safetensors.torch import load_file, save_file

    shutil.copytree(model, out)
    tensors = load_file(out / "model.safetensors")
    save_file({n: t for n, t in tensors.items() if n not in names}, out / "model.safetensors", {"format": "pt"})
    assert set(names) < set(tensors)
    return out


def change_json(file: Path, **changes: Any) -> None:
    """Edit a JSON file; a change to None removes the key."""
    loaded = json.loads(file.read_text("utf-8")) | changes
    file.write_text(json.dumps({k: v for k, v in loaded.items() if k not in changes or v is not None}))


def write_safetensors(file: Path, shapes: dict[str, tuple[int, ...]]) -> None:
    """A safetensors file of fp32 zeros, written by the format's own description."""
    header: dict[str, Any] = {}
    end = 0
    for name, shape in shapes.items():
        size = 4
        for width in shape:
            size *= width
        header[name] = {"dtype": "F32", "shape": list(shape), "data_offsets": [end, end + size]}
        end += size
    raw = json.dumps(header).encode()
    file.write_bytes(struct.pack("<Q", len(raw)) + raw + bytes(end))
