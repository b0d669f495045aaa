"""Georgia real-estate contracts in short: every critical clause with its terms, and nothing invented."""

from evalsuites.legal.summaries.floor import keyword_floor
from harness import Suite
from harness.scoring import evaluate_bridge, short_answer
from harness.scoring.grounding import facts
from harness.scoring.legal import key_terms

suite = Suite(
    cases="cases.jsonl",
    prompt="prompt.jinja",
    scorers=[key_terms.covered, facts.fabricated, short_answer.given, *evaluate_bridge.rouge(reference="summary")],
    cluster="contract",
    slices=["kind", "instrument"],
    shape="excerpt",
    max_tokens=160,
    floor=keyword_floor,
    licence="Apache-2.0; written for this project, with no real contract in it",
)


@suite.case
def test_carries_every_critical_clause_with_its_terms(record):
    assert record.scores.terms.missing == []


@suite.case
def test_invents_nothing(record):
    assert record.scores.facts.fabricated == []


@suite.case(where={"kind": "amended"})
def test_gives_the_amended_figure_and_not_the_old_one(record):
    assert record.scores.terms.stale == []


@suite.case(where={"kind": "struck"})
def test_leaves_out_what_was_struck(record):
    assert record.scores.terms.stale == []
