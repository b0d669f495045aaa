"""Run one vLLM engine for one set of weights, with its LoRA adapters."""

from __future__ import annotations

import gc
import itertools
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from harness.engines.base import failed, finished, problem_of, vocabulary_of
from harness.engines.config import EngineConfig
from harness.engines.vllm import environment
from harness.engines.vllm.memory import (
    BLOCK_TOKENS_CPU,
    MAX_SEQS_CPU,
    AtOnce,
    OutOfMemory,
    asked_at_once,
    is_out_of_memory,
    killed_for_memory,
)
from harness.engines.vllm.watchdog import ErrorLog, Watch, raised, reap
from harness.errors import EngineFailed, UserError, first_line
from harness.schema import Checkpoint, Completion, Request, Sampling
from harness.suites.prompts import Renderer

# LoRA on a CPU gathers [tokens, rank, width] in fp32; this bounds it.
LORA_CPU_BATCHED_TOKENS = 512
GRACE_S = 0.5
"""Seconds for vLLM's process to end by itself; on a CPU it takes longer than the five after which vLLM kills it."""
EXTENSION = "harness.engines.vllm.model.DeviceMemory"

_adapter_ids: dict[str, int] = {}
_next_adapter_id = itertools.count(1)


def lora_slots(n_adapters: int) -> int:
    """vLLM's max_loras. One slot stays empty: on a CPU, base rows read the last slot (vllm#48421)."""
    return n_adapters + 1


def lora_name(checkpoint: Checkpoint) -> str:
    """Adapter name that carries its content, because vLLM's prefix cache goes by name."""
    return f"{Path(checkpoint.adapter_path or '').name}-{(checkpoint.adapter_digest or '')[:12]}"


def adapter_id(name: str) -> int:
    """The integer id of an adapter name: from 1, never used twice in a process."""
    if name not in _adapter_ids:
        _adapter_ids[name] = next(_next_adapter_id)
    return _adapter_ids[name]


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
    """Every argument of vLLM's LLM. `adapters` counts the distinct adapters the engine will ever see.

    `max_num_seqs` limits how many requests are computed together; None leaves it to vLLM, or to what a CPU can use.
    `structured`: answers are held to choices or schemas, for which vLLM needs the tokenizer. JSON comes without white
    space then: small models fill whole answers with it. `tensor_parallel` devices share each layer.
    """
    arguments: dict[str, Any] = {
        "model": str(folder),
        "skip_tokenizer_init": not structured,
        "load_format": "safetensors",
        "generation_config": "vllm",
        "dtype": dtype,
        "seed": 0,
        "max_model_len": max_model_len,
        "kv_cache_memory_bytes": kv_cache_bytes,
        "enforce_eager": on_cpu,
        "enable_prefix_caching": True,
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
    """Arguments of vLLM's SamplingParams; only the given ids end an answer. No prompt log probability is asked for."""
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
    """vLLM's form of the sampling."""
    from vllm import SamplingParams
    from vllm.sampling_params import StructuredOutputsParams

    arguments = sampling_arguments(sampling)
    if "structured_outputs" in arguments:
        arguments["structured_outputs"] = StructuredOutputsParams(**arguments["structured_outputs"])
    return SamplingParams(**arguments)


class VllmModel:
    """A loaded model. EngineFailed when it cannot start, or stops half way; OutOfMemory where less at once may do.

    It is waited for `config.patience_s` without a token; what that means for one in this process, see watch.py.
    `cached_tokens` counts prompt tokens whose computation the prefix cache saved; vLLM 0.32 says so with each answer,
    also where its statistics are off.
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
            except Exception as error:  # vLLM raises many kinds; a user needs one line of any.
                reap()
                raise self._why_it_did_not_start(error, name) from error
        self._watch = Watch(self._llm.llm_engine.engine_core, config.patience_s, config.say)
        self.at_once = self._at_once(arguments)

    def _at_once(self, arguments: dict[str, Any]) -> AtOnce:
        """What vLLM made of the arguments."""
        scheduler = self._llm.llm_engine.vllm_config.scheduler_config
        decided = {"max_num_seqs": scheduler.max_num_seqs, "max_num_batched_tokens": scheduler.max_num_batched_tokens}
        return asked_at_once(arguments | decided)

    def answer(self, requests: Sequence[Request], max_model_len: int) -> Iterator[Completion]:
        """Submit every request, then step the engine; a request that is refused fails alone."""
        engine = self._llm.llm_engine
        vocabulary = vocabulary_of(self.renderer.config)
        running: dict[str, Request] = {}
        self._watch.progress()
        try:
            for request in requests:
                problem = problem_of(request, max_model_len, vocabulary) or self._submit(request, running)
                if problem:
                    yield failed(request, problem)
            while engine.has_unfinished_requests():
                for output in self._step():
                    if output.finished:
                        yield self._completion(running.pop(output.request_id), output)
        except Exception as error:  # A dead process, or whatever the model raised in this one.
            self.broken = True
            raise self._why_it_stopped(error, len(running)) from error
        finally:
            if running and not self.broken:
                with suppress(Exception):  # An engine that dies now is asked nothing more.
                    engine.abort_request(list(running))

    def _step(self) -> list[Any]:
        """What the next step gives: requests with new tokens."""
        with self._watch.waiting():
            outputs: list[Any] = self._llm.llm_engine.step()
            if outputs:
                self._watch.progress()
        return outputs

    def _why_it_did_not_start(self, error: Exception, name: str) -> UserError:
        traceback = self._log.fatal()
        if self._was_exhausted(error, traceback):
            return OutOfMemory(raised(traceback) or first_line(error))
        return environment.why_not(error, raised(traceback), name)

    def _why_it_stopped(self, error: Exception, left: int) -> EngineFailed:
        traceback = self._log.fatal()
        reason = self._watch.reason if self._watch.silent else raised(traceback) or self._watch.reason
        reason = reason or first_line(error)
        if self._was_exhausted(error, traceback) and not self._watch.silent:
            return OutOfMemory(reason)
        return EngineFailed(
            f"vllm stopped with {left} answers to go: {reason}. Finished answers are kept; run again to ask the rest"
        )

    def _was_exhausted(self, error: Exception, traceback: str) -> bool:
        """Memory ran out: the error says so, or the engine's own processes, or the system, which then kills."""
        said = f"{type(error).__name__} {error} {traceback}"
        return is_out_of_memory(said) or (not environment.in_process() and killed_for_memory() > self._killed)

    def _submit(self, request: Request, running: dict[str, Request]) -> str | None:
        """Hand one request to vLLM; returns why it was refused."""
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

    def encode(self, text: str) -> list[int]:
        """Token ids of bare text."""
        return list(self.renderer.tokenizer.encode(text, add_special_tokens=False))

    def device_bytes(self) -> int | None:
        """Most memory that the engine has held on its CUDA devices; None without one, or without an answer."""
        try:
            with self._watch.waiting():
                found: list[int | None] = self._llm.collective_rpc("reserved_device_bytes")
        except Exception:  # All answers are there; what comes next finds out what is wrong.
            self.broken = True
            return None
        known = [held for held in found if held is not None]
        return sum(known) if known else None

    def reset(self) -> None:
        """Forget cached prefixes."""
        with self._watch.waiting():
            self._llm.reset_prefix_cache()

    def close(self) -> None:
        """Free the model and its process."""
        if self._llm is None:
            return
        self._watch.close()
        with environment.collecting_later():
            self._llm.llm_engine.engine_core.shutdown(timeout=GRACE_S)
        reap()
        self._llm = None
        gc.collect()


class DeviceMemory:
    """Extends vLLM's worker class (its `worker_extension_cls`)."""

    def reserved_device_bytes(self) -> int | None:
        """Most memory that torch has held on the worker's CUDA device so far; None without one."""
        import torch

        return int(torch.cuda.max_memory_reserved()) if torch.cuda.is_available() else None
