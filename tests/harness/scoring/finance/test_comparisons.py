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


TYNDALE, KENDRICK = "the Tyndale Equity Income Fund", "Kendrick Bay Dividend Growth Fund"
HELD_UP = (
    f"{KENDRICK} held up better: it lost 4.7% in Q3 2022, against a {{}} for the Brierly Dividend Composite, a "
    "difference of 0.6 percentage points. Distributions are not guaranteed. Coverage ratios are unaudited."
)
LOANS = (
    "Calder Credit Opportunities Fund opened Q4 2023 with {} of loans, advanced $4.4 million on existing loans, "
    "received $8.9 million in repayments, and closed at $159.3 million."
)
PAID = (
    f"Regular distributions of the {KENDRICK} from Q4 2021 to Q3 2022 total $0.6065 per share ($0.1475 + {{}} + "
    "$0.1515 + $0.1560). With the $0.3820 special distribution it is $0.9885 per share. Distributions are not "
    "guaranteed. Coverage ratios are unaudited."
)


@pytest.mark.parametrize(
    ("case", "text", "right", "wrong"),
    [
        ("002-03", f"There was {{}} of $12,477 thousand from {TYNDALE} in Q4 2023.", "a net outflow", "a net inflow"),
        ("002-03", f"{TYNDALE} had net {{}} of $12,477 thousand in Q4 2023.", "redemptions", "subscriptions"),
        ("002-03", f"{TYNDALE} had a net inflow of {{}} thousand in Q4 2023.", "$(12,477)", "$12,477"),
        ("002-04", f"It forgave $126 thousand in fees of {TYNDALE} in {{}}.", "Q4 2023", "Q3 2023"),
        (
            "002-04",
            f"The fees waived for {TYNDALE} were $126 thousand in Q4 2023. {{}}",
            "The sheet does not say why.",
            "The Q3 2023 figure is not reported.",
        ),
        ("009-05", HELD_UP, "5.3% decline", "5.3% rise"),
        ("009-05", HELD_UP, "5.3% loss", "4.7% loss"),
        ("017-02", LOANS, "$163.8 million", "$163.9 million"),
        ("009-03", PAID, "$0.1515", "$0.1575"),
    ],
)
def test_a_whole_answer_is_clean_with_one_wording_and_not_with_another(case, text, right, wrong):
    clean = [report.report(cases()[f"sheet-{case}"], answer(text.format(each))).value for each in (right, wrong)]
    assert clean == [1.0, 0.0]
