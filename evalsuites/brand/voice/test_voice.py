"""Copy and replies in a client's voice: nothing to correct, nothing banned, and every fact still there."""

from pathlib import Path

from evalsuites.brand.voice.floor import find_and_replace
from harness import Suite
from harness.scoring import short_answer
from harness.scoring.brand import voice

suite = Suite(
    cases="cases.jsonl",
    prompt="prompt.jinja",
    scorers=[voice.in_style(Path(__file__).with_name("style.toml")), short_answer.given],
    cluster="source",
    slices=["kind"],
    shape="rewriting",
    max_tokens=96,
    floor=find_and_replace,
    licence="Apache-2.0; written for this project, about a client that does not exist",
)


@suite.case
def test_answer_breaks_no_rule_of_the_style_guide(record):
    assert (record.scores.voice.rules, record.scores.voice.missing) == ([], [])


@suite.case
def test_answer_keeps_every_content_point(record):
    assert record.scores.voice.points_lost == []


@suite.case(where={"kind": "quoted_trap"})
def test_bait_is_not_echoed_even_in_quotation_marks(record):
    assert record.scores.voice.quoted == []
