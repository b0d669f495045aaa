"""Served answers against recorded ones: what counts as alike, and what as another model's."""

import pytest

from harness.evaluation.requests import PlannedRequest
from harness.schema import Case, Sampling
from harness.serving.smoke_test import Recorded, likeness

LONG = "The tenant shall pay rent on the first day of each month, and"


def recorded(approved: list[str], baseline: list[str | None] | None = None) -> list[Recorded]:
    found = []
    for i, text in enumerate(approved):
        case = Case(id=f"c{i}", input={}, expected=[], cluster="k")
        ask = PlannedRequest(suite=0, case=case, variant="tuned", repeat=1, ids=(1,), sampling=Sampling(max_tokens=4))
        found.append(Recorded(ask=ask, approved=text, baseline=baseline[i] if baseline else None))
    return found


def compare(approved: list[str], served: list[str], baseline: list[str | None] | None = None):  # type: ignore[no-untyped-def]
    return likeness(recorded(approved, baseline), dict(enumerate(served)))


def test_equal_answers_are_like() -> None:
    found = compare(["none", "holdover"], ["none", "holdover"])
    assert (found.compared, found.equal, found.alike, found.unlike) == (2, 2, 2, False)
    assert found.says == "2 of 2 answers equal the recorded ones, 2 begin alike"


def test_answers_that_part_late_are_not_equal_and_still_like() -> None:
    found = compare([f"{LONG} more"] * 4, [f"{LONG} otherwise"] * 4)
    assert (found.equal, found.alike, found.unlike) == (0, 4, False)
    assert found.says.endswith("4 begin alike; not equal: c0, c1, c2, c3")


@pytest.mark.parametrize(("other", "unlike"), [(2, False), (3, True)])
def test_fewer_than_half_that_begin_alike_are_unlike(other: int, unlike: bool) -> None:
    served = ["something else"] * other + ["none"] * (4 - other)
    assert compare(["none"] * 4, served).unlike is unlike


def test_a_short_answer_that_goes_on_is_not_alike() -> None:
    assert compare(["none"], ["none of the clauses"]).alike == 0


def test_the_baselines_answers_are_unlike_though_most_begin_alike() -> None:
    approved, baseline = ["none"] * 7 + ["holdover"] * 3, ["none"] * 7 + ["as is"] * 3
    found = compare(approved, list(baseline), list(baseline))
    assert (found.alike, found.apart, found.as_approved, found.as_baseline) == (7, 3, 0, 3)
    assert found.unlike and "0 of 3 are the approved weights' and 3 the baseline's" in found.says
    assert not compare(approved, approved, list(baseline)).unlike


def test_one_or_two_answers_of_the_baseline_may_be_rounding() -> None:
    approved, baseline = ["none"] * 8 + ["holdover"] * 2, ["none"] * 8 + ["as is"] * 2
    assert not compare(approved, list(baseline), list(baseline)).unlike
