"""What a checkpoint may bring along: safetensors, settings and a chat template; never a pickle, never code. Loads none.

A pickle runs any code as it is read, `auto_map` names code of the checkpoint's author, and an attention named like
`owner/name` is fetched from the model hub and run. No option turns any of them on.
"""

from __future__ import annotations

from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from harness.formatting import first_few

TOKENIZER: dict[str, Any] = {"local_files_only": True, "trust_remote_code": False}
"""What every tokenizer is loaded with."""
MODEL: dict[str, Any] = {**TOKENIZER, "use_safetensors": True}
"""What every model is loaded with."""
PICKLES = (".bin", ".pt", ".pth", ".ckpt", ".pkl", ".pickle", ".joblib")
"""Endings of weights, optimizers and states that are, or may be, pickles."""
IMPLEMENTATIONS = ("attn_implementation", "_attn_implementation", "experts_implementation", "_experts_implementation")
"""Settings by which transformers 5.19 chooses a kernel (configuration_utils.py, integrations/hub_kernels.py)."""


def pickles(folder: Path) -> list[str]:
    """Names of the pickles in a folder, sorted."""
    return sorted(p.name for p in folder.iterdir() if p.suffix.lower() in PICKLES)


def refused(folder: Path, found: list[str]) -> str:
    """Why a folder with pickles is not loaded, and what to do."""
    return (
        f"{folder}: holds pickles ({first_few(found, 3)}), and loading a pickle can run any code. Expected "
        "safetensors alone: move the pickles out of the folder or, where they are the weights, load the model where "
        "you trust it and save it again with save_pretrained"
    )


def code_problems(config: dict[str, Any]) -> list[str]:
    """Why a checkpoint with this config.json would run code that is not transformers' own."""
    problems = [
        f"its config.json names the kernel {value!r} ({key}), which is code from a model hub. Take the setting out"
        for key, value in _implementations(config)
        if "/" in value
    ]
    kind = config.get("model_type")
    if config.get("auto_map") and not _is_known(kind):
        problems.append(
            f"transformers knows no model type {kind!r}, and the checkpoint's own code (auto_map) is never run. Update "
            "transformers, or choose a model of a known type"
        )
    return problems


def _implementations(value: Any) -> Iterator[tuple[str, str]]:
    """Every choice of a kernel in a configuration, with its key; one may stand for each part of the model."""
    for key, inner in value.items() if isinstance(value, dict) else ():
        if key in IMPLEMENTATIONS:
            named = inner.values() if isinstance(inner, dict) else [inner]
            yield from ((key, one) for one in named if isinstance(one, str))
        else:
            yield from _implementations(inner)


def _is_known(kind: object) -> bool:
    """transformers has code of its own for this model type; without transformers nothing is loaded anyway."""
    if find_spec("transformers") is None:
        return True
    from transformers import CONFIG_MAPPING

    return kind in CONFIG_MAPPING
