"""Run by vllm_real.py: real vLLM, one model on one device and split over two.

The model is a tiny random one, because the heads of the embedded model cannot be divided by two.
"""

import os
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
from tests.support.vllm_faults import fork_only
from tests.support.vllm_scenarios import children, vllm_named

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


def parallel(root: Path) -> dict[str, Any]:
    """The same requests on two devices and on one. Two come first: this process computes nothing before it forks."""
    fork_only()
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
    found: dict[str, Any] = {str(size): answered(size, checkpoints, requests) for size in (2, 1)}
    return found | {"workers left": [pid for pid in children(os.getpid()) if vllm_named(pid)]}
