"""Build requests to `/v1/completions`, and parse their responses.

Token ids go in as the prompt. Where the server gives back ids, text follows from them as for every engine; else it is
the text as it came. An answer that was not given to exactly these ids ends the run.
"""

from __future__ import annotations

import math
import zlib
from collections.abc import Callable, Mapping
from typing import Any

from harness.engines.base import answer_ids, failed, finished
from harness.errors import EngineFailed, UserError
from harness.schema import Completion, Request


def takes_extensions(card: Mapping[str, Any]) -> bool:
    """Does the server know vLLM's fields? `card` is the model's entry of `/v1/models`. Others refuse or ignore them."""
    return card.get("owned_by") == "vllm"


def body(request: Request, name: str, card: Mapping[str, Any]) -> dict[str, Any]:
    """The JSON of one request. Every field that changes an answer is given: servers have defaults of their own.

    UserError where the answer is held to a structure that the server knows nothing of.
    """
    sampling = request.sampling
    sent: dict[str, Any] = {
        "model": name,
        "prompt": list(request.ids),
        "max_tokens": sampling.max_tokens,
        "temperature": sampling.temperature,
        "seed": sampling.seed,
        "top_p": 1.0,
        "frequency_penalty": 0.0,
        "presence_penalty": 0.0,
        "n": 1,
        "stream": False,
    }
    if sampling.logprobs or sampling.logprob_ids:
        sent["logprobs"] = 1
    if takes_extensions(card):
        sent |= {
            "top_k": 0,
            "min_p": 0.0,
            "repetition_penalty": 1.0,
            "stop_token_ids": list(sampling.stop_ids),
            "ignore_eos": True,
            "add_special_tokens": False,
            "return_token_ids": True,
            "return_tokens_as_token_ids": True,
        }
        if sampling.logprob_ids:
            sent["logprob_token_ids"] = list(sampling.logprob_ids)
        if sampling.structure:
            sent["structured_outputs"] = sampling.structure
    elif sampling.structure:
        raise UserError(
            f"'{name}': answers that are held to choices or a JSON schema need a server that takes structured_outputs, "
            "as vLLM does. Leave out suites with choice= or json_schema=, or serve the model with vLLM"
        )
    return sent


def read(
    request: Request, said: Mapping[str, Any], name: str, decode: Callable[[list[int]], str], url: str, ms: float | None
) -> Completion:
    """The completion in a server's answer; EngineFailed where another model or another prompt was answered."""
    try:
        choice, used = said["choices"][0], said["usage"]
        prompt_tokens, output_tokens = int(used["prompt_tokens"]), int(used["completion_tokens"])
        text, reason = str(choice["text"]), choice["finish_reason"]
        ids, own_prompt = _ids(choice.get("token_ids")), _ids(choice.get("prompt_token_ids"))
        told = choice.get("logprobs") or {}
    except (KeyError, IndexError, TypeError, ValueError, AttributeError, OverflowError) as error:
        return failed(request, f"{url}: the answer lacks what a completion has: {type(error).__name__} {error}")
    if said.get("model") not in (None, name):
        raise EngineFailed(
            f"{url}: the model '{name}' was asked and '{said['model']}' answered. Ask for it by that name, or serve "
            f"'{name}'"
        )
    if prompt_tokens != len(request.ids) or own_prompt not in (None, list(request.ids)):
        raise EngineFailed(
            f"{url}: {len(request.ids)} token ids were sent, and the answer is to {prompt_tokens} tokens that are not "
            "these. Expected a server that takes a list of token ids as the prompt and adds nothing to it"
        )
    if reason not in ("stop", "length"):
        return failed(request, f"{url} ended the answer with '{reason}'")
    if reason == "length" and output_tokens < request.sampling.max_tokens:
        return failed(
            request,
            f"{url} cut the answer at {output_tokens} of {request.sampling.max_tokens} tokens by a limit of its own",
        )
    try:
        options = _options(request, told)
        logprobs = tuple(map(_finite, told["token_logprobs"])) if request.sampling.logprobs else ()
        pieces = tuple(zlib.crc32(str(t).encode()) for t in told["tokens"]) if request.sampling.logprobs else ()
    except (KeyError, IndexError, TypeError, ValueError, AttributeError, OverflowError):
        return failed(request, f"{url} gave no log probabilities")
    if ids is None:
        return Completion(
            key=request.key,
            text=text,
            finish_reason=reason,
            prompt_tokens=prompt_tokens,
            output_tokens=output_tokens,
            latency_ms=ms,
            output_ids=pieces,
            logprobs=logprobs,
            option_logprobs=options,
        )
    if len(ids) != output_tokens:
        return failed(request, f"{url} counts {output_tokens} generated tokens and gave {len(ids)}")
    stopped = len(answer_ids(ids, request.sampling.stop_ids)) < len(ids)
    if stopped != (reason == "stop"):
        return failed(
            request, f"{url} ended the answer with '{reason}' at a token that is none of the model's end tokens"
        )
    return finished(request, ids, decode, logprobs=logprobs, option_logprobs=options, latency_ms=ms)


def _options(request: Request, told: Mapping[str, Any]) -> tuple[float, ...]:
    """Log probabilities of the request's options at the first token; KeyError where one is missing."""
    if not request.sampling.logprob_ids:
        return ()
    first = told["top_logprobs"][0]
    return tuple(_finite(first[f"token_id:{token}"]) for token in request.sampling.logprob_ids)


def _ids(value: Any) -> list[int] | None:
    """Token ids, or None where none were given. TypeError where it is anything else."""
    if value is not None and not (isinstance(value, list) and all(type(one) is int and one >= 0 for one in value)):
        raise TypeError(f"token ids are {str(value)[:40]!r}")
    return value


def _finite(value: Any) -> float:
    """A log probability; ValueError where it is no number, since JSON has no other one."""
    number = float(value)
    if not math.isfinite(number):
        raise ValueError(number)
    return number
