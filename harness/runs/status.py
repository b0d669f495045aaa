"""Decide what a run may claim: its verdicts if it finished, was sealed and did not change since, else none."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Literal

from msgspec import Struct, structs

from harness.schema import Manifest, Verdict

Word = Literal["finished", "running", "interrupted", "failed", "not sealed", "changed"]

REASONS: dict[str, str] = {
    "running": "the run is not finished",
    "interrupted": "the run was interrupted before it finished",
    "failed": "the run failed before it finished",
    "not sealed": "the run was not sealed, so nothing shows that its files are unchanged",
}


class Standing(Struct, frozen=True, kw_only=True):
    """How a run ended, and whether its files are unchanged."""

    word: Word = "finished"
    """Only `finished` may claim its verdicts."""
    changed: tuple[str, ...] = ()
    """Files that changed, appeared or vanished after sealing."""

    @property
    def is_claim(self) -> bool:
        """Whether the run may claim its verdicts."""
        return self.word == "finished"

    @property
    def reason(self) -> str:
        """Why the run may not claim its verdicts, without a full stop; empty where it may."""
        if self.word == "changed":
            return f"{' and '.join(self.changed)} changed after the run was sealed"
        return REASONS.get(self.word, "")

    @property
    def says(self) -> str:
        """The reason as a sentence for a view: `No verdict: the run is not finished.`"""
        return f"No verdict: {self.reason}." if self.reason else ""


def standing(status: str, *, is_sealed: bool, changed: Sequence[str], is_being_written: bool) -> Standing:
    """Decide what a run may claim.

    `status` is the one in its manifest, `changed` the files that differ from its seal. A run with the status `running`
    that no process writes was killed.
    """
    if is_sealed and changed:
        return Standing(word="changed", changed=tuple(changed))
    if status == "running":
        return Standing(word="running" if is_being_written else "interrupted")
    if status in ("interrupted", "failed"):
        return Standing(word="failed" if status == "failed" else "interrupted")
    return Standing(word="finished" if is_sealed else "not sealed")


def no_merge(manifest: Manifest, folder: str) -> str:
    """Say what keeps the run in a folder of this name from approving a merge by any policy; empty for nothing."""
    copied = "" if folder == manifest.run_id else f"is a renamed copy of run {manifest.run_id}"
    return manifest.no_merge or copied


def claimed(run_standing: Standing, verdicts: Iterable[Verdict]) -> list[Verdict]:
    """Return the verdicts where the run may claim them; else every gate as not judged, with the reason."""
    if run_standing.is_claim:
        return list(verdicts)
    unjudged = {"outcome": "skipped", "observed": None, "seen": "", "margin": None, "needed": None}
    return [structs.replace(verdict, **unjudged, reason=run_standing.says) for verdict in verdicts]
