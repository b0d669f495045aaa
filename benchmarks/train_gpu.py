"""Is the training loop faster than its rivals on one CUDA device, and how much of the device does it use?

    pip install -e '.[bench]'
    python benchmarks/train_gpu.py [--rounds 3] [--steps 30] [--rows-per-step 32] [--compile] [--nf4] [--tiny]

The contestants of train_vs_trl.py on a model of Llama 3.2 1B's shape with random weights, in bfloat16, on rows of 64 to
1,024 tokens, of which a fifth are learnt. The rows share no beginning, so both rows of this project do the same work.
MFU is the arithmetic of LoRA training (training/estimate/flops.py) by wall time and by the card's dense bfloat16 peak
(harness/engines/gpus.toml); recomputing layers and pads count nothing. `--tiny` tests the script on a CPU.
"""

import argparse
import random
import statistics
import sys
import tempfile
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parent.parent
sys.path[:0] = [str(ROOT), str(ROOT / "benchmarks")]

import train_vs_trl as race  # noqa: E402

SHAPE: dict[str, Any] = {
    "hidden_size": 2048,
    "intermediate_size": 8192,
    "num_hidden_layers": 16,
    "num_attention_heads": 32,
    "num_key_value_heads": 8,
    "head_dim": 64,
    "vocab_size": 128256,
    "max_position_embeddings": 4096,
    "rope_theta": 500000.0,
    "tie_word_embeddings": True,
}
"""config.json of Llama 3.2 1B, but for a shorter context."""
TINY: dict[str, Any] = SHAPE | {
    "hidden_size": 64,
    "intermediate_size": 128,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "num_key_value_heads": 1,
    "head_dim": 32,
    "vocab_size": 49152,
}
"""For `--tiny`."""
SHORTEST, LONGEST = 64, 1024
LEARNT = 0.2


def require_device(script: str, tiny: bool) -> None:
    """Exit with one line where a benchmark of a CUDA device has none."""
    import torch

    if not tiny and not torch.cuda.is_available():
        raise SystemExit(f"{script} needs a CUDA device; --tiny tests the script on a CPU")


def make_model(folder: Path, tiny: bool = False) -> Path:
    """Random weights of that shape, with the embedded model's tokenizer: its ids are among the vocabulary."""
    import torch
    from transformers import AutoConfig, AutoModelForCausalLM, AutoTokenizer

    from harness.checkpoints import resolve
    from harness.checkpoints.bundled_model import EMBEDDED

    torch.manual_seed(0)
    config = AutoConfig.for_model("llama", **(TINY if tiny else SHAPE))
    with torch.device("cpu" if tiny else "cuda"):
        AutoModelForCausalLM.from_config(config, dtype=torch.bfloat16).save_pretrained(folder)
    AutoTokenizer.from_pretrained(resolve.resolve(EMBEDDED).path).save_pretrained(folder)
    return folder


def rows(count: int) -> list[dict[str, list[int]]]:
    """Random ids of random lengths; the last fifth of each row is learnt."""
    rng = random.Random(0)
    made = []
    for _ in range(count):
        length = rng.randint(SHORTEST, LONGEST)
        learnt = max(1, round(LEARNT * length))
        ids = [rng.randrange(100, 40000) for _ in range(length)]
        made.append({"ids": ids, "mask": [0] * (length - learnt) + [1] * learnt})
    return made


def mfu(found: dict[str, list[dict[str, Any]]], data: list[dict[str, list[int]]], args: argparse.Namespace) -> None:
    """Print the share of the card's peak that each contestant's useful arithmetic is."""
    import torch

    from harness.engines import usage
    from training.batching import pack
    from training.config import Lora
    from training.data.tokenize import Document
    from training.estimate import flops, memory, shapes

    laid_out = shapes.of_folder(args.model)
    counted = flops.count(laid_out, memory.adapter_size(laid_out, Lora(r=args.rank)))
    work = counted.of(pack([Document(ids=r["ids"], mask=r["mask"]) for r in data], 0))
    by_token = work / sum(len(r["ids"]) for r in data)
    name = "CPU" if args.tiny else torch.cuda.get_device_name()
    card = usage.find(name)
    peak = card.peak(args.dtype) if card else None
    print(f"\n{name}, {by_token / 1e9:.2f} GFLOP a token; peak {peak or 'unknown'} FLOP/s")
    print("\n| contestant | MFU |\n|---|---|")
    for contestant, results in found.items():
        rate = statistics.median(r["tokens"] / r["wall"] for r in results)
        print(f"| {contestant} | {f'{rate * by_token / peak:.1%}' if peak else 'unknown'} |")


def main() -> None:
    parser = race.options("Training speed, memory and MFU on one CUDA device.")
    parser.set_defaults(dtype="bfloat16", steps=30, skip=10, rows_per_step=32, pack_tokens=16384)
    parser.add_argument("--tiny", action="store_true", help="a tiny model on a CPU, to test this script")
    args = parser.parse_args()
    require_device("train_gpu.py", args.tiny)
    with tempfile.TemporaryDirectory() as folder:
        args.model = make_model(Path(folder) / "model", args.tiny)
        data = rows(args.steps * args.rows_per_step)
        mfu(race.compare(args, data, Path(folder)), data, args)


if __name__ == "__main__":
    main()
