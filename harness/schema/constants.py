"""What several outcomes come to together, and whether every gate has to have one."""

import os
from collections.abc import Collection
from typing import Literal

from harness.env import in_ci

SCHEMA_VERSION = 1
BASELINE = "baseline"
CANDIDATE = "tuned"
FLOOR = "keyword_floor"
ACCEPTED = "accepted"
"""Given for a baseline: each suite's own baseline.json."""

Outcome = Literal["pass", "fail", "inconclusive", "skipped", "error"]
Side = Literal["two", "lower", "upper"]


def combine_outcomes(outcomes: Collection[Outcome]) -> Outcome:
    """Only passes make a pass; one failure or error fails; no outcome, or none but skipped, is not judged."""
    found = set(outcomes)
    if found <= {"skipped"}:
        return "skipped"
    if found & {"fail", "error"}:
        return "fail"
    return "pass" if found == {"pass"} else "inconclusive"


def required_by(flag: bool | None) -> str:
    """What requires a verdict of every gate, or the empty string; without a flag, CI services do."""
    if flag is not None:
        return "--require-gates" if flag else ""
    return "--require-gates (on because CI is set; --no-require-gates turns it off)" if in_ci(os.environ) else ""
