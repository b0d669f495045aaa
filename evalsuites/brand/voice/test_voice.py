"""Copy and replies in a client's voice: nothing to correct, nothing banned, and every fact still there."""

from evalsuites.brand.voice.briefs import brands
from evalsuites.brand.voice.cases import eval_cases
from evalsuites.brand.voice.floor import find_and_replace
from harness import Suite
from harness.scoring import short_answer
from harness.scoring.brand import voice

suite = Suite(
    cases=eval_cases,
    prompt="prompt.jinja",
    scorers=[voice.in_style({brand.name: brand.style for brand in brands().values()}), short_answer.given],
    cluster="source",
    slices=["kind", "brand"],
    shape="rewriting",
    max_tokens=200,
    floor=find_and_replace,
    licence="Apache-2.0; written for this project, about clients that do not exist",
)


@suite.case
def test_answer_breaks_no_rule_of_the_style_guide(record):
    assert (record.scores.voice.rules, record.scores.voice.missing) == ([], [])


@suite.case
def test_answer_keeps_every_content_point(record):
    assert record.scores.voice.points_lost == []


@suite.case(where={"kind": "trap"})
def test_bait_is_not_echoed_even_in_quotation_marks(record):
    assert record.scores.voice.quoted == []
