"""Generates greedily with transformers' continuous batching, where no answer waits for another. Knows no adapter.

For CUDA devices alone: on a CPU it is many times slower than padded batches. The manager lives for one call, with its
CUDA graphs and its cache of prefixes, so that nothing of one variant is there when the next one answers.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from harness.schema import Request, Sampling

WAIT_S = 1.0
"""Longest wait for an answer before a look at whether the generating thread still lives."""


def suits(device: str, sampling: Sampling) -> bool:
    """Can and should requests of this sampling be answered so? Log probabilities and sampling need padded batches."""
    return device == "cuda" and sampling.temperature == 0 and not sampling.logprobs and not sampling.logprob_ids


def generated(model: Any, requests: Sequence[Request], **limits: Any) -> Iterator[tuple[Request, list[int]]]:
    """Yield each request with its generated ids, end token included, as soon as it is finished.

    Requests share their sampling. What could not be answered is left out; what stops everything is an exception.
    `limits` are fields of transformers' ContinuousBatchingConfig.
    """
    from transformers import ContinuousBatchingConfig, GenerationConfig
    from transformers.generation.continuous_batching.utils import WorkloadHints

    sampling = requests[0].sampling
    end = list(sampling.stop_ids) or -1
    longest = max(len(request.ids) for request in requests)
    manager = model.init_continuous_batching(
        generation_config=GenerationConfig(max_new_tokens=sampling.max_tokens, do_sample=False, eos_token_id=end),
        # Another attention would be one that the canary has not seen.
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
