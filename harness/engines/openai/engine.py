"""Use OpenAI-compatible servers as an engine: send token ids to `/v1/completions`, yield what a canary confirms.

Every server answers the canary when the engine opens, when the server returns after a fault, every 30 s and at the end.
An answer is yielded after a later canary of its server; without one, another server gets the request. The run stops if
a model's answers change.
"""

from __future__ import annotations

import asyncio
import math
import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from harness.engines import canary
from harness.engines.base import EngineTraits, failed, in_order, problem_of, vocabulary_of
from harness.engines.config import EngineConfig
from harness.engines.openai import pool, protocol, served_weights
from harness.engines.openai.canary import Witness
from harness.engines.openai.config import NO_SERVER
from harness.engines.openai.pool import Background, Fault, Pool, RequestRefused, Server
from harness.errors import CanaryFailed, EngineFailed, UserError
from harness.files import digest
from harness.schema import Checkpoint, Completion, Request
from harness.suites.prompts import Renderer

START_TRIES = 3
"""Attempts to reach a server when the engine opens."""
START_PAUSE_S = 1.0
"""Seconds between them."""

OnCompletion = Callable[[Completion], None]


TRAITS = EngineTraits(needs_url=True)


def start(checkpoints: Mapping[str, Checkpoint], max_model_len: int, config: EngineConfig) -> OpenAiEngine:
    """Open the engine and connect to its servers. Raises UserError if none answers, or none has a model."""
    if config.servers is None:
        raise UserError(NO_SERVER)
    if config.lora != "auto":
        raise UserError(f"--lora {config.lora}: a server decides how it serves an adapter. Leave --lora out")
    engine = OpenAiEngine(checkpoints, max_model_len, config)
    try:
        engine.open()
    except BaseException:
        engine.close()
        raise
    return engine


class OpenAiEngine:
    """The servers, the canary's results, and latencies."""

    name = "openai"

    def __init__(self, checkpoints: Mapping[str, Checkpoint], max_model_len: int, config: EngineConfig) -> None:
        self.version = "unknown"
        self.max_model_len = max(max_model_len, canary.LENGTH)
        self.config = config
        self.renderers = {variant: Renderer.of(checkpoint) for variant, checkpoint in checkpoints.items()}
        self.pool = Pool(
            config.servers.urls if config.servers else (),
            self._prove,
            timeout_s=config.timeout_s,
            patience_s=config.patience_s,
            max_in_flight=config.batch,
        )
        self.witness = Witness(checkpoints, self.renderers, config.say)
        self.models, self.names = self.witness.models, self.witness.names
        self.latencies_ms: dict[str, list[float]] = {variant: [] for variant in checkpoints}
        self._waiting: deque[Request] = deque()
        self._on_completion: OnCompletion = lambda completion: None
        self._commands: dict[str, Sequence[str]] = {}
        """By URL, the command line of a server whose process pins the weights."""
        self._roots: dict[tuple[str, str], Any] = {}
        """By URL and model, the folder or hub id that the server first said to have loaded."""
        self._background = Background()

    def open(self) -> None:
        """Connect to every server and run the canary. Raises UserError, EngineFailed or CanaryFailed."""
        reachable = [server for server in self.pool.servers if self._connect(server)]
        if not reachable:
            raise EngineFailed(f"no server answers: {self.pool.faults()}. Start one, or correct --url")
        lacking = [name for name in self.models if not any(name in server.models for server in reachable)]
        if lacking:
            have = ", ".join(dict.fromkeys(name for server in reachable for name in server.models)) or "none"
            raise UserError(
                f"no server has the model {', '.join(map(repr, lacking))} (HTTP 404); served: {have}. Name one of them "
                "with --served-model or --served-baseline; no other model is queried in its place"
            )
        serving = [server for server in reachable if self._has_models(server)]
        self.version = serving[0].version
        for server in serving:
            self._check_version(server)
            self._check_roots(server)
            self.witness.examine(server, self.pool, self._background.run)
        if self.witness.references.keys() != self.models.keys():
            raise EngineFailed(f"no server answers the canary: {self.pool.faults()}. Run again once it works")
        self.witness.compare()

    def facts(self, variant: str) -> dict[str, str]:
        return {
            "engine": self.name,
            "version": self.version,
            "commands": digest(sorted(map(list, self._commands.values()))),
        }

    def generate(self, requests: Sequence[Request]) -> Iterator[Completion]:
        vocabularies = {variant: vocabulary_of(renderer.config) for variant, renderer in self.renderers.items()}
        fitting: deque[Request] = deque()
        for request in in_order(requests):
            problem = problem_of(request, self.max_model_len, vocabularies[request.variant])
            if problem:
                yield failed(request, problem)
            else:
                self._refuse_options(request)
                fitting.append(request)

        async def answer(on_completion: OnCompletion) -> None:
            await self._answer(fitting, on_completion)

        yield from self._background.stream(answer)

    def _refuse_options(self, request: Request) -> None:
        card = self._card(self.names[request.variant])
        if request.sampling.logprob_ids and not protocol.takes_extensions(card):
            raise UserError(
                "multiple choice by log probability needs a server that supports logprob_token_ids, as vLLM does. "
                "Leave out suites with options=, or serve the model with vLLM"
            )

    def _card(self, name: str) -> dict[str, Any]:
        """Return the `/v1/models` entry of a model, of the first server that has it."""
        return next((server.models[name] for server in self.pool.servers if name in server.models), {})

    async def _answer(self, waiting: deque[Request], on_completion: OnCompletion) -> None:
        """Send all waiting requests, at most `max_in_flight` at a time, until a later canary proved every answer."""
        self._waiting, self._on_completion = waiting, on_completion
        for server in self.pool.servers:
            server.unproven.clear()

        async def work() -> None:
            while waiting:
                await self._ask(waiting.popleft())

        while waiting or any(server.unproven for server in self.pool.servers):
            workers = [asyncio.create_task(work()) for _ in range(min(self.pool.max_in_flight, len(waiting)))]
            try:
                await asyncio.gather(*workers)
            finally:
                for worker in workers:
                    worker.cancel()
            await self._prove_answers()

    async def _prove_answers(self) -> None:
        """Run the canary where answers wait for it; requests of servers that cannot be proven wait for healthy ones."""
        for server in self.pool.servers:
            if server.unproven:
                server.proven = False
                await self.pool.prove_now(server)
        healthy = {name for server in self.pool.servers if server.proven for name in server.models}
        for server in self.pool.servers:
            requests = [request for _, request, _ in server.unproven]
            if healthy.issuperset(self.names[request.variant] for request in requests):
                self._waiting.extend(requests)
                server.unproven.clear()
        if not self._waiting:
            await asyncio.sleep(pool.TICK_S)

    async def _ask(self, request: Request) -> None:
        name = self.names[request.variant]
        try:
            response, server, latency_ms = await self.pool.ask(name, protocol.body(request, name, self._card(name)))
        except RequestRefused as refused:
            return self._on_completion(failed(request, str(refused)))
        decode = self.renderers[request.variant].decode
        completion = protocol.read(request, response, name, decode, server.url, latency_ms)
        server.unproven.append((time.monotonic(), request, completion))

    def _connect(self, server: Server) -> bool:
        """Query a server's models and version; False if it does not answer, which leaves it out until it does."""
        for attempt in range(START_TRIES):
            try:
                self._background.run(self._learn(server))
                return True
            except Fault as fault:
                server.last_fault = str(fault)
                self._background.run(asyncio.sleep(START_PAUSE_S if attempt < START_TRIES - 1 else 0))
        self.config.say(f"{server.url} does not answer ({server.last_fault}): left out until it does")
        return False

    async def _learn(self, server: Server) -> None:
        """Query a server's models and version. Raises EngineFailed if the longest prompt and answer do not fit."""
        await self.pool.learn(server)
        self._check_pins(server)
        for variant, name in self.names.items():
            room = server.models.get(name, {}).get("max_model_len")
            longest = min(self.max_model_len, self.renderers[variant].max_positions)
            if room and int(room) < longest:
                raise EngineFailed(
                    f"{server.url}: takes {room} tokens, and the longest prompt and answer have {longest}. "
                    f"Start it with --max-model-len {longest} or more"
                )

    def _check_pins(self, server: Server) -> None:
        """Raise EngineFailed if the server's process is no longer the one that the run started with."""
        for name, checkpoint in self.models.items():
            if checkpoint.pinned_by != "server process" or name not in server.models:
                continue
            try:
                digest_now = served_weights.behind(server.url, name, server.models).digest
                words = served_weights.listening(server.url).words
                why = "" if digest_now == checkpoint.digest else "it loaded other weights than when the run started"
                if self._commands.setdefault(server.url, words) != words:
                    why = "it was started with other options than when the run started"
            except served_weights.Unpinned as reason:
                why = str(reason)
            if why:
                raise EngineFailed(
                    f"{server.url}: the weights of '{name}' are no longer known: {why}. Re-run the command"
                )

    def _has_models(self, server: Server) -> bool:
        """Whether the server has any of the models; one without them is not used."""
        server.proven = not self.models.keys() & server.models.keys()
        if server.proven:
            self.config.say(f"{server.url} has none of the models and is not used")
        return not server.proven

    def _check_version(self, server: Server) -> None:
        if server.version != self.version and self.models.keys() & server.models.keys():
            raise EngineFailed(
                f"{server.url}: is {server.version}, and the other answers are from {self.version}. Use servers of "
                "one version"
            )

    def _check_roots(self, server: Server) -> None:
        """Raise EngineFailed if a model was loaded from elsewhere than before: the canary passes similar weights."""
        for name in self.models.keys() & server.models.keys():
            root = server.models[name].get("root")
            before = self._roots.setdefault((server.url, name), root)
            if root != before:
                raise EngineFailed(
                    f"{server.url}: '{name}' was loaded from {before} when the run started, and is from {root} now. "
                    "Serve one set of weights under one name, and re-run; answers without a passed canary are not used"
                )

    async def _prove(self, server: Server) -> None:
        """Check that a server is unchanged, and pass on the answers that it gave before.

        Raises EngineFailed or CanaryFailed, and Fault if the server does not answer.
        """
        count, was_busy = len(server.unproven), server.busy
        await self._learn(server)
        self._check_version(server)
        try:
            await self.witness.check_again(server, self.pool)
        except CanaryFailed:
            if not was_busy:
                raise
            while server.busy:  # Other requests in the batch change the rounding.
                await asyncio.sleep(pool.TICK_S)
            await self.witness.check_again(server, self.pool)
        self._check_roots(server)
        for _, request, completion in server.unproven[:count]:
            if self.names[request.variant] not in server.models:
                self._waiting.append(request)
                continue
            if completion.latency_ms is not None:
                self.latencies_ms[request.variant].append(completion.latency_ms)
            self._on_completion(completion)
        del server.unproven[:count]

    def describe(self) -> dict[str, Any]:
        return {
            "name": self.name,
            "version": self.version,
            "device": "of the servers",
            "dtype": "of the servers",
            "unpinned": any(checkpoint.pin == "name" for checkpoint in self.models.values()),
            "servers": {server.url: _server_record(server, self.models) for server in self.pool.servers},
            "arguments": {
                "in_flight": self.pool.max_in_flight,
                "timeout_s": self.pool.timeout_s,
                "patience_s": self.pool.patience_s,
                "text_from_ids": all(protocol.takes_extensions(self._card(name)) for name in self.models),
            },
            "canary": self.witness.found,
            "latency_ms": {v: percentiles(latencies) for v, latencies in self.latencies_ms.items() if latencies},
        }

    def close(self) -> None:
        self._background.close(self.pool.close)


def _server_record(server: Server, models: Mapping[str, Checkpoint]) -> dict[str, Any]:
    """Return what the manifest records of one server."""
    facts = ("root", "parent", "max_model_len", "owned_by")
    return {
        "version": server.version,
        "models": {
            name: {fact: card[fact] for fact in facts if card.get(fact) is not None}
            for name, card in server.models.items()
            if name in models
        },
        "answered": server.asked,
        "faults": dict(server.faults),
    }


def percentiles(values: Sequence[float]) -> dict[str, float]:
    """Return the number of values and their 50th, 95th and 99th percentiles, by nearest rank."""
    ordered = sorted(values)
    ranks = {f"p{share}": ordered[max(0, math.ceil(share / 100 * len(ordered)) - 1)] for share in (50, 95, 99)}
    return {"answers": len(ordered)} | {name: round(value, 1) for name, value in ranks.items()}
