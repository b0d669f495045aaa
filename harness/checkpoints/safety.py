"""Refuse checkpoints with pickles or code: safetensors, settings and a chat template are all that is loaded.

A pickle runs any code as it is read, `auto_map` names code of the checkpoint's author, and an attention named like
`owner/name` is downloaded from the model hub and run. No option allows any of them.
"""

from __future__ import annotations

from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from harness.errors import UserError
from harness.formatting import first_few

TOKENIZER: dict[str, Any] = {"local_files_only": True, "trust_remote_code": False}
"""Arguments for loading every tokenizer."""
MODEL: dict[str, Any] = {**TOKENIZER, "use_safetensors": True}
"""Arguments for loading every model."""
PICKLES = (".bin", ".pt", ".pth", ".ckpt", ".pkl", ".pickle", ".joblib")
"""Endings of weights, optimizers and states that are, or may be, pickles."""
IMPLEMENTATIONS = ("attn_implementation", "_attn_implementation", "experts_implementation", "_experts_implementation")
"""Settings by which transformers 5.19 chooses a kernel (configuration_utils.py, integrations/hub_kernels.py)."""


def refuse_pickles(folder: Path) -> None:
    """Raise UserError for a folder that holds pickles."""
    pickles = sorted(p.name for p in folder.iterdir() if p.suffix.lower() in PICKLES)
    if pickles:
        raise UserError(
            f"{folder}: holds pickles ({first_few(pickles, 3)}), and loading a pickle can run any code. Expected "
            "safetensors alone: move the pickles out of the folder or, where they are the weights, load the model "
            "where you trust it and save it again with save_pretrained"
        )


def code_problems(config: dict[str, Any]) -> list[str]:
    """List why a checkpoint with this config.json would run code that is not part of transformers."""
    problems = [
        f"its config.json names the kernel {value!r} ({key}), which is code from a model hub. Remove the setting"
        for key, value in _implementations(config)
        if "/" in value
    ]
    kind = config.get("model_type")
    if config.get("auto_map") and not _is_known(kind):
        problems.append(
            f"transformers has no model type {kind!r}, and the checkpoint's own code (auto_map) is never run. Update "
            "transformers, or choose a model of a known type"
        )
    return problems


def _implementations(value: Any) -> Iterator[tuple[str, str]]:
    """Yield every choice of a kernel in a configuration, with its key; each part of a model may have its own."""
    for key, inner in value.items() if isinstance(value, dict) else ():
        if key in IMPLEMENTATIONS:
            named = inner.values() if isinstance(inner, dict) else [inner]
            yield from ((key, one) for one in named if isinstance(one, str))
        else:
            yield from _implementations(inner)


def _is_known(kind: object) -> bool:
    """Whether transformers has code for this model type; without transformers nothing is loaded anyway."""
    if find_spec("transformers") is None:
        return True
    from transformers import CONFIG_MAPPING

    return kind in CONFIG_MAPPING
