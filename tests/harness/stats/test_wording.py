"""How verdicts say numbers."""

import pytest
from msgspec import structs

from harness.formatting import first_few, interval, number, p_value, points, settle, worth
from harness.schema import Estimate

NEVER = "a value exactly at the threshold can never be decided"


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
    ("times", "contracts", "said"),
    [
        (2.4, 240, "about 580 cases would settle it; has 240"),
        (6.44, 240, "about 1,600 cases would settle it; has 240"),
        (2.4, 80, "about 580 cases from 200 contracts would settle it; has 240 from 80"),
        (1.0, 240, "slightly more than the current 240 cases"),
        (None, 240, f"{NEVER}; 240 cases decide values at least 4.2 points away"),
    ],
)
def test_a_need_is_rounded_up_and_never_below_what_there_is(times, contracts, said):
    assert settle(times, 240, contracts, "contract", "4.2 points") == said


def test_what_cases_are_worth_is_said_where_contracts_share_errors():
    sized = {"n": 120, "clusters": 40}
    shared = Estimate(value=0.9, low=0.8, high=0.95, n_eff=46.2, deff=2.6, method="wilson at n_eff", **sized)
    assert worth(shared, "contract") == "; the 120 counted are worth about 46 independent ones (design effect 2.6)"
    guarded = Estimate(
        value=1.0, low=0.9, high=1.0, n=120, clusters=40, n_eff=40, deff=1.0, method="x, few-errors guard"
    )
    alike = "; the 120 counted are worth about 40 independent ones, since all contracts score the same"
    assert worth(guarded, "contract") == alike
    for value in (0.25, 0.8):
        few = structs.replace(guarded, value=value)
        assert worth(few, "contract").endswith("about 40 independent ones, since few contracts differ from the others")
    assert worth(structs.replace(guarded, value=0.0), "policy").endswith("since all policies score the same")
    assert worth(Estimate(value=0.9, low=0.8, high=0.95, n=120, clusters=120, n_eff=120, deff=1.0), "contract") == ""
    assert worth(Estimate(value=0.9, low=0.8, high=0.95, n=120, clusters=120), "contract") == ""


def test_p_values_and_intervals():
    assert (p_value(0.0004), p_value(0.0784)) == ("< 0.001", "0.078")
    assert interval(Estimate(value=0.02, low=-0.01, high=0.05), True) == "95% interval -1.0 to +5.0 points"


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
