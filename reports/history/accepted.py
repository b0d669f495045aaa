"""Which runs the committed baseline.json files name. A file that cannot be read names none; comparing says why."""

from __future__ import annotations

from pathlib import Path

import msgspec
from msgspec import Struct

from harness.accepted import BASELINE_FILE
from harness.store import UNREADABLE


class _Named(Struct):
    suite: str
    run_id: str


def accepted_below(suites: Path) -> set[tuple[str, str]]:
    """Suite and run of every accepted baseline below a folder of suites."""
    found = set()
    for file in sorted(suites.glob(f"*/*/{BASELINE_FILE}")):
        try:
            named = msgspec.json.decode(file.read_bytes(), type=_Named)
        except (OSError, *UNREADABLE):
            continue
        found.add((named.suite, named.run_id))
    return found
