"""Run by test_ray.py in processes of their own: real engines on the embedded model, findings as JSON in a file.

Each scenario starts vLLM engines anew, in process for the reference and on Ray for the rest.
"""

import json
import os
import signal
import sys
from pathlib import Path
from typing import Any

from harness.checkpoints.resolve import EMBEDDED, embedded_model, resolve
from harness.engines import open_engine
from harness.engines.canary import Reference
from harness.engines.config import EngineConfig
from harness.engines.ray import engine as ray_engine
from harness.engines.vllm import model
from harness.errors import UserError
from harness.schema import Checkpoint, Completion, Request, Sampling
from harness.suites.prompts import Renderer
from tests.support.adapters import save_adapter
from tests.support.processes import runs
from tests.support.vllm_scenarios import children, shown

MAX_LEN = 96
QUESTIONS = [f"{what} {whom}" for what in ("Name three", "Write a line on", "What are") for whom in
             ("fruits.", "cities of France.", "birds that swim.", "tenants.")]  # fmt: skip
TOO_LONG = "too-long"
CHOICES = ("yes", "never")


def settings(**more: Any) -> EngineConfig:
    """Two engines; fp32, in which the rounding of different batches changes no token."""
    given: dict[str, Any] = {"kv_cache_bytes": 1 << 28, "dtype": "float32", "engines": 2}
    return EngineConfig(**(given | more))


def requests(renderer: Renderer, variants: list[str], repeats: int = 1) -> list[Request]:
    """Every question to every variant; each second one asks for the log probabilities of options."""
    found = []
    for variant in variants:
        for i, question in enumerate(QUESTIONS * repeats):
            ids = renderer.prompt([{"role": "user", "content": f"{question} {i // len(QUESTIONS)}"}]).ids
            options = (renderer.opening("A"), renderer.opening("No")) if i % 2 else ()
            how = Sampling(max_tokens=12, stop_ids=renderer.stop_ids, logprobs=not options, logprob_ids=options)
            found.append(Request(key=f"{variant}-{i}", ids=ids, sampling=how, variant=variant))
    return found


def adapter(root: Path) -> Checkpoint:
    return resolve(str(save_adapter(embedded_model(), root / "a0", seed=1, std=0.02, r=8, lora_alpha=16)))


def found_by(engine: Any, asked: list[Request]) -> dict[str, Any]:
    """Completions and what the engine says of itself, its canary rows among it."""
    answers = list(engine.generate(asked))
    return {
        "answers": shown(answers) | {c.key: shown([c])[c.key] | {"options": c.option_logprobs} for c in answers},
        "describe": engine.describe(),
        "canary": [rows_of(reference) for reference in engine.served.references.values()],
    }


def rows_of(reference: Reference) -> list[tuple[Any, Any]]:
    return [(row.output_ids, row.logprobs) for row in reference.rows]


def in_process(root: Path, renderer: Renderer, base: Checkpoint) -> dict[str, Any]:
    """The reference: base and adapter in one vLLM of this process, and the merged adapter."""
    found = {}
    for lora in ("force", "merge"):
        checkpoints = {"baseline": base, "a0": adapter(root)}
        engine = open_engine(settings(name="vllm", lora=lora, engines=None), checkpoints, max_model_len=MAX_LEN)
        found[lora] = found_by(engine, requests(renderer, list(checkpoints)))
        engine.close()
    return found


def shared(root: Path, renderer: Renderer, base: Checkpoint) -> dict[str, Any]:
    """Base and adapter in the same engines; one row that vLLM refuses gets past the check before it."""
    checkpoints = {"baseline": base, "a0": adapter(root)}
    long = Request(key=TOO_LONG, ids=(5,) * 200, sampling=Sampling(max_tokens=4), variant="a0")
    ray_engine.problem_of = lambda *given: None  # type: ignore[assignment]
    engine = open_engine(settings(name="ray", lora="force"), checkpoints, max_model_len=MAX_LEN)
    try:
        return found_by(engine, [*requests(renderer, list(checkpoints)), long])
    finally:
        engine.close()


def merged(root: Path, renderer: Renderer, base: Checkpoint) -> dict[str, Any]:
    """What a CPU does by default: plain engines of the base, then of base and adapter merged."""
    checkpoints = {"baseline": base, "a0": adapter(root)}
    engine = open_engine(settings(name="ray"), checkpoints, max_model_len=MAX_LEN)
    try:
        return found_by(engine, requests(renderer, list(checkpoints)))
    finally:
        engine.close()


def no_spare_slot(root: Path, renderer: Renderer, base: Checkpoint) -> dict[str, Any]:
    """Engines with as many slots as adapters, which on a CPU corrupt base rows."""
    checkpoints = {"baseline": base, "a0": adapter(root)}
    model.lora_slots = lambda n_adapters: n_adapters
    engine = open_engine(settings(name="ray", lora="force", engines=1), checkpoints, max_model_len=MAX_LEN)
    answers: list[Completion] = []
    try:
        answers += engine.generate(requests(renderer, list(checkpoints)))
    except UserError as error:
        return {"error": f"{type(error).__name__}: {error}", "answers": len(answers)}
    finally:
        engine.close()
    return {"error": "", "answers": len(answers)}


def killed(root: Path, renderer: Renderer, base: Checkpoint) -> dict[str, Any]:
    """One engine's worker is killed once its first answer is here; each engine computes 8 requests at a time.

    `left_behind` are processes below it that are still there when every answer is.
    """
    engine = open_engine(settings(name="ray", batch=8), {"baseline": base}, max_model_len=MAX_LEN)
    asked = requests(renderer, ["baseline"], repeats=6)
    answers: list[Completion] = []
    try:
        for completion in engine.generate(asked):
            if not answers:
                first = next(iter(engine.engines))  # type: ignore[attr-defined]
                worker = int(first.split("/")[1])
                below = children(worker)
                os.kill(worker, signal.SIGKILL)
            answers.append(completion)
        return {
            "answers": shown(answers),
            "asked": [r.key for r in asked],
            "describe": engine.describe(),
            "killed": first,
            "below": below,
            "left_behind": [pid for pid in below if runs(pid)],
        }
    finally:
        engine.close()


def cluster(root: Path, renderer: Renderer, base: Checkpoint) -> dict[str, Any]:
    """A cluster that runs already, named by RAY_ADDRESS; a folder that its machines lack; answers held to a choice."""
    engine = open_engine(settings(name="ray", engines=1), {"baseline": base}, max_model_len=MAX_LEN)
    try:
        engine.cluster.check_paths([Path(base.path), root / "not-there"])  # type: ignore[attr-defined]
        lacking = ""
    except UserError as error:
        lacking = str(error)
    how = Sampling(max_tokens=4, stop_ids=renderer.stop_ids, choice=CHOICES)
    asked = requests(renderer, ["baseline"])
    held = [Request(key=f"held-{i}", ids=asked[i].ids, sampling=how, variant="baseline") for i in range(3)]
    try:
        return found_by(engine, [*asked, *held]) | {"lacking": lacking}
    finally:
        engine.close()


def main() -> None:
    root, out, name = Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3]
    base = resolve(EMBEDDED)
    run = {f.__name__: f for f in (in_process, shared, merged, no_spare_slot, killed, cluster)}[name]
    out.write_text(json.dumps(run(root, Renderer(base.path), base)))


if __name__ == "__main__":
    main()
