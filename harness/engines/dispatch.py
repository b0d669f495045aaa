"""Send requests to an engine through the completion cache."""

from __future__ import annotations

import json
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol, TypeVar

from msgspec import structs

from harness.checkpoints.merge import merged_path
from harness.engines.base import open_engine, request_key
from harness.engines.cache import AnswerCache, answered
from harness.engines.cache_eviction import keep_within_bound
from harness.engines.config import EngineConfig
from harness.errors import NOT_JSON, UserError
from harness.files import distinct_keys, read_text
from harness.formatting import count
from harness.schema import Case, Checkpoint, Completion, Request, Sampling

FAILS = "fail"
WINDOW_QUESTIONS = 16_384
"""Largest number of requests in one window for an engine; its batch runs empty at the end of each window."""
WINDOW_TOKENS = 8_000_000
"""Largest number of prompt tokens in one window: about 64 MB."""


class CachedRequest(Protocol):
    """What a dispatcher needs of a request; `harness.evaluation.requests.PlannedRequest` has it."""

    @property
    def case(self) -> Case: ...
    @property
    def variant(self) -> str: ...
    @property
    def repeat(self) -> int: ...
    @property
    def ids(self) -> tuple[int, ...]: ...
    @property
    def sampling(self) -> Sampling: ...


Q = TypeVar("Q", bound=CachedRequest)


class Dispatcher:
    """One engine for all variants of a run; nothing is loaded while every completion is in the cache."""

    def __init__(
        self,
        config: EngineConfig,
        checkpoints: Mapping[str, Checkpoint],
        *,
        max_model_len: int,
        say: Callable[[str], None] = lambda text: None,
    ) -> None:
        self.checkpoints = checkpoints
        self._say = say
        self._script = read_script(config.script) if config.script else {}
        self._texts: dict[str, str] = {}
        config = structs.replace(config, replies=self._texts, say=say)
        self.engine = open_engine(config, checkpoints, max_model_len=max_model_len)
        self.cache = AnswerCache(self.engine, checkpoints) if config.use_cache else None
        unknown = {c.name: c.unpinned_because for c in checkpoints.values() if not c.is_known_by_content}
        for served, why in unknown.items() if config.use_cache else ():
            say(f"completions of '{served}' are not reused, even after an interruption: weights not proven ({why})")
        self.counts = {"cached": 0, "generated": 0}
        self.was_cached = False
        """Whether the last completion came from the cache."""

    @property
    def says(self) -> str:
        """Engine and version, for users."""
        return f"{self.engine.name} {self.engine.version}"

    def requests(self, questions: Sequence[CachedRequest]) -> list[Request]:
        """Return one request per question, in the same order."""
        facts = {variant: self.engine.facts(variant) for variant in self.checkpoints}
        return [
            Request(
                key=request_key(self.checkpoints[q.variant], facts[q.variant], q.ids, q.sampling, repeat=q.repeat),
                ids=q.ids,
                sampling=q.sampling,
                variant=q.variant,
            )
            for q in questions
        ]

    def answers(self, questions: Iterable[Q]) -> Generator[tuple[Q, Completion]]:
        """Yield every question with its completion, as completions arrive; equal requests share one.

        The engine receives a window of questions at a time, so that a run of any length fits into memory. Equal
        requests of two windows share it through the cache.
        """
        try:
            self._make_room()
            for window in windows(questions, getattr(self.engine, "windows", 1)):
                yield from self._answers(window)
        finally:
            self.engine.close()
            if self.cache:
                self.cache.close()

    def _answers(self, questions: Sequence[Q]) -> Iterator[tuple[Q, Completion]]:
        requests = self.requests(questions)
        waiting: dict[str, list[Q]] = {}
        for question, request in zip(questions, requests, strict=True):
            waiting.setdefault(request.key, []).append(question)
            self._read_script(question, request)
        for completion, was_cached in answered(self.engine, requests, self.cache):
            self.was_cached = was_cached
            self.counts["cached" if was_cached else "generated"] += 1
            for question in waiting.pop(completion.key):
                yield question, completion
        if waiting:
            raise UserError(f"the engine did not answer {count(len(waiting), 'request')}. Re-run to retry only these")

    def _make_room(self) -> None:
        """Evict from the cache folder down to its limit, except what this run may read."""
        if self.cache:
            self.cache.hold()
        merged = {merged_path(c) for c in self.checkpoints.values() if c.adapter_digest}
        keep_within_bound(merged | {Path(c.path) for c in self.checkpoints.values()}, self._say)

    def _read_script(self, question: CachedRequest, request: Request) -> None:
        if not self._script:
            return
        if question.case.id in self._script.get(FAILS, {}).get(question.variant, []):
            self.engine.fail = {*self.engine.fail, request.key}  # type: ignore[attr-defined]
        text = self._script.get(question.variant, {}).get(question.case.id)
        if text is not None:
            self._texts[request.key] = text

    def describe(self) -> dict[str, Any]:
        """Return the engine's own record and the number of completions from the cache."""
        return self.engine.describe() | self.counts


def windows(questions: Iterable[Q], times: int = 1) -> Iterator[list[Q]]:
    """Group requests in order, so many that the engine's batches stay full and memory does not.

    An engine with many workers, or one that restarts for each window, states in `windows` how many `times` as much it
    needs.
    """
    window: list[Q] = []
    tokens = 0
    for question in questions:
        window.append(question)
        tokens += len(question.ids)
        if len(window) >= times * WINDOW_QUESTIONS or tokens >= times * WINDOW_TOKENS:
            yield window
            window, tokens = [], 0
    if window:
        yield window


def read_script(path: Path) -> dict[str, Any]:
    """Read the fake engine's answers: JSON of variant -> case id -> text; `fail` lists case ids by variant.

    Raises UserError for another layout.
    """
    expected = "Expected JSON of variant -> case id -> text"
    try:
        loaded = json.loads(read_text(path, expected), object_pairs_hook=distinct_keys)
    except NOT_JSON as error:
        raise UserError(f"{path}: cannot be read as a script of answers: {error}. {expected}") from None
    if not isinstance(loaded, dict):
        raise UserError(f"{path}: {expected[0].lower()}{expected[1:]}")
    for name, answers in loaded.items():
        if not isinstance(answers, dict):
            raise UserError(f"{path}: '{name}' is a {type(answers).__name__}, expected case id -> text")
        for variant, ids in answers.items() if name == FAILS else ():
            if not isinstance(ids, list):
                raise UserError(f"{path}: '{FAILS}' of '{variant}' is {ids!r}, expected a list of case ids")
        for case_id, text in answers.items() if name != FAILS else ():
            if not isinstance(text, str | None):
                raise UserError(f"{path}: '{case_id}' of '{name}' is {text!r}, expected a text in quotes")
    return loaded
