"""`tunegate merge`: merges an adapter into its base, measures parity with the adapter, and writes a model card.

`harness.checkpoints.merge` computes the weights. Parity is measured over every position of fixed prompts.
"""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec
from msgspec import Struct

from harness.checkpoints import merge as checkpoints_merge
from harness.checkpoints import quantization
from harness.checkpoints.model_files import CheckpointFolder
from harness.checkpoints.resolve import resolve
from harness.checkpoints.weights import load_adapter, load_model
from harness.errors import NOT_JSON, UserError
from harness.runs.folder import SEAL, RunData, load_manifest, load_run
from harness.schema import BASELINE, CANDIDATE, Checkpoint
from harness.suites.prompts import Renderer
from training import model_card

PARITY = "parity.json"
QUESTIONS = (
    "Which clauses does this excerpt contain? The entire unpaid balance shall become due upon sale of the property.",
    "The tenant shall pay rent on the first day of each month. When is rent due?",
    "Summarize in one sentence: the buyer deposits earnest money with the broker within three days.",
    "Name three things that a purchase and sale agreement usually states.",
    "What is the capital of Georgia?",
    "Write a short letter to a landlord about a broken heater.",
)


class ParityReport(Struct, frozen=True, kw_only=True):
    """Difference between a merged model and its adapter over every position of fixed prompts; parity.json."""

    positions: int
    """Token positions compared."""
    mean_kl: float
    """Mean Kullback-Leibler divergence of the merged model from the adapter's next-token distribution, in nats."""
    max_kl: float
    """Largest divergence."""
    equal_top: float
    """Share of positions where both rank the same token first."""
    effect_kl: float
    """Mean divergence of the base from the adapter, as a scale for the others."""
    dtype: str
    """Number format of both models; the adapter's base is the unmerged one."""
    base_quantisation: str | None = None
    """`nf4` if the adapter was compared on its base in NF4, as it was trained."""

    @property
    def summary(self) -> str:
        """The report in one sentence."""
        base = " on its NF4 base" if self.base_quantisation else ""
        return (
            f"merged against adapter{base} over {self.positions} positions: mean KL {self.mean_kl:.5f}, largest "
            f"{self.max_kl:.4f}, same top token {self.equal_top:.1%}; the adapter's own effect is {self.effect_kl:.4f}"
        )


def merge(
    adapter: str, out: Path, *, approval: str = "", shown_by: Sequence[str] = (), approved_digest: str = ""
) -> ParityReport:
    """Write the merged model to the new folder `out`, with parity.json and a model card.

    The model card states `approval`, the reason for the merge, and `shown_by`, its evidence. Raises UserError where
    `out` exists, `adapter` is no adapter or not what was approved, nobody judged it on another base than it was trained
    on, the merged model reads prompts differently or gives no finite numbers, or the disk refuses the model.
    """
    checkpoint = resolve(adapter)
    if approved_digest and checkpoint.digest != approved_digest:
        raise UserError(f"{adapter}: its files changed after they were approved, so they were not merged. Run it again")
    if checkpoint.kind != "adapter":
        raise UserError(f"{adapter}: is a whole model, not an adapter. Name a folder with adapter_config.json")
    out = Path(out)
    if out.exists() or out.is_symlink():
        raise UserError(f"{out}: already exists. Choose a new folder")
    run = _training_of(checkpoint)
    trained_on = run.manifest.checkpoints[BASELINE].base_digest if run else checkpoint.base_digest
    if trained_on != checkpoint.base_digest and not approved_digest:
        raise UserError(
            f"{checkpoint.path}: has other weights ({checkpoint.base_digest[:12]}) than the base that the adapter was "
            f"trained on ({trained_on[:12]}). Restore those, or evaluate the adapter on these"
        )
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=out.parent, prefix=".merging-") as work:
            merged = Path(work) / "model"
            record = (run.manifest.training or {}) if run and trained_on == checkpoint.base_digest else {}
            known = record.get("contamination") or contamination_of_base(Path(checkpoint.path)) or None
            found = msgspec.convert(known, checkpoints_merge.Contamination | None)
            facts = checkpoints_merge.merge_into(checkpoint, merged, found)
            report = parity(checkpoint, merged, facts.dtype)
            (merged / PARITY).write_bytes(msgspec.json.format(msgspec.json.encode(report), indent=2))
            reason = "\n".join(
                [f"{approval or 'merged without a verdict'}.", "", *(f"- {evidence}" for evidence in shown_by)]
            )
            model_card.write_merged_card(checkpoint, merged, facts, report.summary, reason.strip(), run, out)
            merged.rename(out)
    except OSError as error:
        raise UserError(f"{out}: the merged model cannot be written: {error.strerror or error}. Free space") from None
    return report


def contamination_of_base(folder: Path) -> dict[str, Any]:
    """Return the record of a base that is a merge, as the field `base`, which is empty where nothing is known."""
    if not (folder / checkpoints_merge.FACTS).is_file():
        return {}
    try:
        return {"base": msgspec.to_builtins(checkpoints_merge.read_facts(folder).contamination) or {}}
    except (OSError, *NOT_JSON):
        return {"base": {}}


def _training_of(checkpoint: Checkpoint) -> RunData | None:
    """Return the finished training run of the adapter, if it is in its run folder as it was trained."""
    folder = Path(checkpoint.adapter_path or "").parent
    if not (folder / SEAL).is_file():
        return None
    manifest = load_manifest(folder)
    trained = manifest.checkpoints.get(CANDIDATE)
    is_known = manifest.kind == "train" and trained and trained.adapter_digest == checkpoint.adapter_digest
    return load_run(folder) if is_known else None


def parity(checkpoint: Checkpoint, merged: Path, dtype: str) -> ParityReport:
    """Compare the adapter on its base in `dtype` with the merged weights in `dtype`.

    An adapter that was trained on an NF4 base (QLoRA, arXiv 2305.14314) is compared on that base. Raises UserError
    where the merged folder gives other token ids, or one of the two no numbers.
    """
    import torch

    renderer = Renderer(merged)
    prompts, expected = (
        [list(each.prompt([{"role": "user", "content": text}]).ids) for text in QUESTIONS]
        for each in (renderer, Renderer.of(checkpoint))
    )
    if prompts != expected:
        raise UserError(
            f"{checkpoint.name}: the merged model reads prompts as other tokens than the adapter. Save its tokenizer "
            "again with transformers, then evaluate it"
        )
    adapter = CheckpointFolder(checkpoint.adapter_path or "")
    form = quantization.of_adapter(adapter)
    base = quantization.load_nf4(Path(checkpoint.path)).eval() if form else _load(checkpoint.path, dtype)
    tuned, plain = _adapter_logprobs(base, adapter, prompts)
    del base
    merged_logprobs = _logprobs(_load(str(merged), dtype), prompts)
    if any(each.isnan().any() for each in (*tuned, *merged_logprobs)):
        raise UserError(
            f"{checkpoint.name}: in {dtype}, the adapter or its merged model gives no finite numbers. Save the base "
            "as bfloat16 or float32, or lower the adapter's scale"
        )
    divergence = _divergence(tuned, merged_logprobs)
    equal = torch.cat([(t.argmax(-1) == m.argmax(-1)).float() for t, m in zip(tuned, merged_logprobs, strict=True)])
    return ParityReport(
        positions=len(divergence),
        mean_kl=float(divergence.mean()),
        max_kl=float(divergence.max()),
        equal_top=float(equal.mean()),
        effect_kl=float(_divergence(tuned, plain).mean()),
        dtype=dtype,
        base_quantisation=form,
    )


def _load(folder: str, dtype: str) -> Any:
    import torch

    model = load_model(folder, dtype=getattr(torch, dtype)).eval()
    return model.to("cuda" if torch.cuda.is_available() else "cpu")


def _adapter_logprobs(base: Any, adapter: CheckpointFolder, prompts: list[list[int]]) -> tuple[list[Any], list[Any]]:
    """Return the log probabilities with the adapter, and those of the base alone."""
    checkpoints_merge._resize(base, adapter)
    model = load_adapter(base, adapter.path).eval()
    tuned = _logprobs(model, prompts)
    with model.disable_adapter():
        return tuned, _logprobs(model, prompts)


def _logprobs(model: Any, prompts: list[list[int]]) -> list[Any]:
    """Return one tensor of shape (tokens, vocabulary) per prompt, float32, on the CPU."""
    import torch

    with torch.inference_mode():
        inputs = (torch.tensor([ids], device=model.device) for ids in prompts)
        return [torch.log_softmax(model(input_ids=ids).logits[0].float().cpu(), -1) for ids in inputs]


def _divergence(reference: list[Any], other: list[Any]) -> Any:
    """Return KL(reference || other), the sum over tokens of p (log p - log q), with shape (positions,)."""
    import torch

    return torch.cat([(r.exp() * (r - o)).sum(-1) for r, o in zip(reference, other, strict=True)])
