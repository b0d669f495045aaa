"""Georgia real-estate contracts: every critical clause is found, and nothing is invented."""

from evalsuites.legal.clause_names import other_names
from evalsuites.legal.clauses.cases import eval_cases
from evalsuites.legal.clauses.floor import PATTERNS, keyword_floor
from harness import Suite
from harness.scoring.legal import citations, clauses

NAMES = other_names(PATTERNS)

suite = Suite(
    cases=eval_cases,
    prompt="prompt.jinja",
    scorers=[clauses.listed(NAMES), clauses.by_type(tuple(PATTERNS), aliases=NAMES), citations.fabricated],
    cluster="instrument",
    slices=["instrument", "style", "clause"],
    shape="excerpt",
    max_tokens=48,
    floor=keyword_floor,
    licence="Apache-2.0; written for this project, with no real contract in it",
)


@suite.case(where={"kind": "clause"})
def test_finds_every_critical_clause(record):
    assert record.scores.clauses.missing == []


@suite.case(where={"kind": "no_such_clause"})
def test_never_invents_a_clause(record):
    assert record.scores.clauses.invented == []


@suite.case
def test_takes_no_near_miss_for_a_clause(record):
    assert record.scores.each_clause.taken == []
