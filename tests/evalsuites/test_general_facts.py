"""The suite general/facts: the questions of general/basics on facts and common sense, and more of these kinds."""

import re
from collections import Counter
from pathlib import Path

import evalsuites.general.facts
from evalsuites.general.facts.test_facts import KINDS, suite
from harness.suites.cases import load_cases
from tests.evalsuites.test_general_basics import CASES, DEV, alike, value

ADDED = load_cases(Path(evalsuites.general.facts.__file__).with_name("cases.jsonl"))
OFFERING = [case for case in ADDED if case.tags.get("match") == "starts"]


def test_the_cases_are_those_of_general_basics_and_then_as_many_new_ones_of_each_kind():
    of_basics = [case for case in CASES.values() if case.tags["kind"] in KINDS]
    assert len(of_basics) == 104
    assert list(suite.cases) == [*of_basics, *ADDED]
    assert Counter(case.tags["kind"] for case in ADDED) == dict.fromkeys(KINDS, 148)


def test_every_question_is_its_own_cluster_and_has_an_id_of_its_own():
    assert len({case.id for case in suite.cases}) == 400
    assert all(case.cluster == case.id for case in ADDED)


def test_no_new_question_is_nearly_one_of_general_basics_or_another_new_one():
    older = [*CASES.values(), *DEV]
    assert [(case.id, other.id) for case in ADDED for other in older if alike(case, other) > 0.5] == []
    assert [(a.id, b.id) for a in ADDED for b in ADDED if a.id < b.id and alike(a, b) > 0.5] == []


def test_each_accepted_answer_is_scored_right_and_an_empty_or_foreign_one_wrong():
    for case in ADDED:
        assert [value(case, text) for text in case.expected] == [1.0] * len(case.expected), case.id
        assert [value(case, text) for text in ("", "quartz", case.input["question"])] == [0.0] * 3, case.id


def test_of_two_things_that_a_question_offers_the_first_is_right_in_half():
    first = []
    for case in OFFERING:
        offered = re.search(r"([^,.:]+) or ([^?]+)[?]$", case.input["question"])
        assert offered, case.id
        first.append(any(re.search(rf"\b{text}\b", offered[1], re.I) for text in case.expected))
    assert Counter(first) == {True: 20, False: 20}
