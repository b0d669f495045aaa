"""Sections cited or rightly withheld: what is right, what hedges, what abstains, and what cannot be read."""

import pytest

from harness.schema import Case, Score
from harness.scoring.base import run
from harness.scoring.legal import statute_questions
from tests.support.answers import answer

SECTION = ["O.C.G.A. § 44-14-161"]
ABSENT = ["not in the document"]


def scored(text: str, expected, finish_reason: str = "stop", question: str = "Which section?", **tags: str) -> Score:
    case = Case(
        id="g1",
        input={"document": "See O.C.G.A. § 44-14-161.", "question": question},
        expected=list(expected),
        cluster="c",
        tags={"state": "Georgia", **tags},
    )
    done = answer(text, finish_reason)
    score = run([statute_questions.cited], case, done).grounded
    assert not score.failed, score.reason
    return score


@pytest.mark.parametrize(
    "text",
    [
        "O.C.G.A. § 44-14-161",
        "OCGA § 44-14-161(a)",
        "O. C. G. A. § 44-14-161.",
        "Ga. Code Ann. § 44-14-161",
        "It is Code Section 44-14-161.",
        "Official Code of Georgia Annotated §\n44–14–161",
        "44\u201114\u2011161",
        "§\u00a044-14-161 et seq.",
        "44-14-161, and again § 44-14-161",
        "The document names § 44-14-161 for this. It does not mention any other section.",
    ],
)
def test_the_section_asked_for_is_right_in_every_written_form(text):
    score = scored(text, SECTION)
    assert (score.value, score.hits, score.predicted, score.gold, score.parsed) == (1.0, 1, 1, 1, 1)


@pytest.mark.parametrize(
    ("text", "predicted", "hits"),
    [
        ("§ 44-14-162", 1, 0),
        ("§ 44-14-161 and § 44-14-162", 2, 1),
        ("O.C.G.A. §§ 44-14-160 through 44-14-162", 1, 0),
        ("§ 44-14-161, or not in the document", 1, 1),
        ("Yes.", 1, 0),
        ("", 1, 0),
    ],
)
def test_another_section_a_hedge_or_no_section_is_wrong(text, predicted, hits):
    score = scored(text, SECTION)
    assert (score.value, score.predicted, score.hits, score.gold) == (0.0, predicted, hits, 1)
    assert score.refused_answerable == 0


@pytest.mark.parametrize(
    "text",
    [
        "not in the document",
        "Not in the document.",
        "This is not stated in the memo.",
        "The document does not say.",
        "The memo doesn't mention any section for that.",
        "The memo doesn’t name one.",
        "No such section is named in the letter.",
        "None.",
        "Not stated",
        "I cannot answer that from the document.",
        "I don't know.",
        "No section is cited in the document for this.",
        "The deed does not cite a section for that.",
        "There is no section named for it.",
        "The memo names none.",
    ],
)
def test_an_abstention_is_right_where_there_is_no_answer_and_a_refusal_where_there_is_one(text):
    absent, present = scored(text, ABSENT), scored(text, SECTION)
    assert (absent.value, absent.answered_unanswerable, absent.unanswerable, absent.predicted) == (1.0, 0, 1, 0)
    assert (present.value, present.refused_answerable, present.answerable, present.predicted) == (0.0, 1, 1, 0)
    assert scored(text, []).value == 1.0


@pytest.mark.parametrize(
    "text",
    [
        "O.C.G.A. § 44-14-161",
        "§ 44-14-161, though it is not in the document",
        "Yes, it does.",
        "30 days",
        "It is in the document's first line.",
        "The section is not in the document's heading but below.",
        "No.",
        "",
        "The form does not name a fee for the deed tax.",
        "not § 44-7-50",
    ],
)
def test_anything_else_answers_what_has_no_answer(text):
    score = scored(text, ABSENT)
    assert (score.value, score.answered_unanswerable, score.predicted) == (0.0, 1, 1)


def test_an_abstention_may_repeat_the_section_of_its_question_and_no_other():
    asked = "What does O.C.G.A. § 44-99-999 require?"
    score = scored("O.C.G.A. § 44-99-999 is not in the document.", ABSENT, question=asked)
    assert (score.value, score.predicted, score.spans[0].verdict) == (1.0, 0, "repeated")
    assert scored("§ 44-99-998 is not in the document.", ABSENT, question=asked).value == 0.0
    assert scored("O.C.G.A. § 44-99-999 requires a notice.", ABSENT, question=asked).value == 0.0
    assert scored("O.C.G.A. § 44-99-999, or not in the document", ABSENT, question=asked).value == 0.0


@pytest.mark.parametrize(
    "text",
    [
        "The document does not cite § 44-99-999.",
        "Neither § 44-99-999 nor another section is named in the lease for this.",
        "The lease doesn't mention O.C.G.A. § 44-99-999 for it.",
        "None specified.",
        "The form does not name any statute for the deed tax.",
        "The paper refers to no section.",
    ],
)
def test_a_denial_of_the_section_of_the_question_is_an_abstention(text):
    asked = "Is O.C.G.A. § 44-99-999 or which other section followed?"
    assert (scored(text, ABSENT, question=asked).value, scored(text, SECTION, question=asked).value) == (1.0, 0.0)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("O.C.G.A. § 44-14-161 is not cited.", 0.0),
        ("The deed does not cite § 44-14-161.", 0.0),
        ("O.C.G.A. § 44-14-161 (the deed does not cite another).", 1.0),
        ("The deed does not cite § 44-99-999; it is O.C.G.A. § 44-14-161.", 1.0),
    ],
)
def test_the_right_section_that_an_answer_denies_is_no_answer(text, value):
    assert scored(text, ["O.C.G.A. § 44-14-161"], question="Is it § 44-99-999?").value == value


@pytest.mark.parametrize(
    "text",
    [
        "O.C.G.A. § 44-99-999 is the section; the document does not say when.",
        "The section is O.C.G.A. § 44-99-999. The document does not specify the time.",
        "O.C.G.A. § 44-99-999 is the section, and the document does not say when.",
        "O.C.G.A. § 44-99-999 requires no notice; the rest is not stated in the document.",
        "Yes, O.C.G.A. § 44-99-999, but the deed does not state the number of days.",
    ],
)
def test_an_abstention_on_a_detail_does_not_excuse_a_section_that_the_answer_affirms(text):
    score = scored(text, ABSENT, question="What does O.C.G.A. § 44-99-999 require?")
    assert (score.value, score.answered_unanswerable, score.predicted, score.spans[0].verdict) == (0.0, 1, 1, "wrong")


@pytest.mark.parametrize(
    "text",
    [
        "Neither O.C.G.A. § 44-99-999 nor another section is cited; not in the document",
        "No, O.C.G.A. § 44-99-999 is not named; not in the document",
        "not in the document (O.C.G.A. § 44-99-999 is not cited)",
        "The lease does not name O.C.G.A. § 44-99-999 or another section for it. Not in the document.",
        "The question is about O.C.G.A. § 44-99-999, but the document does not mention it.",
        "You ask about O.C.G.A. § 44-99-999. It is not in the document.",
        "The document says nothing about O.C.G.A. § 44-99-999.",
    ],
)
def test_an_abstention_may_deny_the_section_of_its_question_in_every_form(text):
    score = scored(text, ABSENT, question="What does O.C.G.A. § 44-99-999 require?")
    assert (score.value, score.answered_unanswerable, score.predicted) == (1.0, 0, 0)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("No, O.C.G.A. § 44-99-999 is not cited for that; the lease cites O.C.G.A. § 44-14-161.", 1.0),
        ("No, O.C.G.A. § 44-88-888 is not cited for that; the lease cites O.C.G.A. § 44-14-161.", 0.0),
        ("O.C.G.A. § 44-99-999 or O.C.G.A. § 44-14-161", 0.0),
        ("No, O.C.G.A. § 44-14-161 is not cited for that; the lease cites O.C.G.A. § 44-99-999.", 0.0),
        ("No, O.C.G.A. § 44-99-999 is not cited for that.", 0.0),
        ("No, not § 44-99-999. It is O.C.G.A. § 44-14-161.", 1.0),
        ("O.C.G.A. § 44-14-161 and not under **§ 44-99-999**", 1.0),
        ("No, not § 44-88-888. It is O.C.G.A. § 44-14-161.", 0.0),
        ("O.C.G.A. § 44-99-999, not § 44-14-161", 0.0),
        ("O.C.G.A. § 44-14-161, whether or not § 44-99-999", 0.0),
        ("not § 44-99-999", 0.0),
    ],
)
def test_the_right_section_may_stand_next_to_a_denied_one_of_the_question(text, value):
    question = "Is O.C.G.A. § 44-99-999 cited for that, or which section is?"
    assert scored(text, SECTION, question=question).value == value


def test_facts_are_asked_for_beside_the_section_and_the_replaced_one_is_wrong():
    expected, stale = ["30 days", "O.C.G.A. § 44-14-161"], "15 days|fifteen days"
    for text, value, old in [
        ("30 days; O.C.G.A. § 44-14-161", 1.0, 0),
        ("thirty (30) days under § 44-14-161", 1.0, 0),
        ("§ 44-14-161", 0.0, 0),
        ("30 days, and the sale is 45 days later; § 44-14-161", 1.0, 0),
        ("30 days, 45 days or 60 days; § 44-14-161", 0.0, 0),
        ("45 days or perhaps 30 days; § 44-14-161", 0.0, 0),
        ("45 days (the cure takes 30 days); § 44-14-161", 0.0, 0),
        ("It is mailed 45 days ahead, § 44-14-161; another letter has thirty days.", 0.0, 0),
        ("30 days", 0.0, 0),
        ("not 45 days but 30 days, § 44-14-161", 1.0, 0),
        ("not later than 30 days, § 44-14-161", 1.0, 0),
        ("not within 30 days but within 45 days, § 44-14-161", 0.0, 0),
        ("no longer thirty days, § 44-14-161", 0.0, 0),
        ("15 days; § 44-14-161", 0.0, 1),
        ("30 days, once fifteen days; § 44-14-161", 0.0, 1),
    ]:
        score = scored(text, expected, stale=stale)
        assert (score.value, score.counts["stale"], score.has_stale) == (value, old, 1), text


@pytest.mark.parametrize("said", ["15 days", "twenty days", "§ 44-2-14"])
def test_each_of_several_replaced_facts_and_sections_is_stale(said):
    stale = "15 days + 20 days + O.C.G.A. § 44-2-14"
    score = scored(f"30 days, once {said}; § 44-14-161", ["30 days", *SECTION], stale=stale)
    assert (score.value, score.counts["stale"]) == (0.0, 1)


def test_a_replaced_section_is_stale_in_every_written_form():
    score = scored("Code Section 44-2-14", SECTION, stale="O.C.G.A. § 44-2-14")
    assert score.extracted["stale"] == ["Code Section 44-2-14"] and score.value == 0.0
    assert [span.verdict for span in score.spans] == ["stale"]


def test_several_sections_are_all_asked_for():
    expected = ["O.C.G.A. §§ 44-5-61 and 44-5-62", "O.C.G.A. § 44-5-63"]
    assert scored("44-5-61, 44-5-62 and 44-5-63", expected).value == 1.0
    part = scored("44-5-61, 44-5-62", expected)
    assert (part.value, part.hits, part.gold, part.missing) == (0.0, 2, 3, ["44-5-63"])


@pytest.mark.parametrize("reason", ["length", "error"])
def test_a_cut_or_failed_answer_is_wrong_whatever_was_asked(reason):
    for text, expected in (("O.C.G.A. § 44-14-161", SECTION), ("not in the document", ABSENT)):
        score = scored(text, expected, finish_reason=reason)
        assert (score.value, score.parsed, score.hits, score.predicted, score.spans) == (0.0, 0, 0, 1, [])
        assert score.answered_unanswerable == int(expected is ABSENT)


def test_a_bare_number_is_a_section_only_where_the_case_is_georgian():
    assert scored("44-14-161", SECTION, state="Ohio").value == 0.0


def test_every_span_quotes_the_answer():
    text = "🏛 O\u00adCGA §\u00a044-14-161, ﬁne — § 44-2-1; this is not in the docu\u00adment"
    score = scored(text, SECTION)
    assert [text[s.start : s.end] for s in score.spans] == [s.quote for s in score.spans]
    assert [s.verdict for s in score.spans] == ["right", "wrong", "wrong"]
    assert score.spans[-1].kind == "abstention"


def test_odd_answers_are_scored():
    for text in ("x" * 1_000_000, "\x00 \u202e ☃", "§ " * 5000, "44-14-" * 5000):
        assert scored(text, SECTION).value == 0.0
