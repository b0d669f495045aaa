"""Writes a loaded model or adapter as a folder that others may read, too. Knows no model."""

from __future__ import annotations

import stat
from pathlib import Path
from typing import Any


def save(model: Any, out: Path, **more: Any) -> None:
    """`model.save_pretrained`, with weight files as readable as the configuration beside them.

    safetensors 0.8 writes them for their owner alone, so that a server under another user could not load them.
    """
    model.save_pretrained(str(out), **more)
    mode = stat.S_IMODE(next(out.glob("*config.json")).stat().st_mode)
    for file in out.glob("*.safetensors"):
        file.chmod(mode)
