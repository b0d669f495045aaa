"""Real commercial contracts (CUAD): the clauses that lawyers marked are found, and few others are named."""

from evalsuites.public.cuad.cases import cases
from evalsuites.public.cuad.contracts import NAMES
from evalsuites.public.cuad.floor import keyword_floor
from harness import Suite
from harness.scoring.legal import clauses

suite = Suite(
    cases=cases,
    prompt="prompt.jinja",
    scorers=[clauses.among(NAMES)],
    cluster="contract",
    slices=["clause"],
    shape="passage",
    max_tokens=32,
    floor=keyword_floor,
    licence="CC BY 4.0 (The Atticus Project)",
)


@suite.case(where={"kind": "clause"})
def test_finds_every_clause_that_lawyers_marked(record):
    assert record.scores.clauses.missing == []


@suite.case(where={"kind": "no_such_clause"})
def test_names_no_clause_where_lawyers_marked_none(record):
    assert record.scores.clauses.invented == []
