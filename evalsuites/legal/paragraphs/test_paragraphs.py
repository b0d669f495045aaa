"""Georgia instruments, paragraph by paragraph: six critical clauses are found, and none is invented."""

from evalsuites.legal.clauses.floor import COMPILED
from evalsuites.legal.paragraphs.cases import TYPES, eval_cases
from harness import Case, Suite
from harness.scoring.legal import clauses


def keyword_floor(case: Case) -> str:
    """Return the types whose words are in the paragraph, by the expressions of `legal/clauses`."""
    asked = case.input["clause_types"].split("; ")
    return "; ".join(name for name in asked if COMPILED[name].search(case.document)) or "none"


suite = Suite(
    cases=eval_cases,
    prompt="prompt.jinja",
    scorers=[clauses.among(TYPES)],
    cluster="instrument",
    slices=["clause", "instrument"],
    shape="paragraph",
    max_tokens=24,
    floor=keyword_floor,
    licence="Apache-2.0; written for this project, with no real contract in it",
)


@suite.case(where={"kind": "clause"})
def test_finds_every_clause(record):
    assert record.scores.clauses.missing == []


@suite.case(where={"kind": "no_such_clause"})
def test_invents_no_clause(record):
    assert record.scores.clauses.invented == []
