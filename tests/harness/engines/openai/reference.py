"""Run by test_vllm.py in a process of its own: what vLLM answers without a server, as JSON.

`requests` is what both ask: greedy and sampled questions, and options, of the base and of an adapter served as LoRA.
They are asked one at a time, because an adapter's rows are rounded by the batch they are in, and each
prompt only once per model, because the prefix cache changes rounding, and a server caches longer blocks.
"""

import json
import sys
from pathlib import Path

from msgspec import structs

from harness.checkpoints.resolve import EMBEDDED, resolve
from harness.engines import open_engine
from harness.engines.config import EngineConfig
from harness.schema import Completion, Request, Sampling
from harness.suites.prompts import Renderer

QUESTIONS = [
    "What is the capital of France?",
    "Name three fruits.",
    "What is 2+2?",
    "Say hello to the tenant, politely.",
    "Who pays the rent?",
    "Write one sentence about the sea.",
    "Is a lease a contract? Answer yes or no.",
    "Count from one to five.",
]
SAMPLED_QUESTIONS = ["Name a colour that a barn may have.", "Describe a quiet street in one sentence."]
CHOICE = "Does a tenant own the house? Answer yes or no."
OPTIONS = ("A", "B", "No")
VARIANTS = ("baseline", "tuned")
MAX_LEN = 96


def requests(renderer: Renderer, variants: tuple[str, ...] = VARIANTS) -> list[Request]:
    """For each variant eight greedy questions, two sampled ones and one with options."""

    def ids_of(question: str) -> tuple[int, ...]:
        return renderer.prompt([{"role": "user", "content": question}]).ids

    greedy = Sampling(max_tokens=16, stop_ids=renderer.stop_ids, logprobs=True)
    sampled = Sampling(max_tokens=16, stop_ids=renderer.stop_ids, logprobs=True, temperature=0.8, seed=7)
    letters = Sampling(max_tokens=1, stop_ids=renderer.stop_ids, logprob_ids=tuple(map(renderer.opening, OPTIONS)))
    found = []
    for variant in variants:
        asked = {str(i): (question, greedy) for i, question in enumerate(QUESTIONS)}
        asked |= {f"s{i}": (question, sampled) for i, question in enumerate(SAMPLED_QUESTIONS)}
        asked["options"] = (CHOICE, letters)
        found += [
            Request(key=f"{variant}-{name}", ids=ids_of(question), sampling=how, variant=variant)
            for name, (question, how) in asked.items()
        ]
    return found


def shown(found: Completion) -> dict[str, object]:
    """What must be equal."""
    return {
        "text": found.text,
        "finish": found.finish_reason,
        "tokens": [found.prompt_tokens, found.output_tokens],
        "ids": list(found.output_ids),
        "logprobs": list(found.logprobs),
        "options": list(found.option_logprobs),
        "error": found.error,
    }


def main() -> None:
    checkpoints = {"baseline": resolve(EMBEDDED), "tuned": resolve(sys.argv[1])}
    settings = EngineConfig(kv_cache_bytes=1 << 28, batch=1)
    engine = open_engine(structs.replace(settings, name="vllm", lora="force"), checkpoints, max_model_len=MAX_LEN)
    renderer = Renderer(checkpoints["baseline"].path)
    found = {c.key: shown(c) for c in engine.generate(requests(renderer))}
    engine.close()
    Path(sys.argv[2]).write_text(json.dumps(found))


if __name__ == "__main__":
    main()
