"""Georgia instruments, paragraph by paragraph: six critical clauses are found, and none is invented."""

from evalsuites.legal.clause_names import other_names
from evalsuites.legal.clauses.floor import keyword_floor
from evalsuites.legal.paragraphs.cases import TYPES, eval_cases
from harness import Suite
from harness.scoring.legal import clauses

suite = Suite(
    cases=eval_cases,
    prompt="prompt.jinja",
    scorers=[clauses.among(TYPES, other_names(TYPES))],
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
