"""Choose each variant's renderer, and describe how tokenizers, chat templates, stop tokens or contexts differ."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from harness.baseline.compare import PAIRED
from harness.checkpoints.model_files import CheckpointFolder
from harness.checkpoints.resolve import brings_tokenizer, tokenizer_folder, tokenizers_differ
from harness.engines.base import traits_of
from harness.engines.config import EngineConfig
from harness.evaluation.plan import RunPlan
from harness.schema import BASELINE, CANDIDATE, Checkpoint
from harness.suites.prompts import PlainRenderer, Renderer, Rendering


def renderers(config: EngineConfig, checkpoints: Mapping[str, Checkpoint]) -> dict[str, Rendering]:
    """Return the renderer of each variant; variants with equal tokenizer, chat template and limits share it."""
    if all(c.kind == "imported" for c in checkpoints.values()) or traits_of(config.name).is_scripted:
        return dict.fromkeys(checkpoints, PlainRenderer())
    own = {variant: Renderer.of(checkpoint) for variant, checkpoint in checkpoints.items()}
    keys = {variant: (checkpoints[variant].tokenizer_digest, own[variant].limits) for variant in own}
    shared = {keys[variant]: own[variant] for variant in sorted(own, key=lambda v: v == CANDIDATE)}
    return {variant: shared[key] for variant, key in keys.items()}


def notes(checkpoints: Mapping[str, Checkpoint], plan: RunPlan, rendering: Mapping[str, Rendering]) -> Iterator[str]:
    """Describe which variants received their own prompts, stop tokens or context, and why."""
    before, after = checkpoints.get(BASELINE), checkpoints[CANDIDATE]
    if before:
        both, what = f"{before.name} ({BASELINE}) and {after.name} ({CANDIDATE})", ""
        if before.tokenizer_digest != after.tokenizer_digest:
            what = _differing(tokenizer_folder(before), tokenizer_folder(after), "s")
            same = _same_weights(before, after)
            only = ". The weights are the same, so the prompts are all that differs" if same else ""
            yield f"{both} have different {what}, {_in_ids(plan)}. {PAIRED}{only}"
        if limits := _differing_limits(rendering[BASELINE], rendering[CANDIDATE], "tokenizer" not in what):
            yield f"{both} have different {limits}. Each answers with its own"
    for variant, checkpoint in checkpoints.items():
        if brings_tokenizer(checkpoint):
            what = _differing(CheckpointFolder(checkpoint.path), tokenizer_folder(checkpoint))
            yield (
                f"{checkpoint.name} ({variant}): the adapter brings another {what} than its base model; its prompts "
                "are rendered with it"
            )


def _differing(one: CheckpointFolder, other: CheckpointFolder, plural: str = "") -> str:
    return tokenizers_differ(one, other).replace(" and ", f"{plural} and ") + plural


def _differing_limits(one: Rendering, other: Rendering, same_tokenizer: bool) -> str:
    """Name the limits of answers that differ; the ids of stop tokens say something within one tokenizer only."""
    parts = []
    if same_tokenizer and set(one.stop_ids) != set(other.stop_ids):
        parts.append(f"stop tokens (IDs {sorted(one.stop_ids)} and {sorted(other.stop_ids)})")
    if one.max_positions != other.max_positions:
        parts.append(f"context lengths ({one.max_positions:,} and {other.max_positions:,} tokens)")
    return " and ".join(parts)


def _same_weights(one: Checkpoint, other: Checkpoint) -> bool:
    weights = [(c.base_digest, c.adapter_digest) for c in (one, other)]
    return bool(one.base_digest) and weights[0] == weights[1]


def _in_ids(plan: RunPlan) -> str:
    """Count the cases in which the token ids of both variants differ."""
    same, cases = plan.asks.same_ids()
    if same == cases:
        return f"but the token IDs of all {cases} prompts are the same"
    return f"so each received prompts of its own: the token IDs differ for {cases - same} of {cases} cases"
