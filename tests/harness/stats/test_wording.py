"""How verdicts say numbers."""

import pytest

from harness.formatting import first_few, number, p_value, points, settle

NEVER = "a value exactly at the threshold can never be decided"


@pytest.mark.parametrize(
    ("value", "is_share", "apart_from", "said"),
    [
        (0.931, True, None, "93.1%"),
        (0.931, False, None, "0.931"),
        (0.94996, True, 0.95, "just under 95.0%"),
        (0.95, True, 0.95, "95.0%"),
        (0.98755, True, 0.9876, "just under 98.76%"),
        (0.99955, True, 0.9995, "just over 99.95%"),
        (0.99955, True, 0.9, ">99.9%"),
        (0.0003, True, 0.0004, "just under 0.04%"),
        (12.5, False, 12.0, "12.5"),
        (12.001, False, 12.0, "just over 12"),
        (1234.5, False, None, "1,230"),
        (1.304, True, 0.75, "130%"),
    ],
)
def test_a_number_never_looks_equal_to_a_bar_that_it_misses(value, is_share, apart_from, said):
    assert number(value, is_share, apart_from) == said


@pytest.mark.parametrize(
    ("difference", "is_share", "said"),
    [
        (0.021, True, "+2.1 points"),
        (-0.0004, True, "-0.04 points"),
        (0.0, True, "+0.0 points"),
        (-0.25, False, "-0.25"),
    ],
)
def test_a_difference_carries_its_sign(difference, is_share, said):
    assert points(difference, is_share) == said


@pytest.mark.parametrize(
    ("times", "contracts", "said"),
    [
        (2.4, 240, "about 580 cases; has 240"),
        (6.44, 240, "about 1,600 cases; has 240"),
        (2.4, 80, "about 580 cases from 200 contracts; has 240 from 80"),
        (1.0, 240, "slightly more than the current 240 cases"),
        (None, 240, f"{NEVER}; 240 cases decide values at least 4.2 points away"),
    ],
)
def test_a_need_is_rounded_up_and_never_below_what_there_is(times, contracts, said):
    assert settle(times, 240, contracts, "contract", "4.2 points") == said


def test_a_p_value_is_never_zero():
    assert (p_value(0.0004), p_value(0.0784)) == ("< 0.001", "0.078")


@pytest.mark.parametrize(
    ("items", "noun", "expected"),
    [
        ([], "", ""),
        (["a", "b"], "", "a, b"),
        (["a", "b", "c"], "", "a, b and 1 more"),
        (["a"] * 2000, "rows", "a, a and 1,998 more rows"),
    ],
)
def test_a_long_list_names_a_few_and_counts_the_rest(items: list[str], noun: str, expected: str) -> None:
    assert first_few(items, 2, noun) == expected
