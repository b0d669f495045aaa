"""Keyword floor: the first paragraph with the words of the clause, by the expressions of legal/clauses' floor."""

from evalsuites.legal.clauses.floor import COMPILED
from evalsuites.legal.instruments.documents import flat
from harness.schema import Case


def keyword_floor(case: Case) -> str:
    """Return the first paragraph in which the words of the clause asked for stand, or none."""
    expression = COMPILED[case.input["clause_type"]]
    return next((flat(text) for text in case.document.split("\n\n") if expression.search(text)), "none")
