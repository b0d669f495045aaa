"""Engines that ask stub servers, for the tests beside it."""

from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

from harness.engines.base import open_engine
from harness.engines.config import EngineConfig, Servers
from harness.engines.openai.config import endpoint
from harness.schema import Checkpoint, Completion, Request, Sampling
from harness.suites.prompts import Renderer
from tests.harness.engines.openai.stub_server import Body, Stub, is_canary

MODELS = {"base": 1, "clauses": 2}
LIMIT_S = 60.0
"""Longest wait for a server, which normally answers at once."""


class Project:
    """A tokenizer, and engines that are closed after the test."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.renderer = Renderer(folder)
        self.said: list[str] = []
        self.opened: list[Any] = []

    def checkpoints(self, tuned: str = "clauses", baseline: str | None = None) -> dict[str, Checkpoint]:
        found = {"baseline": endpoint(baseline, str(self.folder))} if baseline else {}
        return found | {"tuned": endpoint(tuned, str(self.folder))}

    def open(self, *stubs: Stub, baseline: str | None = None, tuned: str = "clauses", **settings: Any) -> Any:
        given: dict[str, Any] = {"timeout_s": LIMIT_S, "patience_s": LIMIT_S, "say": self.said.append} | settings
        config = EngineConfig(name="openai", servers=Servers(urls=tuple(stub.url for stub in stubs)), **given)
        engine = open_engine(config, self.checkpoints(tuned, baseline), max_model_len=64)
        self.opened.append(engine)
        return engine

    def requests(self, n: int, variants: tuple[str, ...] = ("tuned",), **sampling: Any) -> list[Request]:
        how = Sampling(**({"max_tokens": 6, "stop_ids": self.renderer.stop_ids} | sampling))
        return [
            Request(key=f"{variant}-{i}", ids=(3 + i, 7, 9 + i % 5), sampling=how, variant=variant)
            for variant in variants
            for i in range(n)
        ]


def answers(engine: Any, requests: list[Request]) -> dict[str, Completion]:
    return {completion.key: completion for completion in engine.generate(requests)}


def texts(engine: Any, requests: list[Request]) -> dict[str, str]:
    return {key: completion.text for key, completion in answers(engine, requests).items()}


def once(*faults: Any) -> Callable[[Body], Any]:
    """Each fault once, for the first questions; the canary is spared."""
    waiting = list(faults)
    return lambda body: waiting.pop(0) if waiting and not is_canary(body) else None


def at(stub: Stub, count: int, act: Callable[[], Any]) -> None:
    """Do something once in the middle of a run: when so many questions are answered and another one arrives."""
    waiting = [act]

    def fault(body: Body) -> None:
        if len(stub.questions) >= count and not is_canary(body):
            with suppress(IndexError):
                waiting.pop()()

    stub.fault = fault
