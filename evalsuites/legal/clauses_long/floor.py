"""Keyword floor: the expressions of legal/clauses' floor, searched for in the whole contract."""

import re

from evalsuites.legal.clauses.floor import PATTERNS
from harness.schema import Case

_COMPILED = {name: re.compile(pattern, re.I | re.S) for name, pattern in PATTERNS.items()}


def keyword_floor(case: Case) -> str:
    """Return the clause types asked about whose words are anywhere in the contract, in the suite's answer format."""
    asked = case.input["clause_types"].split("; ")
    return "; ".join(name for name in asked if _COMPILED[name].search(case.document)) or "none"
