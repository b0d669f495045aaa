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
    """Only passes make a pass; one failure or error fails; no outcome, or none but skipped, is not judged."""
    found = set(outcomes)
    if found <= {"skipped"}:
        return "skipped"
    if found & {"fail", "error"}:
        return "fail"
    return "pass" if found == {"pass"} else "inconclusive"
