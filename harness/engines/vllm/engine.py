"""Run vLLM in process: one model after the other, baseline first, each adapter as LoRA or merged.

Models load when a request needs them and are freed before the next loads. Every model must pass the canary before it
gets requests. Completions are yielded as vLLM finishes them.
"""

from __future__ import annotations

import gc
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from msgspec import Struct

from harness.checkpoints.merge import merged_folder, read_facts
from harness.checkpoints.model_files import CheckpointFolder
from harness.checkpoints.resolve import refuse_changed
from harness.engines import canary
from harness.engines.base import EngineTraits, common_dtype, engine_version, in_order, model_folders
from harness.engines.config import EngineConfig
from harness.engines.usage import UsageMeter
from harness.engines.vllm import environment
from harness.engines.vllm.adapters import AdapterPlan, plan
from harness.engines.vllm.memory import BatchLimits, OutOfMemory, kv_cache_bytes, least_kv_cache_bytes, requested_limits
from harness.engines.vllm.model import VllmModel, llm_arguments
from harness.engines.vllm.parallel import check_parallel
from harness.errors import EngineFailed
from harness.files import digest
from harness.schema import BASELINE, Checkpoint, Completion, Request
from harness.suites.prompts import Renderer


class Unit(Struct, frozen=True, kw_only=True):
    """One set of weights, served by one vLLM engine."""

    key: str
    """Digest of weights and tokenizer."""
    source: Checkpoint
    """Checkpoint with the weights; with `merged`, base and adapter are first merged into one folder."""
    merged: bool
    """Whether base plus adapter are served as plain weights."""
    plain: tuple[str, ...]
    """Variants that are served without an adapter."""
    adapters: dict[str, Checkpoint]
    """Variants that are served as LoRA, with their checkpoints."""


TRAITS = EngineTraits(splits_models=True, start_s=45.0, tokens_per_s=1600)


def start(checkpoints: Mapping[str, Checkpoint], max_model_len: int, config: EngineConfig) -> VllmEngine:
    """Check every adapter and open the engine; no model loads yet. Raises UserError with every problem."""
    on_cpu = environment.on_cpu()
    folders = model_folders(checkpoints)
    check_parallel(config.tensor_parallel, folders.values(), on_cpu)
    ways = plan(checkpoints, folders, config.lora, on_cpu)
    for variant, why in ways.reasons.items():
        config.say(f"{checkpoints[variant].name} is merged: {'; '.join(why)}")
    environment.prepare(on_cpu)
    return VllmEngine(checkpoints, ways, max_model_len, on_cpu, common_dtype(folders, config), config)


def units_of(checkpoints: Mapping[str, Checkpoint], ways: Mapping[str, str]) -> list[Unit]:
    """List the distinct weights to serve, the baseline's first; LoRA variants share their base's engine."""
    plain: dict[str, list[str]] = {}
    adapters: dict[str, dict[str, Checkpoint]] = {}
    sources: dict[str, tuple[Checkpoint, bool]] = {}
    for variant in sorted(checkpoints, key=lambda v: v != BASELINE):
        checkpoint, way = checkpoints[variant], ways[variant]
        own = checkpoint.adapter_digest if way == "merged" else None
        key = digest([checkpoint.base_digest, own, checkpoint.tokenizer_digest])  # One unit has one tokenizer.
        sources.setdefault(key, (checkpoint, way == "merged"))
        plain.setdefault(key, [])
        adapters.setdefault(key, {})
        if way == "lora":
            adapters[key][variant] = checkpoint
        else:
            plain[key].append(variant)
    return [
        Unit(key=key, source=source, merged=merged, plain=tuple(plain[key]), adapters=adapters[key])
        for key, (source, merged) in sources.items()
    ]


def base_of(unit: Unit, units: Sequence[Unit]) -> Unit | None:
    """Return the unit that a merged one was tuned from, or the first model for other weights; None without one."""
    if unit.merged:
        same = [u for u in units if not u.merged and u.source.base_digest == unit.source.base_digest]
    else:
        before = [u for u in units[: units.index(unit)] if not u.merged and u.plain]
        same = [u for u in before if u.source.base_digest != unit.source.base_digest]
    return same[0] if same else None


class VllmEngine:
    """The loaded model and the canary's results."""

    name = "vllm"

    def __init__(
        self,
        checkpoints: Mapping[str, Checkpoint],
        ways: AdapterPlan,
        max_model_len: int,
        on_cpu: bool,
        dtype: str,
        config: EngineConfig,
    ) -> None:
        self.version = engine_version("vllm")
        self.checkpoints = checkpoints
        self.plan = ways
        self.max_model_len = max_model_len
        self.on_cpu = on_cpu
        self.config = config
        self.dtype = dtype
        self.units = units_of(checkpoints, ways.ways)
        self.canary: dict[str, Any] = {}
        self.arguments: dict[str, dict[str, Any]] = {}
        self.merges: dict[str, str] = {}
        self._model: VllmModel | None = None
        self._loaded: Unit | None = None
        self.meter = UsageMeter()
        self._card: str | None = None
        self._structured = False
        self._batch_limits: BatchLimits | None = None
        self._halved: BatchLimits | None = None
        self._references: dict[str, canary.Reference] = {}

    def facts(self, variant: str) -> dict[str, str]:
        return {
            "engine": self.name,
            "version": self.version,
            "dtype": self.dtype,
            "device": "cpu" if self.on_cpu else "cuda",
            "way": self.plan.ways[variant],
        } | (self._split | environment.result_switches())

    @property
    def _split(self) -> dict[str, str]:
        """Several devices round sums in another order. One device adds nothing, so that older keys stay valid."""
        size = self.config.tensor_parallel
        return {"tensor_parallel_size": str(size)} if size > 1 else {}

    def generate(self, requests: Sequence[Request]) -> Iterator[Completion]:
        ordered = in_order(requests)
        self._structured = self._structured or any(request.sampling.structure for request in ordered)
        for unit in self.units:
            for variant in (*unit.plain, *unit.adapters):
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
        self._references.pop(unit.key, None)
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
        folder = merged_folder(unit.source, self.config.say) if unit.merged else Path(unit.source.path)
        self.close()
        files = CheckpointFolder(folder)
        longest = min(max(self.max_model_len, canary.LENGTH), Renderer(files).max_positions)
        split = self.config.tensor_parallel
        arguments = llm_arguments(
            folder,
            dtype=self.dtype,
            max_model_len=longest,
            kv_cache_bytes=self.config.kv_cache_bytes
            or kv_cache_bytes(files, self.dtype, longest, self.on_cpu, parallel=split),
            on_cpu=self.on_cpu,
            adapters=len({c.adapter_digest for c in unit.adapters.values()}),
            max_lora_rank=self.plan.max_lora_rank,
            max_num_seqs=self.config.batch,
            structured=self._structured,
            tensor_parallel=split,
        )
        if self._halved:
            arguments = self._halved.lower(arguments, least_kv_cache_bytes(files, self.dtype, longest, split))
        self._batch_limits = requested_limits(arguments)
        variants = (*unit.plain, *unit.adapters)
        self.config.say(f"vllm is loading {unit.source.name}{' merged with its base' if unit.merged else ''}")
        self._card = None if self.on_cpu else environment.device_name()
        with self.meter.loading():
            self._model = VllmModel(arguments, unit.adapters, unit.source.name, self.config)
        self._loaded, self._batch_limits = unit, self._model.batch_limits
        if unit.merged:
            self.merges |= dict.fromkeys(unit.plain, read_facts(folder).says)
        self.arguments[",".join(variants)] = {k: v for k, v in arguments.items() if k != "model"}
        return self._model

    def _serves(self, model: VllmModel) -> bool:
        return not model.broken and (model.structured or not self._structured)

    def _prove(self, unit: Unit) -> None:
        """Run the canary on the unit, once. Raises CanaryFailed, before anything is scored."""
        if unit.key in self._references:
            return
        if unit.merged:
            self.canary |= {variant: canary.check_weights(unit.source, variant) for variant in unit.plain}
        model = self._load(unit)
        texts = canary.prompts(model.encode)
        base = unit.plain[0] if unit.plain else "base"
        # On a CPU the last bits depend on the batch, which is the same if all rows of a call are computed together. In
        # bfloat16 they also depend on its size, by which the matrix products are chosen.
        together = model.batch_limits.requests >= len(texts) * (1 + len(unit.adapters))
        exact = (self.on_cpu and together and self.dtype == "float32") or environment.batch_invariant()
        if unit.adapters:
            shared = canary.check_shared(self._ask, texts, base, unit.adapters, exact=exact, reset=model.reset)
            self.canary |= dict.fromkeys(unit.adapters, shared)
        own = canary.take(self._ask, texts, base, exact, model.reset)
        if not unit.merged:
            refuse_changed(unit.source)
            canary.save_reference(self._reference_file(unit), own)
        self._references[unit.key] = own
        self._compare(unit, own)

    def _compare(self, unit: Unit, own: canary.Reference) -> None:
        """Check that the plain variants of a unit differ from the model they were tuned from. Raises CanaryFailed."""
        reference = self._reference_for(unit)
        if reference is None:
            return
        for variant in unit.plain:
            checkpoint = self.checkpoints[variant]
            effect = canary.check_differs(reference.rows, own.rows, variant, checkpoint, reference.noise)
            self.canary[variant] = {"check": "against the plain base engine", "effect": effect}

    def _reference_for(self, unit: Unit) -> canary.Reference | None:
        """Return the canary rows of the unit's base, or of the first model for other weights; None without one."""
        base = base_of(unit, self.units)
        if base is None:
            return None
        if base.key not in self._references:
            cached = canary.load_reference(self._reference_file(base))
            if cached is None:
                self._prove(base)
            else:
                self._references[base.key] = cached
        return self._references[base.key]

    def _reference_file(self, unit: Unit) -> Path:
        facts = self.facts((*unit.plain, *unit.adapters)[0]) | {"way": "plain"}
        return canary.reference_file(facts | environment.machine(), unit.source)

    def _ask(self, rows: Sequence[canary.Row]) -> list[Completion]:
        """Generate for canary rows in one call, in their order."""
        assert self._model is not None
        requests = [canary.request(row, i) for i, row in enumerate(rows)]
        completions = {c.key: c for c in self._model.answer(requests, canary.LENGTH)}
        return [completions[request.key] for request in requests]

    def describe(self) -> dict[str, Any]:
        split, device = self.config.tensor_parallel, "cpu" if self.on_cpu else "cuda"
        return {
            "name": self.name,
            "version": self.version,
            "device": f"{split} x {device}" if split > 1 else device,
            "dtype": self.dtype,
            "in_process": environment.in_process(),
            "ways": self.plan.ways,
            "why_merged": self.plan.reasons,
            "merges": self.merges,
            "arguments": self.arguments,
            "canary": self.canary,
            "throughput": self.meter.describe(self._card, self.dtype, split),
        }

    def close(self) -> None:
        if self._model is not None:
            self._model.close()
        self._model = self._loaded = None
