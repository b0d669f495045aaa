"""Run by vllm_real.py: real vLLM on the embedded model, in this process and in processes of its own.

Telemetry switches are read after the engine has started; sampling parameters are recorded where they enter vLLM.
"""

import json
import os
import weakref
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psutil
from msgspec import structs

from harness.checkpoints.resolve import EMBEDDED, embedded_model, resolve
from harness.engines import Engine, open_engine
from harness.engines.config import EngineConfig
from harness.engines.vllm import engine as vllm_engine
from harness.engines.vllm import model
from harness.engines.vllm.model import VllmModel
from harness.errors import UserError
from harness.schema import Checkpoint, Completion, Request, Sampling
from harness.suites.prompts import Renderer
from tests.support.adapters import save_adapter

QUESTIONS = [
    "What is the capital of France?",
    "Name three fruits.",
    "What is 2+2?",
    "Say hello to the tenant, politely.",
]
OPTIONS = ("A", "B", "No")
CHOICES = ("yes, always", "no", 'say "maybe"')
SCHEMA = {
    "type": "object",
    "properties": {"reason": {"type": "string", "maxLength": 12}, "answer": {"enum": ["yes", "no"]}},
    "required": ["reason", "answer"],
    "additionalProperties": False,
}
SMALL = EngineConfig(kv_cache_bytes=1 << 28, dtype="float32")
MAX_LEN = 96


ADAPTERS: dict[str, dict[str, Any]] = {
    "a0": {"seed": 1, "std": 0.02, "r": 8, "lora_alpha": 16},
    "a1": {"seed": 2, "std": 0.02, "r": 16, "lora_alpha": 32},
    "zero": {"seed": 3, "zero": True, "r": 8},
}
"""a0 and a1 have an effect, `zero` has none."""


def adapters(root: Path, *names: str) -> dict[str, Checkpoint]:
    return {n: resolve(str(save_adapter(embedded_model(), root / n, **ADAPTERS[n]))) for n in names}


def embedded() -> tuple[Checkpoint, Renderer]:
    """The embedded model and its prompts."""
    base = resolve(EMBEDDED)
    return base, Renderer(base.path)


def requests(renderer: Renderer, variants: list[str]) -> list[Request]:
    how = Sampling(max_tokens=12, stop_ids=renderer.stop_ids, logprobs=True)
    ids = [renderer.prompt([{"role": "user", "content": q}]).ids for q in QUESTIONS]
    return [Request(key=f"{v}-{i}", ids=one, sampling=how, variant=v) for v in variants for i, one in enumerate(ids)]


def shown(found: list[Completion]) -> dict[str, Any]:
    return {
        c.key: {
            "text": c.text,
            "ids": c.output_ids,
            "logprobs": c.logprobs,
            "finish": c.finish_reason,
            "error": c.error,
        }
        for c in found
    }


@contextmanager
def opened(checkpoints: dict[str, Checkpoint], lora: str, max_len: int = MAX_LEN) -> Iterator[Engine]:
    engine = open_engine(structs.replace(SMALL, name="vllm", lora=lora), checkpoints, max_model_len=max_len)
    try:
        yield engine
    finally:
        engine.close()


def answers(renderer: Renderer, checkpoints: dict[str, Checkpoint], lora: str) -> dict[str, Any]:
    """Completions, in the order in which they came, and the engine's own record; or the error that stopped it."""
    try:
        with opened(checkpoints, lora) as engine:
            found = list(engine.generate(requests(renderer, list(checkpoints))))
            return {"answers": shown(found), "describe": engine.describe()}
    except UserError as error:
        return {"error": f"{type(error).__name__}: {error}"}


def plain_answers(renderer: Renderer, base: Checkpoint) -> tuple[dict[str, Any], dict[str, Any]]:
    """The base alone; then, on the same engine, requests that cannot be answered and one that is left half way."""
    how = Sampling(max_tokens=12, stop_ids=renderer.stop_ids)
    asked = requests(renderer, ["baseline"])
    odd = {"long": (5,) * 90, "empty": (), "foreign": (10**6,)}
    impossible = [Request(key=k, ids=ids, sampling=how, variant="baseline") for k, ids in odd.items()]
    with opened({"baseline": base}, "auto") as engine:
        plain = {"answers": shown(list(engine.generate(asked))), "describe": engine.describe()}
        first = shown(list(engine.generate([*impossible, *asked])))
        half = engine.generate(asked)
        next(half)
        half.close()
        letters = Sampling(max_tokens=1, stop_ids=renderer.stop_ids, logprob_ids=tuple(map(renderer.opening, OPTIONS)))
        lettered = [Request(key=f"o-{r.key}", ids=r.ids, sampling=letters, variant=r.variant) for r in asked]
        options = {c.key.removeprefix("o-"): c.option_logprobs for c in engine.generate(lettered)}
        again = shown(list(engine.generate(asked)))
        return plain, {"first": first, "again": again, "options": options, "option_ids": letters.logprob_ids}


def structured(renderer: Renderer, base: Checkpoint) -> dict[str, Any]:
    """Free answers; answers held to choices and to a schema, on an engine that is loaded again for them; free ones.

    Then two questions about one document, whose beginning of one KV block is computed once.
    """
    choice = Sampling(max_tokens=12, stop_ids=renderer.stop_ids, choice=CHOICES)
    schema = Sampling(max_tokens=48, stop_ids=renderer.stop_ids, json_schema=json.dumps(SCHEMA))
    asked = requests(renderer, ["baseline"])
    held = {"choice": choice, "json": schema}
    structured_ones = [structs.replace(r, key=f"{k}-{r.key}", sampling=how) for k, how in held.items() for r in asked]
    how = Sampling(max_tokens=4)
    long = [Request(key=f"long-{i}", ids=(*range(10, 150), i), sampling=how, variant="baseline") for i in (5, 6)]
    with opened({"baseline": base}, "auto", 192) as engine:
        first = shown(list(engine.generate(asked)))
        without = engine.describe()["arguments"]["baseline"]["skip_tokenizer_init"]
        found = shown(list(engine.generate(structured_ones)))
        again = shown(list(engine.generate(asked)))
        before = engine.describe()["throughput"]["whole"]
        list(engine.generate(long))
        record = {"before": before, "describe": engine.describe()}
        return record | {"first": first, "held": found, "again": again, "without": without}


def starved(renderer: Renderer, base: Checkpoint) -> dict[str, Any]:
    """In this process: memory runs out once more than two questions are computed together."""
    said: list[str] = []
    settings = EngineConfig(kv_cache_bytes=1 << 28, batch=4, say=said.append)
    engine: Any = open_engine(structs.replace(settings, name="vllm"), {"baseline": base}, max_model_len=MAX_LEN)
    asked = requests(renderer, ["baseline"])
    try:
        first = shown(list(engine.generate(asked)))
        worker = weakref.ref(engine._model._llm.llm_engine.model_executor.driver_worker)
        starve(worker(), 2)
        freed: list[bool] = []
        vllm_engine.VllmModel = lambda *given: freed.append(worker() is None) or VllmModel(*given)  # type: ignore[misc]
        again = shown(list(engine.generate(asked)))
        return {"first": first, "again": again, "said": said, "freed": freed}
    finally:
        engine.close()


def starve(worker: Any, most: int) -> None:
    """A batch larger than `most` asks the allocator for memory that no machine has."""
    import torch

    real = worker.execute_model

    def execute_model(scheduled: Any, *more: Any, **named: Any) -> Any:
        if len(scheduled.num_scheduled_tokens) > most:
            torch.empty(1 << 50, dtype=torch.uint8)
        return real(scheduled, *more, **named)

    worker.execute_model = execute_model


def shared_process(root: Path) -> dict[str, Any]:
    """Every scenario that needs no process of vLLM's own, one engine after the other."""
    base, renderer = embedded()
    tuned = adapters(root, *ADAPTERS)
    found: dict[str, Any] = {"prompts": [list(r.ids) for r in requests(renderer, ["baseline"])]}
    found["plain"], found["odd"] = plain_answers(renderer, base)
    sampled: list[str] = []
    real, slots = model.sampling_params, model.lora_slots
    model.sampling_params = lambda s: sampled.append(repr(real(s))) or real(s)
    found["two"] = answers(renderer, {"a1": tuned["a1"], "baseline": base, "a0": tuned["a0"]}, "force")
    found["merged"] = answers(renderer, {"a0": tuned["a0"], "baseline": base}, "auto")
    found["sampled"], model.sampling_params = sampled, real
    model.lora_slots = lambda n_adapters: n_adapters
    found["no_spare_slot"] = answers(renderer, {"baseline": base, "a0": tuned["a0"]}, "force")
    model.lora_slots = slots
    found["zero"] = answers(renderer, {"baseline": base, "zero": tuned["zero"]}, "force")
    found["structured"], found["starved"] = structured(renderer, base), starved(renderer, base)
    return found | {"environment": dict(os.environ)}


def own_process(root: Path) -> dict[str, Any]:
    """Base and adapter in vLLM's own processes, and the switches those have."""
    base, renderer = embedded()
    with opened({"baseline": base, **adapters(root, "a0")}, "force") as engine:
        arriving = engine.generate(requests(renderer, ["baseline", "a0"]))
        first = next(arriving)
        environments = [environment_of(pid) for pid in children(os.getpid())]
        return {
            "separate": {"answers": shown([first, *arriving]), "describe": engine.describe()},
            "environments": [e for e in environments if e],
            "environment": dict(os.environ),
        }


def children(pid: int) -> list[int]:
    """Process ids of all processes below one."""
    return [process.pid for process in psutil.Process(pid).children(recursive=True)]


def environment_of(pid: int) -> dict[str, str]:
    """Environment of a running process that has loaded vLLM's engine; {} for any other."""
    if b"multiprocessing" not in Path(f"/proc/{pid}/cmdline").read_bytes() and not vllm_named(pid):
        return {}
    pairs = Path(f"/proc/{pid}/environ").read_bytes().decode().split("\0")
    return dict(pair.split("=", 1) for pair in pairs if "=" in pair)


def vllm_named(pid: int) -> bool:
    """vLLM names its processes."""
    return "VLLM" in Path(f"/proc/{pid}/comm").read_text()
