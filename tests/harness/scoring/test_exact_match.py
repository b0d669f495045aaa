"""Exact texts: the whole answer is an accepted one, whatever the case's tags say."""

import pytest

from harness.schema import Case, Completion, Score
from harness.scoring import exact_match, short_answer
from harness.scoring.base import metrics_of, run


def scored(text: str, expected: list[str], finish_reason: str = "stop", **tags: str) -> Score:
    case = Case(id="q1", input={}, expected=expected, cluster="c", tags=tags)
    error = "stopped" if finish_reason == "error" else None
    completion = Completion(
        key="k", text=text, finish_reason=finish_reason, prompt_tokens=0, output_tokens=0, error=error
    )
    return run([exact_match.exactly], case, completion).exact


@pytest.mark.parametrize(("text", "right"), [
    ("Como sofa", 1), ("  the COMO sofa. ", 1), ("Como", 1), ("The Como sofa is fine", 0), ("It is the Como sofa", 0),
    ("Levico desk", 0), ("", 0),
])  # fmt: skip
def test_the_whole_answer_must_be_an_accepted_text(text: str, right: int) -> None:
    score = scored(text, ["Como sofa", "Como"])
    assert (score.value, score.correct) == (float(right), right)


@pytest.mark.parametrize("reason", ["length", "error"])
def test_an_answer_that_is_cut_or_failed_is_wrong(reason: str) -> None:
    assert scored("Como", ["Como"], reason).correct == 0


def test_a_tag_that_asks_for_less_is_not_heard() -> None:
    assert scored("It is the Como sofa", ["Como sofa"], match="contains").correct == 0


def test_a_case_without_an_accepted_text_is_refused_before_anything_is_asked() -> None:
    assert exact_match.exactly.check(Case(id="q1", input={}, expected=[], cluster="c")) == [
        "case 'q1': expected is empty. Name at least one accepted text"
    ]


def test_it_stands_beside_the_scorer_that_it_is_made_of() -> None:
    assert [m.name for m in metrics_of([exact_match.exactly, short_answer.accepted])] == [
        "exact_rate",
        "accuracy",
        "complete_rate",
    ]
    assert exact_match.exactly.version != short_answer.accepted.version
