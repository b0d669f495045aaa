"""Build requests to `/v1/completions`, and parse their responses.

Prompts are sent as token ids. If the server returns ids, they are decoded as for every engine; otherwise its text is
used. An answer to any other ids ends the run.
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
    """Whether the server supports vLLM's fields. `card` is the model's entry of `/v1/models`."""
    return card.get("owned_by") == "vllm"


def body(request: Request, name: str, card: Mapping[str, Any]) -> dict[str, Any]:
    """Build the JSON of one request. Every field that changes an answer is set: servers have their own defaults.

    Raises UserError if the answer is constrained and the server does not support it.
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
            f"'{name}': answers constrained to choices or a JSON schema need a server that supports "
            "structured_outputs, as vLLM does. Leave out suites with choice= or json_schema=, or serve the model with "
            "vLLM"
        )
    return sent


def read(
    request: Request,
    response: Mapping[str, Any],
    name: str,
    decode: Callable[[list[int]], str],
    url: str,
    latency_ms: float | None,
) -> Completion:
    """Parse a server's response. Raises EngineFailed if it is of another model or for another prompt.

    A response that is not a usable completion fails alone.
    """
    try:
        choice, used = response["choices"][0], response["usage"]
        prompt_tokens, output_tokens = int(used["prompt_tokens"]), int(used["completion_tokens"])
        text, reason = choice["text"], choice["finish_reason"]
        if not isinstance(text, str):
            raise TypeError(f"its text is {str(text)[:40]!r}")
        ids, own_prompt = _ids(choice.get("token_ids")), _ids(choice.get("prompt_token_ids"))
        logprobs_reply = choice.get("logprobs") or {}
    except (KeyError, IndexError, TypeError, ValueError, AttributeError, OverflowError) as error:
        return failed(request, f"{url}: the response is not a completion: {type(error).__name__} {error}")
    if response.get("model") not in (None, name):
        raise EngineFailed(
            f"{url}: the model '{name}' was requested and '{response['model']}' answered. Request it by that name, or "
            f"serve '{name}'"
        )
    if prompt_tokens != len(request.ids) or own_prompt not in (None, list(request.ids)):
        raise EngineFailed(
            f"{url}: {len(request.ids)} token ids were sent, and the answer is to {prompt_tokens} other tokens. "
            "Expected a server that accepts a list of token ids as the prompt and adds nothing to it"
        )
    if reason not in ("stop", "length"):
        return failed(request, f"{url} ended the answer with '{reason}'")
    if reason == "length" and output_tokens < request.sampling.max_tokens:
        return failed(
            request,
            f"{url} cut the answer at {output_tokens} of {request.sampling.max_tokens} tokens by its own limit",
        )
    try:
        options = _options(request, logprobs_reply)
        logprobs = tuple(map(_finite, logprobs_reply["token_logprobs"])) if request.sampling.logprobs else ()
        pieces = (
            tuple(zlib.crc32(str(t).encode()) for t in logprobs_reply["tokens"]) if request.sampling.logprobs else ()
        )
    except (KeyError, IndexError, TypeError, ValueError, AttributeError, OverflowError):
        return failed(request, f"{url} returned no log probabilities")
    if ids is None:
        return Completion(
            key=request.key,
            text=text.encode("utf-16", "surrogatepass").decode("utf-16", "replace"),  # A cut may halve a character.
            finish_reason=reason,
            prompt_tokens=prompt_tokens,
            output_tokens=output_tokens,
            latency_ms=latency_ms,
            output_ids=pieces,
            logprobs=logprobs,
            option_logprobs=options,
        )
    if len(ids) != output_tokens:
        return failed(request, f"{url} reports {output_tokens} generated tokens and returned {len(ids)}")
    stopped = len(answer_ids(ids, request.sampling.stop_ids)) < len(ids)
    if stopped != (reason == "stop"):
        return failed(
            request, f"{url} ended the answer with '{reason}' at a token that is not one of the model's end tokens"
        )
    return finished(request, ids, decode, logprobs=logprobs, option_logprobs=options, latency_ms=latency_ms)


def _options(request: Request, logprobs_reply: Mapping[str, Any]) -> tuple[float, ...]:
    """Return the log probabilities of the request's options at the first token. Raises KeyError if one is missing."""
    if not request.sampling.logprob_ids:
        return ()
    first = logprobs_reply["top_logprobs"][0]
    return tuple(_finite(first[f"token_id:{token}"]) for token in request.sampling.logprob_ids)


def _ids(value: Any) -> list[int] | None:
    """Return token ids, or None without any. Raises TypeError for anything else."""
    if value is not None and not (isinstance(value, list) and all(type(one) is int and one >= 0 for one in value)):
        raise TypeError(f"token ids are {str(value)[:40]!r}")
    return value


def _finite(value: Any) -> float:
    """Parse a finite number. Raises ValueError for anything else."""
    number = float(value)
    if not math.isfinite(number):
        raise ValueError(number)
    return number
