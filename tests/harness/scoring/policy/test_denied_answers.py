"""Answers to the handbook suite's questions: denials without a no in front, negations, and talkative ones."""

from functools import cache

import pytest

from evalsuites.policy.handbook.cases import eval_cases
from harness.schema import Case
from harness.scoring.policy.contradictions import contradictions, denials
from harness.scoring.policy.guidelines import answered
from tests.support.answers import answer

REVERSED = [
    ("001-03", "The press may be restarted without a release from the Safety Committee (SA-4.2)."),
    ("001-06", "A Salaried Employee is not credited with the 4 hours of leave for every second call-in (HR-2.3)."),
    ("002-05", "Per diem staff do not earn sick leave up to 40 hours a year (Article 3(b))."),
    ("003-12", "The Dispatch Desk must not call the Coast Guard once the spill has been radioed in (Policy 500.2)."),
    ("004-08", "Commercial photography does not require a permit from the Communications Office (S-20)."),
    ("005-03", "Support staff such as classroom aides do not have to give 14 days of written notice (3.2.1)."),
    ("005-10", "Substitutes do not receive $118 for the first day of jury duty (2.2.1)."),
    ("008-05", "A seasonal hand in the third season may not join from the fourth week, even for $41 a week (Rule 14)."),
    ("009-01", "The sum paid toward boots does not rise by $30 after four years of service (P-3b)."),
    ("009-03", "You can have it repaired without calling Fleet Maintenance (P-5b)."),
    ("012-01", "EMP 4.02 does not allow a Producer to be reimbursed up to $74 for each person."),
    ("016-01", "In memory care the meal break lasts 25 minutes and is not paid (S-18)."),
    (
        "018-09",
        "Since the service is unpaid, it need not be notified to the Compliance Department in 20 days (§ 10.4).",
    ),
    ("020-07", "Up to 5 unused days cannot be carried into the next year (Rule 10)."),
    ("023-06", "Such a gift need not be reported to the Ethics Counsel (III.1)."),
    ("024-06", "Watchmen are not paid $9.40 an hour besides the ordinary rate on a holiday (EMP 2.05)."),
    ("026-02", "The Station Office does not decide on morning-show shifts (P-4a)."),
    ("028-05", "An order of that size need not be agreed by the Board of Trustees (Section 4-02)."),
    ("029-02", "Salary paid from January 1, 2026 is not matched at 75% (EMP 3.04)."),
    ("033-02", "The house does not bear 74% of the premium (Rule 10)."),
    ("035-03", "The Director's Office does not speak with families when a rescue service was called (§ 3.2)."),
    ("037-07", "Her Form H-3 need not be shown to the Quality Laboratory (S-12)."),
    ("040-03", "Plant hands do not receive $105 a year toward boots (Section 2-03)."),
    ("041-11", "On Sundays the crew lead cannot buy up to $140 at the nearest shop (EMP 4.02)."),
    ("042-04", "The Lines do not bear 66% of the premium in your third season (3.1.2)."),
]
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
TALKATIVE = [
    (
        "010-08",
        "Guideline 1.2 lists probation for bakers and drivers, but it doesn't mention the office. Try the People Team.",
    ),
    ("010-08", "I can find no probation for the office here."),
    ("010-08", "The handbook sets no probation for office staff."),
    (
        "013-02",
        "HR-1.4 covers volunteer days, but there's nothing about a confirmation. I'd suggest asking the People Team.",
    ),
    ("019-05", "The handbook does not say how long an intern is paid. The People Team should be able to help."),
    (
        "008-04",
        "You can carry over **four days** (Rule 11). The new number of six days applies only from January 1, 2027.",
    ),
    ("026-03", "For 2025 you have 2 days (P-7). The increase to 3 days only starts on January 1, 2026."),
    ("016-12", "S-20 caps the payout at 50 hours when notice wasn't kept, so 40 of your 90 hours would be lost."),
    ("016-12", "Up to **50 hours** (S-20). The cap of 100 hours only applies if the notice under S-19 was kept."),
    ("041-11", "Normally it's $85, but on Sundays and holidays the limit is $140 (EMP 4.02)."),
    ("041-11", "Two things matter: you may spend $140 (EMP 4.02), and you bring the receipt by noon."),
    ("030-01", "The Production Department (2.2.2). The Human Resources Department only hears the persons concerned."),
    ("042-04", "The Lines bear 66% of it (3.1.2), whatever 3.1.1 says of the length of a contract."),
    ("006-06", "No: § 3.2 keeps the rest of § 3.1, which is nine hours; you would have seven, two too few."),
    ("007-03", "58.5¢ a mile (Section 4-03)."),
    ("022-05", "**$286** for you (Guideline 3.2; a mechanic has $312). **Tools to show:** no figure is given."),
    ("028-04", "55¢ a mile; it becomes 59 cents on January 1, 2026 (Section 4-04). The trip was in 2025."),
    ("033-03", "Rule 19 lets you sign up to $34,000. Ordinarily Rule 18 caps the Stillhouse Office at $5,200."),
    ("010-04", "It is 18 hours in 2026 (Guideline 2.7). Ask your manager 15 days ahead."),
    ("023-08", "**7 days** (V.3); the Managing Partner hears you and decides within 24 days."),
    ("018-04", "§ 11.1 sets 3.2 to 5.0 hours for full-time employees, but it doesn't give a rate for part-timers."),
    ("016-06", "The handbook doesn't say. S-20 only mentions that uniforms are returned within 10 days."),
    ("019-05", "The handbook does not say; interns have a separate agreement with Visitor Operations (Section 1-01)."),
    ("040-04", "Section 5-04 doesn't appear here, and Section 5-03 is about the last pay."),
    ("040-10", "Six days more (Section 5-01). Whether the hours are paid isn't something that section mentions."),
    ("009-10", "P-7a doesn't say. If in doubt, give the Systems Desk a call."),
]
MISLEADING = [
    (
        "010-08",
        "The handbook does not name the office, so your probation is 65 days like counter crew (Guideline 1.2).",
    ),
    ("010-08", "Guideline 1.2 sets your probation; the People Team can confirm."),
    ("014-12", "The handbook sets no rule, but the Mill Office will do it."),
    ("026-03", "You have 3 days (P-7); before 2026 it was 2 days."),
    ("026-03", "2 days or 3 days, depending on the date (P-7)."),
    ("026-03", "P-7 gives full-timers 2 days until the end of 2025, so you can take 3 days."),
    ("016-12", "Up to 100 hours are paid (S-20), and 50 hours to others."),
    ("016-12", "Without the notice 50 hours are paid (S-20). No, 100 hours."),
    ("041-11", "The usual limit is $140, but today you may spend $85 (EMP 4.02)."),
    ("010-01", "$4.50 to $6.25, depending on the holiday (Guideline 2.3)."),
    ("030-01", "Either the Production Department or the Human Resources Department (2.2.2)."),
    ("042-04", "The Lines bear 66% of it (3.1.2 and 3.1.1)."),
    ("031-05", "Estimators may work from home at least three days a week with the head's agreement (Guideline 3.4)."),
    ("015-08", "Policy 600.1: 9 weeks' notice. In sum, 5 weeks' notice counts."),
    ("015-08", "9 weeks' notice is wrong, Policy 600.1 gives 5 weeks' notice."),
    ("015-08", "Policy 600.1: 9 weeks' notice. What you owe is 5 weeks' notice."),
    ("015-11", "The Accounts Room makes up the difference itself and asks for no receipt."),
    ("015-11", "I see no reason against it: the Accounts Room has to make it up."),
    ("015-11", "The handbook does not say. The Accounts Room should pay it."),
    ("016-10", "S-12: report it within 36 hours. The company pays your doctor and sets no limit."),
    ("028-04", "55 cents is the old rate; from January 1, 2026 it is 59 cents, which is your rate (Section 4-04)."),
    ("014-04", "$115 (Article 3(b)). From September 1, 2025 it is $140, and in June you have that already."),
    ("033-03", "$34,000 (Rule 19). Ordinarily it is $5,200, and October is an ordinary month."),
    ("032-02", "Up to 44 hours (Policy 400.2). In packing it is 24 hours with fewer than three service years."),
    ("028-02", "$2,600 is for ordinary weeks. Your limit is $3,350 for the winter supper (Section 4-03)."),
    ("021-04", "3 working days for accidents, and a twisted wrist is a near miss with 7 working days (P-11b)."),
    ("019-05", "The handbook doesn't mention flu. Section 3-01 gives interns up to 46 hours a year."),
    ("019-05", "The handbook only grants interns up to 46 hours a year (Section 3-01) and doesn't mention flu."),
    ("018-04", "The handbook doesn't mention call centers. § 11.1 gives you 3.2 hours in each pay period."),
    ("003-01", "Policy 400.3 doesn't list your trade. It gives $260 a year for hand tools."),
    ("002-06", "Beards aren't mentioned. It only takes 1 business day until the hood is ready (Article 4(b))."),
    ("042-12", "2.1.1 doesn't mention May. Unused hours are paid out up to a balance of 152 hours."),
    ("034-12", "No number is given in SF-2.5. Usual are 5 tests within 120 days."),
    ("022-05", "$286 (Guideline 3.2). You show every tool; it gives no exception."),
]


@cache
def cases() -> dict[str, Case]:
    return {case.id.removeprefix("handbook-"): case for case in eval_cases()}


@pytest.mark.parametrize(("case", "text"), REVERSED)
def test_an_answer_that_denies_the_rule_is_contradictory_without_a_no_in_front(case: str, text: str) -> None:
    score = answered(cases()[case], answer(text))
    assert (score.value, score.contradicts) == (0.0, 1)


@pytest.mark.parametrize(("case", "text"), FAITHFUL)
def test_a_right_answer_with_negations_is_right(case: str, text: str) -> None:
    score = answered(cases()[case], answer(text))
    assert (score.value, score.contradicts) == (1.0, 0)


@pytest.mark.parametrize(
    ("case", "text", "right"), [*((*each, 1.0) for each in TALKATIVE), *((*each, 0.0) for each in MISLEADING)]
)
def test_further_truth_does_no_harm_but_what_replaces_the_answer_does(case: str, text: str, right: float) -> None:
    assert answered(cases()[case], answer(text)).value == right


def test_a_section_that_is_set_aside_costs_precision_but_leaves_the_answer_right() -> None:
    score = answered(cases()["042-04"], answer("The Lines bear 66% of it (3.1.2), whatever 3.1.1 says."))
    assert (score.value, score.hits, score.cited, score.misgrounds) == (1.0, 1, 2, 1)


RIGHT = "Members receive $60 a month, and the Rota Office keeps the list. No receipt is asked for."


@pytest.mark.parametrize(
    ("text", "denied"),
    [
        ("Members do not receive $60 a month.", ["Members do not receive $60 a month."]),
        ("Members are not entitled to the $60, I fear.", ["Members are not entitled to the $60, "]),
        ("The Rota Office never keeps the list; ask.", ["The Rota Office never keeps the list; "]),
        ("Members receive $60 a month.", []),
        ("Members do not receive $60 a week on top.", []),
        ("Members do not receive more than $60 a month.", []),
        ("Members have not received $60 this month.", []),
        ("Members cannot be without the $60.", []),
        ("A receipt is not asked for.", []),
    ],
)
def test_a_clause_denies_only_in_the_words_of_the_right_answer(text: str, denied: list[str]) -> None:
    assert [text[start:end] for start, end in denials(text, RIGHT)] == denied


def test_a_limit_that_is_lifted_contradicts_it() -> None:
    (each,) = contradictions("Total pay may exceed $900.", [(0, "Total pay cannot exceed $900.")])
    assert each.aspect == "denial"
