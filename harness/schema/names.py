"""Names and closed lists of words that every part uses: variants, outcomes, rules, and the layout's version."""

from typing import Literal

SCHEMA_VERSION = 1
BASELINE = "baseline"
CANDIDATE = "tuned"
FLOOR = "keyword_floor"
ACCEPTED = "accepted"
"""Given for a baseline: each suite's own baseline.json."""

Outcome = Literal["pass", "fail", "inconclusive", "skipped", "error"]
Rule = Literal["at_least", "at_most", "improves", "no_worse", "reduces", "never"]
Side = Literal["two", "lower", "upper"]
