"""Use the transformers library as an engine: batches, one load of the base, adapters by name.

The default if vLLM is not installed, and the reference that vLLM is tested against.
"""

from __future__ import annotations

import gc
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import Any

from harness.checkpoints.merge import merged_folder
from harness.checkpoints.weights import load_adapter, load_model
from harness.engines import canary
from harness.engines.base import (
    EngineTraits,
    common_dtype,
    engine_version,
    explain,
    in_order,
    model_folders,
    refuse_structure,
)
from harness.engines.config import EngineConfig
from harness.engines.transformers.generate import BATCH, BATCH_TOKENS, Answerer
from harness.engines.vllm.adapters import peft_ways
from harness.errors import EngineFailed, MissingExtra, UserError, first_line
from harness.schema import BASELINE, Checkpoint, Completion, Request
from harness.suites.prompts import Renderer

RULES = "2"
"""How this engine answers, in every key of the answer cache; raised when earlier answers may be wrong. 2: a baseline is
never beside an adapter that changes it, and samples come from all tokens."""
TRAITS = EngineTraits(start_s=15.0, tokens_per_s=400)


def start(checkpoints: Mapping[str, Checkpoint], max_model_len: int, config: EngineConfig) -> HfEngine:
    """Open the engine; no model loads yet. `auto` and `force` serve adapters by PEFT, `merge` merges them.

    An adapter that was trained on an NF4 base is merged with `auto`, and raises UserError with `force`.
    """
    if config.lora != "merge" and any(c.kind == "adapter" for c in checkpoints.values()):
        import importlib.util

        if importlib.util.find_spec("peft") is None:
            raise MissingExtra("serving an adapter with the engine 'transformers'", "peft", "train")
    return HfEngine(checkpoints, max_model_len, peft_ways(checkpoints, config.lora, config.say), config)


class HfEngine:
    """The loaded model and the canary's results."""

    name = "transformers"

    def __init__(
        self,
        checkpoints: Mapping[str, Checkpoint],
        max_model_len: int,
        ways: Mapping[str, str],
        config: EngineConfig,
    ) -> None:
        self.version = engine_version("transformers")
        self.checkpoints = checkpoints
        self.max_model_len = max_model_len
        self.config = config
        self.dtype = common_dtype(model_folders(checkpoints), config)
        self.ways = ways
        self.canary: dict[str, Any] = {}
        self.device = _device()
        self._model: Any = None
        self._has_adapters = False
        self._folder: Path | None = None
        self._answerer: Answerer | None = None
        self._references: dict[str, list[Completion]] = {}

    def facts(self, variant: str) -> dict[str, str]:
        return {
            "engine": self.name,
            "version": self.version,
            "dtype": self.dtype,
            "device": self.device,
            "way": self.ways[variant],
            "rules": RULES,
        }

    def generate(self, requests: Sequence[Request]) -> Iterator[Completion]:
        refuse_structure(requests, self.name)
        ordered = in_order(requests)
        variants = dict.fromkeys(r.variant for r in ordered)
        for variant in sorted(
            variants, key=lambda v: (self.ways[v] == "merged", str(self._source(v)), v != BASELINE, v)
        ):
            self._load(self._source(variant))
            self._prove(variant)
            yield from self._answer([r for r in ordered if r.variant == variant])

    def _source(self, variant: str) -> Path:
        """Return the folder of a variant's weights, without an adapter that PEFT attaches."""
        checkpoint = self.checkpoints[variant]
        if self.ways[variant] == "merged":
            return merged_folder(checkpoint, self.config.say)
        return Path(checkpoint.path)

    def _load(self, folder: Path) -> None:
        """Load the base once, with every adapter that it serves. Raises UserError or EngineFailed."""
        if folder == self._folder:
            return
        self.close()
        try:
            import torch
            from transformers import GenerationConfig
            from transformers.utils import logging
        except (ImportError, OSError, RuntimeError) as error:
            raise explain(error) or MissingExtra("the engine 'transformers'", "torch", "train") from error
        logging.disable_progress_bar()
        self.config.say(f"transformers is loading {folder.name}")
        try:
            model = load_model(folder, dtype=getattr(torch, self.dtype)).to(self.device)
            model.generation_config = GenerationConfig()
            self._model = self._with_adapters(model, folder).eval()
        except UserError:
            raise
        except Exception as error:  # The libraries raise many types; the user gets one line.
            raise explain(error) or EngineFailed(f"transformers cannot serve {folder}: {first_line(error)}") from error
        config = self.config
        self._answerer = Answerer(Renderer(folder), self.device, self.max_model_len, config.batch, config.say)
        self._folder = folder

    def _with_adapters(self, model: Any, folder: Path) -> Any:
        adapters = {v: c for v, c in self.checkpoints.items() if self.ways[v] == "lora" and Path(c.path) == folder}
        self._has_adapters = bool(adapters)
        # In the base's number format, as in vLLM: float32 adapters on a bfloat16 base take 1.5 times as long.
        same = {"autocast_adapter_dtype": False}
        for variant, checkpoint in adapters.items():
            model = load_adapter(model, checkpoint.adapter_path or "", variant, **same)
        return model

    def _using_adapter(self, variant: str) -> AbstractContextManager[Any]:
        """Use the loaded model as this variant: with its adapter, or without any."""
        if not self._has_adapters:
            return nullcontext()
        if self.ways.get(variant) != "lora":
            context: AbstractContextManager[Any] = self._model.disable_adapter()
            return context
        self._model.set_adapter(variant)
        return nullcontext()

    def _answer(self, requests: Sequence[Request]) -> Iterator[Completion]:
        """Yield the completions of one variant."""
        assert self._answerer is not None
        if requests:
            with self._using_adapter(requests[0].variant):
                yield from self._answerer.answers(self._model, requests)

    def _prove(self, variant: str) -> None:
        """Run the canary once per tuned variant, against the base in the same process. Raises CanaryFailed."""
        checkpoint = self.checkpoints[variant]
        if variant in self.canary or (self.ways[variant] == "plain" and checkpoint.base_digest in self._references):
            return
        assert self._answerer is not None
        texts = canary.prompts(self._answerer.renderer)
        if self.ways[variant] == "lora":
            self.canary[variant] = canary.check_shared(self._ask, texts, "base", {variant: checkpoint}, exact=False)
            return
        rows = self._ask([(variant, ids) for ids in texts])
        if self.ways[variant] == "plain":
            self._references[checkpoint.base_digest] = rows
            return
        self.canary[variant] = canary.check_weights(checkpoint, variant)
        if checkpoint.base_digest in self._references:
            effect = canary.check_differs(self._references[checkpoint.base_digest], rows, variant, checkpoint)
            self.canary[variant] = {"check": "against the plain base", "effect": effect}

    def _ask(self, rows: Sequence[canary.Row]) -> list[Completion]:
        """Generate for canary rows one by one, in order, so that no batch changes them. Raises EngineFailed."""
        assert self._answerer is not None
        completions = []
        for i, row in enumerate(rows):
            with self._using_adapter(row[0]):
                try:
                    completions += self._answerer.run(self._model, [canary.request(row, i)])
                except (RuntimeError, ValueError) as error:
                    raise EngineFailed(
                        f"transformers cannot answer with {self._folder}: {first_line(error)}"
                    ) from error
        return completions

    def describe(self) -> dict[str, Any]:
        return {
            "name": self.name,
            "version": self.version,
            "device": self.device,
            "dtype": self.dtype,
            "ways": self.ways,
            "arguments": {
                "batch": self.config.batch or BATCH,
                "batch_tokens": BATCH_TOKENS,
                "continuous": self.config.batch is None and self.device == "cuda",
            },
            "canary": self.canary,
        }

    def close(self) -> None:
        self._model = self._folder = self._answerer = None
        gc.collect()


def _device() -> str:
    import torch

    return "cuda" if torch.cuda.is_available() else "cpu"
