"""General questions and instructions: what a model must still be able to do after it was tuned."""

from harness import Suite
from harness.scoring import short_answer

suite = Suite(
    cases="cases.jsonl",
    prompt="prompt.jinja",
    scorers=[short_answer.accepted, short_answer.given],
    general=True,
    cluster="question",
    slices=["kind"],
    shape="question",
    max_tokens=96,
    licence="Apache-2.0; written for this project",
)


@suite.case
def test_gives_an_accepted_answer(record):
    assert record.scores.answers.value == 1.0
