"""Run by vllm_real.py: real vLLM processes that are killed, stopped and starved.

The memory that runs out is real in text alone: the allocator is asked for more than any machine has.
"""

import multiprocessing
import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from msgspec import structs

from harness.engines import open_engine
from harness.engines.cache import AnswerCache, answered
from harness.engines.config import EngineConfig
from harness.errors import UserError
from harness.schema import Checkpoint, Completion, Request, Sampling
from harness.suites.prompts import Renderer
from tests.support.vllm_scenarios import children, embedded, starve, vllm_named

NEW_TOKENS = 48
MAX_LEN = 128
PATIENCE_S = 90.0
"""Longer than a busy machine lets a healthy process wait, since the hung one is given up after it."""


def fork_only() -> None:
    """vLLM's own processes begin as forks of this one: as new ones, which it has on a CPU, each imports all again."""
    context = multiprocessing.get_context
    multiprocessing.get_context = lambda method=None: context("fork")  # type: ignore[assignment]


def requests(renderer: Renderer, name: str, n: int) -> list[Request]:
    """Questions whose answers never end early, so that none is finished long before it is read."""
    how = Sampling(max_tokens=NEW_TOKENS)
    asked = [renderer.prompt([{"role": "user", "content": f"{name}: what is {i} + {i}?"}]).ids for i in range(n)]
    return [Request(key=f"{name}{i}", ids=ids, sampling=how, variant="baseline") for i, ids in enumerate(asked)]


def engine_process() -> int:
    return next(pid for pid in children(os.getpid()) if vllm_named(pid))


def until(arriving: Iterator[Completion], then: signal.Signals | None) -> tuple[list[str], str]:
    """Keys that came, and the error that ended them; the engine's process gets the signal after the first."""
    found: list[str] = []
    try:
        for completion in arriving:
            found.append(completion.key)
            if then is not None and len(found) == 1:
                os.kill(engine_process(), then)
    except UserError as error:
        return found, f"{type(error).__name__}: {error}"
    return found, ""


def killed(base: dict[str, Checkpoint], asked: list[Request]) -> dict[str, Any]:
    """One answer at a time; the process is killed after the first."""
    engine = open_engine(EngineConfig(name="vllm", kv_cache_bytes=1 << 28, batch=1), base, max_model_len=MAX_LEN)
    try:
        found, error = until((c for c, _ in answered(engine, asked, AnswerCache(engine, base))), signal.SIGKILL)
    finally:
        engine.close()
    return {"found": found, "error": error, "defunct": defunct()}


def resumed_starved_and_hung(base: dict[str, Checkpoint], asked: list[Request], renderer: Renderer) -> dict[str, Any]:
    """The rest of the killed one's answers; then a batch that is too large; then a process that does nothing."""
    said: list[str] = []
    settings = EngineConfig(kv_cache_bytes=1 << 28, batch=4, patience_s=PATIENCE_S, say=said.append)
    engine: Any = open_engine(structs.replace(settings, name="vllm"), base, max_model_len=MAX_LEN)
    reached: list[str] = []
    real = engine.generate
    engine.generate = lambda requests: reached.extend(r.key for r in requests) or real(requests)
    try:
        resumed, error = until((c for c, _ in answered(engine, asked, AnswerCache(engine, base))), None)
        report: dict[str, Any] = {"resumed": {"found": resumed, "error": error, "reached": list(reached)}}
        assert not error, error
        engine._model._llm.collective_rpc(starve, args=(2,))
        starved, error = until(real(requests(renderer, "starved", 6)), None)
        report["starved"] = {"found": starved, "error": error, "said": list(said)}
        hung, error = until(real(requests(renderer, "hung", 6)), signal.SIGSTOP)
        report["hung"] = {"found": hung, "error": error}
    finally:
        engine.close()
    report["hung"]["defunct"] = defunct()
    report["left_behind"] = left_behind()
    return report


def defunct() -> list[str]:
    """Names of the processes below this one that have ended and that nobody has asked after."""
    states = [Path(f"/proc/{pid}/stat").read_text().rpartition(")") for pid in children(os.getpid())]
    return [named.partition("(")[2] for named, _, rest in states if rest.split()[0] == "Z"]


def left_behind() -> list[int]:
    """Engine processes that are there after a while; one that has ended counts until it is asked after."""
    end = time.monotonic() + 20
    while multiprocessing.active_children() and time.monotonic() < end:
        time.sleep(0.5)
    return [pid for pid in children(os.getpid()) if vllm_named(pid)]


def faults(root: Path) -> dict[str, Any]:
    """What each fault does, one after the other."""
    fork_only()
    os.environ["VLLM_ALLOW_INSECURE_SERIALIZATION"] = "1"
    model, renderer = embedded()
    base, asked = {"baseline": model}, requests(renderer, "first", 4)
    return {"killed": killed(base, asked)} | resumed_starved_and_hung(base, asked, renderer)
