"""Names of variants, the outcomes of gates and what several come to together."""

from collections.abc import Collection
from typing import Literal

SCHEMA_VERSION = 1
BASELINE = "baseline"
CANDIDATE = "tuned"
FLOOR = "keyword_floor"
ACCEPTED = "accepted"
"""Given for a baseline: each suite's own baseline.json."""

Outcome = Literal["pass", "fail", "inconclusive", "skipped", "error"]
Side = Literal["two", "lower", "upper"]


def combine_outcomes(outcomes: Collection[Outcome]) -> Outcome:
    """Combine outcomes: all pass is a pass, any failure or error a failure; none or only skipped is skipped."""
    distinct = set(outcomes)
    if distinct <= {"skipped"}:
        return "skipped"
    if distinct & {"fail", "error"}:
        return "fail"
    return "pass" if distinct == {"pass"} else "inconclusive"
