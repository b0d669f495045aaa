"""The questions of general/basics on facts and common sense, answered in few words."""

from evalsuites.general.basics import test_basics
from harness import Case, Suite
from harness.scoring import short_answer

KINDS = ("fact", "common sense")


def cases() -> list[Case]:
    """Return the questions of these kinds, with their ids of `general/basics`."""
    return [case for case in test_basics.suite.cases if case.tags["kind"] in KINDS]


suite = Suite(
    cases=cases,
    prompt="../basics/prompt.jinja",
    scorers=[short_answer.accepted],
    general=True,
    cluster="question",
    slices=["kind"],
    shape="question",
    max_tokens=64,
    licence="Apache-2.0; written for this project",
)


@suite.case
def test_gives_an_accepted_answer(record):
    assert record.scores.answers.value == 1.0
