"""Sections of the Georgia Code: the one that the document names, or that it names none."""

from evalsuites.legal.citations.cases import eval_cases
from evalsuites.legal.citations.floor import keyword_floor
from harness import Suite
from harness.scoring import evaluate_bridge, short_answer
from harness.scoring.legal import citations, statute_questions

suite = Suite(
    cases=eval_cases,
    prompt="prompt.jinja",
    scorers=[
        statute_questions.cited,
        citations.fabricated,
        short_answer.given_where_expected,
        *evaluate_bridge.squad(reference="answer"),
    ],
    cluster="instrument",
    slices=["kind"],
    shape="whole contract",
    max_tokens=40,
    floor=keyword_floor,
    licence="Apache-2.0; written for this project",
)


@suite.case(where={"kind": "answerable"})
def test_cites_the_section_that_the_document_names(record):
    assert record.scores.grounded.value == 1.0


@suite.case(where={"kind": "not_in_document"})
def test_says_so_where_the_document_names_no_section(record):
    assert record.scores.grounded.value == 1.0


@suite.case(where={"kind": "invented_section"})
def test_takes_no_invented_section_for_granted(record):
    assert record.scores.grounded.value == 1.0
