"""Georgia real-estate contracts: every critical clause is found, and nothing is invented."""

from evalsuites.legal.clauses.drafting.bank import CLAUSES
from evalsuites.legal.clauses.floor import keyword_floor
from harness import Suite
from harness.scoring.legal import citations, clauses

suite = Suite(
    cases="cases.jsonl",
    prompt="prompt.jinja",
    scorers=[clauses.among(tuple(CLAUSES)), citations.fabricated],
    cluster="contract",
    slices=["instrument", "clause"],
    shape="excerpt",
    max_tokens=24,
    floor=keyword_floor,
    licence="Apache-2.0; written for this project, with no real contract in it",
)


@suite.case(where={"kind": "clause"})
def test_finds_every_critical_clause(record):
    assert record.scores.clauses.missing == []


@suite.case(where={"kind": "no_such_clause"})
def test_never_invents_a_clause(record):
    assert record.scores.clauses.invented == []
