"""Quantities in text: equal and unequal ways to write them, what is no quantity, and every written form read back."""

from datetime import date
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.scoring.text import numbers
from harness.scoring.text.dates import MONTH_NAMES, periods_in
from harness.scoring.text.quantities import HINT, QUANTITY, QuantityGroups, figures_in


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
    ("$500", "500 USD"),
    ("$1,500", "1.5K usd"),
    ("$1.2 million", "1.2M USD"),
    ("€20", "20 EUR"),
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
    ("30 days", "30 (thirty) days"),
    ("30 days", "30 (thirty) calendar days"),
    ("12 months", "12 (twelve)-month"),
    ("$5 million", "$5 (five) million"),
    ("$5 million", "5 million (five million) dollars"),
    ("10%", "10 (ten) percent"),
    ("0.62 percentage points", "0.62 of a percentage point"),
    ("6 cents", "6¢"),
    ("30 days", "30-day"),
    ("3 days", "3 paid days"),
    ("24 hours", "24 unpaid sick hours"),
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
    ("a year and a half", "18 months"),
    ("an hour and a half", "90 minutes"),
    ("3/4 of the votes", "75%"),
    ("¾ of the votes", "75%"),
    ("half of the votes", "50%"),
    ("December thirty-first, two thousand twenty-four", "December 31, 2024"),
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


@pytest.mark.parametrize(("left", "right"), EQUAL)
def test_two_ways_to_write_one_figure_are_equal(left, right):
    assert one(left) == one(right)


def test_an_amount_in_brackets_is_no_other_form_of_a_percentage():
    assert [(f.unit, f.value) for f in figures_in("a charge of 5% ($179.36)")] == [("bp", 500), ("USD", 17936)]


def test_a_currency_between_two_numbers_is_that_of_the_second():
    assert [(f.unit, f.value) for f in figures_in("2024 USD 500")] == [("", 2024), ("USD", 50_000)]


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
        "the second half of the sample",
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
        ("$1.2-1.5 million", [120_000_000, 150_000_000]),
        ("between $1.2 and $1.6 million", [120_000_000, 160_000_000]),
        ("$500 to $1 million", [50_000, 100_000_000]),
        ("$45,000-52,500", [4_500_000, 5_250_000]),
        ("$40 to 52 clerks", [4_000, 52]),
        ("Nov. 4-8, 2024", ["2024-11-04", "2024-11-08"]),
        ("between March 1 and 5.", ["--03-01", "--03-05"]),
        ("on March 1 and 5 clerks", ["--03-01", 5]),
        ("December 15 to January 10, 2025", ["2024-12-15", "2025-01-10"]),
        ("May 1, 2024 to June 2, 2025", ["2024-05-01", "2025-06-02"]),
        ("October 1 - 2 p.m.", ["--10-01"]),
        ("fiscal years 2021-23", [2021, 2023]),
        ("2010-12", []),
        ("between one hundred and two hundred dollars", [10_000, 20_000]),
    ],
)
def test_a_range_shares_its_unit(text, values):
    assert [figure.value for figure in figures_in(text)] == values


def test_the_parts_of_a_quantity_are_the_groups_of_its_pattern():
    assert tuple(QUANTITY.groupindex) == QuantityGroups._fields


@pytest.mark.parametrize(
    "word", [*list(numbers.UNITS)[1:], *numbers.TENS, *numbers.SCALES, *numbers.ORDINALS, "hundred"]
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


@pytest.mark.parametrize(
    ("iso", "texts"),
    [
        (
            "2024-Q3",
            ["Q3 2024", "3Q24", "3Q 2024", "Q3'24", "2024-Q3", "third quarter of 2024", "Q3 of fiscal year 2024"],
        ),
        ("2024-Q3", ["FY24 Q3", "Q3 FY2024", "the third fiscal quarter of 2024", "Third-quarter 2024"]),
        ("2022-Q4", ["the last quarter of 2022", "fourth quarter, 2022"]),
        ("2024-H2", ["H2 2024", "2H24", "the second half of 2024", "last half of fiscal 2024"]),
        ("2024-FY", ["FY24", "FY2024", "fiscal 2024", "fiscal year 2024", "Fiscal Year 2024"]),
    ],
)
def test_a_period_that_is_reported_on_is_read_with_its_year(iso, texts):
    assert [[period.iso for period in periods_in(f"In {text}, sales rose.")] for text in texts] == [[iso]] * len(texts)


@pytest.mark.parametrize(
    "text",
    [
        "the third quarter",
        "third quarter 2,400 stores",
        "half of 2024",
        "FY2023-24",
        "the third half of 2024",
        "Q5 2024",
    ],
)
def test_these_are_no_periods_with_a_year(text):
    assert not list(periods_in(text))


def test_a_numeric_date_that_could_be_read_otherwise_is_ambiguous():
    assert [f.ambiguous for f in figures_in("3/4/24 and 3/14/24 and 5/5/24")] == [True, False, False]


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


SPELT_ONES = numbers.UNIT_NAMES.split()
SPELT_TENS = numbers.TEN_NAMES.split()


def spelt(number: int) -> str:
    """A whole number below a billion in words: the reference that the reader of words is held against."""
    for size, name in ((10**6, "million"), (1000, "thousand"), (100, "hundred")):
        if number >= size:
            rest = f" {spelt(number % size)}" if number % size else ""
            return f"{spelt(number // size)} {name}{rest}"
    if number < 20:
        return SPELT_ONES[number]
    return SPELT_TENS[number // 10 - 2] + (f"-{SPELT_ONES[number % 10]}" if number % 10 else "")


def only(text: str) -> tuple[str, str, object]:
    (figure,) = figures_in(f"It is {text} so.")
    return figure.kind, figure.unit, figure.value


@given(cents=st.integers(100, 10**13))
def test_money_reads_back_in_every_way_it_is_written(cents):
    whole, rest = divmod(cents, 100)
    digits = f"{whole:,}.{rest:02d}"
    written = [f"${digits}", f"${whole}.{rest:02d}", f"US${digits}", f"USD {digits}", f"{digits} dollars"]
    written += [f"${Decimal(cents) / 10**8} million", f"${Decimal(cents) / 10**8:f}M"] if cents % 10**4 == 0 else []
    if whole < 10**9:
        written.append(f"{spelt(whole)} and {rest:02d}/100 dollars (${whole:,}.{rest:02d})")
        written += [f"{spelt(whole)} dollars", f"{spelt(whole).title()} Dollars (${whole:,})"] if not rest else []
    assert {only(text) for text in written} == {("money", "USD", cents)}


@given(points=st.integers(1, 10**6))
def test_a_percentage_reads_back_in_every_way_it_is_written(points):
    whole, rest = divmod(points, 100)
    share = f"{whole}.{rest:02d}"
    written = [
        f"{share}%",
        f"{share} %",
        f"{share} percent",
        f"{share} per cent",
        f"{points} basis points",
        f"{points} bps",
    ]
    if not rest:
        written += [
            f"{whole}%",
            f"{spelt(whole)} percent",
            f"{spelt(whole)} percent ({whole}%)",
            f"{spelt(whole)} ({whole}%)",
        ]
    assert {only(text) for text in written} == {("percent", "bp", points)}


@given(day=st.dates(date(1970, 1, 1), date(2069, 12, 31)))
def test_a_date_reads_back_in_every_way_it_is_written(day):
    month = day.strftime("%B")
    ending = {1: "st", 2: "nd", 3: "rd"}.get(day.day % 10 if day.day not in (11, 12, 13) else 0, "th")
    written = [day.isoformat(), f"{month} {day.day}, {day.year}", f"{month} {day.day}{ending}, {day.year}"]
    written += [f"{day.day} {month} {day.year}", f"the {day.day}{ending} day of {month}, {day.year}"]
    written += [f"{day.month}/{day.day}/{day.year}", f"{day:%m/%d/%y}", f"{month.upper()} {day.day}, {day.year}"]
    assert {only(text) for text in written} == {("date", "date", day.isoformat())}


@given(
    count=st.integers(2, 999),
    unit=st.sampled_from([("minute", "minutes", 1), ("hour", "minutes", 60), ("day", "minutes", 1440)])
    | st.sampled_from([("week", "minutes", 10080), ("month", "months", 1), ("year", "months", 12)])
    | st.just(("business day", "business days", 1)),
)
def test_a_duration_reads_back_in_every_way_it_is_written(count, unit):
    name, canonical, factor = unit
    written = [f"{count} {name}s", f"{count}-{name}", f"{spelt(count)} {name}s", f"{spelt(count)} ({count}) {name}s"]
    assert {only(text) for text in written} == {("duration", canonical, count * factor)}


@given(count=st.integers(2, 999_999))
def test_a_count_reads_back_in_every_way_it_is_written(count):
    for text in (f"{count}", f"{count:,}", spelt(count), f"{spelt(count)} ({count:,})"):
        assert only(f"{text} chairs") == ("count", "", count)
