"""Run vLLM engines with Ray Data LLM, on the devices of one machine or of a cluster.

As the engine 'vllm', one set of weights after the other; its rows go through one pipeline, whose engines each pass the
canary before any answer of theirs counts. Completions are yielded batch by batch as they finish.
"""

from __future__ import annotations

import os
import secrets
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from harness.checkpoints.merge import merged_folder, read_facts
from harness.checkpoints.model_files import CheckpointFolder
from harness.checkpoints.resolve import cache_dir
from harness.engines import canary
from harness.engines.base import (
    EngineTraits,
    common_dtype,
    engine_version,
    failed,
    in_order,
    model_folders,
    problem_of,
    vocabulary_of,
)
from harness.engines.config import EngineConfig
from harness.engines.ray.canary import CanaryResult, calls_of, check, examination
from harness.engines.ray.cluster import Cluster, environment, refuse_old
from harness.engines.ray.pipeline import answered, processor
from harness.engines.ray.rows import completion_of, fitting, shape, tables
from harness.engines.vllm import environment as vllm_environment
from harness.engines.vllm.adapters import AdapterPlan, plan
from harness.engines.vllm.engine import Unit, base_of, units_of
from harness.engines.vllm.memory import bytes_per_token, kv_cache_bytes
from harness.engines.vllm.model import llm_arguments, lora_name
from harness.errors import EngineFailed, UserError
from harness.schema import Checkpoint, Completion, Request
from harness.suites.prompts import Renderer

WINDOWS = 8
"""Usual windows of questions that each engine gets at once, because engines restart for each."""


TRAITS = EngineTraits(
    starts_engines=True, why_no_forecast="asked of vLLM engines on Ray; how long that takes is up to their devices"
)


def start(checkpoints: Mapping[str, Checkpoint], max_model_len: int, config: EngineConfig) -> RayEngine:
    """Check ray and every adapter, then return an engine that has loaded nothing yet.

    A cluster that RAY_ADDRESS names is connected to now, to learn what its machines are; a local one starts later.
    """
    refuse_old(engine_version("ray"))
    cluster = Cluster(config.engines, config.say)
    try:
        folders = model_folders(checkpoints)
        ways = plan(checkpoints, folders, config.lora, cluster.workers.on_cpu)
        for variant, why in ways.reasons.items():
            config.say(f"{checkpoints[variant].name} is merged: {'; '.join(why)}")
        return RayEngine(checkpoints, ways, max_model_len, cluster, common_dtype(folders, config), config)
    except BaseException:
        cluster.close()
        raise


class RayEngine:
    """The running state: the cluster, and what the canary found on each engine."""

    name = "ray"

    def __init__(
        self,
        checkpoints: Mapping[str, Checkpoint],
        ways: AdapterPlan,
        max_model_len: int,
        cluster: Cluster,
        dtype: str,
        config: EngineConfig,
    ) -> None:
        self.version = f"{engine_version('ray')}+vllm{cluster.workers.vllm}"
        self.checkpoints = checkpoints
        self.plan = ways
        self.max_model_len = max_model_len
        self.cluster = cluster
        self.workers = cluster.workers
        self.config = config
        self.dtype = dtype
        self.units = units_of(checkpoints, ways.ways)
        self.windows = WINDOWS * self.workers.engines
        self.exact = self.workers.on_cpu or self.workers.invariant
        self.canary: dict[str, Any] = {}
        self.arguments: dict[str, dict[str, Any]] = {}
        self.merges: dict[str, str] = {}
        self.engines: dict[str, int] = {}
        self.apart = 0.0
        self._references: dict[str, canary.Reference] = {}

    def facts(self, variant: str) -> dict[str, str]:
        found = {
            "engine": self.name,
            "version": self.version,
            "dtype": self.dtype,
            "device": "cpu" if self.workers.on_cpu else "cuda",
            "way": self.plan.ways[variant],
        }
        return found | ({"batch_invariant": "1"} if self.workers.invariant else {})

    def generate(self, requests: Sequence[Request]) -> Iterator[Completion]:
        ordered = in_order(requests)
        for unit in self.units:
            own = [r for r in ordered if r.variant in (*unit.plain, *unit.adapters)]
            if own:
                yield from self._serve(unit, own)

    def _serve(self, unit: Unit, requests: Sequence[Request]) -> Iterator[Completion]:
        """Answer requests with this unit's weights, once the weights that they are compared with have been asked."""
        if unit.merged:
            self.canary |= {variant: canary.check_weights(unit.source, variant) for variant in unit.plain}
        base = base_of(unit, self.units)
        if base and base.key not in self._references and not self._read_reference(base):
            self._ask_canary(base)
        renderer = Renderer(self._folder(unit))
        vocabulary = vocabulary_of(renderer.config)
        sent = []
        for request in requests:
            problem = problem_of(request, self.max_model_len, vocabulary)
            if problem:
                yield failed(request, problem)
            else:
                sent.append(request)
        if sent:
            yield from self._ask(unit, sent, renderer)

    def _ask_canary(self, unit: Unit) -> None:
        """Start one engine with this unit's weights for its canary alone."""
        renderer = Renderer(self._folder(unit))
        row = (self._base_name(unit), self._texts(renderer)[0])
        list(self._ask(unit, [canary.request(row, 0)], renderer))

    def _ask(self, unit: Unit, requests: Sequence[Request], renderer: Renderer) -> Iterator[Completion]:
        """Send requests through one pipeline; no answer is handed on before its engine's canary was checked."""
        models = self._models(unit)
        self.cluster.open()
        self.cluster.check_paths([Path(model) for model in models.values()])
        arguments = self._arguments(unit, any(request.sampling.structure for request in requests))
        fit = fitting(requests, arguments["kv_cache_memory_bytes"], bytes_per_token(renderer.config, self.dtype))
        dealt = shape(len(requests), self.workers.engines, self.workers.on_cpu, min(self.config.batch or fit, fit))
        examine = examination(self._texts(renderer), self._base_name(unit), unit.adapters, self.exact)
        merged = " merged with its base" if unit.merged else ""
        self.config.say(f"ray loads {unit.source.name}{merged} into {dealt.engines} engines")
        made = processor(
            self._folder(unit),
            arguments,
            dealt,
            calls_of(examine, models),
            self.cluster.engine_environment(),
            self.workers.on_cpu,
            self.config.patience_s,
        )
        left = {request.key: request for request in requests}
        proven: set[str] = set()
        for rows in answered(made, tables(requests, models, dealt.rows)):
            for row in rows:
                if row["proof"] and row["engine"] not in proven:
                    self._accept(unit, check(examine, row["proof"], row["engine"], self.workers.vllm))
                    proven.add(row["engine"])
            for row in rows:
                if row["engine"] not in proven:
                    raise EngineFailed(f"ray: {row['engine']} answered without its canary, so nothing of it was scored")
                request = left.pop(row["key"], None)
                if request is not None:  # A batch whose worker died late may come twice.
                    self.engines[row["engine"]] = self.engines.get(row["engine"], 0) + 1
                    yield completion_of(request, row["answer"], row["__inference_error__"], renderer.decode)
        if left:
            raise EngineFailed(f"ray left {len(left)} rows without an answer. Run again to ask only those")

    def _accept(self, unit: Unit, found: CanaryResult) -> None:
        """Keep what the canary found on one engine, and hold plain variants against the model they were tuned from."""
        if unit.key in self._references:
            self.apart = max(self.apart, canary.widest(self._references[unit.key].rows, found.own.rows))
        else:
            self._references[unit.key] = found.own
            if not unit.merged and not self.cluster.address:
                canary.save_reference(self._reference_file(unit), found.own)
        if found.shared:
            self.canary |= dict.fromkeys(unit.adapters, found.shared)
        base = base_of(unit, self.units)
        for variant in unit.plain if base else ():
            assert base is not None
            reference = self._references[base.key]
            checkpoint = self.checkpoints[variant]
            effect = canary.check_differs(reference.rows, found.own.rows, variant, checkpoint, reference.noise)
            self.canary[variant] = {"check": "against the plain base engine", "effect": effect}

    def _read_reference(self, unit: Unit) -> bool:
        """Read canary rows of an earlier run; those of a cluster are run again, as its machines may have changed."""
        kept = None if self.cluster.address else canary.load_reference(self._reference_file(unit))
        if kept is not None:
            self._references[unit.key] = kept
        return kept is not None

    def _reference_file(self, unit: Unit) -> Path:
        facts = self.facts((*unit.plain, *unit.adapters)[0]) | {"way": "plain"}
        threads = environment(self.workers, os.cpu_count())
        return canary.reference_file(facts | vllm_environment.machine() | threads, unit.source)

    def _folder(self, unit: Unit) -> Path:
        """The model folder of a unit; base and adapter are merged into one first where they must be."""
        if not unit.merged:
            return Path(unit.source.path)
        folder = merged_folder(unit.source, self.config.say)
        self.merges |= dict.fromkeys(unit.plain, read_facts(folder).says)
        return folder

    def _models(self, unit: Unit) -> dict[str, str]:
        """What names base or adapter in a row, by variant."""
        plain = dict.fromkeys((self._base_name(unit), *unit.plain), str(self._folder(unit)))
        return plain | {variant: str(named(checkpoint)) for variant, checkpoint in unit.adapters.items()}

    def _base_name(self, unit: Unit) -> str:
        return unit.plain[0] if unit.plain else "base"

    def _texts(self, renderer: Renderer) -> list[tuple[int, ...]]:
        return canary.prompts(lambda text: renderer.tokenizer.encode(text, add_special_tokens=False))

    def _arguments(self, unit: Unit, structured: bool) -> dict[str, Any]:
        """Arguments of vLLM for each engine of a unit; `structured` where answers are held to choices or a schema."""
        folder, workers = self._folder(unit), self.workers
        files = CheckpointFolder(folder)
        longest = min(max(self.max_model_len, canary.LENGTH), Renderer(files).max_positions)
        room = self.config.kv_cache_bytes or kv_cache_bytes(
            files, self.dtype, longest, workers.on_cpu, workers.engines, workers.device_bytes
        )
        made = llm_arguments(
            folder,
            dtype=self.dtype,
            max_model_len=longest,
            kv_cache_bytes=room,
            on_cpu=workers.on_cpu,
            adapters=len({c.adapter_digest for c in unit.adapters.values()}),
            max_lora_rank=self.plan.max_lora_rank,
            max_num_seqs=self.config.batch,
            structured=structured,
        )
        self.arguments[",".join((*unit.plain, *unit.adapters))] = {k: v for k, v in made.items() if k != "model"}
        return made

    def describe(self) -> dict[str, Any]:
        return {
            "name": self.name,
            "version": self.version,
            "device": ", ".join(self.workers.devices),
            "dtype": self.dtype,
            "cluster": self.cluster.address or "local",
            "engines": self.engines,
            "engines_apart": self.apart,
            "ways": self.plan.ways,
            "why_merged": self.plan.reasons,
            "merges": self.merges,
            "arguments": self.arguments,
            "canary": self.canary,
        }

    def close(self) -> None:
        self.cluster.close()


def named(checkpoint: Checkpoint) -> Path:
    """A path to the adapter that carries its content: Ray gives vLLM the path as a name, by which vLLM caches."""
    assert checkpoint.adapter_path is not None
    link = cache_dir() / "adapters" / lora_name(checkpoint)
    if link.is_symlink() and link.readlink() == Path(checkpoint.adapter_path):
        return link
    try:
        link.parent.mkdir(parents=True, exist_ok=True)
        new = link.with_name(f".new-{secrets.token_hex(4)}")
        new.symlink_to(checkpoint.adapter_path, target_is_directory=True)
        new.replace(link)
    except OSError as error:
        raise UserError(
            f"{link}: cannot be made: {error.strerror or error}. Make the folder writable, or set TUNEGATE_CACHE"
        ) from None
    return link
