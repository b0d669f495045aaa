"""The canary at servers: a model must answer alike at all of them, before and after a fault, unlike its baseline."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Mapping, Sequence
from typing import Any

from harness.engines import canary
from harness.engines.openai import protocol
from harness.engines.openai.pool import Fault, Pool, RequestRefused, Server
from harness.errors import CanaryFailed, EngineFailed
from harness.schema import BASELINE, Checkpoint, Completion
from harness.suites.prompts import Renderer

SLACK = 3.0
"""Times the noise of repeated calls: the largest of a few draws, against which one more draw is held."""
AGREE = 0.25
"""Largest difference of log probabilities of one model at two servers, or before and after a fault, for which rounding
is reason enough: a bf16 logit between 16 and 32 moves in steps of 0.125."""
SLOTS = (
    "Start the server with --max-loras one above the number of its adapters, or serve the merged weights under a name "
    "of their own"
)

Wait = Callable[[Coroutine[Any, Any, list[Completion]]], list[Completion]]


class Witness:
    """What each model answered first, and the largest difference seen since."""

    def __init__(
        self, checkpoints: Mapping[str, Checkpoint], renderers: Mapping[str, Renderer], say: Callable[[str], None]
    ) -> None:
        self.models = {checkpoint.name: checkpoint for checkpoint in checkpoints.values()}
        self.names = {variant: checkpoint.name for variant, checkpoint in checkpoints.items()}
        self.references: dict[str, canary.Reference] = {}
        self.found: dict[str, Any] = {}
        self._renderers = {checkpoint.name: renderers[variant] for variant, checkpoint in checkpoints.items()}
        self._say = say

    def _texts(self, name: str) -> list[tuple[int, ...]]:
        """The canary's prompts as token ids of one model."""
        tokenizer = self._renderers[name].tokenizer
        return canary.prompts(lambda text: tokenizer.encode(text, add_special_tokens=False))

    def examine(self, server: Server, pool: Pool, wait: Wait) -> None:
        """Ask a server for each model's answers and hold them against other servers' and those of the model's base.

        A server that fails meanwhile is left out until it works.
        """

        def ask(rows: Sequence[canary.Row]) -> list[Completion]:
            return wait(self._rows(server, pool, rows))

        try:
            for name, checkpoint in self.models.items():
                if name not in server.models:
                    continue
                own = canary.take(ask, self._texts(name), name, False, lambda: None)
                self._agrees(server, name, own.rows, self.references.setdefault(name, own).rows)
                base = server.models[name].get("parent")
                if base in server.models and base != name:
                    self.found[f"{name} at {server.url}"] = canary.check_shared(
                        ask, self._texts(name), base, {name: checkpoint}, False, slack=SLACK, remedy=SLOTS
                    )
        except Fault as fault:
            server.last_fault = str(fault)
            self._say(f"{server.url} does not answer the canary ({fault}): left out until it does")
            return
        server.proven = True

    def compare(self) -> None:
        """The judged model must not answer like the baseline that was asked; under one name they are one model."""
        first = min(self.names, key=lambda variant: variant != BASELINE)
        before = self.references[self.names[first]]
        for variant, name in self.names.items():
            if name != self.names[first]:
                own = self.references[name]
                effect = canary.check_differs(before.rows, own.rows, variant, self.models[name], before.noise)
                self.found[variant] = {"check": f"against '{self.names[first]}'", "effect": effect}

    async def look_again(self, server: Server, pool: Pool) -> None:
        """CanaryFailed where a model of this server does not answer as it did; Fault where none answers."""
        for name in self.models:
            if name in server.models:
                rows = await self._rows(server, pool, [(name, ids) for ids in self._texts(name)])
                self._agrees(server, name, rows, self.references[name].rows)

    def _agrees(self, server: Server, name: str, rows: Sequence[Completion], known: Sequence[Completion]) -> None:
        moved = canary.widest(known, rows)
        seen = self.found.setdefault("largest difference", {}).setdefault(server.url, {})
        seen[name] = max(moved, seen.get(name, 0.0))
        if moved > AGREE:
            raise CanaryFailed(
                f"canary: '{name}' at {server.url} does not answer as it did, or as it does elsewhere: log "
                f"probabilities differ by {moved:.4g}, and {AGREE:g} at most is rounding. Serve one set of weights "
                "under one name, and run again; the answers so far are not used"
            )

    async def _rows(self, server: Server, pool: Pool, rows: Sequence[canary.Row]) -> list[Completion]:
        """Answers of one server to canary rows, asked at once."""

        async def one(index: int, row: canary.Row) -> Completion:
            request, name = canary.request(row, index), row[0]
            sent = protocol.body(request, name, server.models[name])
            said = await pool.send_in_turn(server, sent)
            # A server's base model may be none of those that are asked; its text is not compared.
            renderer = self._renderers.get(name) or next(iter(self._renderers.values()))
            return protocol.read(request, said, name, renderer.decode, server.url, None)

        found: list[Completion] = []
        try:
            found = await asyncio.gather(*(one(index, row) for index, row in enumerate(rows)))
            wrong = next((row.error for row in found if row.error), None)
        except RequestRefused as refused:
            wrong = f"{server.url}: {refused}"
        if wrong:
            raise EngineFailed(
                f"{wrong}, when asked the canary. Expected a server that takes token ids as the prompt and gives log "
                "probabilities"
            )
        return found
