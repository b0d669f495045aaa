"""Answers about a handbook: what they cite, name and state, and whether they decline."""

import time

import pytest
from msgspec import structs

from harness.errors import UserError
from harness.schema import Case
from harness.scoring.base import run
from harness.scoring.policy import guidelines
from harness.scoring.policy.guidelines import answered
from tests.support.answers import answer
from tests.support.harlow_handbook import DEPARTMENTS, DOCUMENT, IDS


def asks(question: str, *expected: str) -> Case:
    given_input = {"document": DOCUMENT, "question": question, "guidelines": IDS, "departments": DEPARTMENTS}
    return Case(id="x", input=given_input, expected=list(expected), cluster="harlow")


VALUE = asks("How much is paid for a berth on a night train?", "Guideline 4.2", "$45")
ROLE = asks("How many shifts may shop staff swap?", "Guideline 4.3", "8")
PER_MONTH = asks("How many shifts a month may shop staff swap?", "Guideline 4.3", "8")
WHO = asks("Which department settles claims for berths?", "Guideline 4.2", "Claims Team")
WHERE = asks("Which guideline is about berths?", "Guideline 4.2")
NOTHING = asks("Under Guideline 4.5, what does the Marine Desk pay for a berth, $95?", "The handbook does not say.")


def verdicts(case: Case, text: str, kind: str) -> list[tuple[str, str]]:
    return [(s.quote, s.verdict) for s in answered(case, answer(text)).spans if s.kind == kind]


@pytest.mark.parametrize(
    ("case", "text"),
    [
        (VALUE, "$45 (Guideline 4.2)."),
        (VALUE, "Guideline 4.2; $45"),
        (VALUE, "Forty-five dollars a night, under guideline 4.2, and the Claims Team settles it."),
        (VALUE, "It is $45.00 (4.2)"),
        (VALUE, '{"answer": "a berth is paid no more than $45 per night", "guideline": "4.2"}'),
        (VALUE, "| Topic | Most | Source |\n|---|---|---|\n| Berth | $45 | 4.2 |"),
        (VALUE, "- Berths: $45\n- Source: 4.2"),
        (VALUE, "Guideline\u00a04.2 pays $45 \U0001f686."),
        (VALUE, "$45, not $60 (Guideline 4.2)."),
        (WHO, "The Claims Team rather than the Rota Office (Guideline 4.2)."),
        (NOTHING, "There is no rate in Guideline 4.5; the handbook does not say."),
        (ROLE, "8 shifts (Guideline 4.3)"),
        (ROLE, "Eight, says Guideline 4.3."),
        (WHO, "The Claims Team (Guideline 4.2)."),
        (WHO, "Guideline 4.2: the claims department."),
        (WHERE, "Guideline 4.2."),
        (WHERE, "Guideline 4.2, which pays up to $45 and names the Claims Team."),
        (NOTHING, "The handbook does not say."),
        (NOTHING, "There is no Guideline 4.5 and no Marine Desk."),
        (NOTHING, "The handbook does not say; Guideline 4.2 covers only berths. Ask the Claims Team."),
        (NOTHING, "Guideline 4.2 does not say what the Marine Desk pays."),
        (NOTHING, "The handbook does not say; under Guideline 4.2 the offer letter settles it."),
        (NOTHING, "Guideline 4.3 leaves that to the shop; the handbook does not state an amount."),
        (NOTHING, "The handbook does not say. Guideline 4.2 refers to a separate schedule."),
        (NOTHING, "These sections do not answer the question."),
        (NOTHING, "The provided sections do not mention berths."),
        (NOTHING, "None of these sections mentions berths."),
        (NOTHING, "Berths are not covered in the sections provided."),
        (NOTHING, "The rules do not say."),
        (NOTHING, "No, the handbook does not say that a berth is paid."),
    ],
)
def test_a_right_answer_is_right(case, text):
    assert answered(case, answer(text)).value == 1.0


@pytest.mark.parametrize(
    ("case", "text"),
    [
        (VALUE, "$45."),
        (VALUE, "Guideline 4.2."),
        (VALUE, "$60 (Guideline 4.2)."),
        (VALUE, "$45 or $60 (Guideline 4.2)."),
        (VALUE, "$45 (Guideline 4.3)."),
        (VALUE, "$60, not $45 (Guideline 4.2)."),
        (VALUE, "$45 (Guidelines 4.2 and 4.3)."),
        (VALUE, "$45 (Guideline 9.9)."),
        (VALUE, "$45 (Guideline 4.2), paid by the Rota Office."),
        (VALUE, "$45 (Guideline 4.2), paid by Human Resources."),
        (VALUE, "A berth is paid at least $45 a night (Guideline 4.2)."),
        (VALUE, "A berth is paid up to $45 a week (Guideline 4.2)."),
        (PER_MONTH, "8 a week (Guideline 4.3)."),
        (VALUE, "A berth is not paid, not even $45 a night (Guideline 4.2)."),
        (VALUE, '{"answer": "a berth is paid $45 per month", "guideline": "4.2"}'),
        (ROLE, "Shop staff must swap 8 shifts a month (Guideline 4.3)."),
        (VALUE, "The handbook does not say."),
        (VALUE, "Yes."),
        (VALUE, ""),
        (VALUE, DOCUMENT),
        (ROLE, "4 shifts (Guideline 4.3)."),
        (ROLE, "4 or 8 shifts (Guideline 4.3)."),
        (WHO, "The Rota Office (Guideline 4.2)."),
        (WHO, "Not the Claims Team (Guideline 4.2)."),
        (WHO, "The Claims Team or the Rota Office (Guideline 4.2)."),
        (NOTHING, "$95 (Guideline 4.5)."),
        (NOTHING, "$45 (Guideline 4.2)."),
        (NOTHING, "The Claims Team."),
        (NOTHING, "The handbook does not say, but it is $45."),
        (NOTHING, "The handbook does not say. The Claims Team pays it."),
        (NOTHING, "No."),
        (NOTHING, "The $95 counts for every berth. The handbook does not say more."),
        (NOTHING, "It counts for every berth. The handbook says nothing further."),
        (NOTHING, "Yes, that is allowed. The handbook does not say more."),
        (NOTHING, "The handbook does not say how much. **Yes**, a berth is paid."),
        (NOTHING, '{"answer": "Yes, but the handbook does not say how much."}'),
        (NOTHING, "That is allowed. The handbook does not say more."),
        (NOTHING, "none"),
        (NOTHING, ""),
        (NOTHING, DOCUMENT),
    ],
)
def test_a_wrong_or_hedged_answer_is_wrong(case, text):
    assert answered(case, answer(text)).value == 0.0


@pytest.mark.parametrize(
    "text",
    [
        "The handbook does not mention a waiver, so night-shift staff pay the fee.",
        "The handbook does not mention a waiver so you pay the fee.",
        "The handbook does not say, but the fee is waived for night shifts.",
        "The handbook does not say. However, the fee is waived.",
        "The handbook does not mention any limit, which means there is none.",
        "The handbook does not mention a limit, which means there is no limit.",
        "The handbook does not mention an approval, so you do not need to ask anyone.",
        "The handbook does not say otherwise; therefore you may do it.",
        "Since the handbook does not mention a limit, you may take as much as you like.",
        "You may take as much as you like, since the handbook does not mention a limit.",
        "Although the handbook does not say, the fee is waived.",
    ],
)
def test_what_is_concluded_from_silence_is_an_answer(text):
    score = answered(NOTHING, answer(text))
    assert (score.value, score.counts["answered_unanswerable"]) == (0.0, 1)


@pytest.mark.parametrize(
    "text",
    [
        "The handbook does not say, so please ask human resources.",
        "The handbook does not mention this, so it cannot be answered from the handbook.",
        "The handbook does not mention a rate, so I cannot tell.",
        "The handbook does not say, but Guideline 4.2 covers only berths.",
        "The handbook does not say, but your manager may know.",
        "The handbook does not say, but it mentions berths.",
        "I cannot answer this, because the handbook does not mention it.",
        "Since the handbook does not mention a rate, the answer is unknown.",
        "The handbook does not say so.",
        "Although you ask about the Marine Desk, the handbook does not mention it.",
        "The handbook does not say, but Guideline 4.5 mentions no rate for that.",
        "You ask about a fee, but the handbook does not state one, as far as shown.",
    ],
)
def test_an_answer_that_declines_may_redirect_tell_the_scope_and_say_why(text):
    score = answered(NOTHING, answer(text))
    assert (score.value, score.counts["answered_unanswerable"]) == (1.0, 0)


@pytest.mark.parametrize(
    ("text", "right"),
    [
        ("S-12 does not mention payment of medical bills.", 1.0),
        ("S-12 does not say.", 1.0),
        ("S-12 settles this.", 0.0),
    ],
)
def test_an_answer_may_decline_by_the_handbooks_own_number(text, right):
    document = "Staff handbook (excerpt)\nS-12 (Reports). The form is due within 36 hours."
    given = {"document": document, "question": "Is my bill paid?", "guidelines": "S-12; S-13", "departments": "Desk"}
    case = Case(id="x", input=given, expected=["The handbook does not say."], cluster="c")
    assert answered(case, answer(text)).value == right
    half = structs.replace(case, expected=["S-12", "36 hours", "The handbook does not say."])
    assert answered(half, answer(f"Within 36 hours (S-12). {text}")).value == right


def test_a_real_guideline_that_does_not_answer_is_misgrounded_and_an_unreal_one_invented():
    text = "Guidelines 4.2, 4.3, 4.7, 4.9 and 9.1 say so."
    assert verdicts(VALUE, text, "guideline") == [
        ("4.2", "supported"),
        ("4.3", "misgrounded"),
        ("4.7", "misgrounded"),
        ("4.9", "invented"),
        ("9.1", "invented"),
    ]
    score = answered(VALUE, answer(text))
    assert (score.hits, score.cited, score.misgrounds, score.invents_guideline) == (1, 5, 1, 1)
    assert (score.misgrounded, score.invented) == (["4.3", "4.7"], ["4.9", "9.1"])


def test_an_answer_that_says_the_opposite_of_its_guideline_is_contradictory_in_that_place():
    score = answered(VALUE, answer("A berth is paid at least $45 a night (Guideline 4.2)."))
    (span,) = (span for span in score.spans if span.verdict == "contradictory")
    assert (span.kind, span.quote) == ("limit", "at least $45")
    assert DOCUMENT[span.source.start : span.source.end] == "up to $45"
    assert (score.contradicts, score.contradictory) == (1, ["at least $45"])
    assert answered(VALUE, answer("A berth is paid at most $45 a night (Guideline 4.2).")).contradicts == 0
    assert answered(VALUE, answer("The handbook does not say whether at least $45 is paid.")).contradicts == 0


def test_a_chapter_that_exists_is_misgrounded_and_one_that_does_not_invented():
    assert verdicts(VALUE, "Guideline 4 says so.", "guideline") == [("4", "misgrounded")]
    assert verdicts(VALUE, "Guideline 7 says so.", "guideline") == [("7", "invented")]


def test_an_id_outside_the_excerpt_is_not_invented():
    assert verdicts(NOTHING, "Guideline 2.4.", "guideline") == [("2.4", "misgrounded")]


def test_what_the_question_invents_may_be_denied_but_not_affirmed():
    denied = "There is no Guideline 4.5, and the Marine Desk is not a department of this company."
    assert {verdict for _, verdict in verdicts(NOTHING, denied, "guideline")} == {"unclaimed"}
    assert {verdict for _, verdict in verdicts(NOTHING, denied, "department")} == {"unclaimed"}
    assert verdicts(NOTHING, "Guideline 4.5 says so.", "guideline") == [("4.5", "invented")]
    assert verdicts(NOTHING, "The Marine Desk pays.", "department") == [("Marine Desk", "invented")]
    assert verdicts(NOTHING, "The handbook does not say; see Guideline 8.8.", "guideline") == [("8.8", "invented")]


def test_spans_point_at_the_line_that_bears_the_answer_out():
    for span in answered(VALUE, answer("The Claims Team pays $45 (Guideline 4.2).")).spans:
        assert span.verdict == "supported"
        shown = DOCUMENT[span.source.start : span.source.end]
        assert shown.startswith("Guideline 4.2") if span.kind == "guideline" else shown in ("Claims Team", "$45")


def test_a_cut_answer_is_wrong_and_its_last_word_is_not_judged():
    score = answered(VALUE, answer("The Claims Team pays $45 under Guideline 4.2 and Guideline 9.9", "length"))
    assert score.value == 0.0
    assert score.invented == []
    assert answered(VALUE, answer("$45 (Guideline 4.2)", "length")).value == 0.0


def test_a_failed_answer_counts_against_every_rate():
    asked, unasked = answered(VALUE, answer("", "error")), answered(NOTHING, answer("", "error"))
    assert (asked.correct, asked.hits, asked.expected_ids, asked.cited, asked.refused) == (0, 0, 1, 1, 1)
    assert (asked.invents_guideline, asked.invents_department, asked.misgrounds) == (1, 1, 1)
    assert (unasked.answered_unanswerable, unasked.unanswerable, unasked.answerable) == (1, 1, 0)


def test_an_empty_answer_refuses_where_there_is_an_answer_and_declines_nothing_where_there_is_none():
    assert answered(VALUE, answer(" \n")).refused == 1
    assert answered(NOTHING, answer("")).answered_unanswerable == 1


def test_declining_is_a_refusal_only_where_there_is_an_answer():
    silent = answer("The handbook does not say.")
    assert (answered(VALUE, silent).refused, answered(VALUE, silent).answered_unanswerable) == (1, 0)
    assert (answered(NOTHING, silent).refused, answered(NOTHING, silent).answered_unanswerable) == (0, 0)


def test_a_case_that_expects_nothing_is_unanswerable_too():
    case = asks("Who pays?")
    assert answered(case, answer("Not in the handbook.")).value == 1.0
    assert answered(case, answer("")).value == 0.0


def test_every_metric_reads_a_count_that_is_always_there():
    for case in (VALUE, NOTHING):
        for completion in (answer(""), answer("x", "error"), answer("Guideline 9.9"), answer("y", "length")):
            assert run([answered], case, completion).guidelines.reason is None


def test_what_is_worse_is_marked_so():
    better = {"answer_correct", "guideline_recall", "guideline_precision"}
    assert {metric.name for metric in guidelines.METRICS if metric.higher_is_better} == better


def test_the_source_read_as_an_answer_holds_nothing_invented():
    score = answered(VALUE, answer(DOCUMENT))
    assert (score.invented, score.invented_departments) == ([], [])


def test_a_case_without_a_register_is_refused():
    with pytest.raises(UserError, match="input lacks 'guidelines'"):
        answered(Case(id="x", input={"document": DOCUMENT}, expected=[], cluster="c"), answer("x"))


def test_an_expected_guideline_outside_the_register_is_refused():
    with pytest.raises(UserError, match=r"'Guideline 7\.7' is not in the handbook's list"):
        answered(asks("Where?", "Guideline 7.7"), answer("x"))


@pytest.mark.parametrize(
    "text",
    [
        "." * 10**6,
        ".)" * 500_000,
        "not no " * 140_000,
        "A " * 500_000,
        "\x00\u202e" * 500_000,
        "Guideline 4.2, " * 60_000,
        "Claims Team, 4.2; " * 50_000,
        "At least 5 days.\n" * 30_000,
        "at least 5 days, not " * 30_000,
    ],
    ids=["dots", "brackets", "no", "capitals", "control", "ids", "departments", "lines", "claims"],
)
def test_an_enormous_answer_is_scored_in_seconds(text):
    start = time.process_time()
    assert answered(VALUE, answer(text)).value == 0.0
    assert time.process_time() - start < 60


def may(question: str, right: str) -> Case:
    case = asks(question, "Guideline 4.2", "$45")
    return structs.replace(case, input={**case.input, "answer": right})


NOT_MORE = may("May I book a berth for $60?", "No, a berth may cost at most $45 a night (Guideline 4.2).")
ALLOWED = may("Will you pay $40 for my berth?", "Yes; up to $45 a night is paid (Guideline 4.2).")
EITHER = may("Do I pay for my berth, or who does?", "No, the firm pays up to $45 (Guideline 4.2).")


@pytest.mark.parametrize(
    ("case", "opening", "right"),
    [
        (NOT_MORE, "No, ", True),
        (NOT_MORE, "Not yet: ", True),
        (NOT_MORE, "", True),
        (NOT_MORE, "Yes, ", False),
        (NOT_MORE, "**Yes.** ", False),
        (NOT_MORE, "The answer is: yes, ", False),
        (ALLOWED, "Of course: ", True),
        (ALLOWED, "No; ", False),
        (ALLOWED, "Certainly not, ", False),
        (ALLOWED, "No receipt is needed; ", True),
        (EITHER, "Yes, you do: ", True),
        (VALUE, "Yes, ", True),
    ],
)
def test_a_yes_for_a_no_is_contradictory(case: Case, opening: str, right: bool) -> None:
    score = answered(case, answer(f"{opening}a berth is paid up to $45 a night (Guideline 4.2)."))
    assert (score.value, score.contradicts) == (float(right), int(not right))
    assert [s.kind for s in score.spans if s.verdict == "contradictory"] == ["yes or no"] * (not right)


PAY = (
    "Rowan Mill\n\nR-4 Resignation. Spinners give 30 days' notice in writing, weavers 14 days.\n\n"
    "R-5 Last pay. Accrued vacation is paid up to 100 hours if the notice under R-4 was given and kept, and up to 50 "
    "hours otherwise. Hours kept on a bank holiday are paid at 1.6 times the rate.\n\n"
    "R-6 Purchases. A lead may buy goods up to $1,450 without a quotation. Tools are replaced up to $900, less the "
    "first $75."
)


def rowan(question: str, *expected: str, right: str = "") -> Case:
    given = {"document": PAY, "question": question, "guidelines": "R-4; R-5; R-6", "departments": "Pay Office"}
    return Case(id="r", input=given | {"answer": right}, expected=list(expected), cluster="rowan")


LEFT = rowan("I quit without notice and have 90 vacation hours left. How many are paid?", "R-5", "50 hours")
TIMES = rowan("What am I paid for hours on a bank holiday?", "R-5", "1.6 times")
TOOLS = rowan("What is the most you replace of my tools?", "R-6", "$900", right="$900, less the first $75 (R-6).")
SHIPPING = rowan("Does shipping count toward my limit for buying chairs?", "The handbook does not say.")


@pytest.mark.parametrize(
    ("case", "text", "right"),
    [
        (LEFT, "Of your 90 hours, 50 are paid (R-5).", True),
        (LEFT, "Fifty of the ninety hours will be paid out (R-5).", True),
        (LEFT, "| Hours paid | 50 |\n|---|---|\n| Section | R-5 |", True),
        (LEFT, "Of your 90 hours, 40 are paid (R-5).", False),
        (LEFT, "50 shifts are paid (R-5).", False),
        (LEFT, "50 dollars of the 90 hours are paid (R-5).", False),
        (
            LEFT,
            "The cap of 100 hours does not apply to you. Under R-5 you get up to 50 hours; the other 40 are lost.",
            True,
        ),
        (LEFT, "The cap of 100 hours does apply to you. Under R-5 others get up to 50 hours.", False),
        (
            LEFT,
            "R-5: accrued vacation is paid up to 100 hours if the notice under R-4 was given and kept, and up to 50 "
            "hours otherwise. You get 50 of your 90 hours, 40 hours less.",
            True,
        ),
        (
            LEFT,
            "R-5: accrued vacation is paid up to 100 hours if the notice under R-4 was given and kept, and up to 50 "
            "hours otherwise. You get 90 hours.",
            False,
        ),
        (LEFT, "All 90 hours are paid, and 50 hours otherwise (R-5).", False),
        (TIMES, "160% of the rate (R-5).", True),
        (TIMES, "16% of the rate (R-5).", False),
        (TOOLS, "Up to $900 less the first $75, i.e. $825 (R-6).", True),
        (TOOLS, "Up to $900 less the first $75, i.e. $850 (R-6).", False),
        (SHIPPING, "R-6 sets a limit of $1,450 for goods, but it does not specify whether shipping counts.", True),
        (SHIPPING, "R-6 sets a limit of $1,450 for goods and shipping, but it does not specify more.", False),
        (SHIPPING, "R-6 has no rule on shipping.", True),
        (SHIPPING, "No shipping is mentioned in R-6.", True),
        (SHIPPING, "No shipping is due under R-6.", False),
        (SHIPPING, "R-6 discusses limits but does not clarify whether shipping counts toward the $1,450.", True),
        (
            SHIPPING,
            "R-6 allows a lead to buy goods up to $1,450, but it's silent on shipping. The handbook does not say.",
            True,
        ),
        (SHIPPING, "The sections are R-4 (Resignation) and R-5 (Last pay), and neither discusses shipping.", True),
        (SHIPPING, "R-6 discusses limits but does not clarify shipping, so it counts toward the $1,450.", False),
        (SHIPPING, "R-6 contains no word on it, so shipping does not count.", False),
    ],
)
def test_a_value_may_stand_apart_from_its_unit_and_beside_what_follows_from_it(
    case: Case, text: str, right: bool
) -> None:
    assert answered(case, answer(text)).value == right
