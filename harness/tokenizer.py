"""Loads a tokenizer: without torch where the plain fast class is known to be the right one. Renders nothing.

Finding a tokenizer's class takes transformers three seconds, most of them to import torch. What it found is kept, by
the content of the files that decide it; a run whose answers are all cached then never loads torch.
"""

from __future__ import annotations

import hashlib
from contextlib import suppress
from importlib import metadata
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from harness import trust
from harness.checkpoints import cache_dir
from harness.errors import MissingExtra

PLAIN = "TokenizersBackend"
"""The class of transformers 5 that needs tokenizer.json alone."""
DECIDING = ("config.json", "tokenizer_config.json")
"""Files by which transformers chooses the class (models/auto/tokenization_auto.py)."""


def load(folder: Path) -> Any:
    """The tokenizer in a folder. Raises what transformers raises, and MissingExtra where it is not installed."""
    if find_spec("transformers") is None:
        raise MissingExtra("rendering prompts", "transformers", "train")
    kept = _kept_choice(folder)
    if kept.exists() and (folder / "tokenizer.json").is_file():
        from transformers import PreTrainedTokenizerFast

        return PreTrainedTokenizerFast.from_pretrained(str(folder), **trust.TOKENIZER)
    from transformers import AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(str(folder), **trust.TOKENIZER)
    if type(tokenizer).__name__ == PLAIN:
        with suppress(OSError):  # It is found anew then, which costs time alone.
            kept.parent.mkdir(parents=True, exist_ok=True)
            kept.touch()
    return tokenizer


def _kept_choice(folder: Path) -> Path:
    """The empty file that says: transformers of this version chose the plain class for these files."""
    found = hashlib.sha256(metadata.version("transformers").encode())
    for name in DECIDING:
        file = folder / name
        found.update(f"\0{name}\0".encode() + (file.read_bytes() if file.is_file() else b"-"))
    return cache_dir() / "tokenizers" / found.hexdigest()[:32]
