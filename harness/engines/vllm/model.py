"""Run one vLLM engine for one set of weights, with its LoRA adapters."""

from __future__ import annotations

import gc
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from harness.engines.base import explain, failed, finished, problem_of, vocabulary_of
from harness.engines.config import EngineConfig
from harness.engines.vllm import environment
from harness.engines.vllm.memory import (
    BLOCK_TOKENS_CPU,
    MAX_SEQS_CPU,
    BatchLimits,
    OutOfMemory,
    is_out_of_memory,
    killed_for_memory,
    requested_limits,
)
from harness.engines.vllm.watchdog import ErrorLog, Watch, raised, reap
from harness.errors import EngineFailed, UserError, first_line
from harness.schema import Checkpoint, Completion, Request, Sampling
from harness.suites.prompts import Renderer

# LoRA on a CPU gathers an fp32 array of shape (tokens, rank, width); this limits its size.
LORA_CPU_BATCHED_TOKENS = 512
GRACE_S = 0.5
"""Seconds for vLLM's process to end by itself before vLLM kills it; on a CPU a clean end takes over five."""
EXTENSION = "harness.engines.vllm.model.DeviceMemory"

_adapter_ids: dict[str, int] = {}


def lora_slots(n_adapters: int) -> int:
    """Return vLLM's max_loras. One slot stays empty: on a CPU, base rows read the last slot (vllm#48421)."""
    return n_adapters + 1


def lora_name(checkpoint: Checkpoint) -> str:
    """Return an adapter name with its content digest, because vLLM's prefix cache is keyed by name."""
    return f"{Path(checkpoint.adapter_path or '').name}-{(checkpoint.adapter_digest or '')[:12]}"


def adapter_id(name: str) -> int:
    """Return the integer id of an adapter name: from 1, unique within a process."""
    return _adapter_ids.setdefault(name, len(_adapter_ids) + 1)


def llm_arguments(
    folder: Path,
    *,
    dtype: str,
    max_model_len: int,
    kv_cache_bytes: int,
    on_cpu: bool,
    adapters: int,
    max_lora_rank: int,
    max_num_seqs: int | None = None,
    structured: bool = False,
    tensor_parallel: int = 1,
) -> dict[str, Any]:
    """Return every argument of vLLM's LLM. `adapters` is the number of distinct adapters that the engine serves.

    `max_num_seqs` is the maximum batch size; None leaves it to vLLM, or uses the default for a CPU. `structured`:
    answers are constrained to choices or schemas, for which vLLM needs the tokenizer. JSON is then generated without
    white space, because small models fill whole answers with it. Each layer is split over `tensor_parallel` devices.
    """
    arguments: dict[str, Any] = {
        "model": str(folder),
        "skip_tokenizer_init": not structured,
        "load_format": "safetensors",
        "config_format": "hf",
        "generation_config": "vllm",
        "dtype": dtype,
        "seed": 0,
        "max_model_len": max_model_len,
        "kv_cache_memory_bytes": kv_cache_bytes,
        "enforce_eager": on_cpu,
        "enable_prefix_caching": True,
        "language_model_only": True,  # Images would need a processor, which needs the tokenizer.
        "disable_log_stats": True,
        "use_tqdm_on_load": False,
    }
    most = max_num_seqs or (MAX_SEQS_CPU if on_cpu else None)
    if most:
        arguments["max_num_seqs"] = most
    if tensor_parallel > 1:
        arguments["tensor_parallel_size"] = tensor_parallel
    if on_cpu:
        arguments["block_size"] = BLOCK_TOKENS_CPU
    if structured:
        arguments["structured_outputs_config"] = {"backend": "xgrammar", "disable_any_whitespace": True}
    if adapters:
        slots = lora_slots(adapters)
        arguments |= {"enable_lora": True, "max_loras": slots, "max_cpu_loras": slots, "max_lora_rank": max_lora_rank}
        if on_cpu:
            arguments["max_num_batched_tokens"] = LORA_CPU_BATCHED_TOKENS
    return arguments


def sampling_arguments(sampling: Sampling) -> dict[str, Any]:
    """Return the arguments of vLLM's SamplingParams. Only the given ids end an answer; no prompt log probabilities."""
    structure = {"structured_outputs": sampling.structure} if sampling.structure else {}
    return structure | {
        "max_tokens": sampling.max_tokens,
        "temperature": sampling.temperature,
        "seed": sampling.seed,
        "stop_token_ids": list(sampling.stop_ids),
        "ignore_eos": True,
        "logprobs": 1 if sampling.logprobs else None,
        "logprob_token_ids": list(sampling.logprob_ids) or None,
        "detokenize": False,
    }


def sampling_params(sampling: Sampling) -> Any:
    """Convert the sampling to vLLM's SamplingParams."""
    from vllm import SamplingParams
    from vllm.sampling_params import StructuredOutputsParams

    arguments = sampling_arguments(sampling)
    if "structured_outputs" in arguments:
        arguments["structured_outputs"] = StructuredOutputsParams(**arguments["structured_outputs"])
    return SamplingParams(**arguments)


class VllmModel:
    """A loaded model. Raises EngineFailed if it cannot start or stops early; OutOfMemory if lower limits may help.

    It fails after `config.patience_s` without a token; watchdog.py describes the limits of that for an engine in this
    process. `cached_tokens` counts prompt tokens found in the prefix cache; vLLM 0.32 reports them with each answer,
    even with its statistics off.
    """

    def __init__(
        self, arguments: dict[str, Any], adapters: Mapping[str, Checkpoint], name: str, config: EngineConfig
    ) -> None:
        self.adapters = adapters
        self.structured = not arguments["skip_tokenizer_init"]
        self.renderer = Renderer(arguments["model"])
        self.broken = False
        self.cached_tokens = 0
        self._log = ErrorLog()
        self._killed = killed_for_memory()
        with environment.starting():
            try:
                from vllm import LLM

                environment.before_loading()
                logged = {} if environment.in_process() else self._log.arguments()
                self._llm: Any = LLM(**arguments, **logged, worker_extension_cls=EXTENSION)
            except UserError:
                raise
            except Exception as error:  # vLLM raises many types; the user gets one line.
                reap()
                raise self._why_it_did_not_start(error, name) from error
        self._watch = Watch(self._llm.llm_engine.engine_core, config.patience_s, config.say)
        self.batch_limits = self._decided_limits(arguments)

    def _decided_limits(self, arguments: dict[str, Any]) -> BatchLimits:
        """Return the limits that vLLM derived from the arguments."""
        scheduler = self._llm.llm_engine.vllm_config.scheduler_config
        decided = {"max_num_seqs": scheduler.max_num_seqs, "max_num_batched_tokens": scheduler.max_num_batched_tokens}
        return requested_limits(arguments | decided)

    def answer(self, requests: Sequence[Request], max_model_len: int) -> Iterator[Completion]:
        """Submit every request, then step the engine; a refused request fails alone. Raises EngineFailed."""
        engine = self._llm.llm_engine
        vocabulary = vocabulary_of(self.renderer.config)
        running: dict[str, Request] = {}
        self._watch.progress()
        try:
            with self._held():
                problems = [problem_of(r, max_model_len, vocabulary) or self._submit(r, running) for r in requests]
            yield from (failed(r, problem) for r, problem in zip(requests, problems, strict=True) if problem)
            while engine.has_unfinished_requests():
                for output in self._step():
                    if output.finished:
                        yield self._completion(running.pop(output.request_id), output)
        except Exception as error:  # A dead process, or an error of the model in this one.
            self.broken = True
            raise self._why_it_stopped(error, len(running)) from error
        finally:
            if running and not self.broken:
                with suppress(Exception):  # An engine that dies now is not used again.
                    engine.abort_request(list(running))

    @contextmanager
    def _held(self) -> Iterator[None]:
        """Hold the scheduler of an own process until every request is submitted.

        Without it the batches, and with them the last bits of log probabilities, would depend on when requests arrive.
        """
        if environment.in_process():
            yield
            return
        self._llm.sleep(level=0, mode="keep")
        yield
        self._llm.wake_up(tags=["scheduling"])

    def _step(self) -> list[Any]:
        """Run one step; returns requests with new tokens."""
        with self._watch.waiting():
            outputs: list[Any] = self._llm.llm_engine.step()
            if outputs:
                self._watch.progress()
        return outputs

    def _why_it_did_not_start(self, error: Exception, name: str) -> UserError:
        traceback = self._log.fatal()
        cause = raised(traceback) or first_line(error)
        if self._was_exhausted(error, traceback):
            return OutOfMemory(cause)
        return explain(error) or EngineFailed(
            f"vllm cannot serve {name}: {cause} Set VLLM_LOGGING_LEVEL=INFO to see its messages, or use "
            "--engine transformers"
        )

    def _why_it_stopped(self, error: Exception, n_unanswered: int) -> EngineFailed:
        traceback = self._log.fatal()
        reason = self._watch.reason if self._watch.silent else raised(traceback) or self._watch.reason
        reason = reason or first_line(error)
        if self._was_exhausted(error, traceback) and not self._watch.silent:
            return OutOfMemory(reason)
        return EngineFailed(
            f"vllm stopped with {n_unanswered} answers to go: {reason}. Finished answers are kept; re-run to resume"
        )

    def _was_exhausted(self, error: Exception, traceback: str) -> bool:
        """Whether memory ran out: by the error, the log of the engine's processes, or the system's count of kills."""
        report = f"{type(error).__name__} {error} {traceback}"
        return is_out_of_memory(report) or (not environment.in_process() and killed_for_memory() > self._killed)

    def _submit(self, request: Request, running: dict[str, Request]) -> str | None:
        """Submit one request to vLLM; returns why it was refused, or None."""
        from vllm.exceptions import VLLMClientError

        request_id = str(next(self._llm.request_counter))
        try:
            self._llm.llm_engine.add_request(
                request_id,
                {"prompt_token_ids": list(request.ids)},
                sampling_params(request.sampling),
                lora_request=self._lora_request(request.variant),
            )
        except (ValueError, VLLMClientError) as error:
            return first_line(error)
        running[request_id] = request
        return None

    def _lora_request(self, variant: str) -> Any:
        checkpoint = self.adapters.get(variant)
        if checkpoint is None:
            return None
        from vllm.lora.request import LoRARequest

        name = lora_name(checkpoint)
        return LoRARequest(lora_name=name, lora_int_id=adapter_id(name), lora_path=str(checkpoint.adapter_path))

    def _completion(self, request: Request, output: Any) -> Completion:
        answer = output.outputs[0]
        self.cached_tokens += output.num_cached_tokens or 0
        if answer.finish_reason not in ("stop", "length"):
            return failed(request, f"vllm ended the request with '{answer.finish_reason}'")
        ids = list(answer.token_ids)
        logprobs: tuple[float, ...] = ()
        if request.sampling.logprobs:
            logprobs = tuple(float(at[token].logprob) for at, token in zip(answer.logprobs or [], ids, strict=True))
        options: tuple[float, ...] = ()
        if request.sampling.logprob_ids:
            first = (answer.logprobs or [{}])[0]
            options = tuple(float(first[token].logprob) for token in request.sampling.logprob_ids)
        return finished(request, ids, self.renderer.decode, logprobs=logprobs, option_logprobs=options)

    def device_bytes(self) -> int | None:
        """Return the peak memory on the engine's CUDA devices, in bytes; None without a device or a reply."""
        try:
            with self._watch.waiting():
                by_worker: list[int | None] = self._llm.collective_rpc("reserved_device_bytes")
        except Exception:  # All answers are complete; the next use of the engine reports the fault.
            self.broken = True
            return None
        per_worker = [reserved for reserved in by_worker if reserved is not None]
        return sum(per_worker) if per_worker else None

    def reset(self) -> None:
        """Clear the prefix cache."""
        with self._watch.waiting():
            self._llm.reset_prefix_cache()

    def close(self) -> None:
        """Free the model and its process."""
        if self._llm is None:
            return
        self._watch.close()
        self._llm.llm_engine.engine_core.shutdown(timeout=GRACE_S)
        reap()
        self._llm = None
        gc.collect()


class DeviceMemory:
    """Extends vLLM's worker class (its `worker_extension_cls`)."""

    def reserved_device_bytes(self) -> int | None:
        """Return the peak memory that torch reserved on the worker's CUDA device, in bytes; None without one."""
        import torch

        return int(torch.cuda.max_memory_reserved()) if torch.cuda.is_available() else None
