"""The transformers library as an engine: padded batches, base loaded once, adapters by name. Needs no vLLM.

The fallback where vLLM is not installed, and the reference that it is tested against. Batches go longest first, so
that a batch that does not fit fails at once.
"""

from __future__ import annotations

import gc
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import Any

from harness.engines import canary
from harness.engines.base import (
    Settings,
    answer_ids,
    common_dtype,
    engine_version,
    explain,
    failed,
    finished,
    in_order,
    problem_of,
    vocabulary_of,
)
from harness.engines.preflight import peft_ways
from harness.errors import EngineFailed, MissingExtra, UserError
from harness.merging import merged_folder
from harness.prompts import Renderer
from harness.schema import BASELINE, Checkpoint, Completion, Request

BATCH = 32
BATCH_TOKENS = 8192


def start(checkpoints: Mapping[str, Checkpoint], max_model_len: int, lora: str, settings: Settings) -> HfEngine:
    """An engine that has loaded nothing yet. `auto` and `force` serve adapters by PEFT, `merge` merges them.

    An adapter that was trained on an NF4 base is merged with `auto`, and with `force` it is a UserError.
    """
    if lora != "merge" and any(c.kind == "adapter" for c in checkpoints.values()):
        import importlib.util

        if importlib.util.find_spec("peft") is None:
            raise MissingExtra("serving an adapter with the engine 'transformers'", "peft", "train")
    return HfEngine(checkpoints, max_model_len, peft_ways(checkpoints, lora, settings.say), settings)


class HfEngine:
    """The running state: which model is loaded, and what the canary found."""

    name = "transformers"

    def __init__(
        self, checkpoints: Mapping[str, Checkpoint], max_model_len: int, ways: Mapping[str, str], settings: Settings
    ) -> None:
        self.version = engine_version("transformers")
        self.checkpoints = checkpoints
        self.max_model_len = max_model_len
        self.settings = settings
        self.dtype = common_dtype(checkpoints, settings)
        self.ways = ways
        self.canary: dict[str, Any] = {}
        self.device = "unknown"
        self._model: Any = None
        self._wears_adapters = False
        self._folder: Path | None = None
        self._renderer: Renderer | None = None
        self._references: dict[str, list[Completion]] = {}

    def facts(self, variant: str) -> dict[str, str]:
        return {
            "engine": self.name,
            "version": self.version,
            "dtype": self.dtype,
            "device": _device(),
            "way": self.ways[variant],
        }

    def generate(self, requests: Sequence[Request]) -> Iterator[Completion]:
        ordered = in_order(requests)
        asked = dict.fromkeys(r.variant for r in ordered)
        for variant in sorted(asked, key=lambda v: (self.ways[v] == "merged", str(self._source(v)), v != BASELINE, v)):
            self._load(self._source(variant))
            self._prove(variant)
            yield from self._answer([r for r in ordered if r.variant == variant])

    def _source(self, variant: str) -> Path:
        """Folder of the weights that answer for a variant, before any adapter is put on."""
        checkpoint = self.checkpoints[variant]
        if self.ways[variant] == "merged":
            return merged_folder(checkpoint, self.settings.say)
        return Path(checkpoint.path)

    def _load(self, folder: Path) -> None:
        """Load the base once, with every adapter that is served on it."""
        if folder == self._folder:
            return
        self.close()
        try:
            import torch
            from transformers import AutoModelForCausalLM, GenerationConfig
            from transformers.utils import logging
        except (ImportError, OSError, RuntimeError) as error:
            raise explain(error) or MissingExtra("the engine 'transformers'", "torch", "train") from error
        logging.disable_progress_bar()
        self.settings.say(f"transformers loads {folder.name}")
        self._renderer = Renderer(folder)
        self.device = _device()
        try:
            model = AutoModelForCausalLM.from_pretrained(
                str(folder), dtype=getattr(torch, self.dtype), local_files_only=True
            ).to(self.device)
            model.generation_config = GenerationConfig()
            self._model = self._with_adapters(model, folder).eval()
        except UserError:
            raise
        except Exception as error:  # The libraries raise many kinds; a user needs one line of any.
            raise explain(error) or EngineFailed(f"transformers cannot serve {folder}: {_first_line(error)}") from error
        self._folder = folder

    def _with_adapters(self, model: Any, folder: Path) -> Any:
        adapters = {v: c for v, c in self.checkpoints.items() if self.ways[v] == "lora" and Path(c.path) == folder}
        self._wears_adapters = bool(adapters)
        if not adapters:
            return model
        from peft import PeftModel

        wrapped: Any = None
        for variant, checkpoint in adapters.items():
            if wrapped is None:
                wrapped = PeftModel.from_pretrained(model, checkpoint.adapter_path, adapter_name=variant)
            else:
                wrapped.load_adapter(checkpoint.adapter_path, adapter_name=variant)
        return wrapped

    def _wearing(self, variant: str) -> AbstractContextManager[Any]:
        """The loaded model as this variant: with its adapter, or with none."""
        if not self._wears_adapters:
            return nullcontext()
        if self.ways.get(variant) != "lora":
            context: AbstractContextManager[Any] = self._model.disable_adapter()
            return context
        self._model.set_adapter(variant)
        return nullcontext()

    def _answer(self, requests: Sequence[Request]) -> Iterator[Completion]:
        """Answer requests of one variant, longest first."""
        assert self._renderer is not None
        limit = min(self.max_model_len, self._renderer.max_positions)
        vocabulary = vocabulary_of(self._renderer.config)
        fitting = []
        for request in requests:
            problem = problem_of(request, limit, vocabulary)
            if problem:
                yield failed(request, problem)
            else:
                fitting.append(request)
        for batch in batches(fitting, self.settings.batch or BATCH):
            try:
                found = self._run(batch)
            except (RuntimeError, ValueError) as error:
                found = [failed(request, f"transformers: {_first_line(error)}") for request in batch]
            yield from found

    def _run(self, batch: Sequence[Request]) -> list[Completion]:
        """One padded `generate` call; every request of a batch has the same sampling but for its length."""
        import torch

        assert self._renderer is not None
        ids, mask = left_padded([r.ids for r in batch], self._pad_id())
        sampling = batch[0].sampling
        arguments: dict[str, Any] = {"max_new_tokens": max(r.sampling.max_tokens for r in batch), "do_sample": False}
        if sampling.temperature > 0:
            torch.manual_seed(sampling.seed)
            arguments |= {"do_sample": True, "temperature": sampling.temperature}
        with torch.inference_mode(), self._wearing(batch[0].variant):
            out = self._model.generate(
                input_ids=torch.tensor(ids, device=self.device),
                attention_mask=torch.tensor(mask, device=self.device),
                eos_token_id=list(sampling.stop_ids) or None,
                pad_token_id=self._pad_id(),
                return_dict_in_generate=True,
                output_logits=sampling.logprobs or bool(sampling.logprob_ids),
                use_cache=True,
                **arguments,
            )
        new = out.sequences[:, len(ids[0]) :].tolist()
        logits = torch.stack(out.logits, dim=1) if out.logits is not None else None
        return [
            self._completion(request, row, None if logits is None else logits[i])
            for i, (request, row) in enumerate(zip(batch, new, strict=True))
        ]

    def _completion(self, request: Request, row: list[int], logits: Any) -> Completion:
        import torch

        assert self._renderer is not None
        row = row[: request.sampling.max_tokens]
        own = row[: len(answer_ids(row, request.sampling.stop_ids)) + 1]
        logprobs: tuple[float, ...] = ()
        options: tuple[float, ...] = ()
        if logits is not None:
            chosen = torch.log_softmax(logits[: len(own)].float(), dim=-1)
            options = tuple(chosen[0, token].item() for token in request.sampling.logprob_ids)
            if request.sampling.logprobs:
                logprobs = tuple(chosen[i, token].item() for i, token in enumerate(own))
        return finished(request, own, self._renderer.decode, logprobs=logprobs, option_logprobs=options)

    def _pad_id(self) -> int:
        assert self._renderer is not None
        pad = self._renderer.tokenizer.pad_token_id
        return int(pad if pad is not None else (*self._renderer.stop_ids, 0)[0])

    def _prove(self, variant: str) -> None:
        """Run the canary once per variant that was tuned, against the base in the same process."""
        checkpoint = self.checkpoints[variant]
        if variant in self.canary or (self.ways[variant] == "plain" and checkpoint.base_digest in self._references):
            return
        assert self._renderer is not None
        tokenizer = self._renderer.tokenizer
        texts = canary.prompts(lambda text: tokenizer.encode(text, add_special_tokens=False))
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
        """Answer canary rows one by one, in their order, so that the batch cannot change them."""
        return [self._run([canary.request(row, i)])[0] for i, row in enumerate(rows)]

    def describe(self) -> dict[str, Any]:
        return {
            "name": self.name,
            "version": self.version,
            "device": self.device,
            "dtype": self.dtype,
            "ways": self.ways,
            "arguments": {"batch": self.settings.batch or BATCH, "batch_tokens": BATCH_TOKENS},
            "canary": self.canary,
        }

    def close(self) -> None:
        self._model = self._folder = None
        gc.collect()


def batches(requests: Sequence[Request], most: int = BATCH) -> Iterator[list[Request]]:
    """Requests longest first, `most` at a time where they share their sampling; sampled ones alone, with their seed."""
    waiting: list[Request] = []
    for request in sorted(requests, key=lambda r: (_kind(r), -len(r.ids), r.ids)):
        full = waiting and (
            len(waiting) == most
            or (len(waiting) + 1) * len(waiting[0].ids) > BATCH_TOKENS
            or _kind(waiting[0]) != _kind(request)
            or request.sampling.temperature > 0
        )
        if full:
            yield waiting
            waiting = []
        waiting.append(request)
    if waiting:
        yield waiting


def _kind(request: Request) -> tuple[float, tuple[int, ...], bool, bool, int]:
    sampling = request.sampling
    return (
        sampling.temperature,
        sampling.stop_ids,
        sampling.logprobs,
        bool(sampling.logprob_ids),
        sampling.max_tokens,
    )


def left_padded(rows: Sequence[Sequence[int]], pad_id: int) -> tuple[list[list[int]], list[list[int]]]:
    """Ids and attention mask, both rows x longest row, padded on the left: generation goes on at the right end."""
    width = max(len(row) for row in rows)
    ids = [[pad_id] * (width - len(row)) + list(row) for row in rows]
    mask = [[0] * (width - len(row)) + [1] * len(row) for row in rows]
    return ids, mask


def _device() -> str:
    import torch

    return "cuda" if torch.cuda.is_available() else "cpu"


def _first_line(error: BaseException) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0][:300]
