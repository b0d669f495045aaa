"""Sentences held to passages of their source: supported, not supported, or not addressed."""

from evalsuites.general.claims.cases import ANSWERS, eval_cases
from evalsuites.general.claims.floor import rule_floor
from evalsuites.general.claims.pairs import NOT_ADDRESSED, NOT_SUPPORTED, SUPPORTED
from harness import Suite
from harness.scoring import labels, multiple_choice

YES, NO = ANSWERS[SUPPORTED], ANSWERS[NOT_SUPPORTED]
BEFORE_REASON = "[(:;.,–—-\n"
"""What ends the label where the answer goes on: "Yes, because", "No: the source says"."""

suite = Suite(
    cases=eval_cases,
    prompt="prompt.jinja",
    scorers=[
        labels.among((YES, NO), aliases={ANSWERS[NOT_ADDRESSED]: NO}, apart=(YES, NO), until=BEFORE_REASON),
        multiple_choice.likeliest(tuple(ANSWERS.values())),
    ],
    cluster="document",
    slices=["class", "domain", "origin"],
    shape="passages",
    max_tokens=8,
    options=tuple(ANSWERS.values()),
    floor=rule_floor,
    licence="by set: see the README; the completions are Apache-2.0, written for this project",
)


@suite.case(where={"label": SUPPORTED})
def test_raises_no_false_alarm(record):
    assert record.scores.labels.value == 1.0


@suite.case(where={"label": NOT_SUPPORTED})
def test_finds_what_the_source_does_not_support(record):
    assert record.scores.labels.value == 1.0


@suite.case(where={"label": NOT_ADDRESSED})
def test_finds_what_the_source_does_not_address(record):
    assert record.scores.options.chosen == [ANSWERS[NOT_ADDRESSED]]
