"""How verdicts say numbers."""

import pytest

from harness.schema import Estimate
from harness.stats.wording import interval, number, p_value, points, settle


@pytest.mark.parametrize(
    ("value", "is_share", "apart_from", "said"),
    [
        (0.931, True, None, "93.1%"),
        (0.931, False, None, "0.931"),
        (0.94996, True, 0.95, "94.996%"),
        (0.95, True, 0.95, "95.0%"),
        (12.5, False, 12.0, "12.500"),
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
        (-0.25, False, "-0.250"),
    ],
)
def test_a_difference_carries_its_sign(difference, is_share, said):
    assert points(difference, is_share) == said


@pytest.mark.parametrize(
    ("needed", "said"),
    [
        (577, "about 580 cases would settle it; has 240"),
        (1546, "about 1,600 cases would settle it; has 240"),
        (9.5, "somewhat more than the 240 cases it has"),
        (None, "no number of cases settles a value like this one; has 240"),
    ],
)
def test_a_need_is_rounded_up_and_never_below_what_there_is(needed, said):
    assert settle(needed, 240) == said


def test_p_values_and_intervals():
    assert (p_value(0.0004), p_value(0.0784)) == ("< 0.001", "0.078")
    assert interval(Estimate(value=0.02, low=-0.01, high=0.05), True) == "95% interval -1.0 to +5.0 points"
