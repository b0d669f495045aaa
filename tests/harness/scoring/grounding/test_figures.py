"""Figures: canonical forms of equal and unequal pairs, what is no figure, and each derivation rule both ways."""

import random

import pytest

from harness.schema import Case, Score
from harness.scoring.base import run
from harness.scoring.grounding import figures
from harness.scoring.text import numbers
from harness.scoring.text.dates import MONTH_NAMES
from harness.scoring.text.quantities import HINT, QUANTITY, QuantityGroups, figures_in
from tests.support.answers import answer


def scored(text: str, document: str = "", finish_reason: str = "stop") -> Score:
    case = Case(id="x", input={"document": document}, expected=[], cluster="lease-1")
    completion = answer(text, finish_reason)
    return run([figures.ungrounded], case, completion).figures


def one(text: str) -> tuple[str, str, object]:
    found = figures_in(text)
    assert len(found) == 1, (text, found)
    return found[0].kind, found[0].unit, found[0].value


EQUAL = [
    ("$1.25M", "one million two hundred fifty thousand dollars"),
    ("$1,250,000", "$1.25 million"),
    ("$1,250,000.00", "US$1,250,000"),
    ("$500", "five hundred dollars"),
    ("$500", "USD 500"),
    ("$500", "Five Hundred and No/100 Dollars ($500.00)"),
    ("$45,000", "Forty-Five Thousand Dollars ($45,000)"),
    ("$45,000", "forty five thousand dollars"),
    ("$1,250.50", "One Thousand Two Hundred Fifty and 50/100 Dollars"),
    ("50 cents", "$0.50"),
    ("€20", "20 euros"),
    ("$700,112", "seven hundred thousand one hundred and twelve dollars"),
    ("$100", "a hundred dollars"),
    ("$2 billion", "$2,000,000,000"),
    ("5%", "five percent"),
    ("5%", "500 basis points"),
    ("5%", "five per cent"),
    ("5 %", "5 percent"),
    ("10%", "ten percent (10%)"),
    ("10%", "ten (10%) percent"),
    ("4.125%", "4 1/8%"),
    ("4.125%", "4⅛%"),
    ("0.5%", "50 bps"),
    ("12.50%", "12.5 percent"),
    ("March 1, 2024", "2024-03-01"),
    ("March 1, 2024", "the 1st day of March, 2024"),
    ("March 1, 2024", "1 March 2024"),
    ("March 1, 2024", "first day of March 2024"),
    ("March 1, 2024", "Mar. 1, 2024"),
    ("March 1, 2024", "MARCH 1, 2024"),
    ("March 1, 2024", "3/1/2024"),
    ("March 14, 2024", "3/14/24"),
    ("March 14, 2024", "03-14-2024"),
    ("June 2024", "June of 2024"),
    ("the twenty-first of May, 2023", "May 21, 2023"),
    ("30 days", "thirty (30) days"),
    ("30 days", "thirty days"),
    ("30 days", "30-day"),
    ("30 days", "thirty (30) calendar days"),
    ("14 days", "two weeks"),
    ("1 year", "12 months"),
    ("two-year", "24 months"),
    ("48 hours", "2 days"),
    ("10 business days", "ten (10) working days"),
    ("25 years", "twenty-five-year"),
    ("60 days'", "sixty days"),
    ("105", "one hundred and five"),
    ("2,000", "two thousand"),
    ("2,000", "2000"),
    ("12", "twelve"),
    ("1½", "1 1/2"),
    ("ﬁve percent", "5%"),
    ("thir\u00adty days", "30 days"),
    ("５ percent", "5%"),
]
UNEQUAL = [
    ("$1.25M", "$1.25 billion"),
    ("$500", "€500"),
    ("$500", "500"),
    ("$500", "$500.01"),
    ("$1,250", "$12.50"),
    ("5%", "0.5%"),
    ("5%", "5 basis points"),
    ("5%", "5 days"),
    ("4 1/8%", "41/8"),
    ("March 1, 2024", "March 2, 2024"),
    ("March 1, 2024", "January 3, 2024"),
    ("March 1, 2024", "March 1, 2023"),
    ("June 2024", "July 2024"),
    ("30 days", "one month"),
    ("30 days", "30 business days"),
    ("30 days", "13 days"),
    ("1 year", "365 days"),
    ("15 days", "fifty days"),
    ("2,000", "200"),
    ("1½", "11/2"),
    ("one hundred five", "1005"),
]


def test_the_table_of_pairs_is_large():
    assert len(EQUAL) + len(UNEQUAL) >= 60


@pytest.mark.parametrize(("left", "right"), EQUAL)
def test_two_ways_to_write_one_figure_are_equal(left, right):
    assert one(left) == one(right)


@pytest.mark.parametrize(("left", "right"), UNEQUAL)
def test_two_figures_that_look_alike_are_not_equal(left, right):
    assert one(left) != (figures_in(right)[0].kind, figures_in(right)[0].unit, figures_in(right)[0].value)


@pytest.mark.parametrize(
    ("text", "kind", "unit", "value"),
    [
        ("$1.25M", "money", "USD", 125_000_000),
        ("five percent", "percent", "bp", 500),
        ("the 1st day of March, 2024", "date", "date", "2024-03-01"),
        ("March 2024", "date", "date", "2024-03"),
        ("on May 1", "date", "date", "--05-01"),
        ("on april 3, 2024", "date", "date", "2024-04-03"),
        ("7/4/76", "date", "date", "1976-07-04"),
        ("25/12/2024", "date", "date", "2024-12-25"),
        ("30 days", "duration", "minutes", 43_200),
        ("two years", "duration", "months", 24),
        ("ten (10) business days", "duration", "business days", 10),
        ("two witnesses", "count", "", 2),
    ],
)
def test_each_kind_has_its_canonical_form(text, kind, unit, value):
    assert one(text) == (kind, unit, value)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "no figure here",
        "1. First\n2. Second\n10) Third",
        "- 3. Item",
        "Section 5 and Sections 6, 7 and 8(a)",
        "§ 12, §§ 3, 4",
        "In short: 11. Locks; see Guideline 4.2 and policy 7",
        "Article 3, page 4, pp. 5 to 7, Exhibit 2, Item 9",
        "O.C.G.A. § 44-14-162.2(a)",
        "13-1-11",
        "at 5:00 p.m. or 6 pm",
        "404-555-1234, 24/7, A4, 10-K, 4.2.1, x3",
        "one of them and no one else, zero risk",
        "a two-story house",
        "the 3rd floor",
        "he may, in March, second the motion",
        "(1) pay; (2) vacate",
        "one-third",
        "9" * 5000,
    ],
)
def test_these_numbers_are_no_figures(text):
    assert figures_in(text) == ()


def test_a_number_with_its_own_unit_is_a_figure_wherever_it_stands():
    assert [figure.value for figure in figures_in("No. 30 days. Section 5 and 2 years.\n1. 7%")] == [43_200, 24, 700]


@pytest.mark.parametrize(
    ("text", "values"),
    [
        ("10 to 15 days", [14_400, 21_600]),
        ("10-15 days", [14_400, 21_600]),
        ("between ten and fifteen days", [14_400, 21_600]),
        ("5-10%", [500, 1000]),
        ("between one hundred and two hundred dollars", [10_000, 20_000]),
    ],
)
def test_a_range_shares_its_unit(text, values):
    assert [figure.value for figure in figures_in(text)] == values


def test_the_parts_of_a_quantity_are_the_groups_of_its_pattern():
    assert tuple(QUANTITY.groupindex) == QuantityGroups._fields


@pytest.mark.parametrize(
    "word",
    [*list(numbers.UNITS)[1:], *numbers.TENS, *numbers.SCALES, *numbers.ORDINALS, "hundred"],
)
def test_no_number_word_is_passed_over(word):
    assert HINT.search(f"more than {word} of them")
    assert figures_in(f"It ends on the {word} day of May.") or word not in numbers.ORDINALS


@pytest.mark.parametrize("month", MONTH_NAMES.split())
@pytest.mark.parametrize("change", [str, str.upper, str.lower, lambda name: name[:3]])
def test_a_month_is_read_with_and_without_its_capital(month, change):
    found = figures_in(f"Paid on {change(month)} 3, 2024.")
    small_word = change(month) in ("march", "may")
    assert [figure.kind for figure in found] == (["count", "count"] if small_word else ["date"])


def test_a_numeric_date_that_could_be_read_otherwise_says_so():
    assert [f.ambiguous for f in figures_in("3/4/24 and 3/14/24 and 5/5/24")] == [True, False, False]
    assert scored("3/4/24", "March 4, 2024").spans[0].reason == "rule: equal, read month first"


def test_words_and_numeral_that_disagree_are_contradictory_even_if_the_source_has_both():
    score = scored("within thirty (60) days", "thirty (30) days or sixty (60) days")
    assert score.contradictory == ["thirty (60) days"]
    assert score.counts == {"figures": 1, "ungrounded": 1, "responses_with": 1}


def test_a_contradiction_that_the_source_makes_itself_is_its_own():
    assert scored("within thirty (60) days", "paid within thirty (60) days").spans[0].verdict == "supported"


@pytest.mark.parametrize(
    ("text", "value", "agrees"),
    [
        ("twenty-five hundredths of one percent (0.25%)", 25, True),
        ("five tenths of one percent", 50, True),
        ("forty hundredths of one percent (0.44%)", 40, False),
        ("25 basis points (0.25%)", 25, True),
        ("25 basis points (0.35%)", 25, False),
    ],
)
def test_parts_of_one_percent_are_one_figure(text, value, agrees):
    (figure,) = figures_in(text)
    assert (figure.unit, figure.value, figure.restated is None) == ("bp", value, agrees)


def test_a_figure_of_the_question_that_is_denied_is_no_claim():
    case = Case(id="x", input={"document": "Rent.", "question": "Is there a $50 fee?"}, expected=[], cluster="c")
    for text, claims in [("There is no $50 fee.", 0), ("Yes, a $50 fee.", 1), ("There is no fee. It is $50.", 1)]:
        completion = answer(text)
        assert run([figures.ungrounded], case, completion).figures.counts["figures"] == claims


def test_a_figure_of_the_source_is_supported_and_points_there():
    document = "The price is Five Hundred Dollars ($500), due in 30 days."
    (span,) = scored("It costs $500.", document).spans
    assert (span.kind, span.verdict, span.source.doc_id) == ("money", "supported", "lease-1")
    assert document[span.source.start : span.source.end] == "Five Hundred Dollars ($500)"


@pytest.mark.parametrize(
    ("rule", "text", "document", "holds"),
    [
        ("part of date", "in March 2024", "March 1, 2024", True),
        ("part of date", "on March 1", "March 1, 2024", True),
        ("part of date", "in 2024", "March 1, 2024", True),
        ("part of date", "March 1, 2024", "March 2024", False),
        ("part of date", "in 2023", "March 1, 2024", False),
        ("rounding", "about $1.2 million", "$1,240,000", True),
        ("rounding", "about $1.2 million", "$1,260,000", False),
        ("rounding", "$1.2 million", "$1,240,000", False),
        ("rounding", "approximately 12%", "11.6%", True),
        ("rounding", "about 12%", "11.4%", False),
        ("rounding", "about $1,000", "$1,400", False),
        ("sum or difference", "$1,500 in all", "$1,000 and $500", True),
        ("sum or difference", "$500 less", "$1,000 and $1,500", True),
        ("sum or difference", "$1,501 in all", "$1,000 and $500", False),
        ("sum or difference", "45 days", "30 days and 15 days", False),
        ("rate times base", "a fee of $600", "6% of $10,000", True),
        ("rate times base", "a fee of $601", "6% of $10,000", False),
        ("rate times base", "a tax of $0.33", "3.3% of $9.99", True),
        ("sum of listed parts", "$1,750 in all", "rent $1,000, parking $500 and storage $250", True),
        ("sum of listed parts", "$1,250 in all", "rent $1,000, fee $9, parking $200 and storage $50", False),
        ("sum of listed parts", "1,750 in all", "1,000, 500 and 250", False),
        ("date plus duration", "on March 31, 2024", "March 1, 2024 and 30 days later", True),
        ("date plus duration", "on February 29, 2024", "January 31, 2024, and one month", True),
        ("date plus duration", "on March 1, 2026", "two years from March 1, 2024", True),
        ("date plus duration", "on March 30, 2024", "March 1, 2024 and 30 days later", False),
        ("date plus duration", "on April 12, 2024", "March 1, 2024 and 30 business days later", False),
        ("date plus duration", "on February 28, 2026", "two years from March 1, 2024", False),
        ("share of total", "the deposit is 2.5%", "price $400,000, deposit $10,000", True),
        ("share of total", "the deposit is 2.4%", "price $400,000, deposit $10,000", False),
        ("share of total", "a third, 33%", "$100 and $100 and $100, in all $300", True),
        ("share of total", "a third, 33.3%", "$100 and $100 and $100, in all $300", True),
        ("share of total", "a third, 33.4%", "$100 and $100 and $100, in all $300", False),
        ("share of total", "33%", "$100 of $300", False),
        ("share of total", "25%", "12 of 48 units", False),
        ("share of total", "25%", "12, 20 and 16 units, 48 in all", True),
        ("unit change", "annual rent of $24,000", "rent of $2,000 a month", True),
        ("unit change", "$2,000 per month", "the annual rent is $24,000", True),
        ("unit change", "$6,000 quarterly", "$2,000 monthly", True),
        ("unit change", "$24,500 a year", "$2,000 per month", False),
        ("unit change", "$24,000", "$2,000 per month", False),
        ("unit change", "$24,000 a year", "$2,000", False),
    ],
)
def test_each_rule_accepts_and_rejects(rule, text, document, holds):
    (span,) = scored(text, document).spans
    assert span.verdict == ("derived" if holds else "ungrounded")
    assert (span.reason == f"rule: {rule}") is holds


def lucky(made, document: str, tries: int = 500) -> int:
    return sum(not scored(made(), document).ungrounded for _ in range(tries))


def test_random_figures_are_rarely_derivable_by_luck():
    """A source of ten amounts, three rates, two dates and three durations: at most 1 in 50 random figures follows."""
    draw = random.Random(7)
    amounts = " ".join(f"${draw.randrange(100, 100_000)}" for _ in range(10))
    document = (
        f"{amounts} at 5%, 10% and 20%; March 1, 2024 and June 3, 2024; 15 days, 90 days, two years; $900 a month"
    )
    assert lucky(lambda: f"${draw.randrange(100, 100_000)}", document) <= 10
    assert lucky(lambda: f"${draw.randrange(100, 100_000)} a year", document) <= 10
    assert lucky(lambda: f"{draw.randrange(1, 1000) / 10}%", document) <= 10
    assert lucky(lambda: f"2024-{draw.randrange(1, 13):02d}-{draw.randrange(1, 29):02d}", document) <= 20


def test_round_amounts_give_few_percentages_by_luck():
    """Five amounts in round thousands: at most 1 in 10 of the whole percentages follows from them."""
    document = "$3,000, $12,000, $25,000, $44,000 and $210,000"
    assert sum(not scored(f"{percent}%", document).ungrounded for percent in range(1, 101)) <= 10


@pytest.mark.parametrize(
    ("text", "first", "more"),
    [
        ("$20,300", ["$20,100", "$200"], [f"${n}" for n in range(1_000_001, 1_000_101)]),
        (
            "on January 29, 2024",
            ["January 28, 2024", "1 day"],
            [f"January {n}, 2023" for n in range(1, 30)] * 2 + ["9 days", "8 days"],
        ),
    ],
)
def test_a_source_of_very_many_figures_yields_nothing_by_a_rule(text, first, more):
    assert scored(text, " and ".join(first)).spans[0].verdict == "derived"
    assert scored(text, " and ".join(first + more)).spans[0].verdict == "ungrounded"


def test_an_exact_share_is_taken_from_few_amounts_only():
    few = "$3,000, $12,000, $25,000, $44,000 and $210,000"
    assert scored("25%", few).spans[0].reason == "rule: share of total"
    assert scored("25%", f"{few} and $7,001 and $9,001").ungrounded == ["25%"]


def test_a_date_out_of_range_is_no_error():
    assert scored("March 1, 2024", "December 31, 2099 and 99999 years and 999999999 days").ungrounded == [
        "March 1, 2024"
    ]


def test_a_source_scored_against_itself_has_no_ungrounded_figure():
    document = (
        "1. Rent is Two Thousand and No/100 Dollars ($2,000.00) a month from the 1st day of June, 2023.\n"
        "2. A late charge of five percent (5%) is due after ten (10) days; see Section 4.2 and O.C.G.A. § 13-1-11.\n"
        "3. Tenant gives 60 days' notice; the term is 2-3 years; 1½ shares; 04/05/2023; 3:00 p.m.; 1,250 square feet."
    )
    score = scored(document, document)
    assert score.counts["figures"] >= 9
    assert score.ungrounded == []


def test_a_failed_completion_counts_as_ungrounded():
    assert scored("", finish_reason="error").counts == {"figures": 1, "ungrounded": 1, "responses_with": 1}


def test_a_figure_that_a_cut_answer_breaks_off_in_is_not_judged():
    assert scored("It is $99 and $1,0", "$5", finish_reason="length").ungrounded == ["$99"]
    assert scored("It is $99 and $1,0", "$5").counts["ungrounded"] >= 2
