"""The keyword floor: one regular expression a clause type. Knows no model, and nothing of a text but its words.

Every expression holds the wording that common forms use for the clause. None was fitted to the cases.
"""

import re

from harness.schema import Case

PATTERNS = {
    "due on sale": r"due[- ]on[- ](?:sale|transfer)|(?:sell|sold|sale|convey|transfer)\w*\b.{0,120}\b(?:due and payable|"
    r"in full|declare|demand|call the loan)",
    "assignment of rents": r"assign\w*\b.{0,60}\brents?\b|\brents?\b.{0,60}\bassign\w*",
    "acceleration": r"accelerat\w*|(?:entire|whole|full|all)\b.{0,60}\b(?:immediately due|due and payable)",
    "cancellation": r"cancel\w*|satisf(?:ied|action)|release\w* of record|reconvey\w*",
    "insurance": r"\binsur(?:e|ed|ance|ing)\b|\bcertificate of coverage\b",
    "attorney's fees": r"attorneys?'?s?'? fees|legal (?:fees|costs|expenses?)|fees of (?:its )?(?:counsel|attorneys?)",
    "earnest money": r"earnest money|good[- ]faith (?:deposit|money)|\bdeposit\b|\bescrow\b",
    "prorations": r"pro-?rat\w*|apportion\w*|taxes\b.{0,60}\b(?:adjusted|divided|allocated)",
    "risk of loss": r"risk of loss|casualty|(?:damage|destroyed|destruction)\b.{0,80}\b(?:closing|terminate|cancel)",
    "time of the essence": r"time\b.{0,30}\bof the essence|strict(?:ly)? (?:observed|compliance)",
    "as-is": r"\bas[- ]is\b|where[- ]is|all faults|present condition|no (?:warranty|representation)",
    "anti-assignment": r"(?:assign|sublet|sublease|transfer)\w*\b.{0,80}\bconsent|not\b.{0,30}\b(?:assign|sublet|sublease)",
    "indemnity": r"indemnif\w*|indemnity|hold\w*\b.{0,20}\bharmless",
    "holdover": r"hold(?:ing)?[- ]?over|tenan\w+ at sufferance|remains? in possession|month[- ]to[- ]month",
    "subordination": r"subordinat\w*|\battorn\b|\bSNDA\b|non-?disturbance",
    "repair": r"\brepairs?\b|\bmaintain\b|\bmaintenance\b|good order|\bupkeep\b",
}
"""By clause type; a type is answered when its expression is found."""

_COMPILED = {name: re.compile(pattern, re.I | re.S) for name, pattern in PATTERNS.items()}


def keyword_floor(case: Case) -> str:
    """The clause types whose words stand in the excerpt, in the suite's answer format."""
    return "; ".join(name for name, pattern in _COMPILED.items() if pattern.search(case.document)) or "none"
