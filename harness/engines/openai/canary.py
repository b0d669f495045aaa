"""The canary for servers: equal answers of a model at all servers and after faults, unlike its baseline's."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Mapping, Sequence
from typing import Any

from harness.engines import canary
from harness.engines.openai import protocol
from harness.engines.openai.pool import Fault, Pool, RequestRefused, Server
from harness.errors import EngineFailed
from harness.schema import BASELINE, Checkpoint, Completion
from harness.suites.prompts import Renderer

SLACK = 3.0
"""Factor on the noise of repeated calls, which is estimated from only a few calls."""
SPARE_SLOT = (
    "Start the server with --max-loras one above the number of its adapters, or serve the merged weights under their "
    "own name"
)

Wait = Callable[[Coroutine[Any, Any, list[Completion]]], list[Completion]]


class Witness:
    """The first canary answers of each model, and the largest difference since."""

    def __init__(
        self, checkpoints: Mapping[str, Checkpoint], renderers: Mapping[str, Renderer], say: Callable[[str], None]
    ) -> None:
        self.models = {checkpoint.name: checkpoint for checkpoint in checkpoints.values()}
        self.names = {variant: checkpoint.name for variant, checkpoint in checkpoints.items()}
        self.references: dict[str, canary.Reference] = {}
        self.found: dict[str, Any] = {}
        self._renderers = {checkpoint.name: renderers[variant] for variant, checkpoint in checkpoints.items()}
        self._texts = {name: canary.prompts(renderer) for name, renderer in self._renderers.items()}
        self._say = say

    def examine(self, server: Server, pool: Pool, wait: Wait) -> None:
        """Run the canary on each model of a server; compare with other servers and with the model's base.

        A server that fails meanwhile is left out until it works. Raises CanaryFailed or EngineFailed.
        """

        def ask(rows: Sequence[canary.Row]) -> list[Completion]:
            return wait(self._completions(server, pool, rows))

        try:
            for name, checkpoint in self.models.items():
                if name not in server.models:
                    continue
                own = canary.take(ask, self._texts[name], name, exact=False)
                self._check_agreement(server, name, own.rows, self.references.setdefault(name, own).rows)
                base = server.models[name].get("parent")
                if base in server.models and base != name:
                    self.found[f"{name} at {server.url}"] = canary.check_shared(
                        ask, self._texts[name], base, {name: checkpoint}, exact=False, slack=SLACK, remedy=SPARE_SLOT
                    )
        except Fault as fault:
            server.last_fault = str(fault)
            self._say(f"{server.url} does not answer the canary ({fault}): left out until it does")
            return
        server.proven = True

    def compare(self) -> None:
        """Check that the tuned model differs from the baseline, unless both have one name. Raises CanaryFailed."""
        first = min(self.names, key=lambda variant: variant != BASELINE)
        before = self.references[self.names[first]]
        for variant, name in self.names.items():
            if name != self.names[first]:
                own = self.references[name]
                effect = canary.check_differs(before.rows, own.rows, variant, self.models[name], before.noise)
                self.found[variant] = {"check": f"against '{self.names[first]}'", "effect": effect}

    async def check_again(self, server: Server, pool: Pool) -> None:
        """Raise CanaryFailed if a model's answers at this server have changed, Fault if the server does not answer."""
        for name in self.models:
            if name in server.models:
                rows = await self._completions(server, pool, [(name, ids) for ids in self._texts[name]])
                self._check_agreement(server, name, rows, self.references[name].rows)

    def _check_agreement(
        self, server: Server, name: str, rows: Sequence[Completion], reference: Sequence[Completion]
    ) -> None:
        moved = canary.widest(reference, rows)
        canary.check_agreement(moved, f"'{name}' at {server.url}", "servers", "Serve one set of weights under one name")
        seen = self.found.setdefault("largest difference", {}).setdefault(server.url, {})
        seen[name] = max(moved, seen.get(name, 0.0))

    async def _completions(self, server: Server, pool: Pool, rows: Sequence[canary.Row]) -> list[Completion]:
        """Return the completions of canary rows by one server, requested concurrently. Raises EngineFailed."""

        async def one(index: int, row: canary.Row) -> Completion:
            request, name = canary.request(row, index), row[0]
            sent = protocol.body(request, name, server.models[name])
            response = await pool.send_in_turn(server, sent)
            # A server's base model may have no renderer here; its text is not compared.
            renderer = self._renderers.get(name) or next(iter(self._renderers.values()))
            return protocol.read(request, response, name, renderer.decode, server.url, None)

        completions: list[Completion] = []
        try:
            completions = await asyncio.gather(*(one(index, row) for index, row in enumerate(rows)))
            wrong = next((row.error for row in completions if row.error), None)
            if not wrong and len({logprob for row in completions for logprob in row.logprobs}) == 1:
                wrong = f"{server.url}: gives every token the same log probability, which no model does"
        except RequestRefused as refused:
            wrong = f"{server.url}: {refused}"
        if wrong:
            raise EngineFailed(
                f"{wrong}, in the canary. Expected a server that accepts token ids as the prompt and returns log "
                "probabilities"
            )
        return completions
