"""Run by test_engines_parallel.py in a process of its own: real vLLM, one model on one device and split over two.

The model is a tiny random one, because the heads of the embedded model cannot be divided by two.
"""

import json
import os
import sys
from pathlib import Path
from typing import Any

from msgspec import structs

from harness.checkpoints.resolve import resolve
from harness.engines import open_engine
from harness.engines.config import EngineConfig
from harness.schema import Checkpoint, Request, Sampling
from harness.suites.prompts import Renderer
from tests.conftest import save_tiny_model
from tests.support.adapters import save_adapter

QUESTIONS = ["Who owns the land?", "When is the rent due?", "What does the tenant agree to?"]


def answered(size: int, checkpoints: dict[str, Checkpoint], requests: list[Request]) -> dict[str, Any]:
    """Generated ids by request, what the engine says of itself, and what is part of a request's key."""
    settings = EngineConfig(kv_cache_bytes=1 << 24, tensor_parallel=size, batch=8)
    engine = open_engine(structs.replace(settings, name="vllm"), checkpoints, max_model_len=96)
    try:
        ids = {found.key: found.output_ids for found in engine.generate(requests)}
        return {"ids": ids, "describe": engine.describe(), "facts": engine.facts("tuned")}
    finally:
        engine.close()


def main() -> None:
    root, out = Path(sys.argv[1]), Path(sys.argv[2])
    model = save_tiny_model(root / "model", "llama3", hidden_size=128, num_key_value_heads=4, dtype="float32")
    adapter = save_adapter(model, root / "adapter", std=0.5, r=8, lora_alpha=16)
    checkpoints = {"baseline": resolve(str(model)), "tuned": resolve(str(adapter))}
    renderer = Renderer(model)
    how = Sampling(max_tokens=16, stop_ids=renderer.stop_ids, logprobs=True)
    prompts = [renderer.prompt([{"role": "user", "content": question}]).ids for question in QUESTIONS]
    requests = [
        Request(key=f"{variant}-{place}", ids=ids, sampling=how, variant=variant)
        for variant in checkpoints
        for place, ids in enumerate(prompts)
    ]
    found = {size: answered(size, checkpoints, requests) for size in (1, 2)}
    children = Path(f"/proc/{os.getpid()}/task/{os.getpid()}/children").read_text("ascii").split()
    out.write_text(json.dumps(found | {"workers left": [pid for pid in children if is_worker(pid)]}))


def is_worker(pid: str) -> bool:
    return "VLLM" in Path(f"/proc/{pid}/comm").read_text("ascii")


if __name__ == "__main__":
    main()
