"""Multiple choice: the likeliest option, the text where there are no log probabilities, bad cases refused."""

import pytest

from harness.errors import UserError
from harness.evaluation.plan import option_ids
from harness.schema import Case
from harness.scoring.multiple_choice import likeliest
from harness.suites.prompts import PlainRenderer
from tests.support.answers import answer

LETTERS = ("A", "B", "C")
SCORER = likeliest(LETTERS)


def scored(text: str, logprobs: tuple[float, ...] = (), finish: str = "length"):
    case = Case(id="q", input={}, expected=["B"], cluster="q")
    return SCORER(case, answer(text, finish, option_logprobs=logprobs))


@pytest.mark.parametrize(
    ("text", "logprobs", "right", "parsed"),
    [
        ("A", (-3.0, -1.0, -2.0), 1, 1),  # the text says A, the likeliest is B
        ("The", (-3.0, -1.0, -2.0), 1, 0),
        ("B", (-1.0, -3.0, -2.0), 0, 1),
        ("B", (-2.0, -2.0, -2.0), 0, 1),  # the first of equals is taken
        ("B", (), 1, 1),
        (" (b) because", (), 1, 1),
        ("Because", (), 0, 0),
        ("", (), 0, 0),
        ("B", (-1.0, -3.0), 1, 1),  # not one a option: the text decides
    ],
)
def test_the_likeliest_option_is_the_answer(text, logprobs, right, parsed):
    found = scored(text, logprobs)
    assert (found.right, found.parsed) == (right, parsed)


def test_a_failed_answer_is_wrong():
    assert scored("B", (-3.0, -1.0, -2.0), "error").right == 0


def test_a_case_whose_answer_is_no_option_is_named():
    assert SCORER.check(Case(id="q7", input={}, expected=["D"], cluster="q")) == [
        "case 'q7': expected is ['D'], expected one of A, B, C"
    ]


def test_options_must_differ():
    with pytest.raises(UserError, match="two or more different"):
        likeliest(["A", "A"])


def test_options_with_one_beginning_are_refused():
    class Suited:
        name, options = "general/quiz", ("yes", "yesterday")

    with pytest.raises(UserError, match="begin with the same token"):
        option_ids(Suited(), PlainRenderer())
