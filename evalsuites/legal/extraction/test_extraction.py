"""Clauses of Georgia instruments, quoted: the whole passage and no other, and none where there is none."""

from evalsuites.legal.extraction.cases import eval_cases
from evalsuites.legal.extraction.floor import keyword_floor
from harness import Suite
from harness.scoring.legal import cuad

suite = Suite(
    cases=eval_cases,
    prompt="prompt.jinja",
    scorers=[cuad.quoted],
    cluster="instrument",
    slices=["instrument", "kind"],
    shape="excerpt",
    max_tokens=400,
    floor=keyword_floor,
    licence="Apache-2.0; written for this project, with no real contract in it",
)


@suite.case(where={"kind": "clause"})
def test_quotes_every_passage_of_the_clause(record):
    assert record.scores.spans.missing == []


@suite.case(where={"kind": "near_miss"})
def test_quotes_no_near_miss(record):
    assert record.scores.spans.unmatched == []


@suite.case(where={"kind": "absent"})
def test_quotes_nothing_where_the_clause_is_absent(record):
    assert record.scores.spans.unmatched == []
