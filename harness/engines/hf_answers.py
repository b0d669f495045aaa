"""Answers requests with a loaded transformers model, in padded batches. Loads no model and knows no adapter.

The longest go first, so that a batch that does not fit fails at once.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from harness.engines.base import answer_ids, failed, finished, problem_of, vocabulary_of
from harness.prompts import Renderer
from harness.schema import Completion, Request

BATCH = 32
BATCH_TOKENS = 8192


class Answerer:
    """What turns requests into batches for one model's tokenizer on one device."""

    def __init__(self, renderer: Renderer, device: Any, max_model_len: int, batch: int | None = None) -> None:
        self.renderer = renderer
        self.device = device
        self.limit = min(max_model_len, renderer.max_positions)
        self.batch = batch or BATCH

    def answers(self, model: Any, requests: Sequence[Request]) -> Iterator[Completion]:
        """Answer requests, longest first; `model` has `generate` and is in evaluation mode."""
        vocabulary = vocabulary_of(self.renderer.config)
        fitting = []
        for request in requests:
            problem = problem_of(request, self.limit, vocabulary)
            if problem:
                yield failed(request, problem)
            else:
                fitting.append(request)
        for together in batches(fitting, self.batch):
            try:
                found = self.run(model, together)
            except (RuntimeError, ValueError) as error:
                found = [failed(request, f"transformers: {first_line(error)}") for request in together]
            yield from found

    def run(self, model: Any, batch: Sequence[Request]) -> list[Completion]:
        """One padded `generate` call; every request of a batch has the same sampling but for its length."""
        import torch

        ids, mask = left_padded([r.ids for r in batch], self._pad_id())
        sampling = batch[0].sampling
        arguments: dict[str, Any] = {"max_new_tokens": max(r.sampling.max_tokens for r in batch), "do_sample": False}
        if sampling.temperature > 0:
            torch.manual_seed(sampling.seed)
            arguments |= {"do_sample": True, "temperature": sampling.temperature}
        with torch.inference_mode():
            out = model.generate(
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

        row = row[: request.sampling.max_tokens]
        own = row[: len(answer_ids(row, request.sampling.stop_ids)) + 1]
        logprobs: tuple[float, ...] = ()
        options: tuple[float, ...] = ()
        if logits is not None:
            chosen = torch.log_softmax(logits[: len(own)].float(), dim=-1)
            options = tuple(chosen[0, token].item() for token in request.sampling.logprob_ids)
            if request.sampling.logprobs:
                logprobs = tuple(chosen[i, token].item() for i, token in enumerate(own))
        return finished(request, own, self.renderer.decode, logprobs=logprobs, option_logprobs=options)

    def _pad_id(self) -> int:
        pad = self.renderer.tokenizer.pad_token_id
        return int(pad if pad is not None else (*self.renderer.stop_ids, 0)[0])


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


def first_line(error: BaseException) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0][:300]
