"""Georgia real-estate contracts in short: every critical clause with its terms, and nothing invented."""

from evalsuites.legal.summaries.cases import eval_cases
from evalsuites.legal.summaries.floor import keyword_floor
from harness import Suite
from harness.scoring import checker, evaluate_bridge, short_answer
from harness.scoring.grounding import facts
from harness.scoring.legal import key_terms

suite = Suite(
    cases=eval_cases,
    prompt="prompt.jinja",
    scorers=[
        key_terms.covered,
        facts.fabricated,
        short_answer.given,
        *evaluate_bridge.rouge(reference="summary"),
        *checker.ready(),
    ],
    cluster="instrument",
    slices=["kind", "instrument"],
    shape="whole contract",
    max_tokens=260,
    floor=keyword_floor,
    licence="Apache-2.0; written for this project, with no real contract in it",
)


@suite.case
def test_carries_every_critical_clause_with_its_terms(record):
    assert record.scores.terms.missing == []


@suite.case
def test_invents_nothing(record):
    assert record.scores.facts.fabricated == []


@suite.case(where={"kind": "changed"})
def test_leaves_out_what_was_struck_or_replaced(record):
    assert record.scores.terms.stale == []
