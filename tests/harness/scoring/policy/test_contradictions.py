"""An answer that says the opposite of its guideline is told from one that says the same in other words."""

import pytest

from benchmarks import known_truth
from harness.scoring.policy.contradictions import contradictions, reversals

GUIDELINE = (
    "Unused vacation days may not carry over into the next year. Requests for vacation must reach the Rota Office at "
    "least 10 days before the first day off. The phone allowance is $45 a month, up to 3 phones for each crew. "
    "Managers may return a damaged phone within 6 days after delivery. Overtime is paid at 1.5 days per month. A chart "
    "is kept for 10 years or until the patient is 25, whichever comes later. Badges are lent free of charge unless one "
    "is lost. Managers may inspect lockers. The first 26 miles of a journey are not paid. The sum applies to journeys "
    "begun on or after March 3, 2025."
)


@pytest.mark.parametrize(
    ("answer", "found"),
    [
        ("Unused vacation days may carry over into the next year.", [("denial", "may carry")]),
        ("Yes, unused days can be carried over.", [("denial", "can be carried")]),
        ("No, unused vacation days do not carry over.", []),
        ("Unused vacation days are not allowed to carry over.", []),
        ("Managers are not permitted to return a damaged phone.", [("denial", "not permitted to return")]),
        ("Requests are not required to reach the Rota Office early.", [("duty", "not required to reach")]),
        ("No. Nothing of the unused vacation carries over.", []),
        ("A request must reach the Rota Office at most 10 days before.", [("limit", "at most 10 days")]),
        ("A request must reach the Rota Office no more than 10 days before.", [("limit", "no more than 10 days")]),
        ("A request must reach the Rota Office no later than 10 days before the day off.", []),
        ("A request must reach the Rota Office 10 days or more before the day off.", []),
        ("A request must reach the Rota Office not less than ten days ahead.", []),
        ("A request must reach the Rota Office 10 days after the first day off.", [("side", "10 days after")]),
        ("A request may reach the Rota Office 10 days ahead.", [("duty", "may reach")]),
        ("The phone allowance is $45 a week.", [("rate", "$45 a week")]),
        ("The phone allowance is $45/week.", [("rate", "$45/week")]),
        ("The phone allowance is $45 monthly.", []),
        ("The phone allowance is $45 for each calendar month.", []),
        ("The allowance covers at least 3 phones for each crew.", [("limit", "at least 3")]),
        ("The allowance covers a maximum of three phones for each crew.", []),
        ("Overtime is paid at 1.5 days per week.", [("rate", "1.5 days per week")]),
        ("Overtime is paid at 1.5 days each month.", []),
        ("Managers must return a damaged phone within 6 days.", []),
        ("Managers must inspect lockers.", [("duty", "must inspect")]),
        ("Managers have to inspect lockers.", [("duty", "have to inspect")]),
        ("The first 26 miles are your own, so 14 miles of the journey are paid.", []),
        ("The journey began before March 3, 2025.", []),
        ("Managers are free to return a damaged phone within 6 days.", []),
        ("Managers may return a damaged phone 6 days before it came.", [("side", "6 days before")]),
        ("Managers may return a damaged phone before delivery.", [("side", "before delivery")]),
        ("The chart is kept until the patient is 25, whichever is earlier.", [("limit", "whichever is earlier")]),
        ("The chart is kept until the patient is 25, whichever is the later.", []),
        ("Badges are not lent free of charge if one is lost.", []),
        ("Lunch is at least 10 minutes, and at most 45 people fit.", []),
        ('{"phone_allowance": "$45 a week"}', [("rate", "$45 a week")]),
        ("| Phone allowance | $45 per week |", [("rate", "$45 per week")]),
    ],
)
def test_the_opposite_of_a_guideline_is_found_and_other_words_for_it_are_not(answer, found):
    claims = list(contradictions(answer, [(0, GUIDELINE)]))
    assert [(each.aspect, answer[each.claim.start : each.claim.end]) for each in claims] == found


@pytest.mark.parametrize(
    ("answer", "right", "found"),
    [
        ("$850 and upwards.", "You may draw an advance of up to $850.", ["$850 and upwards"]),
        ("No less than $850.", "You may draw an advance of up to $850.", ["no less than $850"]),
        ("$150 at least.", "Every lead could approve $150 and no more.", ["$150 at least"]),
        ("$150 at the very most.", "Every lead could approve $150 and no more.", []),
        ("No earlier than 18 days before.", "It is due not later than 18 days before.", ["no earlier than 18 days"]),
        ("18 days or more before.", "It is due not later than 18 days before.", []),
        ("Neither block may be longer than 5 days.", "Neither may be shorter than 5 days.", ["neither block may be l"]),
        ("No block under 5 days.", "Neither may be shorter than 5 days.", []),
        ("A weekly allowance of $315.", "An annual allowance of $315 is paid.", ["weekly allowance of $315"]),
        ("$315 for each year.", "An annual allowance of $315 is paid.", []),
        ("30 minutes without pay.", "You get a paid meal period of 30 minutes.", ["30 minutes without pay"]),
        ("$40 for each of the two.", "The crew get $40 each.", []),
        ("$40 together.", "The crew get $40 each.", ["$40 together"]),
        ("Above $1,900 and up to $12,500.", "Up to $12,500, from $1,900 and down to $900.", []),
        ("At least 3, at most 5.", "Between 3 and 5 days.", []),
        ("At least 7 days.", "Up to 3 days.", []),
    ],
)
def test_a_figure_with_the_opposite_claim_of_the_right_answer_is_found_in_any_words(answer, right, found):
    each = [answer[each.claim.start : each.claim.end].lower() for each in reversals(answer, [right])]
    assert len(each) == len(found) and all(said.startswith(start) for said, start in zip(each, found, strict=True))


def test_a_contradiction_points_at_what_the_passage_says():
    (each,) = contradictions("The phone allowance is $45 a week.", [(100, GUIDELINE)])
    assert GUIDELINE[each.opposite.start - 100 : each.opposite.end - 100] == "$45 a month"


def test_a_guideline_that_says_both_contradicts_neither():
    both = "Days may carry over for drivers. Days may not carry over for drivers."
    assert list(contradictions("Days may carry over for drivers.", [(0, both)])) == []


def test_completions_with_errors_of_meaning_are_told_from_faithful_ones():
    """Handbooks: 36 faithful completions, and 21 passages with another meaning, few in the handbook's own words."""
    documents = known_truth.DOCUMENTS["policy"]()
    flagged = found = findings = 0
    for known in known_truth.load("policy", "tuning"):
        claims = [each.claim for each in contradictions(known.text, [(0, documents[known.document])])]
        flagged += known.is_faithful and bool(claims)
        findings += len(claims)
        wrong = [error for error in known.errors if error.kind == "meaning"]
        found += sum(any(claim.start < error.end and error.start < claim.end for claim in claims) for error in wrong)
    assert flagged == 0
    assert (found, findings) == (5, 5)
