"""Right answers to the handbook suite's questions with negations in them."""

from functools import cache

import pytest

from evalsuites.policy.handbook.cases import eval_cases
from harness.schema import Case
from harness.scoring.policy.contradictions import contradictions
from harness.scoring.policy.guidelines import answered
from tests.support.answers import answer

FAITHFUL = [
    ("001-01", "You get $475 and not $650, since he was named before March 1, 2025 (HR-1.4)."),
    ("001-03", "It may not be run again without a written release from the Safety Committee (SA-4.2)."),
    ("001-06", "You are not paid stand-by money, but you do get 4 hours of leave for each second call-in (HR-2.3)."),
    ("001-12", "HR-3.5 does not allow a block of fewer than 5 working days, although two blocks are allowed."),
    ("002-03", "You cannot ask for an advance until you have been here for 120 days (Article 2(b))."),
    ("002-05", "Per diem staff cannot earn more than 40 hours of sick leave a year (Article 3(b))."),
    ("002-09", "You are not paid the new amount; before April 1, 2025 the rate is $3.90 an hour (Article 2(d))."),
    ("003-02", "During a storm alert no second signature is needed for pumps up to $3,400 in one day (Policy 700.3)."),
    (
        "003-10",
        "You may not work from home yet: office staff must have been here for at least 5 months (Policy 300.4).",
    ),
    ("003-12", "You don't call the Coast Guard yourself; you radio the Dispatch Desk, and it calls (Policy 500.2)."),
    ("004-04", "Desk staff are not paid during their meal, but you are paid for your 30 minutes aboard (S-9)."),
    ("004-06", "The match is 100% on the first 3% (S-15); overtime does not count as eligible earnings (S-2)."),
    ("005-10", "You get $118 for the first day and are not paid for the rest of the week (2.2.1)."),
    ("006-06", "The swap is not allowed, because § 3.2 does not let it cut the rest of at least 9 hours in § 3.1."),
    ("007-05", "Office staff may not take it home unless the Office of the Principals consents (Section 4-02)."),
    ("008-03", "It is not the Grievance Committee but the Board of Directors that hears a dismissal (Rule 22)."),
    ("009-03", "You may not use the card before Fleet Maintenance has given you a repair number (P-5b)."),
    ("009-05", "You are not over it, because your ceiling is $1,150 after nine years (P-5a)."),
    ("011-05", "You do not keep the point if you tell the Operations Team within two days (I.4)."),
    ("012-05", "We pay 70% of tuition (EMP 3.03), and you do not owe it back when you leave for a parent (EMP 3.04)."),
    ("013-03", "As a director you may not approve your own report, so it goes to the Finance Desk (EX-3.1)."),
    (
        "019-01",
        "Curators do not earn overtime, but these hours are not part of the salary: 185% is paid (Section 2-04).",
    ),
    ("020-02", "You get 1 day, and it is not paid (Rule 11), because in-laws do not count as close family (Rule 2)."),
    ("021-08", "You do not use the swap sheet; the Vineyard Office handles a frost watch trade (P-5b)."),
    ("024-08", "You may not begin without the assent of the Mill Superintendent (EMP 4.01)."),
    ("025-01", "The 11 days do not depend on how long the trial runs (S-10)."),
    ("026-04", "It does not grow past 48 hours for part-timers (P-3)."),
    ("026-05", "You can't drive it, because you have not held your license for 3 years (P-12)."),
    ("027-05", "A supervisor is not allowed to sign above $12,500 (Article 6(c))."),
    ("030-01", "The lift must not be used until the Production Department has certified it (2.2.2)."),
    ("032-02", "Anything over 44 hours cannot be carried over (Policy 400.2)."),
    ("035-01", "A season that is not full does not raise your share above 60% (§ 1.1, § 1.3)."),
    ("036-05", "You are not allowed to swap yet, as your first 45 days are not over (II.2)."),
    ("038-11", "You are not paid for the first 26 miles; the other 14 miles are paid (P-4a) at 61 cents (P-4b)."),
    ("041-03", "She could not approve more than $150 at that time, whatever her years (EMP 4.03)."),
]


@cache
def cases() -> dict[str, Case]:
    return {case.id.removeprefix("handbook-"): case for case in eval_cases()}


@pytest.mark.parametrize(("case", "text"), FAITHFUL)
def test_a_right_answer_with_negations_is_right(case: str, text: str) -> None:
    score = answered(cases()[case], answer(text))
    assert (score.value, score.contradicts) == (1.0, 0)


def test_a_limit_that_is_lifted_contradicts_it() -> None:
    (each,) = contradictions("Total pay may exceed $900.", [(0, "Total pay cannot exceed $900.")])
    assert each.aspect == "denial"
