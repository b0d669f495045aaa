"""The distinct sets of weights of a run, and what an engine records of each: used by the engines 'vllm' and 'ray'."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from msgspec import Struct

from harness.checkpoints.merge import merged_folder, read_facts
from harness.checkpoints.model_files import CheckpointFolder
from harness.checkpoints.resolve import refuse_changed
from harness.checkpoints.weights import check_complete
from harness.engines import canary
from harness.engines.base import common_dtype, model_folders
from harness.engines.config import EngineConfig
from harness.engines.vllm.adapters import plan
from harness.engines.vllm.memory import BatchLimits, check_parallel, kv_cache_bytes, least_kv_cache_bytes
from harness.engines.vllm.model import llm_arguments
from harness.files import digest
from harness.schema import BASELINE, Checkpoint
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

    @property
    def variants(self) -> tuple[str, ...]:
        """All variants that it serves."""
        return (*self.plain, *self.adapters)

    @property
    def base_name(self) -> str:
        """Name of rows without an adapter."""
        return self.plain[0] if self.plain else "base"

    @property
    def says(self) -> str:
        """Description for users."""
        return f"{self.source.name}{' merged with its base' if self.merged else ''}"


def units_of(checkpoints: Mapping[str, Checkpoint], ways: Mapping[str, str]) -> list[Unit]:
    """List the distinct weights to serve, the baseline's first; LoRA variants share their base's engine."""
    grouped: dict[str, list[str]] = {}
    for variant in sorted(checkpoints, key=lambda v: v != BASELINE):
        checkpoint = checkpoints[variant]
        own = checkpoint.adapter_digest if ways[variant] == "merged" else None
        key = digest([checkpoint.base_digest, own, checkpoint.tokenizer_digest])  # One unit has one tokenizer.
        grouped.setdefault(key, []).append(variant)
    return [
        Unit(
            key=key,
            source=checkpoints[variants[0]],
            merged=ways[variants[0]] == "merged",
            plain=tuple(v for v in variants if ways[v] != "lora"),
            adapters={v: checkpoints[v] for v in variants if ways[v] == "lora"},
        )
        for key, variants in grouped.items()
    ]


class ServedUnits:
    """The units of a run, how they are served, and what their canaries found.

    `machine` returns what changes the last bits of log probabilities, for canary rows that later runs read; None for
    other machines, which may change between two runs. Raises UserError with every adapter that cannot be served.
    """

    def __init__(
        self,
        engine: tuple[str, str],
        checkpoints: Mapping[str, Checkpoint],
        max_model_len: int,
        config: EngineConfig,
        *,
        on_cpu: bool,
        is_invariant: bool,
        machine: Callable[[], Mapping[str, str]] | None,
    ) -> None:
        self._folders = folders = model_folders(checkpoints)
        check_parallel(config.tensor_parallel, folders.values(), on_cpu)
        self.plan = plan(checkpoints, folders, config.lora, on_cpu)
        for variant, why in self.plan.reasons.items():
            config.say(f"{checkpoints[variant].name} is merged: {'; '.join(why)}")
        self.units = units_of(checkpoints, self.plan.ways)
        self.checkpoints, self.max_model_len, self.config, self.on_cpu = checkpoints, max_model_len, config, on_cpu
        self.dtype = common_dtype(folders, config)
        self.device = "cpu" if on_cpu else "cuda"
        self.references: dict[str, canary.Reference] = {}
        """Canary rows without an adapter, by unit."""
        self.canary: dict[str, Any] = {}
        self._arguments: dict[str, dict[str, Any]] = {}
        self._merges: dict[str, str] = {}
        self._engine, self._is_invariant, self._machine = engine, is_invariant, machine

    def facts(self, variant: str) -> dict[str, str]:
        """Return what changes the answers of a variant, besides its weights.

        Several devices round sums in another order; one device adds nothing, so that older keys stay valid. Nor do
        models without LongRoPE, or with its short factors.
        """
        name, version = self._engine
        facts = {"engine": name, "version": version, "dtype": self.dtype, "device": self.device}
        facts["way"] = self.plan.ways[variant]
        if self.config.tensor_parallel > 1:
            facts["tensor_parallel_size"] = str(self.config.tensor_parallel)
        files = self._folders[variant]
        if files.short_positions and self._longest(files) > files.short_positions:
            facts["rope"] = "long"
        return facts | ({"batch_invariant": "1"} if self._is_invariant else {})

    def folder(self, unit: Unit) -> Path:
        """Return the model folder of a unit, merged first if necessary."""
        if not unit.merged:
            return Path(unit.source.path)
        folder = merged_folder(unit.source, self.config.say)
        self._merges |= dict.fromkeys(unit.plain, read_facts(folder).says)
        return folder

    def llm_arguments(
        self,
        unit: Unit,
        structured: bool,
        limits: BatchLimits | None = None,
        sharing: int = 1,
        device_bytes: int | None = None,
    ) -> dict[str, Any]:
        """Return and record vLLM's arguments for a unit, lowered to `limits`; the others are those of `kv_cache_bytes`.

        Free memory first: it is the room for the KV cache.
        """
        files, devices = CheckpointFolder(self.folder(unit)), self.config.tensor_parallel
        longest = self._longest(files)
        arguments = llm_arguments(
            files.path,
            dtype=self.dtype,
            max_model_len=longest,
            kv_cache_bytes=self.config.kv_cache_bytes
            or kv_cache_bytes(files, self.dtype, longest, self.on_cpu, sharing, device_bytes, devices),
            on_cpu=self.on_cpu,
            adapters=len({c.adapter_digest for c in unit.adapters.values()}),
            max_lora_rank=self.plan.max_lora_rank,
            max_num_seqs=self.config.batch,
            structured=structured,
            tensor_parallel=devices,
        )
        if limits:
            arguments = limits.lower(arguments, least_kv_cache_bytes(files, self.dtype, longest, devices))
        self._arguments[",".join(unit.variants)] = {k: v for k, v in arguments.items() if k != "model"}
        return arguments

    def _longest(self, files: CheckpointFolder) -> int:
        """Return vLLM's max_model_len for a model."""
        return min(max(self.max_model_len, canary.LENGTH), Renderer(files).max_positions)

    def is_exact(self, unit: Unit, limits: BatchLimits) -> bool:
        """Whether the canary's base rows do not depend on the rows of adapters in their batch.

        On a CPU the last bits depend on the batch, which is the same if all rows of a call are computed together. In
        bfloat16 they also depend on its size, by which the matrix products are chosen.
        """
        together = limits.requests >= len(canary.TEXTS) * (1 + len(unit.adapters))
        return self._is_invariant or (self.on_cpu and together and self.dtype == "float32")

    def check_weights(self, unit: Unit) -> None:
        """Check that no weight is missing and adapters have an effect as a whole, which vLLM does not tell.

        Of a merge, check that it changed weights; it loads its base and its adapter with transformers, which tells.
        Raises UserError or CanaryFailed.
        """
        if unit.merged:
            self.canary |= {variant: canary.check_weights(unit.source, variant) for variant in unit.plain}
            return
        adapters = {variant: checkpoint.adapter_path or "" for variant, checkpoint in unit.adapters.items()}
        if why := check_complete(CheckpointFolder(unit.source.path), adapters):
            self.config.say(f"{unit.source.name}: missing weights were not looked for: {why}")

    def base_of(self, unit: Unit) -> Unit | None:
        """Return the unit that a merged one was tuned from, or the first model for other weights; None without one."""
        if unit.merged:
            same = [u for u in self.units if not u.merged and u.source.base_digest == unit.source.base_digest]
        else:
            before = [u for u in self.units[: self.units.index(unit)] if not u.merged and u.plain]
            same = [u for u in before if u.source.base_digest != unit.source.base_digest]
        return same[0] if same else None

    def unproven_base(self, unit: Unit) -> Unit | None:
        """Return the base of a unit if its canary must run first: rows of earlier runs are read from the cache."""
        base = self.base_of(unit)
        if base is None or base.key in self.references:
            return None
        file = self._reference_file(base)
        cached = canary.load_reference(file) if file else None
        if cached is None:
            return base
        self.references[base.key] = cached
        return None

    def keep_reference(self, unit: Unit, own: canary.Reference) -> None:
        """Keep the canary rows of a loaded unit, and those of plain weights for later runs.

        Raises UserError where the weights changed before they were loaded.
        """
        file = None if unit.merged else self._reference_file(unit)
        if file:
            refuse_changed(unit.source)
            canary.save_reference(file, own)
        self.references[unit.key] = own

    def _reference_file(self, unit: Unit) -> Path | None:
        if self._machine is None:
            return None
        facts = self.facts(unit.variants[0]) | {"way": "plain"} | dict(self._machine())
        return canary.reference_file(facts, unit.source)

    def check_effects(self, unit: Unit, own: canary.Reference) -> None:
        """Check that the plain variants of a unit differ from the model they were tuned from. Raises CanaryFailed."""
        base = self.base_of(unit)
        for variant in unit.plain if base else ():
            assert base is not None
            reference, checkpoint = self.references[base.key], self.checkpoints[variant]
            effect = canary.check_differs(reference.rows, own.rows, variant, checkpoint, reference.noise)
            self.canary[variant] = {"check": "against the plain base engine", "effect": effect}

    def describe(self) -> dict[str, Any]:
        """Return what the manifest records of all units."""
        return {
            "ways": self.plan.ways,
            "why_merged": self.plan.reasons,
            "merges": self._merges,
            "arguments": self._arguments,
            "canary": self.canary,
        }
