"""Questions on facts and common sense, answered in few words: those of general/basics and more."""

from pathlib import Path

from evalsuites.general.basics import test_basics
from harness import Case, Suite
from harness.scoring import short_answer
from harness.suites.cases import load_cases

KINDS = ("fact", "common sense")


def cases() -> list[Case]:
    """Return the questions of these kinds, those of `general/basics` with their ids first."""
    of_basics = [case for case in test_basics.suite.cases if case.tags["kind"] in KINDS]
    return [*of_basics, *load_cases(Path(__file__).with_name("cases.jsonl"))]


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
