"""Answers about a handbook: what they cite, name and state, and whether they decline."""

import random
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.errors import UserError
from harness.schema import Case, Completion
from harness.scoring import guidelines
from harness.scoring.base import run
from harness.scoring.guidelines import answered, declines
from harness.scoring.handbook import lines
from harness.scoring.handbook_forms import departments_in, ids_in, register

DOCUMENT = """Staff handbook of Harlow Quays (excerpt)
Guideline 2.1 (Parking). At most 6 spaces are kept for visitors. The Premises Office hands out the permits.
Guideline 4.2 (Night trains). A berth is paid up to $45 a night. The Claims Team settles it. See also Guideline 4.7.
Guideline 4.3 (Shifts). Drivers may swap 4 shifts a month and shop staff 8. The Rota Office keeps the list.
Departments: Claims Team; Premises Office; Rota Office; Pay & Systems Team; Harlow Board Office"""
IDS = "2.1; 2.4; 4.2; 4.3; 4.7"
DEPARTMENTS = "Claims Team; Premises Office; Rota Office; Pay & Systems Team; Harlow Board Office"
KNOWN = register(IDS, DEPARTMENTS)

DECLINES = [
    "The handbook does not say.",
    "The handbook doesn't say who pays for parking.",
    "This is not stated in the handbook.",
    "Not in the document.",
    "Not stated.",
    "Not mentioned in the excerpt.",
    "The excerpt is silent on that.",
    "There is no Guideline 9.9 in this handbook.",
    "There is no such department.",
    "The handbook has no Aviation Desk.",
    "The Aviation Desk is not a department of this company.",
    "The Aviation Desk isn't one of the departments listed.",
    "Guideline 9.9 does not exist.",
    "None of the guidelines answer this.",
    "Neither guideline covers interns.",
    "No guideline covers this.",
    "No information is given about interns.",
    "Nothing in the handbook covers this.",
    "It cannot be determined from the guidelines.",
    "I cannot answer this from the handbook.",
    "I don't know.",
    "We do not know from this excerpt.",
    "The question cannot be answered with the text given.",
    "Guideline 4.2 covers the price but does not say how many nights.",
    "Guideline 4.2 does not mention drivers.",
    "Sorry, I am unable to tell.",
    "The given guidelines do not specify a limit.",
    "The handbook does not provide any information about this.",
    "This question is unanswerable.",
    "That is outside the handbook.",
    "It is beyond the scope of this handbook.",
    "The premise is wrong.",
    "The document does not list an Aviation Desk.",
    "The handbook says nothing about interns.",
    "The policy doesn’t cover that.",
    "Unfortunately, the handbook leaves this open.",
    "The answer is not given in the excerpt.",
    "The company handbook never mentions ferries.",
    "Interns are not mentioned.",
    "You can't tell from these guidelines.",
    "The handbook does not set a limit.",
    "There is no mention of ferries.",
    "The text above does not address the question.",
    "I'm sorry, but the excerpt provided doesn't include details about interns.",
    "Based on the handbook, there is no specific guideline about this.",
    "The handbook excerpt does not contain that information.",
    "There isn't any guideline on this.",
    "There's nothing about that in the handbook.",
    "I couldn't find this in the handbook.",
    "I could not find any guideline about ferries.",
    "That information isn't available in the excerpt.",
    "No department is named for this.",
    "The guidelines don't give a number of nights.",
    "It does not say.",
    "It doesn't specify who pays.",
    "This isn't addressed.",
    "This topic is not addressed by the guidelines above.",
    "The given text lacks this information.",
    "The handbook lacks a guideline on ferries.",
    "We can't answer that from the excerpt.",
    "The handbook provides no answer.",
    "No answer can be found.",
    "No such guideline exists.",
    "No such department exists.",
    "Guideline 9.9 isn't listed.",
    "Guideline 9.9 is not part of the handbook.",
    "Guideline 9.9 cannot be found in the handbook.",
    "The Aviation Desk is not listed among the departments.",
    "There is no Aviation Desk.",
    "The handbook doesn't mention the Aviation Desk.",
    "The question can't be answered.",
    "The handbook is unclear on this.",
    "Not specified.",
    "The excerpt does not state a deadline.",
    "None of the listed guidelines mention this.",
    "No guideline says that.",
    "No guideline states this.",
    "This is not specified in the provided guidelines.",
    "Nowhere does the handbook say that.",
    "The handbook gives no information about that.",
    "The handbook does not have a rule on this.",
    "Interns are not covered by any guideline.",
    "The handbook does not contain a Guideline 9.9.",
    "The handbook makes no mention of ferries.",
    "I'm afraid the handbook is silent here.",
    "That's not something the handbook covers.",
    "This question has no answer in the handbook.",
    "The guidelines given here say nothing on that.",
    "We have no guideline about ferries.",
    "No, the handbook has no such rule.",
    "The listed departments do not include an Aviation Desk.",
    "There's no department called Aviation Desk.",
    "Guideline 9.9 doesn't appear in the handbook.",
    "It's not clear from the handbook.",
    "The information provided does not answer the question.",
    "I don't have enough information to answer.",
    "I do not see a guideline for this.",
    "The handbook doesn't cover interns, only drivers.",
    "The text doesn't go into that.",
    "Insufficient information.",
    "This cannot be answered.",
    "Unknown.",
    "The handbook does not say which guideline that is.",
    "According to the excerpt, this isn't specified.",
    "There is no information regarding interns in this handbook.",
    "The document fails to mention this.",
    "The answer isn't in the handbook.",
]
ANSWERS = [
    "The berth is not paid above $45.",
    "It costs no more than $45 (Guideline 4.2).",
    "No guest may stay; see Guideline 2.1.",
    "None may be kept (Guideline 4.2).",
    "Staff are told by the Claims Team.",
    "Neither drivers nor shop staff may swap.",
    "There is no extra pay under Guideline 4.3.",
    "They never expire.",
    "Nothing has to be paid.",
    "The permit does not cost anything.",
    "You should not contact the Claims Team first.",
    "It is not allowed outside the office.",
    "The berth isn't covered above $45.",
    "Without a note there is no pay (Guideline 4.3).",
    "No other guideline applies; it is Guideline 4.2.",
    "Staff may not keep gifts above $45 (Guideline 4.2).",
    "The Claims Team does not settle such claims; the Rota Office does.",
    "It is not the Claims Team.",
    "Visitors cannot stay overnight, under Guideline 2.1.",
    "The badge is not free: it costs $45.",
    "Nobody needs a permit.",
    "A note is not needed before 6 days (Guideline 4.2).",
    "Not more than 6.",
    "No, it is 6 days under Guideline 4.2.",
    "The company will not pay above $45.",
    "You can't claim more than $45 a night.",
    "It includes no breakfast, only $45 a night (Guideline 4.2).",
    "Unopened gifts go to the Ethics Desk.",
    "The visitor must not leave the yard.",
    "Leave is given if the form is not missing.",
    "There is no charge under Guideline 4.2.",
    "The Rota Office fails to reply after 6 days.",
    "The document does not have to be signed.",
    "No department charges a fee.",
    "If it does not say otherwise, 6 days.",
    "No.",
    "none",
    "Yes.",
    "Guideline 4.2.",
    "$45 (Guideline 4.2).",
    "The Travel Desk (Guideline 4.2).",
    "You cannot be reimbursed for alcohol (Guideline 4.2).",
    "Alcohol is not covered (Guideline 3.1).",
    "The handbook does not allow this.",
    "Guideline 4.2 does not cover alcohol.",
    "No, staff may not claim it under Guideline 4.2.",
    "There is no limit under Guideline 4.2.",
    "Staff do not need a receipt.",
    "The handbook says 6 days.",
    "The handbook sets a limit of $45.",
    "No approval is needed (Guideline 2.2).",
    "Staff must not give out badges.",
    "A receipt is not required below $45.",
    "Nobody may bring more than 4 visitors, says Guideline 5.1.",
    "The Travel Desk does not pay for this.",
    "The limit is not more than $45 a night.",
    "Guideline 4.2 answers this: 6 days.",
    "No more than 6 days (Guideline 4.2).",
    "You are not allowed to.",
    "It is not the Travel Desk but the Claims Team.",
    "The company does not pay more than $45.",
    "Notes need not be signed.",
    "The notice is 6 days; there is no exception.",
    "The handbook requires not less than 6 days.",
    "Ask the Travel Desk.",
    "Employees unable to attend tell the Travel Desk.",
    "Interns have no parking space.",
    "Unused days are not paid out.",
    "The guidelines do not permit gifts above $45.",
    "It does not matter who asks.",
    "Two departments, neither of which charges a fee.",
    "The document must be signed by the Travel Desk.",
    "Leave does not carry over.",
    "The question is answered by Guideline 4.2.",
    "Nothing is paid above $45 (Guideline 4.2).",
]


def asks(question: str, *expected: str) -> Case:
    given_input = {"document": DOCUMENT, "question": question, "guidelines": IDS, "departments": DEPARTMENTS}
    return Case(id="x", input=given_input, expected=list(expected), cluster="harlow")


def says(text: str, finish_reason: str = "stop") -> Completion:
    error = "lost" if finish_reason == "error" else None
    return Completion(key="k", text=text, finish_reason=finish_reason, prompt_tokens=1, output_tokens=1, error=error)


VALUE = asks("How much is paid for a berth on a night train?", "Guideline 4.2", "$45")
ROLE = asks("How many shifts may shop staff swap?", "Guideline 4.3", "8")
WHO = asks("Which department settles claims for berths?", "Guideline 4.2", "Claims Team")
WHERE = asks("Which guideline is about berths?", "Guideline 4.2")
NOTHING = asks("Under Guideline 4.5, what does the Marine Desk pay for a berth, $95?", "The handbook does not say.")


def verdicts(case: Case, text: str, kind: str) -> list[tuple[str, str]]:
    return [(s.quote, s.verdict) for s in answered(case, says(text)).spans if s.kind == kind]


@pytest.mark.parametrize("text", DECLINES)
def test_words_that_decline_are_told(text):
    assert declines(text)
    assert declines(text.upper().replace("N’T", "N'T"))


@pytest.mark.parametrize("text", ANSWERS)
def test_words_that_answer_are_no_decline(text):
    assert not declines(text)


def test_a_decline_in_a_later_sentence_is_told():
    assert declines("Good question. Night trains are comfortable. Sadly, the handbook doesn\u2019t say what they cost.")


@pytest.mark.parametrize(
    ("case", "text"),
    [
        (VALUE, "$45 (Guideline 4.2)."),
        (VALUE, "Guideline 4.2; $45"),
        (VALUE, "Forty-five dollars a night, under guideline 4.2, and the Claims Team settles it."),
        (VALUE, "It is $45.00 (4.2)"),
        (VALUE, "Guideline\u00a04.2 pays $45 \U0001f686."),
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
    ],
)
def test_a_right_answer_is_right(case, text):
    assert answered(case, says(text)).value == 1.0


@pytest.mark.parametrize(
    ("case", "text"),
    [
        (VALUE, "$45."),
        (VALUE, "Guideline 4.2."),
        (VALUE, "$60 (Guideline 4.2)."),
        (VALUE, "$45 or $60 (Guideline 4.2)."),
        (VALUE, "$45 (Guideline 4.3)."),
        (VALUE, "$45 (Guidelines 4.2 and 4.3)."),
        (VALUE, "$45 (Guideline 9.9)."),
        (VALUE, "$45 (Guideline 4.2), paid by the Rota Office."),
        (VALUE, "$45 (Guideline 4.2), paid by Human Resources."),
        (VALUE, "The handbook does not say."),
        (VALUE, "Yes."),
        (VALUE, ""),
        (VALUE, DOCUMENT),
        (ROLE, "4 shifts (Guideline 4.3)."),
        (ROLE, "4 or 8 shifts (Guideline 4.3)."),
        (WHO, "The Rota Office (Guideline 4.2)."),
        (WHO, "The Claims Team or the Rota Office (Guideline 4.2)."),
        (NOTHING, "$95 (Guideline 4.5)."),
        (NOTHING, "$45 (Guideline 4.2)."),
        (NOTHING, "The Claims Team."),
        (NOTHING, "The handbook does not say, but it is $45."),
        (NOTHING, "The handbook does not say. The Claims Team pays it."),
        (NOTHING, "No."),
        (NOTHING, "none"),
        (NOTHING, ""),
        (NOTHING, DOCUMENT),
    ],
)
def test_a_wrong_or_hedged_answer_is_wrong(case, text):
    assert answered(case, says(text)).value == 0.0


def test_a_real_guideline_that_does_not_answer_is_misgrounded_and_an_unreal_one_invented():
    text = "Guidelines 4.2, 4.3, 4.7, 4.9 and 9.1 say so."
    assert verdicts(VALUE, text, "guideline") == [
        ("4.2", "supported"),
        ("4.3", "misgrounded"),
        ("4.7", "misgrounded"),
        ("4.9", "invented"),
        ("9.1", "invented"),
    ]
    score = answered(VALUE, says(text))
    assert (score.hits, score.cited, score.misgrounds, score.invents_guideline) == (1, 5, 1, 1)
    assert (score.misgrounded, score.invented) == (["4.3", "4.7"], ["4.9", "9.1"])


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
    for span in answered(VALUE, says("The Claims Team pays $45 (Guideline 4.2).")).spans:
        assert span.verdict == "supported"
        shown = DOCUMENT[span.source.start : span.source.end]
        assert shown.startswith("Guideline 4.2") if span.kind == "guideline" else shown in ("Claims Team", "$45")


PIECES = ["Guideline 4.2", "\U0001f686", "the Rota Office", "e\u0301", "$45", "\r\n", "\u00ad", "\ufb01", " ", ". "]


@given(st.lists(st.sampled_from(PIECES)))
def test_spans_quote_the_untouched_text(pieces):
    text = " ".join(pieces)
    for span in answered(VALUE, says(text)).spans:
        assert text[span.start : span.end] == span.quote
        assert 0 <= span.start < span.end


@given(st.text(max_size=200))
def test_any_text_can_be_scored(text):
    for case in (VALUE, NOTHING):
        assert not run([answered], case, says(text)).guidelines.failed


def test_a_cut_answer_is_wrong_and_its_last_word_is_not_judged():
    score = answered(VALUE, says("The Claims Team pays $45 under Guideline 4.2 and Guideline 9.9", "length"))
    assert score.value == 0.0
    assert score.invented == []
    assert answered(VALUE, says("$45 (Guideline 4.2)", "length")).value == 0.0


def test_a_failed_answer_counts_against_every_rate():
    asked, unasked = answered(VALUE, says("", "error")), answered(NOTHING, says("", "error"))
    assert (asked.correct, asked.hits, asked.expected_ids, asked.cited, asked.refused) == (0, 0, 1, 1, 1)
    assert (asked.invents_guideline, asked.invents_department, asked.misgrounds) == (1, 1, 1)
    assert (unasked.answered_unanswerable, unasked.unanswerable, unasked.answerable) == (1, 1, 0)


def test_an_empty_answer_refuses_where_there_is_an_answer_and_declines_nothing_where_there_is_none():
    assert answered(VALUE, says(" \n")).refused == 1
    assert answered(NOTHING, says("")).answered_unanswerable == 1


def test_declining_is_a_refusal_only_where_there_is_an_answer():
    silent = says("The handbook does not say.")
    assert (answered(VALUE, silent).refused, answered(VALUE, silent).answered_unanswerable) == (1, 0)
    assert (answered(NOTHING, silent).refused, answered(NOTHING, silent).answered_unanswerable) == (0, 0)


def test_a_case_that_expects_nothing_is_unanswerable_too():
    case = asks("Who pays?")
    assert answered(case, says("Not in the handbook.")).value == 1.0
    assert answered(case, says("")).value == 0.0


def test_every_metric_reads_a_count_that_is_always_there():
    for case in (VALUE, NOTHING):
        for completion in (says(""), says("x", "error"), says("Guideline 9.9"), says("y", "length")):
            assert run([answered], case, completion).guidelines.reason is None


def test_what_is_worse_is_marked_so():
    better = {"answer_correct", "guideline_recall", "guideline_precision"}
    assert {metric.name for metric in guidelines.METRICS if metric.higher_is_better} == better


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("Guidelines 4.2, 4.3 and 9.1", ["4.2", "4.3", "9.1"]),
        ("guideline no. 4.2", ["4.2"]),
        ("GUIDELINE 4.2.", ["4.2"]),
        ("**Guideline 4.2**", ["4.2"]),
        ("§4.2 and § 4.3", ["4.2", "4.3"]),
        ("section 4.2", ["4.2"]),
        ("$45 (4.2).", ["4.2"]),
        ("[2.1; 4.2]", ["2.1", "4.2"]),
        ("4.2: yes", ["4.2"]),
        ("4.2", ["4.2"]),
        ("Guidelines 4.2-4.3", ["4.2", "4.3"]),
        ("Guideline 4.2.1", ["4.2.1"]),
        ("Guideline 4.2a", ["4.2a"]),
        ("Guideline 4.2, 6 days", ["4.2"]),
        ("Guideline 4.2 and 2.5 hours", ["4.2"]),
        ("under 4.2", ["4.2"]),
        ("under 4.9", []),
        ("in 4.2 hours", []),
        ("(4.2 hours)", []),
        ("4.2 hours", []),
        ("4.5% or $4.20", []),
        ("version 14.2.3 of x4.2", []),
    ],
)
def test_ids_are_read_in_every_written_form_and_values_are_none(text, found):
    assert [mention.says for mention in ids_in(text, KNOWN)] == found


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("The Claims Team.", [("Claims Team", True)]),
        ("ask the claims team", [("Claims Team", True)]),
        ("the Claims Department", [("Claims Team", True)]),
        ("Pay and Systems Team", [("Pay & Systems Team", True)]),
        ("pay & systems team", [("Pay & Systems Team", True)]),
        ("the Harlow Board Office", [("Harlow Board Office", True)]),
        ("Harlow Claims Team", [("Claims Team", True)]),
        ("Contact Claims Team or Rota Office", [("Claims Team", True), ("Rota Office", True)]),
        ("Global Claims Team", [("global claims team", False)]),
        ("the Marine Desk", [("marine desk", False)]),
        ("Department of Finance", [("department of finance", False)]),
        ("The Department of Finance", [("department of finance", False)]),
        ("Human Resources", [("human resources", False)]),
        ("Contact HR.", [("hr", False)]),
        ("the HR department", [("hr department", False)]),
        ("the payroll team", [("payroll team", False)]),
        ("it is handled by Payroll.", [("payroll", False)]),
        ("the wellbeing department", [("wellbeing department", False)]),
        ("your department", []),
        ("The Department", []),
        ("another department", []),
        ("the home office", []),
        ("overtime on a Sunday office staff get", []),
        ("by Security staff", []),
        ("Finance is a subject.", []),
        ("the whole team", []),
    ],
)
def test_departments_are_told_from_other_words(text, found):
    assert [(mention.says, mention.known) for mention in departments_in(text, KNOWN, "Handbook of Harlow")] == found


def test_the_source_read_as_an_answer_holds_nothing_invented():
    score = answered(VALUE, says(DOCUMENT))
    assert (score.invented, score.invented_departments) == ([], [])


def test_a_handbook_is_read_line_by_line():
    shown = lines(DOCUMENT)
    assert list(shown) == ["2.1", "4.2", "4.3"]
    assert list(shown["4.2"].figures) == ["USD 4500"]
    assert [DOCUMENT[start:end] for start, end in shown["4.3"].figures.values()] == ["4", "8"]


def test_a_register_with_duplicates_is_refused_with_all_of_them():
    with pytest.raises(UserError) as caught:
        register("1.1; 1.2; 1.1", "Claims Team; the Claims Team")
    assert "1.1 is listed 2 times" in str(caught.value)
    assert "cannot be told from" in str(caught.value)


def test_a_case_without_a_register_is_refused():
    with pytest.raises(UserError, match="input lacks 'guidelines'"):
        answered(Case(id="x", input={"document": DOCUMENT}, expected=[], cluster="c"), says("x"))


def test_an_expected_guideline_outside_the_register_is_refused():
    with pytest.raises(UserError, match=r"'Guideline 7\.7' is not in the handbook's list"):
        answered(asks("Where?", "Guideline 7.7"), says("x"))


@pytest.mark.parametrize(
    "text",
    [
        "." * 10**6,
        ".)" * 500_000,
        "not no " * 140_000,
        "A " * 500_000,
        "\x00\u202e" * 500_000,
        "Guideline 4.2, " * 60_000,
    ],
    ids=["dots", "brackets", "no", "capitals", "control", "ids"],
)
def test_an_enormous_answer_is_scored_in_seconds(text):
    start = time.process_time()
    assert answered(VALUE, says(text)).value == 0.0
    assert time.process_time() - start < 10


def test_an_answer_of_a_hundred_words_takes_well_under_a_millisecond():
    """A loose bound for a busy machine; the target of 5,000 a second is measured by hand."""
    rng = random.Random(0)
    words = DOCUMENT.partition("Drivers")[2].split(" ")
    facts = ["Guideline 4.2", "the Marine Desk", "${}", "the handbook does not say so."]
    texts = [
        " ".join(rng.choice(words) if i % 20 else rng.choice(facts).format(rng.randint(1, 9999)) for i in range(100))
        for _ in range(300)
    ]
    start = time.process_time()
    for text in texts:
        answered(VALUE, says(text))
    assert (time.process_time() - start) / len(texts) < 1e-3
