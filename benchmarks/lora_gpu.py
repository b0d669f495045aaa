"""Baseline and one adapter in one vLLM engine: canary, batch-invariant kernels, CUDA graphs.

    python benchmarks/lora_gpu.py [--requests 256] [--tokens 64]
    VLLM_BATCH_INVARIANT=0 python benchmarks/lora_gpu.py

The embedded model in bfloat16 and an adapter with random weights. The engine starts twice: without CUDA graphs, then as
tunegate starts it. The second one also answers some requests alone, which batch-invariant kernels answer as in a batch.
On a CPU, where neither exists, it tests the script.
"""

import argparse
import random
import sys
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parent.parent
sys.path[:0] = [str(ROOT), str(ROOT / "benchmarks")]

from eval_gpu import WORDS  # noqa: E402
from eval_vs_lm_eval import make_adapter  # noqa: E402

from harness.checkpoints.resolve import EMBEDDED, resolve  # noqa: E402
from harness.engines import open_engine  # noqa: E402
from harness.engines.canary import gap  # noqa: E402
from harness.engines.config import EngineConfig  # noqa: E402
from harness.engines.vllm import environment, units  # noqa: E402
from harness.schema import BASELINE, CANDIDATE, Checkpoint, Completion, Request, Sampling  # noqa: E402
from harness.suites.prompts import Renderer  # noqa: E402

MAX_MODEL_LEN = 512
ALONE = 16
"""Requests that are also answered alone."""


def requests(renderer: Renderer, count: int, tokens: int) -> list[Request]:
    """Prompts of 20 to 200 words, the same for both variants."""
    rng = random.Random(0)
    texts = [f"Summarise: {' '.join(rng.choices(WORDS, k=rng.randint(20, 200)))}" for _ in range(count)]
    ids = [renderer.prompt([{"role": "user", "content": text}]).ids for text in texts]
    how = Sampling(max_tokens=tokens, logprobs=True)
    return [
        Request(key=f"{variant}-{number}", ids=one, sampling=how, variant=variant)
        for variant in (BASELINE, CANDIDATE)
        for number, one in enumerate(ids)
    ]


@contextmanager
def opened(checkpoints: Mapping[str, Checkpoint], eager: bool) -> Iterator[Any]:
    """The engine that tunegate opens, without CUDA graphs where `eager` says so."""
    usual = units.llm_arguments
    if eager:
        units.llm_arguments = lambda *given, **named: usual(*given, **named) | {"enforce_eager": True}
    settings = EngineConfig(name="vllm", lora="force", dtype="bfloat16")
    engine = open_engine(settings, dict(checkpoints), max_model_len=MAX_MODEL_LEN)
    try:
        yield engine
    finally:
        engine.close()
        units.llm_arguments = usual


def answers(engine: Any, asked: list[Request]) -> dict[str, Completion]:
    """Completions by key."""
    return {completion.key: completion for completion in engine.generate(asked)}


def alone(engine: Any, asked: list[Request]) -> dict[str, Completion]:
    """Completions of requests that the engine answers one at a time, without what it has in its prefix cache."""
    found = {}
    for request in asked:
        engine._model.reset()
        found |= answers(engine, [request])
    return found


def equal(some: Mapping[str, Completion], others: Mapping[str, Completion]) -> str:
    """How many completions have equal tokens, and the largest difference of a log probability."""
    same = sum(some[key].output_ids == others[key].output_ids for key in some)
    return f"{same} of {len(some)}, within {max(gap(some[key], others[key]) for key in some):.2g}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--requests", type=int, default=256, help="of each variant")
    parser.add_argument("--tokens", type=int, default=64, help="of each answer")
    args = parser.parse_args()
    base = resolve(EMBEDDED)
    asked = requests(Renderer(base.path), args.requests, args.tokens)
    few = asked[:: max(1, len(asked) // ALONE)]
    with tempfile.TemporaryDirectory() as folder:
        make_adapter(base.path, Path(folder) / "adapter")
        checkpoints = {BASELINE: base, CANDIDATE: resolve(str(Path(folder) / "adapter"))}
        with opened(checkpoints, eager=True) as engine:
            eager, without = answers(engine, asked), engine.describe()
        with opened(checkpoints, eager=False) as engine:
            batch, found = answers(engine, asked), engine.describe()
            single = alone(engine, few)
    canary = found["canary"][CANDIDATE]
    rows = {
        "batch-invariant kernels": "on" if environment.batch_invariant() else "off",
        "canary: base rows moved": f"{canary['base_moved']:.3g}",
        "canary: noise": f"{canary['noise']:.3g}",
        "canary: effect of the adapter": f"{canary['effect'][CANDIDATE]:.3g}",
        "start, s": found["throughput"]["load_s"],
        "generated tokens/s": found["throughput"]["whole"]["generated_tokens_per_s"],
        "generated tokens/s without CUDA graphs": without["throughput"]["whole"]["generated_tokens_per_s"],
        "equal answers without CUDA graphs": equal(batch, eager),
        "equal answers alone": equal(single, batch),
    }
    print("| baseline and adapter in one engine | value |\n|---|---|")
    print("\n".join(f"| {name} | {value} |" for name, value in rows.items()))


if __name__ == "__main__":
    main()
