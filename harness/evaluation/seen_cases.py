"""Say where a model may have been trained on the cases that judge it, by the record of its training run."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

import msgspec

from harness.checkpoints.merge import FACTS, read_facts
from harness.errors import NOT_JSON, UserError
from harness.formatting import count
from harness.runs.folder import load_manifest
from harness.schema import CANDIDATE, Checkpoint


def doubts(leaks: Mapping[str, Any] | None, of_base: str = "") -> Iterator[str]:
    """Say why scores may be too high, by a run's record of test cases among its rows, and by those of its base."""
    if leaks is None:
        return
    if leaks.get("unchecked") or not leaks.get("cases"):
        suites = "only with the suites of its validation cases" if leaks.get("cases") else "with no suite"
        known = "not recorded" if leaks.get("cases") is None else f"compared {suites}"
        yield f"The training rows{of_base} were {known}, so the model may have been trained on the cases that score it."
    if leaks.get("allowed"):
        rows = count(leaks["rows"], "training row")
        yield f"Text of a suite's cases is in {rows}{of_base}, so the scores are too high: {leaks['allowed']}"
    yield from doubts(leaks.get("base"), f"{of_base} of the base")


def notes(tuned: Checkpoint, cases: Mapping[str, int]) -> Iterator[str]:
    """Say what a model's training run recorded, and which suites have more `cases` now than it compared its rows with.

    Nothing is said of a model whose training run is not around it, or was not made here.
    """
    leaks = _recorded(tuned)
    yield from doubts(leaks)
    if leaks is None or leaks.get("unchecked") or not leaks.get("cases"):
        return
    for name, size in cases.items():
        compared = sum((leaks.get(part) or {}).get(name, 0) for part in ("suites", "uncompared"))
        if compared < size:
            yield (
                f"{name}: the training rows were compared with {compared:,} of its {count(size, 'case')}, so the model "
                "may have been trained on the others. Compare them with `tunegate data check`"
            )


def _recorded(tuned: Checkpoint) -> dict[str, Any] | None:
    """Return the record of test cases among the rows that made an adapter, or a merge; None where there is none."""
    with suppress(OSError, UserError, *NOT_JSON):
        if tuned.adapter_path is None:
            is_merge = tuned.path and (Path(tuned.path) / FACTS).is_file()
            found = read_facts(Path(tuned.path)).contamination if is_merge else None
            return None if found is None else msgspec.to_builtins(found)
        manifest = load_manifest(Path(tuned.adapter_path).parent)
        made = manifest.checkpoints.get(CANDIDATE)
        if manifest.kind == "train" and made and made.adapter_digest == tuned.adapter_digest:
            return (manifest.training or {}).get("contamination")
    return None
