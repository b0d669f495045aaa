"""May these weights be merged or served? Looks for a sealed run whose every gate passed on exactly them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from msgspec import Struct

from harness.checkpoints import resolve
from harness.errors import GateFailed, UserError
from harness.schema import CANDIDATE, Checkpoint, Manifest, Verdict
from harness.store import SEAL, check_seal, load_manifest, load_verdicts


class Approval(Struct, frozen=True, kw_only=True):
    """Why weights may be merged or served."""

    says: str
    """One sentence: which run approved them, or the reason that stands in its place."""
    run: Path | None = None
    """Folder of the run whose every gate passed; None where a reason was given instead."""


def passing_run(adapter: str, root: Path, ungated: str | None) -> str:
    """One sentence for the model card: which run approved the adapter, or why it is merged without one.

    Raises GateFailed when no run approves and no reason was given, UserError when `adapter` is not an adapter.
    """
    checkpoint = resolve(adapter)
    if checkpoint.kind != "adapter":
        raise UserError(f"{adapter}: is a whole model, not an adapter. Name a folder with adapter_config.json")
    return approve(checkpoint, root, ungated, "merge").says


def approve(checkpoint: Checkpoint, root: Path, ungated: str | None, verb: str) -> Approval:
    """The newest evaluation of exactly these weights, where its every gate passed, or the reason to `verb` without.

    GateFailed where neither is there.
    """
    if ungated is not None:
        return Approval(says=f"{verb}d without a passing verdict: {reason_of(ungated)}")
    latest = "none of them evaluated these weights"
    if found := _newest(checkpoint, root):
        folder, manifest = found
        verdicts = load_verdicts(folder)
        if _passed(folder, verdicts):
            return Approval(says=f"approved by run {manifest.run_id}: {len(verdicts)} gates passed", run=folder)
        short = sum(v.outcome != "pass" for v in verdicts)
        latest = f"{manifest.run_id} has {short} of {len(verdicts)} gates not passed"
    raise GateFailed(
        f"{checkpoint.name}: no passing verdict in {root} ({latest}). Evaluate it with --baseline first, "
        f"or {verb} with --ungated REASON"
    )


def reason_of(ungated: str) -> str:
    """The reason that was given for doing without a verdict; an empty one is a UserError."""
    if not ungated.strip():
        raise UserError("--ungated needs a reason. It is kept with what is made without a verdict")
    return ungated.strip()


def verdict_on(checkpoint: Checkpoint, root: Path) -> str | None:
    """One sentence for the model card on the newest evaluation of exactly these weights; None where there is none."""
    found = _newest(checkpoint, root)
    if found is None:
        return None
    folder, manifest = found
    verdicts = load_verdicts(folder)
    if _passed(folder, verdicts):
        return f"Passed: {len(verdicts)} of {len(verdicts)} gates of run {manifest.run_id}."
    if check_seal(folder):
        return f"Not passed: run {manifest.run_id} is not as it was sealed."
    short = [f"{v.suite} {v.gate}: {v.outcome}" for v in verdicts if v.outcome != "pass"]
    listed = "; ".join(short) or "none was judged"
    return f"Not passed: {len(short)} of {len(verdicts)} gates of run {manifest.run_id} ({listed})."


def _passed(folder: Path, verdicts: Sequence[Verdict]) -> bool:
    return bool(verdicts) and not check_seal(folder) and all(v.outcome == "pass" for v in verdicts)


def _newest(checkpoint: Checkpoint, root: Path) -> tuple[Path, Manifest] | None:
    """The newest sealed evaluation of exactly these weights, adapter and tokenizer, whatever served them."""
    for folder in sorted(root.iterdir(), reverse=True) if root.is_dir() else []:
        if not (folder / SEAL).exists():
            continue
        manifest = load_manifest(folder)
        seen = manifest.checkpoints.get(CANDIDATE)
        if manifest.kind != "eval" or seen is None or manifest.asked_twice:  # asked twice, it is against itself
            continue
        if seen.digest == checkpoint.digest:
            return folder, manifest
    return None
