"""Refuses a training whose rows hold text of a suite's cases, or records why it is allowed. Knows no model."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from harness.errors import UserError
from training.curation import suite_index
from training.curation.contamination import Leak, overlap
from training.curation.sample import Sample, short, shown
from training.rows import Row

WITHOUT_SUITES = "--no-contamination-check"
"""The option of `tunegate train` that allows a training where no suite is found."""
LISTED = 20
RECORDED = 100


def refuse_contaminated(
    rows: Sequence[Row],
    suites: Sequence[str],
    allowed: str | None,
    say: Callable[[str], None],
    without_suites: bool = False,
) -> dict[str, Any]:
    """Compare rows with every case of the suites (none named: the project's) and return what a run records of it.

    Contaminated rows are one UserError that lists row, suite, case and passage, unless `allowed` gives a reason. So is
    a project without a suite, unless the user asked to train `without_suites`.
    """
    started = time.perf_counter()
    folders = suite_index.project_suites(suites, shipped=False)
    index = suite_index.load(folders) if folders else None
    for text in index.missing if index else ():
        say(f"training: {text}")
    if index is None or not index.suites:
        if not without_suites:
            raise UserError(_not_found(index.missing if index else []))
        say(f"training: no row was compared with a suite ({WITHOUT_SUITES})")
        return {"cases": 0, "unchecked": WITHOUT_SUITES}
    leaks = overlap(Sample(rows), index).leaks
    cases = sum(index.suites.values())
    record: dict[str, Any] = {"cases": cases, "suites": index.suites, "rows": len(leaks)}
    if not leaks:
        seconds = time.perf_counter() - started
        say(f"training: no row holds text of the {cases:,} cases of {len(index.suites)} suites ({seconds:.1f} s)")
        return record
    if allowed is None:
        raise UserError(_refusal(rows, leaks))
    say(f"training: rows that hold text of a suite's cases: {len(leaks):,}; allowed: {shown(allowed)}")
    return {**record, "allowed": allowed, "leaks": [_facts(rows, leak) for leak in leaks[:RECORDED]]}


def _not_found(missing: Sequence[str]) -> str:
    where = f"no folder evalsuites is in {Path.cwd()}, or in the folder of the configuration or above it"
    return (
        f"no suite was found, so no training row can be compared with its cases: {'; '.join(missing) or where}. Name "
        f"the folders in 'data.suites', or train without the comparison: {WITHOUT_SUITES}"
    )


def _refusal(rows: Sequence[Row], leaks: Sequence[Leak]) -> str:
    listed = "\n".join(
        f"  {rows[leak.row].where}: {leak.says}: {shown(leak.case)}: “{shown(short(leak.span))}”"
        for leak in leaks[:LISTED]
    )
    more = f"\n  and {len(leaks) - LISTED:,} more" if len(leaks) > LISTED else ""
    return (
        f"rows that hold text of a suite's cases, so that its scores would mean nothing: {len(leaks):,}. Take them out "
        f"with `tunegate data clean`, or give the reason why they may stay in 'data.allow_contaminated'\n{listed}{more}"
    )


def _facts(rows: Sequence[Row], leak: Leak) -> dict[str, Any]:
    return {
        "row": rows[leak.row].where,
        "suite": leak.part.suite,
        "case": leak.part.case_id,
        "words": leak.words,
        "of_row": round(leak.of_row, 3),
        "of_case": round(leak.of_case, 3),
    }
