"""Figures of an answer against a source: verdicts, and each derivation rule both ways."""

import random

import pytest

from harness.schema import Case, Score
from harness.scoring.base import run
from harness.scoring.grounding import figures
from tests.support.answers import answer


def scored(text: str, document: str = "", finish_reason: str = "stop") -> Score:
    case = Case(id="x", input={"document": document}, expected=[], cluster="lease-1")
    completion = answer(text, finish_reason)
    return run([figures.ungrounded], case, completion).figures


def test_an_ambiguous_date_says_how_it_was_read():
    assert scored("3/4/24", "March 4, 2024").spans[0].reason == "rule: equal, read month first"


def test_words_and_numeral_that_disagree_are_contradictory_even_if_the_source_has_both():
    score = scored("within thirty (60) days", "thirty (30) days or sixty (60) days")
    assert score.contradictory == ["thirty (60) days"]
    assert score.counts == {"figures": 1, "ungrounded": 1, "responses_with": 1}


def test_a_contradiction_that_the_source_makes_itself_is_its_own():
    assert scored("within thirty (60) days", "paid within thirty (60) days").spans[0].verdict == "supported"


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
