"""Figures of an answer against a source: verdicts, and each derivation rule both ways."""

import random
from itertools import combinations

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


FEE = "The Seller pays a fee of 6% of the price."


@pytest.mark.parametrize(
    ("text", "verdicts"),
    [
        ("For example, on a price of $200,000 the fee is $12,000.", ["derived", "derived"]),
        ("For example, on a price of $200,000 the fee is $14,000.", ["unclear", "ungrounded"]),
        ("On a price of $200,000, for instance, the fee is $14,000.", ["unclear", "ungrounded"]),
        ("For example, the price is $200,000 and the deposit is $14,000.", ["unclear", "unclear"]),
        ("For example, on what exceeds $200,000 the fee is $14,000.", ["unclear", "unclear"]),
        ("On a price of $200,000 the fee is $14,000.", ["ungrounded", "ungrounded"]),
    ],
)
def test_what_an_example_yields_has_to_follow_from_what_it_assumes(text, verdicts):
    assert [span.verdict for span in scored(text, FEE).spans] == verdicts


@pytest.mark.parametrize(
    ("text", "document", "verdicts"),
    [
        ("It opens at 7 a.m.", "open from seven in the morning to ten at night", ["supported"]),
        ("It closes at 10 p.m.", "open from seven in the morning to ten at night", ["supported"]),
        ("It closes at 11 p.m.", "open from seven in the morning to ten at night", ["ungrounded"]),
        ("The waiver is 12 bps.", "| bps | A |\n|---|---|\n| Waiver | (12) |", ["derived"]),
        ("The waiver is 12 bps.", "| bps | Note |\n|---|---|\n| Waiver | see (12) below |", ["ungrounded"]),
        ("Three points matter.", "It closes at ten.", ["unclear"]),
        ("It fell by three points.", "It closes at ten.", ["ungrounded"]),
        ("taxes from January 1", "taxes of the year", ["unclear"]),
        ("taxes from January 2", "taxes of the year", ["ungrounded"]),
        ("on September 30, 2024", "sales of Q3 2024", ["unclear"]),
        ("on June 30, 2024", "sales of Q3 2024", ["ungrounded"]),
        ("on September 30, 2024", "sales of Q3 2024, fiscal years end in June", ["ungrounded"]),
        ("1,000 shares received $154.", "$0.154 per share", ["derived", "derived"]),
        ("A trip ends on June 30, so they are due by October 28.", "within 120 days", ["derived", "derived"]),
        ("A trip ends on June 30, so they are due by October 18.", "within 120 days", ["ungrounded", "ungrounded"]),
        ("within about three months", "within 90 days", ["derived"]),
        ("within three months", "within 90 days", ["ungrounded"]),
        ("within about four months", "within 90 days", ["ungrounded"]),
        ("within roughly the first seven weeks (50 days)", "within 50 days", ["supported"]),
        ("within seven weeks (50 days)", "within 50 days", ["contradictory"]),
        ("Class B paid 7.7 cents, Class A 7.1.", "7.7 and 7.1 cents", ["supported", "supported"]),
        ("half a million dollars", "a fund of $500,000", ["supported"]),
        ("January 1 to September 30, 2023", "until September 30, 2023", ["unclear", "supported"]),
        ("January 1, 2023", "until September 30, 2023", ["ungrounded"]),
        ("1,300 shares received $200.", "$0.154 per share", ["ungrounded", "ungrounded"]),
    ],
)
def test_forms_that_hide_a_figure_are_read(text, document, verdicts):
    assert [span.verdict for span in scored(text, document).spans] == verdicts


@pytest.mark.parametrize(
    ("text", "document", "verdict"),
    [
        ("That is 40% of the price.", "a price of $1,000, a deposit of $400", "derived"),
        ("You borrow up to 40% of the price.", "a price of $1,000, a deposit of $400", "ungrounded"),
        ("The loan is at least $475,000.", "a price of $500,000, less 5%", "ungrounded"),
        ("That leaves $475,000.", "a price of $500,000, less 5%", "derived"),
        ("Together they make up 8% of it.", "rates of 5% and 3%", "derived"),
        ("It goes up by 8% of it.", "rates of 5% and 3%", "ungrounded"),
    ],
)
def test_a_limit_and_a_change_are_no_share_of_what_is_stated(text, document, verdict):
    assert [span.verdict for span in scored(text, document).spans] == [verdict]


FELL = "The staff fell by 60."
RATES = "| | 2024 | 2023 |\n|---|---|---|\n| Rate (%) | 5.1 | 4.0 |"


@pytest.mark.parametrize(
    ("text", "document", "verdict"),
    [
        (FELL, "There were staff of 300 in 2021 and of 240 in 2023.", "derived"),
        (FELL, "There were staff of 240 in 2021 and of 300 in 2023.", "contradictory"),
        (FELL, "The staff went from 240 to 300.", "contradictory"),
        (FELL, "The staff was 240 at one mill, 300 at another.", "derived"),
        (FELL, "In 2021 there were 300, and in 2023 a staff of 240, of 900 asked.", "derived"),
        ("The rate rose by 1.1 points.", RATES, "derived"),
        ("The rate fell by 1.1 points.", RATES, "contradictory"),
        ("The rate fell by 1.1 points.", RATES.replace("2023", "2025"), "derived"),
        ("The rate rose by 27.5%.", RATES, "derived"),
        ("The rate fell by 21.6%.", RATES, "contradictory"),
    ],
)
def test_a_difference_has_the_direction_of_its_operands_in_time(text, document, verdict):
    assert [span.verdict for span in scored(text, document).spans] == [verdict]


@pytest.mark.parametrize(
    ("text", "document", "verdict"),
    [
        ("Q3 2024", "the third quarter of 2024", "supported"),
        ("Q3 2024", "as of September 30, 2024", "derived"),
        ("the first half of 2024", "Q1 2024", "derived"),
        ("Q3 2024", "the third quarter; sales for 2024", "unclear"),
        ("Q3 2024", "the three months ended September 30; sales for 2024", "unclear"),
        ("fiscal 2024", "sales for 2024", "unclear"),
        ("Q2 of fiscal 2025", "the quarter ended December 31, 2024", "unclear"),
        ("Q3 2024", "Q3 2023 and Q2 2024", "ungrounded"),
        ("Q3 2024", "as of June 30, 2024", "ungrounded"),
        ("fiscal 2024", "fiscal 2023", "ungrounded"),
        ("in 2024", "in 3Q24", "derived"),
    ],
)
def test_a_period_is_found_in_quarters_dates_and_years_of_the_source(text, document, verdict):
    assert [span.verdict for span in scored(text, document).spans] == [verdict]


def test_a_period_of_the_question_is_unclear():
    case = Case(id="x", input={"document": "Sales rose.", "question": "And in Q3 2024?"}, expected=[], cluster="c")
    assert [span.verdict for span in figures.judge(case, answer("They rose in the third quarter of 2024."))] == [
        "unclear"
    ]


@pytest.mark.parametrize(
    ("text", "document", "holds"),
    [
        ("It gained 4.3%.", "Return (%): (4.3)", True),
        ("It rose by 4.3%.", "It fell by 4.3% in May.", False),
        ("It rose by 4.3%.", "It fell by 4.3% in May and rose by 4.3% in June.", True),
        ("It rose to 4.3%.", "It fell to 4.3%.", True),
        ("It gave up 4.3%.", "It lost 4.3%.", True),
        ("a return of -4.3%", "It rose by 4.3%.", False),
        ("- 4.3% for the fund", "It rose by 4.3%.", True),
    ],
)
def test_a_rise_that_is_a_fall_in_the_source_is_contradictory(text, document, holds):
    (span,) = scored(text, document).spans
    assert (span.verdict != "contradictory") is holds


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
        ("unit of the table", "$5.313 million", "| $ in thousands | Q1 |\n|---|---|\n| Income | 5,313 |", True),
        ("unit of the table", "$5.314 million", "| $ in thousands | Q1 |\n|---|---|\n| Income | 5,313 |", False),
        ("unit of the table", "$5.313 million", "| Line | Q1 |\n|---|---|\n| Income | 5,313 |", False),
        ("unit of the table", "94.1%", "| Line | Q1 |\n|---|---|\n| Occupancy (%) | 94.1 |", True),
        ("unit of the table", "85 basis points", "| Line | Q1 |\n|---|---|\n| Cost, bps | 85 |", True),
        ("unit left out", "5.313", "income of $5,313,000", True),
        ("unit left out", "5", "a fee of $5 and 40 units", False),
        ("unit change", "annual rent of $24,000", "rent of $2,000 a month", True),
        ("unit change", "$2,000 per month", "the annual rent is $24,000", True),
        ("unit change", "$6,000 quarterly", "$2,000 monthly", True),
        ("unit change", "$24,500 a year", "$2,000 per month", False),
        ("unit change", "$24,100 a year", "$2,000", False),
    ],
)
def test_each_rule_accepts_and_rejects(rule, text, document, holds):
    (span,) = scored(text, document).spans
    assert (span.verdict == "derived") is holds
    assert (span.reason == f"rule: {rule}") is holds


LABELLED = [
    ("Net income (in millions): 24", "$24 million", "$24 billion"),
    ("Net income (in millions): $ 24", "$24 million", "$24 billion"),
    ("Revenue (in thousands): 4,812", "$4,812 thousand", "$4,812 million"),
    ("Revenue ($ in thousands): 4,812", "about $4.8 million", "about $48 million"),
    ("Operating profit (in thousands of dollars) = 735", "$735 thousand", "$735 million"),
    ("- Debt maturing within one year (USD millions): 145", "$145 million", "$145 billion"),
    ("Capital expenditure (€ millions): 58", "€58 million", "€85 million"),
    ("Loan amount (in $ billions) - 2.3", "$2.3 billion", "$2.3 million"),
    ("Deposits, $ thousands: 640,118", "$640,118 thousand", "$640,118 million"),
    ("Subscribers, in millions: 12.4", "12.4 million", "14.2 million"),
    ("Population (thousands): 76", "76,000", "760,000"),
    ("Spread (basis points): 215", "215 basis points", "251 basis points"),
    ("Vacancy rate (percent): 6.4", "6.4%", "4.6%"),
    ("Dividend per share ($): 0.62", "$0.62", "$62"),
    ("Rent per square foot, in dollars: 31.50", "$31.50", "$35.10"),
    ("Lease term (years): 5.5", "5.5 years", "6.5 years"),
    ("NET LOSS (IN MILLIONS): (24)", "$24 million", "$24 billion"),
    ("First quarter ($ in thousands)\nBase rent: 13,587\nInterest: (4,106)", "$4,106 thousand", "$4,106 million"),
    ("Balance ($ in millions, except per unit)\nValue per unit: $14.27", "$14.27", "$14.27 million"),
    ("First quarter ($ in thousands)\nBase rent: 13,587\nThe trust\nMarkets: 211", "211", "$211 thousand"),
    ("Funds that trade in money markets: 211", "211", "211 basis points"),
]


@pytest.mark.parametrize(("document", "right", "wrong"), LABELLED)
def test_the_label_of_a_line_gives_the_unit_of_its_number(document, right, wrong):
    assert scored(f"It was {right}.", document).ungrounded == []
    assert scored(f"It was {wrong}.", document).ungrounded == [wrong.removeprefix("about ")]


LISTED = [
    ("Rent was $1,210 in 2021, $1,290 in 2022 and $1,385 in 2023.", "${:,.2f}", (1210, 1290, 1385)),
    ("Repairs\n- 2021: $4,180\n- 2022: $3,960\n- 2023: $5,240\n", "${:,.0f}", (4180, 3960, 5240)),
    ("| $000 | A | | B | |\n|---|---|---|---|---|\n| Sales | 812 | 9% | 1,046 | 4% |", "${:,.0f}K", (812, 1046)),
    ("The fund returned 6.2% in 2021, 3.8% in 2022 and 7.1% in 2023.", "{:.2f}%", (6.2, 3.8, 7.1)),
    ("Occupancy (%)\nNorth: 93.4\nSouth: 88.1\nWest: 95.6\n", "{:.2f}%", (93.4, 88.1, 95.6)),
]


@pytest.mark.parametrize(("document", "form", "values"), LISTED)
def test_the_mean_of_any_two_listed_figures_follows_and_another_number_does_not(document, form, values):
    for one, other in combinations(values, 2):
        assert scored(f"The average of the two was {form.format((one + other) / 2)}.", document).ungrounded == []
        assert scored(f"The price of the two was {form.format((one + other) / 2)}.", document).ungrounded != []
    rng = random.Random(0)
    invented = [form.format(rng.uniform(min(values), max(values))) for _ in range(20)]
    passed = [each for each in invented if not scored(f"The average of two was {each}.", document).ungrounded]
    assert len(passed) <= 1


WORKED_OUT = [
    ("sum", "$1,000 and then $500, so $1,500", "$1,000 and $500", True),
    ("sum", "$1,000 and then $500, so $1,501", "$1,000 and $500", False),
    ("difference", "$1,000, that is $500 less", "$1,000 or $1,500", True),
    ("share of an amount", "6% of the price, $600", "6% of $10,000", True),
    ("share of an amount", "6% of the price, $601", "6% of $10,000", False),
    ("amount after a rise", "$2,000, and after the rise of 3% $2,060", "$2,000, rising by 3%", True),
    ("number of times an amount", "$825 a month, so $9,900 for twelve", "rent of $825", True),
    ("number of times an amount", "$0.61 for each of 200 miles, so $122", "61 cents a mile, 200 miles", True),
    ("part of an amount", "$4,000 in two halves, so $2,000 each", "$4,000", True),
    ("share", "the deposit of $10,000 is about 2.5% of the price", "price $400,000, deposit $10,000", True),
    ("share", "the deposit of $10,000 is about 2.4% of the price", "price $400,000, deposit $10,000", False),
    ("rise in percent", "from $400 up 25%", "$400, then $500", True),
    ("rise in percent", "from $400 down 25%", "$400, then $500", False),
    ("difference in points", "92% after 94%, so 2 points", "92% and 94%", True),
    ("difference in points", "92% after 94%, so 2%", "92% and 94%", False),
    ("sum", "30 days and 15 days, so 45 days", "30 days and 15 days", True),
    ("time between dates", "from March 1, 2024 to March 31, 2024, 30 days", "March 1, 2024; March 31, 2024", True),
    ("time between dates", "from March 1, 2024 to March 31, 2024, 28 days", "March 1, 2024; March 31, 2024", False),
    ("time between dates", "from 6/23/2022 four weeks to 7/21/2022", "June 23, 2022; July 21, 2022", True),
    ("date and period", "30 days after March 1, 2024: March 31, 2024", "March 1, 2024 and 30 days", True),
    ("date and period", "a month after January 31, 2024: February 29, 2024", "January 31, 2024; one month", True),
    ("date and period", "30 days after March 1, 2024: April 12, 2024", "March 1, 2024 and 30 days", False),
    ("difference", "The fee is $0.0045 (3.0%) above the other.", "a fee of $0.1560, another of $0.1515", True),
    ("difference", "The shortfall was $0.73.", "income of $14.87, payments of $15.60", True),
    ("difference", "Of it $6.5 million is left.", "a budget of $11.2 million, of which $4.7 million is spent", True),
    ("number of times an amount", "Four times the payment is 62.4 cents.", "payments of 15.6 cents", True),
    ("sum", "The fund distributed 45.05 cents.", "distributions: 22.40 cents, then 22.65 cents", True),
    ("the whole", "| Loans | % |\n|---|---|\n| Total | 100% |", "Loans of 60% and 30%", True),
    ("the whole", "| Loans | % |\n|---|---|\n| Alder | 100% |", "Loans of 60% and 30%", False),
    ("product", "40 crates of 25 each, 1,000", "40 crates with 25 each", True),
    ("amount of another period", "$2,000 a month is $24,000 for the year", "$2,000 per month", True),
]


@pytest.mark.parametrize(("rule", "text", "document", "holds"), WORKED_OUT)
def test_a_figure_follows_from_what_is_stated_near_it(rule, text, document, holds):
    reasons = [span.reason for span in scored(text, document).spans]
    assert (f"rule: {rule}" in reasons) is holds, reasons


def test_a_figure_follows_from_the_source_alone_only_if_its_words_say_so():
    assert scored("$1,500 in all", "$1,000 and $500").ungrounded == []
    many = "$1,000, $500, $230, $7,400, $96 and $3,150"
    assert scored("The fee is $1,500.", many).ungrounded == ["$1,500"]


def test_the_second_round_uses_what_the_first_yields():
    text = "300 miles at $0.53 make $159.00, 40 at $0.39 add $15.60, together $174.60"
    assert scored(text, "53 cents for 300 miles, then 39 cents; 40 miles").ungrounded == []


RESULTS = """Results ($ in thousands)

                          Q2 2022    Q2 2021
Rental revenue             48,216     43,907
Net operating income       34,871     31,642
Net income (loss)           9,384     (1,127)"""
LIMITS = "A clerk may order up to $1,400, a head up to $5,200 and a director up to $21,000."
QUARTERS = """| Return (%) | Q4 2022 | Q1 2023 | Q2 2023 | Q3 2023 |
|---|---|---|---|---|
| Fund | 7.94 | 3.18 | (1.93) | 0.46 |
| Index | 6.51 | 2.66 | 1.12 | (0.84) |
| NOI ($ thousands) | 27,418 | 27,963 | 28,647 | 29,135 |
| Costs ($ thousands) | 11,204 | 10,916 | 12,075 | 11,988 |"""
PARALLEL = "as for another figure"


@pytest.mark.parametrize(
    ("text", "document", "holds"),
    [
        ("The margin edged up from 72.1% to 72.3%.", RESULTS, True),
        ("The margin edged up from 72.1% to 72.5%.", RESULTS, False),
        ("The margin edged up to 72.3%.", RESULTS, False),
        ("The profit of $9.4 million followed a loss of $1.1 million.", RESULTS, True),
        ("The profit of $9.6 million followed a loss of $1.1 million.", RESULTS, False),
        ("Revenue rose 9.8% and operating income 10.2%.", RESULTS, True),
        ("Revenue rose 9.8% and operating income 11.2%.", RESULTS, False),
        ("Revenue rose 9.8% and operating income fell 10.2%.", RESULTS, False),
        ("In the winter half the fund made 11.4% against 9.3%.", QUARTERS, True),
        ("In the winter half the fund made 11.1% against 9.2%.", QUARTERS, False),
        ("Since October $10,000 became $10,973 in the fund, $10,964 in the index.", QUARTERS, True),
        ("Since October $10,000 became $10,995 in the fund, $10,857 in the index.", QUARTERS, False),
        ("NOI was $55.4 million in the first half and $57.8 million in the second.", QUARTERS, True),
        ("NOI was $55.4 million in the first half and $58.8 million in the second.", QUARTERS, False),
        ("The limits of such contracts are $350, $1,300 and $5,250.", LIMITS, True),
        ("The limits of such contracts are $350, $1,400 and $5,150.", LIMITS, False),
    ],
)
def test_figures_that_one_rule_yields_along_a_line_support_each_other(text, document, holds):
    spans = scored(text, document).spans
    assert all(span.verdict in ("supported", "derived") for span in spans) is holds
    assert any(PARALLEL in span.reason for span in spans) or not holds


@pytest.mark.parametrize(
    ("text", "holds"),
    [
        ("Class A is 52 basis points ahead of the index, Class B 31 behind.", True),
        ("Class A is 52 basis points ahead of the index, Class B 41 behind.", False),
        ("Class A leads the index by 0.52 points.", True),
        ("Class A trails the index by 0.42 points.", False),
        ("Class B made 4.10%, the index 4.41%: an edge of 31 basis points.", True),
        ("Class A charges 52 basis points.", False),
    ],
)
def test_points_are_differences_in_a_list_and_in_one_sentence(text, holds):
    document = "Return (%)\n\n| Class A | Class B | Index |\n|---|---|---|\n| 4.93 | 4.10 | 4.41 |"
    assert (scored(text, document).ungrounded == []) is holds


@pytest.mark.parametrize(
    ("text", "document", "holds"),
    [
        ("NOI was $28.397 million", "measure\tfiscal_2026\nnoi_usd_k\t28397", True),
        ("NOI was $28.397 million", "line\tunit\t2026\nnoi\tkUSD\t28,397", True),
        ("the loan of $58.9 million", "property\tloan_usd_m\nSandridge Hub\t58.9", True),
        ("the loan of $58.9 billion", "property\tloan_usd_m\nSandridge Hub\t58.9", False),
        ("over three years 3.52%", "returns_pct\nhorizon\tfund\nthree_years\t3.52", True),
        ("3.52 years", "returns_pct\nhorizon\tfund\nthree_years\t3.52", False),
        ("3.5 years", "property\tlease_years\nSandridge Hub\t3.5", True),
    ],
)
def test_a_label_gives_the_scale_of_a_currency_and_no_length_of_time(text, document, holds):
    (span,) = scored(text, document).spans[-1:]
    assert (span.verdict in ("supported", "derived")) is holds


@pytest.mark.parametrize(
    ("text", "document", "ungrounded"),
    [
        ("We bear 83% for you and 61% for the household, leaving you 17% and 39%.", "83% and 61%", []),
        ("We bear 83% for you and 61% for the household, leaving you 17% and 49%.", "83% and 61%", ["49%"]),
        ("If that was March 2, then by March 14.", "within 12 days; dated May 6, 2025", []),
        ("If that was March 2, then by March 24.", "within 12 days; dated May 6, 2025", ["March 2", "March 24"]),
        ("Use begins after 120 days, roughly four months.", "120 days", []),
        ("Use begins after 120 days, roughly five months.", "120 days", ["five months"]),
        ("Use begins after 120 days, and ends after four months.", "120 days", ["four months"]),
        ("Notice is six months, nearly 26 weeks.", "six months", []),
        ("An award of $5,000 leaves $1,500 with you and $3,500 on the note.", "the first $1,500 is yours", []),
        (
            "An award of $5,000 leaves $1,500 with you and $3,400 on the note.",
            "the first $1,500 is yours",
            ["$5,000", "$3,400"],
        ),
    ],
)
def test_the_rest_of_a_whole_an_example_and_a_rough_calendar_need_no_other_word(text, document, ungrounded):
    assert scored(text, document).ungrounded == ungrounded


def test_a_count_of_the_question_is_unclear_and_no_fabrication():
    case = Case(id="x", input={"document": "55 cents a mile", "question": "For 90 miles?"}, expected=[], cluster="c")
    score = run([figures.ungrounded], case, answer("For 90 miles and 70 more.")).figures
    assert (score.unclear, score.ungrounded, score.counts["ungrounded"]) == (["90"], ["70"], 1)


def test_a_question_s_figures_are_operands_and_no_evidence():
    case = Case(
        id="x", input={"document": "55 cents a mile", "question": "I drove 90 miles and paid $97?"}, expected=[],
        cluster="c",
    )  # fmt: skip
    score = run([figures.ungrounded], case, answer("That is $49.50. It was $97.")).figures
    assert score.ungrounded == ["$97"]


def lucky(made, document: str) -> int:
    return sum(not scored(made(), document).ungrounded for _ in range(500))


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


@pytest.mark.parametrize(
    ("text", "document", "ungrounded"),
    [
        ("a late fee of 10%, interest of 5%", "Interest of 5% is due.", ["10%"]),
        ("$15 for parking", "15 parking spaces at $400", ["$15"]),
        ("The 5 tenants have 5 days.", "5 tenants, 10 days", ["5 days"]),
        ("within 1 year (365 days)", "within a year and 1 year", []),
        ("5 pounds sterling", "10 pounds sterling", ["5 pounds sterling"]),
    ],
)
def test_a_figure_does_not_follow_from_itself_or_from_another_unit(text, document, ungrounded):
    assert scored(text, document).ungrounded == ungrounded


def test_an_ordinal_day_is_a_period_of_days_and_a_fraction_may_restate_itself():
    source = "An installment not paid by the twelfth day is late. Borrower pays one-twelfth (1/12) of the taxes."
    spans = scored("Late after 12 days; one-twelfth of taxes monthly.", source).spans
    assert [span.verdict for span in spans] == ["derived", "supported"]


def test_two_years_of_a_source_that_differ_by_the_figure_are_no_rise_or_fall():
    source = "It had 2,019 sites in 2021. It had 2021 sites, and 2019 before."
    assert [span.verdict for span in scored("It rose by 2 sites.", source).spans] == ["derived"]


FUND = "The fund held 48 farms on 12,730 acres. Farm revenue was $6.4 million and farm expenses were $3.1 million."


@pytest.mark.parametrize(("text", "verdict"), [
    ("Farm expenses: 48%.", "unclear"),
    ("Farm revenue was $5.9 million.", "ungrounded"),  # in place of $6.4 million
    ("Voters: 48%.", "ungrounded"),  # about nothing in the source
])  # fmt: skip
def test_a_figure_is_perhaps_worked_out_if_it_stands_in_place_of_no_other(text: str, verdict: str) -> None:
    assert [span.verdict for span in scored(text, FUND).spans] == [verdict]
