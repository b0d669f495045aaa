"""Is the training loop faster than its rivals, at the same arithmetic? One row a contestant, interleaved rounds.

    pip install -e '.[bench]'
    python benchmarks/train_vs_trl.py [--rounds 3] [--steps 12] [--rows-per-step 8] [--dtype float32] [--docs FILE]

All contestants train the embedded model on the same tokenised rows (excerpts of Georgia contracts, answers learnt only)
in the same order, with the same rank, targets and number format, and one optimiser step for the same rows; each runs in
a process of its own. Contestants: transformers' Trainer on padded batches; TRL's SFTTrainer with its defaults, packed,
and without padding; this project's loop without and with its shared prefix. "TRL, best-tuned" is the fastest of TRL's
rows. The shared prefix (the instruction, which all rows begin with, is computed once) suits these rows; the row without
it says what the loop does on rows that share nothing. A packed step of TRL holds other rows than a step of the others,
so that its first loss is not comparable; its tokens by second are.

The first `--skip` steps of a process do not count. Prints medians over the rounds, and ratios to TRL's best. A
contestant that fails is named and left out.
"""

import argparse
import json
import os
import platform
import random
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parent.parent
sys.path[:0] = [str(ROOT)]

TRL = ("TRL, defaults", "TRL, packed", "TRL, no padding")
OURS = ("tunegate, one prefix a row", "tunegate")
CONTESTANTS = ("HF Trainer, padded", *TRL, *OURS)
LOSS_TOLERANCE = 1e-3
LR = 2e-4


def rows(folder: Path, count: int, seed: int) -> list[dict[str, list[int]]]:
    """Tokenised rows with their labels, -100 where nothing is learnt."""
    from evalsuites.legal.clauses import cases, test_clauses
    from evalsuites.training_rows import write_split
    from harness.checkpoints import resolve
    from harness.checkpoints.bundled_model import EMBEDDED
    from harness.suites.prompts import Renderer
    from training.data.rows import load_rows
    from training.data.tokenize import encode

    file = folder / "rows.jsonl"
    write_split(test_clauses.suite.folder, "train", file, count, seed, cases.eval_cases, cases.training_pairs)
    found = load_rows([str(file)])
    random.Random(seed).shuffle(found)
    documents = encode(found, Renderer(resolve.resolve(EMBEDDED).path), 2048).documents
    return [{"ids": d.ids, "mask": d.mask} for d in documents]


class Steps:
    """Wall and processor seconds of every optimiser step, and the loss of the first one."""

    def __init__(self) -> None:
        self.wall: list[float] = []
        self.cpu: list[float] = []
        self.first_loss: float | None = None

    def start(self) -> None:
        self._wall, self._cpu = time.perf_counter(), time.process_time()

    def end(self) -> None:
        self.wall.append(time.perf_counter() - self._wall)
        self.cpu.append(time.process_time() - self._cpu)


def ours(data: list[dict[str, list[int]]], args: argparse.Namespace, share_prefix: bool) -> tuple[Steps, int]:
    """This project's loop; returns the steps and the tokens of each."""
    from training import model as models
    from training.checkpointing import TrainingState
    from training.config import Lora, Model, Optim, Train
    from training.data.tokenize import Document
    from training.hooks import Hooks
    from training.loop import Loop
    from training.validation import ValidationSet

    form = Model(quantise="nf4" if args.nf4 else "none")
    model = models.load(args.model, Lora(r=args.rank, alpha=2.0 * args.rank), args.dtype, 0, form)
    documents = [Document(ids=row["ids"], mask=row["mask"]) for row in data]
    order = [list(range(i, i + args.rows_per_step)) for i in range(0, len(data), args.rows_per_step)]
    steps = Steps()
    lines: list[dict[str, Any]] = []

    def log(line: dict[str, Any]) -> None:
        lines.append(line)

    hooks = Hooks(log=log)
    train = Train(
        rows_per_step=args.rows_per_step,
        share_prefix=share_prefix,
        pack_tokens=args.pack_tokens,
        validate_every=10**6,
        compile=args.compile,
    )
    loop = Loop(model, train, Optim(lr=LR, schedule="constant", warmup_ratio=0.0), hooks, TrainingState())
    loop._step = timed(loop._step, steps)  # type: ignore[method-assign]
    loop.run(documents, order, ValidationSet())
    steps.first_loss = lines[0]["loss"]
    return steps, sum(len(d.ids) for d in documents)


def timed(step: Callable[..., Any], steps: Steps) -> Callable[..., Any]:
    """A step that writes down what it takes."""

    def run(*arguments: Any) -> Any:
        steps.start()
        line = step(*arguments)
        steps.end()
        return line

    return run


def rival(name: str, data: list[dict[str, list[int]]], args: argparse.Namespace, folder: Path) -> tuple[Steps, int]:
    """A Trainer of transformers or TRL on the same rows."""
    import torch
    from datasets import Dataset
    from peft import LoraConfig, get_peft_model
    from transformers import AutoModelForCausalLM, TrainerCallback

    model = AutoModelForCausalLM.from_pretrained(
        str(args.model), dtype=getattr(torch, args.dtype), attn_implementation="sdpa", local_files_only=True
    )
    lora = LoraConfig(r=args.rank, lora_alpha=2 * args.rank, target_modules="all-linear", task_type="CAUSAL_LM")
    labelled = [
        {"input_ids": r["ids"], "labels": [i if m else -100 for i, m in zip(r["ids"], r["mask"], strict=True)]}
        for r in data
    ]
    steps = Steps()

    class Timer(TrainerCallback):  # type: ignore[misc]
        def on_step_begin(self, *_: Any, **__: Any) -> None:
            steps.start()

        def on_step_end(self, *_: Any, **__: Any) -> None:
            steps.end()

    common = {
        "output_dir": str(folder),
        "per_device_train_batch_size": args.rows_per_step,
        "num_train_epochs": 1,
        "learning_rate": LR,
        "lr_scheduler_type": "constant",
        "logging_steps": 1,
        "save_strategy": "no",
        "report_to": "none",
        "train_sampling_strategy": "sequential",
        "bf16": args.dtype == "bfloat16",
        "use_cpu": not torch.cuda.is_available(),
        "disable_tqdm": True,
    }
    tokenizer = _tokenizer(str(args.model))
    torch.manual_seed(0)
    if name.startswith("HF"):
        from transformers import DataCollatorForSeq2Seq, Trainer, TrainingArguments

        trainer = Trainer(
            model=get_peft_model(model, lora),
            args=TrainingArguments(**common),
            train_dataset=Dataset.from_list(labelled),
            data_collator=DataCollatorForSeq2Seq(tokenizer),
            callbacks=[Timer()],
        )
    else:
        from trl import SFTConfig, SFTTrainer

        own: dict[str, Any] = {"max_length": 2048}
        if name != TRL[0]:
            own |= {"gradient_checkpointing": False}
        if name == "TRL, packed":
            tokens = sum(len(r["ids"]) for r in data)
            own |= {"packing": True, "packing_strategy": "bfd", "per_device_train_batch_size": 1}
            own["max_length"] = round(tokens / len(data) * args.rows_per_step)
        if name == "TRL, no padding":
            own |= {"padding_free": True, "max_length": None}  # no row is longer
        trainer = SFTTrainer(
            model=model,
            args=SFTConfig(**{**common, **own}),
            train_dataset=Dataset.from_list(labelled),
            processing_class=tokenizer,
            peft_config=lora,
            callbacks=[Timer()],
        )
    trainer.train()
    losses = [entry["loss"] for entry in trainer.state.log_history if "loss" in entry]
    steps.first_loss = None if name == "TRL, packed" else losses[0]
    return steps, sum(len(r["ids"]) for r in data)


def _tokenizer(path: str) -> Any:
    from transformers import AutoTokenizer

    return AutoTokenizer.from_pretrained(path)


def run_one(name: str, data_file: Path, args: argparse.Namespace) -> None:
    """Train one contestant in this process and print what it took."""
    from harness.threads import before_torch

    before_torch()
    data = json.loads(data_file.read_text("utf-8"))
    with tempfile.TemporaryDirectory() as folder:
        if name in OURS:
            steps, tokens = ours(data, args, share_prefix=name == "tunegate")
        else:
            steps, tokens = rival(name, data, args, Path(folder))
    counted = slice(args.skip, None)
    share = len(steps.wall[counted]) / len(steps.wall)
    print(
        json.dumps(
            {
                "wall": sum(steps.wall[counted]),
                "cpu": sum(steps.cpu[counted]),
                "tokens": tokens * share,
                "first_loss": steps.first_loss,
                "peak_gb": _peak_gb(),
            }
        )
    )


def _peak_gb() -> float:
    """Most memory at once, GiB: allocated on a CUDA device, else resident."""
    import torch

    if torch.cuda.is_available():
        return torch.cuda.max_memory_allocated() / 2**30
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20


def rounds(args: argparse.Namespace, data_file: Path) -> Iterator[tuple[str, dict[str, Any] | None]]:
    """Every contestant once a round, in another order each time; None for one that failed, which runs no more."""
    failed = set()
    for number in range(args.rounds):
        names = [name for name in args.only or CONTESTANTS if name not in failed]
        random.Random(number).shuffle(names)
        for name in names:
            command = [sys.executable, __file__, "--contestant", name, "--data", str(data_file)]
            for key in ("rows_per_step", "rank", "dtype", "skip", "model", "pack_tokens"):
                command += [f"--{key.replace('_', '-')}", str(getattr(args, key))]
            command += [f"--{switch}" for switch in ("compile", "nf4") if getattr(args, switch)]
            env = os.environ | {"TOKENIZERS_PARALLELISM": "false", "HF_HUB_OFFLINE": "1"}
            done = subprocess.run(command, capture_output=True, text=True, env=env)
            if done.returncode:
                print(f"{name} failed:\n{done.stderr[-2000:]}", file=sys.stderr)
                failed.add(name)
                yield name, None
                continue
            found = json.loads(done.stdout.strip().splitlines()[-1])
            rate = found["tokens"] / found["wall"]
            print(f"round {number + 1}: {name}: {rate:.0f} tokens/s, {found['peak_gb']:.1f} GB", file=sys.stderr)
            yield name, found


def table(found: dict[str, list[dict[str, Any]]]) -> list[str]:
    """Medians over the rounds as Markdown, and ratios to TRL's fastest row of the same round."""
    best = min(
        (n for n in TRL if n in found),
        key=lambda n: statistics.median(r["wall"] / r["tokens"] for r in found[n]),
        default="",
    )
    lines = [
        "| contestant | wall s / 1,000 tokens | CPU s / 1,000 tokens | tokens/s | speed against best TRL | peak GB "
        "| memory against best TRL | first-step loss |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for name, results in found.items():
        wall = statistics.median(1000 * r["wall"] / r["tokens"] for r in results)
        cpu = statistics.median(1000 * r["cpu"] / r["tokens"] for r in results)
        pairs = list(zip(results, found.get(best, results), strict=True))
        speed = statistics.median((b["wall"] / b["tokens"]) / (r["wall"] / r["tokens"]) for r, b in pairs)
        memory = statistics.median(r["peak_gb"] / b["peak_gb"] for r, b in pairs)
        ratios = [f"{speed:.2f}", f"{memory:.2f}"] if best else ["", ""]
        peak = statistics.median(r["peak_gb"] for r in results)
        loss = results[0]["first_loss"]
        said = "other rows" if loss is None else f"{loss:.4f}"
        mark = " (best TRL)" if name == best else ""
        cells = [name + mark, f"{wall:.2f}", f"{cpu:.2f}", f"{1000 / wall:.0f}", ratios[0], f"{peak:.2f}"]
        lines.append(f"| {' | '.join([*cells, ratios[1], said])} |")
    return lines


def options(what: str) -> argparse.ArgumentParser:
    """What both training benchmarks may be told."""
    parser = argparse.ArgumentParser(description=what)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--steps", type=int, default=12, help="optimiser steps of each process")
    parser.add_argument("--skip", type=int, default=2, help="first steps that do not count")
    parser.add_argument("--rows-per-step", type=int, default=8)
    parser.add_argument("--rank", type=int, default=16)
    parser.add_argument("--dtype", choices=("float32", "bfloat16"), default="float32")
    parser.add_argument("--pack-tokens", type=int, default=1024, help="of this project's loop")
    parser.add_argument("--compile", action="store_true", help="let this project's loop compile its layers")
    parser.add_argument("--nf4", action="store_true", help="keep the base of this project's loop in NF4")
    parser.add_argument("--only", action="append", choices=CONTESTANTS, help="this contestant; may be given again")
    parser.add_argument("--contestant", choices=CONTESTANTS, help=argparse.SUPPRESS)
    parser.add_argument("--data", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--model", type=Path, help=argparse.SUPPRESS)
    return parser


def compare(
    args: argparse.Namespace, data: list[dict[str, list[int]]], folder: Path
) -> dict[str, list[dict[str, Any]]]:
    """Run every contestant in every round; prints the table and returns what was measured."""
    data_file = folder / "data.json"
    data_file.write_text(json.dumps(data), "utf-8")
    found: dict[str, list[dict[str, Any]]] = {}
    for name, result in rounds(args, data_file):
        if result is None:
            found[name] = []
        else:
            found.setdefault(name, []).append(result)
    ordered = {name: found[name] for name in CONTESTANTS if found.get(name)}
    if not ordered:
        raise SystemExit("no contestant finished")
    print("\n".join(table(ordered)))
    print("".join(f"\n{name} failed and is left out." for name in found if name not in ordered))
    losses = [r["first_loss"] for results in ordered.values() for r in results if r["first_loss"] is not None]
    spread = max(losses, default=0.0) - min(losses, default=0.0)
    said = "equal" if spread <= LOSS_TOLERANCE else "NOT equal"
    print(f"First-step losses are {said} within {LOSS_TOLERANCE:g}: they lie {spread:.1e} apart.")
    print(
        f"{args.steps} steps of {args.rows_per_step} rows, {sum(len(r['ids']) for r in data):,} tokens, "
        f"{sum(sum(r['mask']) for r in data):,} learnt; {args.dtype}, rank {args.rank}, all linear layers; medians of "
        f"{args.rounds} rounds; {platform.processor() or platform.machine()}, {os.cpu_count()} cores; {versions()}."
    )
    return ordered


def main() -> None:
    args = options("Training speed and memory against transformers and TRL.").parse_args()
    if args.contestant:
        run_one(args.contestant, args.data, args)
        return
    from harness.checkpoints import resolve
    from harness.checkpoints.bundled_model import EMBEDDED

    args.model = Path(resolve.resolve(EMBEDDED).path)
    with tempfile.TemporaryDirectory() as folder:
        compare(args, rows(Path(folder), args.steps * args.rows_per_step, 0), Path(folder))


def versions() -> str:
    """Versions of what was compared."""
    from importlib.metadata import version
    from importlib.util import find_spec

    return ", ".join(f"{name} {version(name)}" for name in ("torch", "transformers", "peft", "trl") if find_spec(name))


if __name__ == "__main__":
    main()
