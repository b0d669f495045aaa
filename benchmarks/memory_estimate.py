"""How near the memory estimate of `tunegate plan` is to what a training takes on a processor.

    python benchmarks/memory_estimate.py [--only deep] [--steps 3]

Every case trains for a few steps in a process of its own. Estimated is training.estimate.memory.estimate, from
config.json and settings. Measured is the peak of the process's resident memory (VmHWM) less what was resident before
the model was loaded, when Python, torch, transformers, PEFT and accelerate were already imported: weights, adapter,
gradients, moments, activations, logits, copies for saving, pages of the weight file, and what the allocator keeps.
Linux only.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
BOUND = 0.25
"""An estimate is called near when it is off by at most this share of what was measured."""
MODELS: dict[str, dict[str, Any]] = {
    "smollm2-135m": {
        "hidden_size": 576,
        "num_hidden_layers": 30,
        "num_attention_heads": 9,
        "num_key_value_heads": 3,
        "intermediate_size": 1536,
        "vocab_size": 49152,
        "tie_word_embeddings": True,
    },
    "deep": {
        "hidden_size": 256,
        "num_hidden_layers": 24,
        "num_attention_heads": 4,
        "num_key_value_heads": 4,
        "intermediate_size": 1024,
        "vocab_size": 8192,
        "tie_word_embeddings": True,
    },
    "wide": {
        "hidden_size": 1024,
        "num_hidden_layers": 4,
        "num_attention_heads": 16,
        "num_key_value_heads": 4,
        "intermediate_size": 4096,
        "vocab_size": 32000,
        "tie_word_embeddings": False,
    },
}
CASES: tuple[dict[str, Any], ...] = (
    {"model": "smollm2-135m", "rows": 1, "tokens": 64, "answers": 8},
    {"model": "smollm2-135m", "rows": 1, "tokens": 256, "answers": 32},
    {"model": "smollm2-135m", "rows": 4, "tokens": 256, "answers": 50},
    {"model": "smollm2-135m", "rows": 4, "tokens": 256, "answers": 50, "dtype": "bfloat16"},
    {"model": "smollm2-135m", "rows": 1, "tokens": 512, "answers": 512 - 16},
    {"model": "smollm2-135m", "rows": 2, "tokens": 256, "answers": 50, "dtype": "bfloat16", "quantise": "nf4"},
    {"model": "deep", "rows": 4, "tokens": 128, "answers": 32},
    {"model": "wide", "rows": 1, "tokens": 512, "answers": 256},
    {"model": "wide", "rows": 1, "tokens": 512, "answers": 256, "lora": {"r": 64}},
    {"model": "wide", "rows": 1, "tokens": 512, "answers": 256, "lora": {"dropout": 0.1}},
    {"model": "wide", "rows": 1, "tokens": 512, "answers": 256, "lora": {"dora": True}},
    {"model": "wide", "rows": 1, "tokens": 512, "answers": 256, "dtype": "bfloat16", "quantise": "nf4"},
)


def make_model(folder: Path, config: dict[str, Any]) -> Path:
    """A model folder of these shapes with random bfloat16 weights and no tokenizer."""
    import torch
    from transformers import AutoConfig, AutoModelForCausalLM
    from transformers.utils import logging

    logging.disable_progress_bar()
    torch.manual_seed(0)
    known = AutoConfig.for_model("llama", max_position_embeddings=4096, **config)
    AutoModelForCausalLM.from_config(known, dtype=torch.bfloat16).save_pretrained(folder)
    return folder


def child(case: dict[str, Any]) -> dict[str, Any]:
    """Train one case in this process; its estimate by part, and what was measured, in bytes."""
    sys.path.insert(0, str(ROOT))
    from harness.threads import before_torch

    before_torch()
    import accelerate
    import peft
    import transformers

    from training.config import Lora, Model, Train
    from training.data.tokenize import Document
    from training.estimate import memory, shapes, trial

    assert accelerate and peft and transformers
    rows, tokens, answers = case["rows"], case["tokens"], case["answers"]
    documents = [
        Document(ids=[(i * 7 + row) % 500 + 3 for i in range(tokens)], mask=[0] * (tokens - answers) + [1] * answers)
        for row in range(rows)
    ]
    lora, form = Lora(**{"r": 8, **case.get("lora", {})}), Model(quantise=case.get("quantise", "none"))
    train = Train(rows_per_step=rows, pack_tokens=rows * tokens, share_prefix=False)
    dtype = case.get("dtype", "float32")
    steps = [list(range(rows))] * case["steps"]
    found = trial.run(Path(case["folder"]), documents, steps, dtype, lora, train, form)
    size = memory.Pass(tokens=rows * tokens, answers=rows * answers)
    laid_out = shapes.of_folder(Path(case["folder"]))
    needs = memory.estimate(laid_out, lora, dtype, form.quantise, size, True)
    return {
        "estimated": needs.total,
        "measured": found.peak_bytes - found.base_bytes,
        "parts": {name: getattr(needs, name) for name in needs.__struct_fields__},
    }


def measure(case: dict[str, Any]) -> dict[str, Any]:
    """One case in a process of its own."""
    command = [sys.executable, str(Path(__file__).resolve()), "--child", json.dumps(case)]
    done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, check=False)
    if done.returncode:
        raise SystemExit(f"{case}: the training failed:\n{done.stderr}")
    found: dict[str, Any] = json.loads(done.stdout.strip().splitlines()[-1])
    return found


def describe(case: dict[str, Any]) -> str:
    """A case in one phrase."""
    more = ", ".join(f"{k} {v}" for k, v in case.get("lora", {}).items())
    form = "nf4" if case.get("quantise") == "nf4" else case.get("dtype", "float32")
    return f"{case['model']}, {form}, {case['rows']} x {case['tokens']} tokens, {case['answers']} learnt" + (
        f", {more}" if more else ""
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", default="", help="cases whose description holds this text")
    parser.add_argument("--steps", type=int, default=2)
    parser.add_argument("--child", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.child:
        print(json.dumps(child(json.loads(options.child))))
        return
    print(f"{'case':<62} {'estimated':>9} {'measured':>9} {'ratio':>6}")
    worst = 0.0
    with tempfile.TemporaryDirectory() as work:
        for case in CASES:
            if options.only not in describe(case):
                continue
            folder = Path(work) / case["model"]
            if not folder.exists():
                make_model(folder, MODELS[case["model"]])
            found = measure(case | {"folder": str(folder), "steps": options.steps})
            ratio = found["estimated"] / found["measured"]
            worst = max(worst, abs(ratio - 1))
            sizes = (f"{found[name] / 2**20:>5,.0f} MiB" for name in ("estimated", "measured"))
            print(f"{describe(case):<62} {' '.join(sizes)} {ratio:>6.2f}", flush=True)
    print(f"largest error {worst:.0%}; near is within {BOUND:.0%}")
    if worst > BOUND:
        raise SystemExit(1)


if __name__ == "__main__":
    main()
