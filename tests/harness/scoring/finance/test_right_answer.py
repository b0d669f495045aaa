"""A right answer helps to read another one, but no figure of it supports a sentence about something else."""

import pytest

from harness.schema import Case
from harness.scoring.base import run
from harness.scoring.finance import report
from tests.support.answers import answer
from tests.support.fund_sheet import DOCUMENT, QUESTION, STATED, scored

EXPECTED = (
    "Rents of Cedar Loft Income Fund brought in $3.42 million in the second quarter of 2025, which is a tenth, or "
    "10.0%, beyond the $3.11 million of Q1 2025." + STATED
)
LETTER = "Cedar Loft Income Fund\nRents ($000)   Q2 2025 3,420   Q1 2025 3,110\nSeen by Maplehurst Ratings."


@pytest.mark.parametrize(
    "text",
    [
        EXPECTED,
        "Rental revenue of Cedar Loft Income Fund was $3.42 million in Q2 2025 and $3.11 million in Q1 2025, up 10.0%."
        + STATED,
    ],
)
def test_a_right_answer_is_clean_in_its_own_words_and_in_others(text):
    score = scored(text, expected=EXPECTED)
    assert (score.fabricated, score.missing, score.value) == ([], [], 1.0)


@pytest.mark.parametrize(
    ("text", "fabricated"),
    [
        ("The net income of Cedar Loft Income Fund was $3.42 million in Q2 2025.", "$3.42 million"),
        ("Cedar Loft Income Fund brought in $3.42 million in Q1 2025.", "$3.42 million"),
        ("Cedar Loft Growth Fund brought in $3.42 million in the second quarter of 2025.", "$3.42 million"),
        ("The margin of Cedar Loft Growth Fund is 10.0%.", "10.0%"),
        ("Rental revenue of Cedar Loft Income Fund fell by 10.0% from Q1 2025 to Q2 2025.", "10.0%"),
    ],
)
def test_a_figure_of_the_right_answer_in_a_sentence_about_something_else_is_fabricated(text, fabricated):
    assert fabricated in scored(text, expected=EXPECTED).fabricated


def test_a_required_figure_counts_whichever_rule_finds_it():
    parsed = "Revenue of Cedar Loft Income Fund rose by 10.0% from Q1 2025 to Q2 2025." + STATED
    unparsed = "Cedar Loft Income Fund took a tenth, or 10.0%, beyond Q1 2025." + STATED
    for one, other in ((parsed, unparsed), (unparsed, parsed)):
        assert scored(one, expected=other).missing == []


def test_the_facts_of_a_case_are_read_and_not_its_document():
    facts = DOCUMENT
    case = Case(
        id="x", input={"document": LETTER, "question": QUESTION, "facts": facts}, expected=[EXPECTED], cluster="letter"
    )
    score = run([report.report], case, answer(EXPECTED + " It is rated by Maplehurst Ratings.")).fact_sheets
    assert (score.value, score.invented) == (1.0, [])
    assert all(span.source is None for span in score.spans)


def test_a_figure_of_the_right_answer_is_not_right_for_the_metric_that_names_another_one_of_it():
    right = "In Q2 2025, Cedar Loft Income Fund had rental revenue of $3.42 million and owned assets of $57.3 million."
    wrong = "In Q2 2025, Cedar Loft Income Fund had rental revenue of $57.3 million and owned assets of $3.42 million."
    assert scored(right, expected=right).fabricated == []
    assert scored(wrong, expected=right).fabricated == ["$57.3 million"]


def test_a_gap_of_the_right_answer_is_no_value_of_the_sheet_that_it_happens_to_equal():
    right = "In Q2 2025 the Orchard 70 Index returned 1.9%, a lead over the REITs of 2.3 percentage points."
    text = "The Orchard 70 Index returned 1.9% in Q2 2025. The gap is 2.3 percentage points."
    assert (scored(text, expected=right).fabricated, scored(text, expected=right).missing) == ([], [])
    for gap, fabricated in (("230 basis points", []), ("23 basis points", ["23 basis points"])):
        assert scored(text.replace("2.3 percentage points", gap), expected=right).fabricated == fabricated


@pytest.mark.parametrize(
    ("change", "asked", "missing"),
    [
        ("a rise of $310 thousand, or 10.0%", "and the change.", []),
        ("a rise of $310 thousand", "and the change.", []),
        ("a rise of 10.0%", "and the change.", []),
        ("a rise", "and the change.", ["$310 thousand", "10.0%"]),
        ("a rise of 10.0%", "and the change in dollars and in percent.", ["$310 thousand"]),
    ],
)
def test_of_a_change_its_amount_or_its_percentage_will_do(change, asked, missing):
    of = "Cedar Loft Income Fund had rental revenue of $3.42 million in Q2 2025, {}, from $3.11 million in Q1 2025."
    right, question = of.format("a rise of $310 thousand, or 10.0%"), f"Report the rental revenue {asked}"
    assert scored(of.format(change), expected=right, question=question).missing == missing


@pytest.mark.parametrize(
    ("change", "asked", "missing"),
    [
        ("up by $310 thousand", "and what happened.", []),
        ("up by $310 thousand", "and the change in percent.", ["10.0%"]),
        ("up by $300 thousand", "and what happened.", ["10.0%"]),
    ],
)
def test_a_change_in_the_other_form_than_the_right_answers_will_do(change, asked, missing):
    of = "Cedar Loft Income Fund had rental revenue of $3.42 million in Q2 2025, {}, from $3.11 million in Q1 2025."
    found = scored(of.format(change), expected=of.format("up 10.0%"), question=f"Report the rental revenue {asked}")
    assert found.missing == missing


@pytest.mark.parametrize(
    ("amount", "right"),
    [
        (
            "Cedar Loft Income Fund took in $3,420 in Q2 2025.",
            "Cedar Loft Income Fund took in $3,420 thousand in Q2 2025.",
        ),
        ("Tenants paid $3,420 at Cedar Loft Income Fund in Q2 2025.", ""),
        (
            "Cedar Loft Income Fund took in $6,530 in both quarters of 2025.",
            "Cedar Loft Income Fund had rental revenue of $6,530 thousand in total in Q1 and Q2 2025.",
        ),
    ],
)
def test_an_amount_printed_in_thousands_is_wrong_without_them_whatever_names_it(amount, right):
    right = right or amount.replace(" at", " thousand at")
    verdicts = [span.verdict for span in scored(amount, expected=right).spans if span.kind == "money"]
    assert verdicts == ["wrong_unit"]
    assert scored(right, expected=right).fabricated == []


FELL = """entity | period | metric | unit | value
Elm Row Fund | Q3 2025 | yield | percent | 4.38
Elm Row Fund | Q2 2025 | yield | percent | 4.61
Elm Row Fund | Q3 2025 | fall in yield since q2 2025 | basis points | 23
"""
LEVELS = " from 4.61% at the end of Q2 2025 to 4.38% at the end of Q3 2025"


@pytest.mark.parametrize(
    ("change", "verdict"),
    [
        ("fell 23 bps", "derived"),
        ("fell 0.23 percentage points", "derived"),
        ("fell 23 basis points", "derived"),
        ("fell 0.23%", "wrong_unit"),
        ("fell 0.23 percent", "wrong_unit"),
    ],
)
def test_a_change_in_points_that_is_a_row_itself_may_be_said_of_its_levels(change, verdict):
    right = f"Elm Row Fund's yield fell{LEVELS}, a drop of 23 basis points."
    case = Case(
        id="x", input={"document": FELL, "question": "How did the yield move?"}, expected=[right], cluster="sheet"
    )
    score = run([report.report], case, answer(f"Elm Row Fund's yield {change}{LEVELS}.")).fact_sheets
    assert [span.verdict for span in score.spans if span.quote in change] == [verdict]
    assert score.missing == ([] if verdict == "derived" else ["23 basis points"])
