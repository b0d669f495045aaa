"""Generate deterministic replies without a model, for tests and dry runs."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from typing import Any

from harness.engines.base import EngineTraits, failed, in_order, problem_of
from harness.engines.config import EngineConfig
from harness.files import digest
from harness.schema import Checkpoint, Completion, Request

Replies = Callable[[Request], str] | Mapping[str, str]


TRAITS = EngineTraits(is_scripted=True, why_no_forecast="the answers are scripted; no model is loaded")


def start(checkpoints: Mapping[str, Checkpoint], max_model_len: int, config: EngineConfig) -> FakeEngine:
    """Open the fake engine; `config.replies` are its answers."""
    return FakeEngine(config.replies, max_model_len=max_model_len)


def plain_reply(request: Request) -> str:
    """Return the default answer: a few hex digits that depend on variant and ids alone."""
    return f"reply {digest([request.variant, list(request.ids)])[:8]}"


class FakeEngine:
    """Answers from a rule, from texts by request key, or with the first choice; can fail on keys."""

    name = "fake"
    version = "1"

    def __init__(
        self,
        replies: Replies | None = None,
        *,
        max_model_len: int = 1 << 30,
        fail: Collection[str] = (),
    ) -> None:
        self.replies = replies
        self.max_model_len = max_model_len
        self.fail = fail

    def facts(self, variant: str) -> dict[str, str]:
        return {"engine": self.name, "version": self.version}

    def generate(self, requests: Sequence[Request]) -> Iterator[Completion]:
        for request in in_order(requests):
            problem = problem_of(request, self.max_model_len)
            if request.key in self.fail:
                problem = "this request is set to fail in the fake engine"
            yield failed(request, problem) if problem else self._answer(request)

    def _answer(self, request: Request) -> Completion:
        text = self._text(request)
        words = text.split(" ")
        cut = len(words) > request.sampling.max_tokens
        return Completion(
            key=request.key,
            text=" ".join(words[: request.sampling.max_tokens]),
            finish_reason="length" if cut else "stop",
            prompt_tokens=len(request.ids),
            output_tokens=min(len(words), request.sampling.max_tokens),
        )

    def _text(self, request: Request) -> str:
        if callable(self.replies):
            return self.replies(request)
        reply = (self.replies or {}).get(request.key)
        if reply is None:
            return request.sampling.choice[0] if request.sampling.choice else plain_reply(request)
        return reply

    def describe(self) -> dict[str, Any]:
        return {"name": self.name, "version": self.version, "device": "none", "canary": {}}

    def close(self) -> None:
        pass
