"""Scorers for contracts and statutes."""

from harness.scoring.grounding import citations
from harness.scoring.legal import clauses, cuad, key_terms, statute_questions

__all__ = ["citations", "clauses", "cuad", "key_terms", "statute_questions"]
