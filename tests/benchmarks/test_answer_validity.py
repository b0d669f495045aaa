"""The answers with known truth: cases that exist, parts that are apart, forms that are what they say."""

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[2] / "benchmarks"))
import answer_validity as validity

from harness.suites.discovery import find_suites


@pytest.mark.parametrize("name", validity.FAMILIES)
def test_answers_are_to_cases_of_the_suite_and_parts_share_none(name: str) -> None:
    (suite,) = find_suites([f"evalsuites/{name}"])
    by_part = {part: {str(each["case"]) for each in validity.known_answers(name, part)} for part in validity.PARTS}
    assert by_part["tuning"] | by_part["frozen"]
    assert not by_part["tuning"] & by_part["frozen"] and not by_part["meaning"] & by_part["meaning-frozen"]
    assert set().union(*by_part.values()) <= {case.id for case in suite.cases}


def test_a_row_counts_what_is_read_as_it_is_and_wrong_answers_of_any_form_as_wrong() -> None:
    def one(form: str, right: bool, passes: bool) -> validity.Read:
        return validity.Read(case="c", form=form, answer="", right=right, why="", passes=passes)

    answers = [
        one("plain", True, True),
        one("unusual", True, False),
        one("unusual", False, True),
        one("wrong", False, False),
    ]
    assert validity.row("a/b", "tuning", answers) == ["a/b", "tuning", "1 of 1", "-", "0 of 1", "1 of 2"]


@pytest.mark.parametrize("name", [name for name in validity.FAMILIES if validity.known_answers(name, "tuning")])
def test_plain_answers_of_the_tuning_part_are_read_as_right(name: str) -> None:
    read = [each for each in validity.read(name, "tuning") if each.form == "plain"]
    assert [each.case for each in read if not each.passes] == []


@pytest.mark.parametrize("name", ["legal/clauses", "legal/paragraphs"])
def test_plain_lists_are_read_as_they_are_right_or_wrong(name: str) -> None:
    read = list(validity.read(name, "plain"))
    assert read and [each.answer for each in read if each.passes != each.right] == []
