"""A fact sheet's rows and periods are read, or refused with every reason."""

import pytest

from harness.errors import UserError
from harness.scoring.finance.fact_sheet import read_sheet
from harness.scoring.finance.periods import EXACT, OTHER, POSSIBLE, Period, fit, periods_in


@pytest.mark.parametrize(
    ("line", "problem"),
    [
        ("A Fund | Q2 2025 | net income | USD thousands", "4 cells"),
        ("A Fund | Q2 2025 | net income | shells | 3", "unit 'shells' is unknown"),
        ("A Fund | soon | net income | USD | 3", "period 'soon' cannot be read"),
        ("A Fund | Q2 2025 | net income | USD | high", "value 'high' is not a number"),
        ("A Fund | Q2 2025 | net income | USD | 3\nA Fund | Q2 2025 | net income | USD | 4", "has two values"),
    ],
)
def test_a_sheet_that_cannot_be_read_is_refused_with_the_reason(line, problem):
    with pytest.raises(UserError, match=problem):
        read_sheet(f"entity | period | metric | unit | value\n{line}\n")


def test_every_problem_of_a_sheet_is_named_at_once():
    with pytest.raises(UserError, match=r"(?s)no line 'entity.*line 1.*line 2"):
        read_sheet("A Fund | soon | net income | USD | 3\nA Fund | Q2 2025 | net income | shells | 3")


@pytest.mark.parametrize(
    ("written", "part", "year"),
    [
        ("Q2 2025", "Q2", "2025"),
        ("second quarter of 2025", "Q2", "2025"),
        ("2Q25", "Q2", "2025"),
        ("FY 2024", "FY", "2024"),
        ("fiscal year 2024", "FY", "2024"),
        ("year ended June 30, 2024", "FY", "2024"),
        ("quarter ended September 30, 2024", "to Q3", "2024"),
        ("H1 2025", "H1", "2025"),
        ("Q3", "Q3", ""),
        ("in 2025", "", "2025"),
        ("prior quarter", "", ""),
    ],
)
def test_periods_are_read_in_any_form(written, part, year):
    assert next(periods_in(written))[2] == Period(part, year)


@pytest.mark.parametrize(
    ("named", "row", "fits"),
    [
        (("Q2", "2025"), ("Q2", "2025"), EXACT),
        (("Q2", ""), ("Q2", "2025"), EXACT),
        (("", "2025"), ("FY", "2025"), EXACT),
        (("to Q4", "2025"), ("FY", "2025"), EXACT),
        (("", "2025"), ("Q3", "2025"), POSSIBLE),
        (("Q4", "2025"), ("H2", "2025"), POSSIBLE),
        (("", ""), ("Q3", "2025"), POSSIBLE),
        (("Q3", "2025"), ("Q2", "2025"), OTHER),
        (("Q2", "2024"), ("Q2", "2025"), OTHER),
        (("Q2", "2025"), ("FY", "2025"), OTHER),
    ],
)
def test_a_period_fits_one_that_it_may_mean(named, row, fits):
    known = [Period("Q2", "2025"), Period("FY", "2025")]
    assert fit(Period(*named), Period(*row), known) == fits
