"""May this adapter be merged? Looks for a sealed run whose every gate passed on exactly these weights."""

from __future__ import annotations

from pathlib import Path

from harness.checkpoints import resolve
from harness.errors import GateFailed, UserError
from harness.schema import CANDIDATE
from harness.store import check_seal, load_manifest, load_verdicts


def passing_run(adapter: str, root: Path, ungated: str | None) -> str:
    """One sentence for the model card: which run approved the adapter, or why it is merged without one.

    Raises GateFailed when no run approves and no reason was given, UserError when `adapter` is not an adapter.
    """
    checkpoint = resolve(adapter)
    if checkpoint.kind != "adapter":
        raise UserError(f"{adapter}: is a whole model, not an adapter. Name a folder with adapter_config.json")
    if ungated is not None:
        if not ungated.strip():
            raise UserError("--ungated needs a reason. It is written into the model card")
        return f"merged without a passing verdict: {ungated.strip()}"
    latest = "none of them evaluated this adapter"
    for folder in sorted(root.iterdir(), reverse=True) if root.is_dir() else []:
        if not (folder / "MANIFEST.sha256").exists():
            continue
        manifest = load_manifest(folder)
        seen = manifest.checkpoints.get(CANDIDATE)
        if manifest.kind != "eval" or seen is None or seen.adapter_digest != checkpoint.adapter_digest:
            continue
        if manifest.asked_twice:  # it says nothing of the adapter against anything else
            continue
        verdicts = load_verdicts(folder)
        if verdicts and not check_seal(folder) and all(v.outcome == "pass" for v in verdicts):
            return f"approved by run {manifest.run_id}: {len(verdicts)} gates passed"
        short = sum(v.outcome != "pass" for v in verdicts)
        latest = f"{manifest.run_id} has {short} of {len(verdicts)} gates not passed"
        break
    raise GateFailed(
        f"{adapter}: no passing verdict in {root} ({latest}). Evaluate it with --baseline first, "
        "or merge with --ungated REASON"
    )
