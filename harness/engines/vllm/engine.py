"""Run vLLM in process: one model after the other, baseline first, each adapter as LoRA or merged.

Models load when a request needs them and are freed before the next loads. Every model must pass the canary before it
gets requests. Completions are yielded as vLLM finishes them.
"""

from __future__ import annotations

import gc
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from harness.engines import canary
from harness.engines.base import EngineTraits, engine_version, in_order
from harness.engines.config import EngineConfig
from harness.engines.usage import UsageMeter
from harness.engines.vllm import environment
from harness.engines.vllm.memory import BatchLimits, OutOfMemory, requested_limits
from harness.engines.vllm.model import VllmModel
from harness.engines.vllm.units import ServedUnits, Unit
from harness.errors import EngineFailed
from harness.schema import Checkpoint, Completion, Request

TRAITS = EngineTraits(splits_models=True, start_s=45.0, tokens_per_s=1600)


def start(checkpoints: Mapping[str, Checkpoint], max_model_len: int, config: EngineConfig) -> VllmEngine:
    """Check every adapter and open the engine; no model loads yet. Raises UserError with every problem."""
    on_cpu = environment.on_cpu()
    environment.prepare(on_cpu)
    return VllmEngine(checkpoints, max_model_len, config, on_cpu)


class VllmEngine:
    """The loaded model, its limits and its throughput."""

    name = "vllm"

    def __init__(
        self, checkpoints: Mapping[str, Checkpoint], max_model_len: int, config: EngineConfig, on_cpu: bool
    ) -> None:
        self.version = engine_version("vllm")
        self.max_model_len = max_model_len
        self.on_cpu = on_cpu
        self.config = config
        self.served = ServedUnits(
            (self.name, self.version),
            checkpoints,
            max_model_len,
            config,
            on_cpu=on_cpu,
            is_invariant=environment.batch_invariant(),
            machine=environment.machine,
        )
        self.dtype = self.served.dtype
        self.meter = UsageMeter()
        self._model: VllmModel | None = None
        self._loaded: Unit | None = None
        self._card: str | None = None
        self._structured = False
        self._batch_limits: BatchLimits | None = None
        self._halved: BatchLimits | None = None
        self._proven: set[str] = set()
        """Keys of the units that passed their canary here; rows from the cache prove only the units compared with."""

    def facts(self, variant: str) -> dict[str, str]:
        return self.served.facts(variant)

    def generate(self, requests: Sequence[Request]) -> Iterator[Completion]:
        ordered = in_order(requests)
        self._structured = self._structured or any(request.sampling.structure for request in ordered)
        for unit in self.served.units:
            for variant in unit.variants:
                own = [r for r in ordered if r.variant == variant]
                if own:
                    yield from self._answer(unit, own)

    def _answer(self, unit: Unit, requests: Sequence[Request]) -> Iterator[Completion]:
        """Run the canary, then generate. When memory runs out, retry what is unanswered with half the batch limits."""
        unanswered = {request.key: request for request in requests}
        while unanswered:
            exhausted = ""
            try:
                self._prove(unit)
                for completion in self._metered(self._load(unit), list(unanswered.values())):
                    del unanswered[completion.key]
                    yield completion
            except OutOfMemory as error:
                exhausted = str(error)  # The error itself would keep the model in memory.
            if not exhausted:
                return
            self._halve(unit, exhausted)

    def _metered(self, model: VllmModel, requests: Sequence[Request]) -> Iterator[Completion]:
        """Yield the completions of one variant and record what they cost."""
        before = model.cached_tokens
        with self.meter.answering(requests[0].variant, model.renderer.folder) as spent:
            try:
                for completion in model.answer(requests, self.max_model_len):
                    spent.add(completion)
                    yield completion
            finally:
                spent.cached_prompt_tokens += model.cached_tokens - before
        self.meter.memory(model.device_bytes())

    def _halve(self, unit: Unit, exhausted: str) -> None:
        """Free the model and halve its batch limits for the next load. Raises EngineFailed at one request at a time."""
        assert self._batch_limits is not None
        before, self._halved = self._batch_limits, self._batch_limits.halved()
        self.close()
        self._proven.discard(unit.key)
        gc.collect()
        environment.forget()
        if self._halved is None:
            raise EngineFailed(
                f"vllm ran out of memory with one request at a time: {exhausted}. Stop other programs that use the "
                "memory, shorten prompts, or use a smaller model or a larger device; finished answers are kept"
            )
        self.config.say(
            f"vllm ran out of memory with {before.requests} requests at once ({exhausted}): reloading "
            f"{unit.source.name} for {self._halved.requests}; finished answers are kept"
        )

    def _load(self, unit: Unit) -> VllmModel:
        """Load the weights of this unit, unless they are loaded; free the previous model first."""
        if self._model is not None and self._loaded is unit and self._serves(self._model):
            return self._model
        self.close()
        arguments = self.served.llm_arguments(unit, self._structured, self._halved)
        self._batch_limits = requested_limits(arguments)
        self.config.say(f"vllm is loading {unit.says}")
        self._card = None if self.on_cpu else environment.device_name()
        with self.meter.loading():
            self._model = VllmModel(arguments, unit.adapters, unit.source.name, self.config)
        self._loaded, self._batch_limits = unit, self._model.batch_limits
        return self._model

    def _serves(self, model: VllmModel) -> bool:
        return not model.broken and (model.structured or not self._structured)

    def _prove(self, unit: Unit) -> None:
        """Run the canary on the unit, once, after that of its base. Raises CanaryFailed, before anything is scored."""
        if unit.key in self._proven:
            return
        self.served.check_weights(unit)
        if base := self.served.unproven_base(unit):
            self._prove(base)
        model = self._load(unit)
        texts = canary.prompts(model.renderer)
        exact = self.served.is_exact(unit, model.batch_limits)
        if unit.adapters:
            shared = canary.check_shared(
                self._ask, texts, unit.base_name, unit.adapters, exact=exact, reset=model.reset
            )
            self.served.canary |= dict.fromkeys(unit.adapters, shared)
        own = canary.take(self._ask, texts, unit.base_name, exact, model.reset)
        self.served.keep_reference(unit, own)
        self.served.check_effects(unit, own)
        self._proven.add(unit.key)

    def _ask(self, rows: Sequence[canary.Row]) -> list[Completion]:
        """Generate for canary rows in one call, in their order."""
        assert self._model is not None
        requests = [canary.request(row, i) for i, row in enumerate(rows)]
        completions = {c.key: c for c in self._model.answer(requests, canary.LENGTH)}
        return [completions[request.key] for request in requests]

    def describe(self) -> dict[str, Any]:
        split, device = self.config.tensor_parallel, self.served.device
        return {
            "name": self.name,
            "version": self.version,
            "device": f"{split} x {device}" if split > 1 else device,
            "dtype": self.dtype,
            "in_process": environment.in_process(),
            **self.served.describe(),
            "throughput": self.meter.describe(self._card, self.dtype, split),
        }

    def close(self) -> None:
        if self._model is not None:
            self._model.close()
        self._model = self._loaded = None
