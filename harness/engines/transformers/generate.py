"""Generate completions with a loaded transformers model, in padded batches or by continuous batching.

The longest requests are first, so that a batch that does not fit fails early; it and later batches are then halved.
"""

from __future__ import annotations

import gc
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from msgspec import structs

from harness.engines.base import answer_ids, failed, finished, problem_of, vocabulary_of
from harness.engines.vllm.memory import is_out_of_memory
from harness.errors import first_line
from harness.schema import Completion, Request, Sampling
from harness.suites.prompts import Renderer

WAIT_S = 1.0
"""Longest wait for an answer before a check that the generating thread is alive, in seconds."""


def generated(model: Any, requests: Sequence[Request], **limits: Any) -> Iterator[tuple[Request, list[int]]]:
    """Yield each request with its generated ids, end token included, as soon as it is finished.

    Requests share their sampling. A request that fails is left out; an error that stops all is raised. `limits` are
    fields of transformers' ContinuousBatchingConfig.
    """
    from transformers import ContinuousBatchingConfig, GenerationConfig
    from transformers.generation.continuous_batching.utils import WorkloadHints

    sampling = requests[0].sampling
    end = list(sampling.stop_ids) or -1
    longest = max(len(request.ids) for request in requests)
    manager = model.init_continuous_batching(
        generation_config=GenerationConfig(max_new_tokens=sampling.max_tokens, do_sample=False, eos_token_id=end),
        # Another attention implementation would not be the one that the canary checked.
        continuous_batching_config=ContinuousBatchingConfig(auto_switch_to_flash=False, **limits),
        workload_hints=WorkloadHints(longest, sampling.max_tokens, len(requests)),
    )
    waiting = {str(number): request for number, request in enumerate(requests)}
    try:
        manager.warmup()
        manager.start()
        for name, request in waiting.items():
            manager.add_request(list(request.ids), request_id=name)
        while waiting:
            output = manager.get_result(timeout=WAIT_S)
            if output is None and not manager.is_running():
                return
            if output is not None and output.is_finished():
                request = waiting.pop(output.request_id)
                if output.error is None:
                    yield request, output.generated_tokens
    finally:
        manager.stop(hard_stop=bool(waiting))
        manager.destroy()


BATCH = 32
"""Default for the largest number of requests in a padded batch."""
BATCH_TOKENS = 8192
"""Largest number of tokens in a padded batch, including room for its answers."""


class Answerer:
    """Generates completions in batches, for one model's tokenizer on one device."""

    def __init__(
        self,
        renderer: Renderer,
        device: str,
        max_model_len: int,
        batch: int | None = None,
        say: Callable[[str], None] = lambda text: None,
    ) -> None:
        self.renderer = renderer
        self.device = device
        self.limit = min(max_model_len, renderer.max_positions)
        self.batch = batch
        self.tokens = BATCH_TOKENS
        self.say = say

    def answers(self, model: Any, requests: Sequence[Request]) -> Iterator[Completion]:
        """Yield completions, grouped by sampling; `model` has `generate` and is in evaluation mode."""
        vocabulary = vocabulary_of(self.renderer.config)
        fitting = []
        for request in requests:
            problem = problem_of(request, self.limit, vocabulary)
            if problem:
                yield failed(request, problem)
            else:
                fitting.append(request)
        for group in alike(fitting):
            if self.is_continuous(group):
                yield from self._continuous(model, group)
            else:
                yield from self._padded(model, group)

    def is_continuous(self, group: Sequence[Request]) -> bool:
        """Whether a group is batched continuously: it exceeds a padded batch, and the user set no batch size.

        Log probabilities and sampling need padded batches.
        """
        sampling = group[0].sampling
        is_plain = sampling.temperature == 0 and not sampling.logprobs and not sampling.logprob_ids
        return self.device == "cuda" and self.batch is None and len(group) > BATCH and is_plain

    def _continuous(self, model: Any, group: Sequence[Request]) -> Iterator[Completion]:
        """Batch continuously; requests without an answer, for whatever reason, go into padded batches."""
        unanswered = {request.key: request for request in group}
        try:
            for request, ids in generated(model, group):
                del unanswered[request.key]
                yield finished(request, ids, self.renderer.decode)
        except Exception as error:  # The library raises many types; padded batches avoid them all.
            self.say(f"transformers cannot batch continuously ({first_line(error)}); padded batches take over")
        if unanswered:
            clear_memory(self.device)
            yield from self._padded(model, list(unanswered.values()))

    def _padded(self, model: Any, group: Sequence[Request]) -> Iterator[Completion]:
        """Generate in padded batches, limited by number of requests, tokens and memory."""
        start = 0
        while start < len(group):
            fits = self.tokens // room(group[start])
            together = group[start : start + max(1, min(self.batch or BATCH, fits))]
            completions = self._attempt(model, together)
            if completions is not None:
                start += len(together)
                yield from completions

    def _attempt(self, model: Any, together: Sequence[Request]) -> list[Completion] | None:
        """Return the completions of one batch; None if it does not fit into memory and smaller ones may fit."""
        try:
            return self.run(model, together)
        except (RuntimeError, ValueError) as error:
            reason = first_line(error)
            if not is_out_of_memory(f"{type(error).__name__}: {error}"):
                return [failed(request, f"transformers: {reason}") for request in together]
        clear_memory(self.device)
        if len(together) == 1:
            request = together[0]
            problem = (
                f"{len(request.ids)} tokens and an answer of {request.sampling.max_tokens} at most need too much "
                f"memory ({reason}). Use a smaller or quantised model, or shorten prompt or answer"
            )
            return [failed(request, problem)]
        if self.tokens == BATCH_TOKENS:
            self.say(f"transformers: {len(together)} requests at once need too much memory; smaller batches follow")
        self.tokens = len(together) * room(together[0]) // 2
        return None

    def run(self, model: Any, batch: Sequence[Request]) -> list[Completion]:
        """Run one padded `generate` call for requests with the same sampling."""
        import torch

        ids, mask = left_padded([r.ids for r in batch], self._pad_id())
        sampling = batch[0].sampling
        arguments: dict[str, Any] = {"max_new_tokens": sampling.max_tokens, "do_sample": False}
        if sampling.temperature > 0:
            torch.manual_seed(sampling.seed)
            # transformers' own defaults would sample from the 50 most likely tokens.
            arguments |= {"do_sample": True, "temperature": sampling.temperature, "top_k": 0, "top_p": 1.0}
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


def alike(requests: Sequence[Request]) -> list[list[Request]]:
    """Group requests that may share a batch, longest prompt first; sampled ones are alone, because of their seed."""
    groups: dict[tuple[Sampling, str], list[Request]] = {}
    for request in sorted(requests, key=lambda r: (-len(r.ids), r.ids)):
        sampling = request.sampling
        kind = structs.replace(sampling, seed=0, logprob_ids=(0,) if sampling.logprob_ids else ())
        groups.setdefault((kind, request.key if sampling.temperature > 0 else ""), []).append(request)
    return sorted(groups.values(), key=lambda group: -room(group[0]))


def room(request: Request) -> int:
    """Return the tokens of prompt and answer, the size of a row in a padded batch."""
    return len(request.ids) + request.sampling.max_tokens


def clear_memory(device: str) -> None:
    """Free the memory of a batch that ended early."""
    gc.collect()
    if device == "cuda":
        import torch

        torch.cuda.empty_cache()


def left_padded(rows: Sequence[Sequence[int]], pad_id: int) -> tuple[list[list[int]], list[list[int]]]:
    """Return ids and attention mask, both of shape (rows, longest row), padded on the left for generation."""
    width = max(len(row) for row in rows)
    ids = [[pad_id] * (width - len(row)) + list(row) for row in rows]
    mask = [[0] * (width - len(row)) + [1] * len(row) for row in rows]
    return ids, mask
