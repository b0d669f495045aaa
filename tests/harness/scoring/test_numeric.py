"""Numbers with a tolerance: one number in many written forms, units, hedging."""

import pytest

from harness.errors import UserError
from harness.schema import Case
from harness.scoring.numeric import within
from tests.support.answers import answer


def scored(text: str, expected: str, finish: str = "stop", **how):
    case = Case(id="q", input={}, expected=[expected], cluster="q")
    return within(**how)(case, answer(text, finish))


@pytest.mark.parametrize(
    ("text", "expected", "how", "right"),
    [
        ("It is $1.25 million.", "$1,250,000", {}, 1),
        ("1,250,000", "$1,250,000", {}, 1),  # bare, where dollars are asked for
        ("1,250,000 euros", "$1,250,000", {}, 0),
        ("The rent is 1,250", "$1,250", {}, 1),
        ("$1,251", "$1,250", {}, 0),
        ("$1,251", "$1,250", {"absolute": 1}, 1),
        ("$1,251.01", "$1,250", {"absolute": 1}, 0),
        ("12.6%", "12.5%", {"absolute": 0.1}, 1),
        ("12.6%", "12.5%", {"absolute": 0.09}, 0),
        ("1260 basis points", "12.5%", {"absolute": 0.1}, 1),
        ("101", "100", {"relative": 0.01}, 1),
        ("102", "100", {"relative": 0.01}, 0),
        ("Between 90 and 100", "100", {}, 0),  # hedging
        ("90 and then 10 more make 100", "100", {"take": "last"}, 1),
        ("100 and not 90", "100", {"take": "last"}, 0),
        ("100, I repeat 100", "100", {}, 1),
        ("not 100", "100", {}, 0),
        ("It is no longer **$100**.", "$100", {}, 0),
        ("within 90 days rather than within 100", "100", {"take": "last"}, 0),
        ("not later than 100 days from now", "100 days", {}, 1),
        ("if not 100", "100", {}, 1),
        ("about 1.2M people", "1,200,000", {}, 1),
        ("1.2 M", "1.2", {}, 0),
        ("4.85k dollars", "$4,850", {}, 1),
        ("-2k", "-2000", {}, 1),
        ("10m", "10,000,000", {}, 0),  # may be metres
        ("thirty days", "30 days", {}, 1),
        ("30 months", "30 days", {}, 0),
        ("March 1, 2024", "2024-03-01", {}, 1),
        ("March 2, 2024", "2024-03-01", {}, 0),
        ("-5%", "-5%", {}, 1),
        ("\u2212$3 million", "-$3 million", {}, 1),
        ("$-3 million", "-$3 million", {}, 1),
        ("minus 42", "-42", {}, 1),
        ("$3 million", "-$3 million", {}, 0),
        ("-$3 million", "$3 million", {}, 0),
        ("-4", "-5", {"absolute": 1}, 1),
        ("a loss of $3 million", "-$3 million", {}, 1),
        ("It fell by 5%.", "5%", {}, 1),
        ("-$3 million", "a loss of $3 million", {}, 1),
        ("A gain of 5%", "-5%", {}, 0),
        ("($3 million)", "-$3 million", {}, 1),
        ("(3.2)%", "-3.2%", {}, 1),
        ("(7)", "7", {}, 1),
        ("- 5 days", "5 days", {}, 1),  # a bullet
        ("3-5 days", "5 days", {}, 0),  # a range is a hedge
        ("One.", "1", {}, 1),
        ("The answer is zero.", "0", {}, 1),
        ("No one knows.", "1", {}, 0),
        ("no idea", "100", {}, 0),
        ("", "100", {}, 0),
    ],
)
def test_a_number_is_right_within_its_tolerance(text, expected, how, right):
    assert scored(text, expected, **how).right == right


@pytest.mark.parametrize(
    ("text", "expected", "right"),
    [
        ("The customer has thirty (30) days.", "30", 1),
        ("$1.25 million", "1250000", 1),
        ("1,250 dollars", "1250", 1),
        ("$4.85k", "4850", 1),
        ("-5%", "-5", 1),
        ("30 hours", "30", 0),  # the text has days
        ("4 weeks", "30", 0),
        ("3,000 basis points", "30", 0),
        ("30 days or 40 days", "30", 0),
        ("42 chairs at $50 each", "42", 1),
        ("42 chairs at $50 each", "50", 0),
        ("42 years", "42", 0),
        ("March 2026", "2026", 0),
    ],
)
def test_a_number_that_the_case_gives_bare_may_have_a_unit_of_its_text(text, expected, right):
    document = "Pay $10 within 14 days, less 2%."
    case = Case(id="q", input={"document": document}, expected=[expected], cluster="q")
    assert within()(case, answer(text)).right == right


def test_a_failed_answer_is_wrong_and_a_number_cut_off_is_not_read():
    assert scored("100", "100", "error").counts == {"right": 0, "parsed": 0}
    assert scored("The sum is 100", "100", "length").counts == {"right": 0, "parsed": 0}


@pytest.mark.parametrize("take", ["only", "last"])
def test_an_answer_cut_at_the_token_limit_is_wrong_even_if_a_number_is_whole(take):
    """A sum on the way to the answer is not the answer."""
    cut = scored("The sum is 100 because the parties", "100", "length", take=take)
    assert cut.counts == {"right": 0, "parsed": 1}
    assert [span.reason for span in cut.spans] == ["the answer was cut at the token limit"]


def test_a_number_in_words_is_quoted_whole():
    assert [scored(text, "1").spans[0].quote for text in ("One.", "the answer is zero")] == ["One", "zero"]


def test_a_case_without_one_number_is_named():
    scorer = within()
    bad = Case(id="q9", input={}, expected=["a lot"], cluster="q")
    said = "case 'q9': expected is ['a lot'], expected one number in each entry, and no other digits. Write 1234.50 or"
    assert scorer.check(bad)[0].startswith(said)
    assert scorer.check(Case(id="q", input={}, expected=["$5"], cluster="q")) == []


@pytest.mark.parametrize("entry", ["€ 850,00", "EUR 1.250,00", "1 234,50 €", "1'234.50", "0,5", "Q3: $5", "4,125 %"])
def test_a_case_with_digits_that_are_not_read_or_are_unclear_is_refused(entry):
    case = Case(id="q", input={}, expected=["$5", entry], cluster="q")
    assert ["Write 1234.50 or 1,234.50" in problem for problem in within().check(case)] == [True]


@pytest.mark.parametrize(
    "entry", ["€850.00", "EUR 1,250", "thirty (30) days", "5 m²", "(3.2)%", "-$3 million", "1 1/2", "4.125%"]
)
def test_a_case_whose_digits_are_all_read_is_accepted(entry):
    assert within().check(Case(id="q", input={}, expected=[entry], cluster="q")) == []


@pytest.mark.parametrize(
    ("text", "expected"),
    [("€ 850,99", "€850"), ("EUR 1.250,00", "EUR 1.25"), ("1 234,50 €", "1"), ("5%,6%", "6%"), ("5%,6%", "5%")],
)
@pytest.mark.parametrize("take", ["only", "last"])
def test_part_of_a_number_in_another_notation_is_not_right(text, expected, take):
    assert scored(text, expected, take=take).right == 0


def test_a_number_at_the_end_of_a_clause_is_whole():
    assert [scored(text, "€850").right for text in ("It is €850, not less.", "It is €850.", "€850.00, or €850")] == [
        1
    ] * 3


def test_a_negative_tolerance_is_refused():
    with pytest.raises(UserError, match="at least 0"):
        within(absolute=-1)
