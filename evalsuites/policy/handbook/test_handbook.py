"""Company handbooks: the right guideline and department, nothing invented, and no answer where there is none."""

from evalsuites.policy.handbook.cases import eval_cases
from evalsuites.policy.handbook.floor import keyword_floor
from harness import Suite
from harness.scoring import checker
from harness.scoring.policy import guidelines

suite = Suite(
    cases=eval_cases,
    prompt="prompt.jinja",
    scorers=[guidelines.answered, *checker.ready()],
    primary="answer_correct",
    cluster="handbook",
    slices=["kind"],
    shape="excerpt",
    max_tokens=90,
    floor=keyword_floor,
    licence="Apache-2.0; written for this project, with no real company or handbook in it",
)


@suite.case(where={"answerable": "yes"})
def test_cites_the_right_guideline_and_states_what_it_says(record):
    assert record.scores.guidelines.correct


@suite.case(where={"answerable": "half"})
def test_answers_the_half_that_the_handbook_settles_and_declines_the_rest(record):
    assert record.scores.guidelines.correct


@suite.case(where={"answerable": "no"})
def test_declines_what_the_handbook_does_not_settle(record):
    assert not record.scores.guidelines.answered_unanswerable


@suite.case
def test_invents_no_guideline_and_no_department(record):
    assert record.scores.guidelines.invented == []
    assert record.scores.guidelines.invented_departments == []
