"""Base and one adapter on one CUDA device: one tunegate session against lm-eval run twice, and the card's utilisation.

    python benchmarks/eval_gpu.py [--cases 300] [--rounds 3] [--rival FOLDER | --alone] [--tiny]

The race of eval_vs_lm_eval.py on a model of Llama 3.2 1B's shape with random weights, in bfloat16, on documents of
1,000 to 3,000 words, four questions to each. Both serve the adapter as LoRA, and both use vLLM's batch-invariant
kernels, as a gate does. Utilisation is that of the run's record (harness/engines/usage.py). `--tiny` tests the script
on a CPU, where the adapter is merged.
"""

import json
import random
import statistics
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).parent.parent
sys.path[:0] = [str(ROOT), str(ROOT / "benchmarks")]

import eval_vs_lm_eval as race  # noqa: E402
import train_gpu  # noqa: E402

WORDS = (
    "tenant",
    "landlord",
    "premises",
    "rent",
    "term",
    "notice",
    "default",
    "repair",
    "insurance",
    "deposit",
    "deed",
)
QUESTIONS = 4


def rows(count: int) -> list[str]:
    """Cases of made-up documents; the questions on one of them stand side by side."""
    rng = random.Random(0)
    made = []
    for number in range(count):
        if number % QUESTIONS == 0:
            text = " ".join(rng.choice(WORDS) for _ in range(rng.randint(1000, 3000)))
        case = {
            "id": f"case-{number}",
            "input": {"document": f"{text} Part {number % QUESTIONS + 1}.", "clause_types": "; ".join(WORDS)},
            "expected": [],
            "cluster": f"contract-{number // QUESTIONS}",
            "tags": {"instrument": "lease"},
        }
        made.append(json.dumps(case) + "\n")
    return made


def main() -> None:
    parser = race.options(__doc__)
    parser.add_argument("--tiny", action="store_true", help="a tiny model on a CPU, to test this script")
    args = parser.parse_args()
    train_gpu.require_device("eval_gpu.py", args.tiny)
    with tempfile.TemporaryDirectory() as folder:
        model = train_gpu.make_model(Path(folder) / "model", args.tiny)
        found = race.compare(args, str(model), rows(args.cases + 1), on_cpu=args.tiny)
    whole = [ran["engine"]["throughput"]["whole"] for ran in found]
    shares = [one["utilisation"] for one in whole if one["utilisation"] is not None]
    hits = statistics.median(one["prefix_hit_rate"] for one in whole)
    said = f"{statistics.median(shares):.1%}" if shares else "unknown"
    print(f"\n| tunegate, one session | value |\n|---|---|\n| utilisation | {said} |\n| prefix cache | {hits:.1%} |")


if __name__ == "__main__":
    main()
