"""Whole Georgia real-estate contracts: every critical clause is found, and no near miss is taken for one."""

import pytest

from evalsuites.legal.clause_names import other_names
from evalsuites.legal.clauses.floor import PATTERNS
from evalsuites.legal.clauses_long.cases import eval_cases
from evalsuites.legal.clauses_long.floor import keyword_floor
from harness import Suite
from harness.scoring.legal import citations, clauses

pytestmark = pytest.mark.long

NAMES = other_names(PATTERNS)

suite = Suite(
    cases=eval_cases,
    prompt="prompt.jinja",
    scorers=[clauses.listed(NAMES), clauses.by_type(tuple(PATTERNS), True, NAMES), citations.fabricated],
    cluster="instrument",
    slices=["instrument", "style", "length"],
    shape="whole contract",
    leave_out_long=True,
    max_tokens=160,
    floor=keyword_floor,
    licence="Apache-2.0; written for this project, with no real contract in it",
)


@suite.case(where={"kind": "clause"})
def test_finds_every_clause_that_is_asked_about(record):
    assert record.scores.clauses.missing == []


@suite.case(where={"kind": "no_such_clause"})
def test_names_no_clause_where_none_is_there(record):
    assert record.scores.clauses.invented == []


@suite.case
def test_takes_no_near_miss_for_a_clause(record):
    assert record.scores.each_clause.taken == []


@suite.case(where={"kind": "clause"})
def test_gives_the_paragraph_of_every_clause(record):
    assert record.scores.each_clause.misplaced == []
