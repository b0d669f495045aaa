"""Keyword floor: the expressions of legal/clauses' floor, with the paragraph in which each first stands."""

from evalsuites.legal.clauses.floor import COMPILED
from harness.schema import Case


def keyword_floor(case: Case) -> str:
    """Return the clause types asked about whose words are in the contract, with a paragraph, as the suite answers."""
    paragraphs = case.document.split("\n\n")
    named = []
    for name in case.input["clause_types"].split("; "):
        at = next((n for n, text in enumerate(paragraphs, 1) if COMPILED[name].search(text)), None)
        if at is not None:
            named.append(f"{name} ({at})")
    return "; ".join(named) or "none"
