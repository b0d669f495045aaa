"""Choose each variant's renderer, and describe differences of tokenizers or chat templates."""

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
    """Return the renderer of each variant; variants with one tokenizer and chat template share it."""
    if all(c.kind == "imported" for c in checkpoints.values()) or traits_of(config.name).is_scripted:
        return dict.fromkeys(checkpoints, PlainRenderer())
    shared: dict[str, Rendering] = {}
    for variant in sorted(checkpoints, key=lambda v: v != CANDIDATE):
        checkpoint = checkpoints[variant]
        if checkpoint.tokenizer_digest not in shared:
            shared[checkpoint.tokenizer_digest] = Renderer.of(checkpoint)
    return {variant: shared[c.tokenizer_digest] for variant, c in checkpoints.items()}


def notes(checkpoints: Mapping[str, Checkpoint], plan: RunPlan) -> Iterator[str]:
    """Describe which variants received their own prompts, and why."""
    before, after = checkpoints.get(BASELINE), checkpoints[CANDIDATE]
    if before and before.tokenizer_digest != after.tokenizer_digest:
        what = _differing(tokenizer_folder(before), tokenizer_folder(after), "s")
        both = f"{before.name} ({BASELINE}) and {after.name} ({CANDIDATE})"
        same = ". The weights are the same, so the prompts are all that differs" if _same_weights(before, after) else ""
        yield f"{both} have different {what}, {_in_ids(plan)}. {PAIRED}{same}"
    for variant, checkpoint in checkpoints.items():
        if brings_tokenizer(checkpoint):
            what = _differing(CheckpointFolder(checkpoint.path), tokenizer_folder(checkpoint))
            yield (
                f"{checkpoint.name} ({variant}): the adapter brings another {what} than its base model; its prompts "
                "are rendered with it"
            )


def _differing(one: CheckpointFolder, other: CheckpointFolder, plural: str = "") -> str:
    return tokenizers_differ(one, other).replace(" and ", f"{plural} and ") + plural


def _same_weights(one: Checkpoint, other: Checkpoint) -> bool:
    weights = [(c.base_digest, c.adapter_digest) for c in (one, other)]
    return bool(one.base_digest) and weights[0] == weights[1]


def _in_ids(plan: RunPlan) -> str:
    """Count the cases in which the token ids of both variants differ."""
    same, cases = plan.asks.same_ids(BASELINE, CANDIDATE)
    if same == cases:
        return f"but the token IDs of all {cases} prompts are the same"
    return f"so each received prompts of its own: the token IDs differ for {cases - same} of {cases} cases"
