"""Short answers: whole words, the three ways to match, exact texts, refusals, and what counts as no answer."""

import pytest

from harness.schema import Case, Score, Scores
from harness.scoring import short_answer
from harness.scoring.base import metrics_of, run
from tests.support.answers import answer


def both(text: str, expected: list[str], finish_reason: str = "stop", **tags: str) -> Scores:
    case = Case(id="q1", input={}, expected=expected, cluster="c", tags=tags)
    completion = answer(text, finish_reason)
    return run([short_answer.accepted, short_answer.exactly, short_answer.given], case, completion)


def scored(text: str, expected: list[str], finish_reason: str = "stop", **tags: str) -> Score:
    return both(text, expected, finish_reason, **tags).answers


@pytest.mark.parametrize(
    ("text", "expected", "correct"),
    [
        ("The capital is Paris.", ["Paris"], 1),
        ("PARIS", ["Paris"], 1),
        ("It is comparison.", ["Paris"], 0),
        ("Parisian", ["Paris"], 0),
        ("New\nYork City", ["New York"], 1),
        ("York New", ["New York"], 0),
        ("blue", ["red", "blue"], 1),
        ("3.14", ["3"], 0),
        ("about 3", ["3"], 1),
        ("3.", ["3"], 1),
        ("1,000 metres", ["1000"], 1),
        ("It is -5.", ["5"], 0),
        ("It is -5.", ["-5"], 1),
        ("Beyoncé", ["Beyonce\u0301"], 1),
        ("o\u00adxy\u00adgen", ["oxygen"], 1),
        ("don’t", ["don't"], 1),
        ("", ["Paris"], 0),
        ("期限为30天。", ["30天"], 1),
        ("期限为130天。", ["30天"], 0),
        ("共1,000.5元", ["1000.5"], 1),
        ("2020年-2021年", ["2021年"], 1),
        ("十五年", ["五年"], 0),
        ("ジョン スミス", ["ジョン・スミス"], 1),
        ("दान", ["दिन"], 0),
        ("यह दिन है", ["दिन"], 1),
        ("ไม", ["ไม่"], 0),
        ("המַזָּל", ["המזל"], 1),
        ("٣٠ يومًا", ["30 يوما"], 1),
    ],
)
def test_an_accepted_answer_is_found_as_whole_words(text, expected, correct):
    score = scored(text, expected)
    assert (score.value, score.correct) == (float(correct), correct)


@pytest.mark.parametrize(
    ("match", "text", "correct"),
    [
        ("exact", "Paris.", 1),
        ("exact", "the Paris", 1),
        ("exact", "Paris, France", 0),
        ("starts", "Paris, France", 1),
        ("starts", "The Paris area", 1),
        ("starts", "It is Paris", 0),
        ("contains", "It is Paris", 1),
    ],
)
def test_a_case_may_ask_for_a_stricter_match(match, text, correct):
    assert scored(text, ["Paris"], match=match).correct == correct


@pytest.mark.parametrize(
    ("text", "expected", "correct"),
    [
        ("A", "A", 1),
        ("A: red", "A", 1),
        ("(a) red", "A", 1),
        ("**A.** red", "A", 1),
        ("B: chair", "B", 1),
        ("A red thing", "A", 0),
        ("B: chair", "A", 0),
        ("A: red", "red", 1),
        ("A: red", "B", 0),
    ],
)
def test_the_letter_a_of_an_option_is_no_article(text, expected, correct):
    assert scored(text, [expected], match="starts").correct == correct


@pytest.mark.parametrize(
    ("text", "expected", "correct"),
    [
        ("It is not in Japan.", "Japan", 0),
        ("$60, not $65", "65", 0),
        ("It isn't the Bible.", "Bible", 0),
        ("It isn\u2019t closed.", "closed", 0),
        ("It is not in China but in Japan.", "Japan", 1),
        ("The answer is 44, not 54.", "44", 1),
        ("No, it is Japan.", "Japan", 1),
        ("not in the document", "not in the document", 1),
    ],
)
def test_an_answer_that_is_denied_does_not_count(text, expected, correct):
    assert scored(text, [expected]).correct == correct


@pytest.mark.parametrize(
    ("text", "expected", "correct"),
    [
        ("It costs $65.00.", "65", 1),
        ("44.0", "44", 1),
        ("65", "65.00", 1),
        ("-3.0", "3", 0),
        ("65.50", "65", 0),
        ("1.000", "1", 0),
        ("6.0", "60", 0),
    ],
)
def test_decimals_of_a_whole_number_do_not_matter(text, expected, correct):
    assert scored(text, [expected]).correct == correct


def test_an_unknown_match_is_named():
    wrong = Case(id="q1", input={}, expected=["Paris"], cluster="q", tags={"match": "fuzzy"})
    assert short_answer.accepted.check(wrong) == [
        "case 'q1': tag match is 'fuzzy', expected one of contains, starts, exact"
    ]


@pytest.mark.parametrize("finish_reason", ["length", "error"])
def test_a_cut_or_failed_answer_is_wrong_and_incomplete(finish_reason):
    scores = both("Paris", ["Paris"], finish_reason)
    assert scores.answers.counts == {"correct": 0, "complete": 0}
    assert scores.exact.correct == 0


@pytest.mark.parametrize(
    ("text", "correct"),
    [
        ("Como sofa", 1),
        ("  the COMO sofa. ", 1),
        ("Como", 1),
        ("The Como sofa is fine", 0),
        ("It is the Como sofa", 0),
        ("Levico desk", 0),
        ("", 0),
    ],
)
def test_an_exact_answer_is_an_accepted_text_and_nothing_else_whatever_the_tag_match(text, correct):
    score = both(text, ["Como sofa", "Como"], match="contains").exact
    assert (score.value, score.correct) == (float(correct), correct)


def test_an_exact_answer_needs_an_accepted_text():
    assert short_answer.exactly.check(Case(id="q1", input={}, expected=[], cluster="c")) == [
        "case 'q1': expected is empty. Name at least one accepted text"
    ]


def test_exact_and_accepted_answers_can_be_scored_in_one_suite():
    metrics = [metric.name for metric in metrics_of([short_answer.exactly, short_answer.accepted])]
    assert metrics == ["exact_rate", "accuracy", "complete_rate"]
    assert short_answer.exactly.version != short_answer.accepted.version


def test_a_refusal_is_right_only_where_nothing_is_expected():
    assert scored("I cannot answer that.", []).correct == 1
    assert scored("I cannot answer that.", ["Paris"]).correct == 0
    assert scored("It is Paris.", []).correct == 0


def test_the_span_holds_the_accepted_words():
    (span,) = scored("🏠 It is  New\u00a0York!", ["New York"]).spans
    assert (span.start, span.quote) == (9, "New\u00a0York")


@pytest.mark.parametrize(("text", "answered"), [("I don't know.", 0), ("none", 1), (" ", 0)])
def test_a_refusal_and_an_empty_text_are_no_answer(text, answered):
    assert both(text, []).given.answered == answered


def test_refusing_a_question_without_an_answer_lowers_no_rate_where_that_is_right():
    def given(text, expected):
        case = Case(id="x", input={}, expected=expected, cluster="x")
        return short_answer.given_where_expected(case, answer(text))

    refused, asked = given("I don't know.", []), given("I don't know.", ["Paris"])
    assert (refused.value, refused.counts["answerable"]) == (1.0, 0)
    assert (asked.value, asked.counts["answerable"], asked.counts["answered"]) == (0.0, 1, 0)
    assert given(" ", []).value == 0.0
    assert given("It is Paris.", []).counts == {"answered": 0, "answerable": 0, "words": 3}
    assert given("It is Paris.", ["Paris"]).counts == {"answered": 1, "answerable": 1, "words": 3}


def test_length_is_in_words_and_a_failed_completion_has_none():
    assert both("one two  three", []).given.counts == {"answered": 1, "words": 3}
    assert both("one two", [], "error").given.counts == {"answered": 0, "words": 0}
