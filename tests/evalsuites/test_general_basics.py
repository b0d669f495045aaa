"""The suite general/basics: questions that a person can answer, each scored as its tag says."""

import re
from collections import Counter
from pathlib import Path

import pytest

import evalsuites.general.basics
from harness.schema import Case
from harness.scoring import short_answer
from harness.suites.cases import load_cases
from harness.suites.prompts import load_template, messages
from tests.support.answers import answer

SUITE = Path(evalsuites.general.basics.__file__).parent
CASES = {case.id: case for case in load_cases(SUITE / "cases.jsonl")}
DEV = load_cases(SUITE / "dev.jsonl")
KINDS = ("fact", "arithmetic", "instruction", "format", "common sense", "reading", "word problem", "two steps")


def value(case: Case, text: str) -> float | None:
    return short_answer.accepted(case, answer(text)).value


def by_question(start: str) -> Case:
    return next(case for case in CASES.values() if case.input["question"].startswith(start))


def test_every_question_is_its_own_cluster_and_of_a_known_kind():
    assert len(CASES) == 416
    assert all(case.cluster == case.id for case in CASES.values())
    assert Counter(case.tags["kind"] for case in CASES.values()) == dict.fromkeys(KINDS, 52)


def test_no_question_is_asked_twice():
    assert len({case.input["question"] for case in CASES.values()}) == len(CASES)


def test_each_accepted_answer_is_scored_right_and_an_empty_or_foreign_one_wrong():
    for case in (*CASES.values(), *DEV):
        assert [value(case, text) for text in case.expected] == [1.0] * len(case.expected), case.id
        assert [value(case, text) for text in ("", "zebra quartz")] == [0.0] * 2, case.id


def words(case: Case) -> set[str]:
    return set(re.findall(r"\w+", case.input["question"].lower()))


def alike(one: Case, other: Case) -> float:
    """Share of the words of two questions that both have."""
    return len(words(one) & words(other)) / len(words(one) | words(other))


def test_dev_questions_are_of_every_kind_and_tagged_as_the_suites_are():
    assert len(DEV) == 64
    assert all(case.cluster == case.id for case in DEV)
    by_kind = Counter(case.tags["kind"] for case in DEV)
    assert set(by_kind) == {case.tags["kind"] for case in CASES.values()}
    assert min(by_kind.values()) >= 7
    assert {tag for case in DEV for tag in case.tags} == {tag for case in CASES.values() for tag in case.tags}


def test_no_dev_question_is_nearly_one_of_the_suite_or_another_of_its_own():
    assert [(dev.id, case.id) for dev in DEV for case in CASES.values() if alike(dev, case) > 0.5] == []
    assert [(dev.id, case.id) for dev in DEV for case in DEV if dev.id < case.id and alike(dev, case) > 0.5] == []


def test_no_dev_question_answers_itself():
    assert [case.id for case in DEV if value(case, case.input["question"])] == []


@pytest.mark.parametrize(
    ("start", "text", "expected"),
    [
        ("What is the capital of France", "The capital of France is Paris.", 1.0),
        ("What is 6 times 7", "6 times 7 is 4200", 0.0),
        ("Repeat this word", "Garden.", 1.0),
        ("Repeat this word", "The word is garden.", 0.0),
        ("Which is heavier", "The feather is lighter than the car.", 0.0),
        ("Which is heavier", "The car.", 1.0),
        ("Answer yes or no: is fire hot", "No. Yes.", 0.0),
    ],
)
def test_answers_are_judged_as_the_tag_asks(start, text, expected):
    assert value(by_question(start), text) == expected


def test_the_prompt_is_the_question_alone():
    chat = messages(load_template(SUITE / "prompt.jinja"), by_question("What is 2 + 3"))
    assert chat[-1] == {"role": "user", "content": "What is 2 + 3?"}
