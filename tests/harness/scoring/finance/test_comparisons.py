"""Comparisons of two periods or metrics over sheets of the suite that do not name the metric as the sheet does.

Each line of `comparisons.tsv` is a right answer, without the statements it must carry; or one with two figures that are
exchanged, by whether the scorer finds that ("caught" or "missed"). Most were written before the scorer was read.
"""

from functools import cache
from pathlib import Path

import pytest

from evalsuites.finance.report.cases import case_of
from evalsuites.finance.report.sheets import SPLITS, sheets
from harness.schema import Case
from harness.scoring.finance import report
from tests.support.answers import answer

LINES = Path(__file__).with_name("comparisons.tsv").read_text("utf-8").splitlines()
RIGHT = [line.split("\t") for line in LINES if line.startswith("right")]
EXCHANGED = [line.split("\t") for line in LINES if not line.startswith("right")]


@cache
def cases() -> dict[str, Case]:
    all_sheets = [sheet for split in SPLITS for sheet in sheets(split)]
    listed = [case_of(s, task, n) for s in all_sheets for n, task in enumerate(s.sidecar.tasks, 1)]
    return {case.id: case for case in listed}


def fabricated(case: str, text: str) -> int:
    return report.report(cases()[case], answer(text.replace("\\n", "\n"))).counts["fabricated"]


@pytest.mark.parametrize(("case", "text"), [(line[1], line[4]) for line in RIGHT])
def test_a_right_comparison_in_other_words_has_no_finding(case, text):
    assert fabricated(case, text) == 0


@pytest.mark.parametrize(("found", "case", "one", "other", "text"), EXCHANGED)
def test_two_exchanged_figures_are_found_and_their_right_places_are_not(found, case, one, other, text):
    assert fabricated(case, text.format(a=one, b=other)) == 0
    assert (fabricated(case, text.format(a=other, b=one)) > 0) is (found == "caught")


def test_a_figure_that_is_misread_in_the_right_answer_too_is_wrong_for_another_segment():
    text = "{} earned $13.87 million of Dartmoor's net operating income of $34.34 million in H1 2024, a share of 40.4%."
    assert fabricated("sheet-050-04", text.format("Regional distribution")) == 0
    assert fabricated("sheet-050-04", text.format("Cold storage")) == 2


def test_the_shares_of_a_class_of_a_fund_are_that_class():
    text = "Class A {} of Berwick Floating Rate Fund bear a net expense ratio of {} as of June 30, 2025."
    for word in ("shares", "units", "shareholders"):
        assert fabricated("sheet-054-03", text.format(word, "0.95%")) == 0
    assert fabricated("sheet-054-03", text.format("shares", "1.06%")) == 1
