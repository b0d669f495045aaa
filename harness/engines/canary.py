"""Check before a comparison that base rows are unchanged and that each tuned variant has an effect.

Greedy text is a weak sign (an adapter may change one text of twelve), so log probabilities are compared.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import msgspec
from msgspec import Struct

from harness.checkpoints.merge import merged_folder, read_facts
from harness.checkpoints.resolve import cache_dir
from harness.errors import CanaryFailed
from harness.files import digest, write_atomic
from harness.schema import Checkpoint, Completion, Request, Sampling
from harness.suites.prompts import Renderer

TEXTS = (
    "The tenant shall pay rent on the first day of each month.",
    "List the parties to this agreement and the date on which it ends.",
    "Once upon a time there was a lighthouse keeper who",
    "The governing law of this contract is the law of",
    "Question: how many days are in a leap year? Answer:",
    "def total(prices):\n    return",
)
MAX_TOKENS = 8
MAX_PROMPT_TOKENS = 32
LENGTH = MAX_PROMPT_TOKENS + MAX_TOKENS
# Two loads of equal fp32 weights may differ by this much; no adapter with an effect stays below it.
ROUNDING = 1e-5
MAX_ROUNDING = 0.25
"""Largest difference of log probabilities of one model, at two engines or after a fault, that rounding explains: bf16
logits between 16 and 32 are multiples of 0.125."""

Row = tuple[str, tuple[int, ...]]
"""Variant and prompt ids of one canary request."""
Ask = Callable[[Sequence[Row]], list[Completion]]
"""Generates for rows in one call, in order, with ids and log probabilities."""


def prompts(renderer: Renderer) -> list[tuple[int, ...]]:
    """Return the fixed canary texts as token ids of one model."""
    encode = renderer.tokenizer.encode
    return [tuple(encode(text, add_special_tokens=False)[:MAX_PROMPT_TOKENS]) for text in TEXTS]


def request(row: Row, index: int) -> Request:
    """Make the engine request of one row: greedy, with log probabilities, without end tokens."""
    variant, ids = row
    sampling = Sampling(max_tokens=MAX_TOKENS, logprobs=True)
    return Request(key=f"canary-{index}", ids=ids, sampling=sampling, variant=variant)


def gap(one: Completion, other: Completion) -> float:
    """Return the largest difference of log probabilities, up to the first different token; inf without an answer."""
    if one.error or other.error or not one.logprobs or not other.logprobs:
        return math.inf
    largest = 0.0
    for i, (a, b) in enumerate(zip(one.logprobs, other.logprobs, strict=False)):
        largest = max(largest, abs(a - b))
        if one.output_ids[i] != other.output_ids[i]:
            break
    return largest


def widest(ones: Sequence[Completion], others: Sequence[Completion]) -> float:
    """Return the largest gap of paired rows."""
    return max(gap(a, b) for a, b in zip(ones, others, strict=True))


def check_shared(ask: Ask, texts: Sequence[tuple[int, ...]], base: str, adapters: Mapping[str, Checkpoint], exact: bool,
                 reset: Callable[[], None] = lambda: None, slack: float = 1.0,
                 remedy: str = "Use --lora merge") -> dict[str, Any]:  # fmt: skip
    """Check an engine that serves the base and adapters together; returns what it found, for the manifest.

    `base` is the variant name of rows without an adapter. Base rows in a call mixed with adapter rows must equal a
    base-only call: exactly with `exact`, else within `slack` times the difference of two base-only calls of the sizes
    that are compared. Each adapter must differ from the base by more than that difference.
    CanaryFailed names the variant and ends with the remedy.
    """
    variants = [base, *adapters]
    alone = ask([(base, ids) for ids in texts])
    noise = 0.0
    if not exact:
        reset()
        repeated = ask([(base, ids) for ids in texts for _ in variants])
        noise = max(widest(alone, repeated[i :: len(variants)]) for i in range(len(variants)))
    reset()
    mixed = ask([(variant, ids) for ids in texts for variant in variants])
    by_variant = {variant: mixed[i :: len(variants)] for i, variant in enumerate(variants)}
    moved = widest(alone, by_variant[base])
    if moved > slack * noise:
        raise CanaryFailed(
            f"canary: the answers of '{base}' change by {moved:.4g} (log probability) when adapters are in the same "
            f"batch; at most {slack * noise:.4g} is noise. The engine mixes adapter weights into base rows, so nothing "
            f"was scored. {remedy}"
        )
    effects = {name: check_differs(alone, by_variant[name], name, adapters[name], noise) for name in adapters}
    return {"check": "base and adapters in one call", "noise": noise, "base_moved": moved, "effect": effects}


def check_differs(
    base: Sequence[Completion], tuned: Sequence[Completion], variant: str, checkpoint: Checkpoint, noise: float = 0.0
) -> float:
    """Return the largest difference of a tuned variant from its base. Raises CanaryFailed where it is only noise."""
    effect = widest(base, tuned)
    if not math.isfinite(effect):
        raise CanaryFailed(f"canary: '{variant}' ({checkpoint.name}) gave no log probabilities to compare")
    if effect <= max(noise, ROUNDING):
        raise CanaryFailed(
            f"canary: '{variant}' ({checkpoint.name}) answers exactly like its base model (difference "
            f"{effect:.4g}, noise {noise:.4g}). The adapter has no effect or was not applied, so nothing was scored. "
            "Check that its training changed the weights"
        )
    return effect


def check_agreement(moved: float, model: str, places: str, remedy: str) -> None:
    """Raise CanaryFailed where a model's answers differ, between engines or over time, by more than rounding."""
    if not moved <= MAX_ROUNDING:
        raise CanaryFailed(
            f"canary: {model} does not answer as before, or as at other {places}: log probabilities differ by "
            f"{moved:.4g}, and rounding explains at most {MAX_ROUNDING:g}. {remedy}, and re-run; answers "
            "without a passed canary are not used"
        )


def check_weights(checkpoint: Checkpoint, variant: str) -> dict[str, Any]:
    """Check the merge without a plain base in the run: it must have changed weights. Raises CanaryFailed."""
    facts = read_facts(merged_folder(checkpoint))
    if facts.changed_tensors == 0:
        raise CanaryFailed(
            f"canary: '{variant}' ({checkpoint.name}) changes none of its base's {facts.tensors} tensors. The adapter "
            "has no effect, so nothing was scored. Check that its training changed the weights"
        )
    return {"check": "weights only, without the answers of a plain base", "changed_tensors": facts.changed_tensors}


class Reference(Struct, frozen=True, kw_only=True):
    """Canary rows of one plain model."""

    rows: list[Completion]
    """One per text."""
    noise: float
    """Difference of repeated calls of different sizes; 0 where results are exact."""


def take(
    ask: Ask, texts: Sequence[tuple[int, ...]], variant: str, exact: bool, reset: Callable[[], None] = lambda: None
) -> Reference:
    """Run the canary rows on a plain model; twice where results are not exact, to measure the noise."""
    rows = ask([(variant, ids) for ids in texts])
    if exact:
        return Reference(rows=rows, noise=0.0)
    reset()
    again = ask([(variant, ids) for ids in texts for _ in range(2)])
    return Reference(rows=rows, noise=max(widest(rows, again[::2]), widest(rows, again[1::2])))


def reference_file(facts: Mapping[str, str], base: Checkpoint) -> Path:
    """Return the cache file of a base's canary rows, for later merged variants; it depends on the tokenizer."""
    content = [dict(facts), base.base_digest, base.tokenizer_digest, list(TEXTS), MAX_TOKENS]
    return cache_dir() / "canary" / f"{digest(content)[:32]}.json"


def load_reference(file: Path) -> Reference | None:
    """Read cached canary rows, or None."""
    try:
        return msgspec.json.decode(file.read_bytes(), type=Reference)
    except (OSError, msgspec.MsgspecError):
        return None


def save_reference(file: Path, reference: Reference) -> None:
    """Cache canary rows; they only save time, so a failed write is no error."""
    with suppress(OSError):
        write_atomic(file, msgspec.json.encode(reference), parents=True, shared=True)
