"""Figures of reports against a fact sheet: places, signs, units and arithmetic, each both ways."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.schema import Case
from harness.scoring.finance import report
from tests.support.answers import answer
from tests.support.fund_sheet import DOCUMENT, IN, RIGHT, scored


def verdicts(text: str) -> dict[str, str]:
    """Verdict of each figure and rating by its text."""
    kinds = ("money", "percent", "count", "duration", "date", "name")
    return {span.quote: span.verdict for span in scored(text).spans if span.kind in kinds}


def test_a_right_paragraph_is_clean_and_its_spans_point_into_the_sheet():
    score = scored(RIGHT)
    assert (score.value, score.counts["required"], score.counts["required_found"]) == (1.0, 3, 3)
    cells = [DOCUMENT[s.source.start : s.source.end] for s in score.spans]
    assert cells == ["3,420", "3,110", "3,110"]


SUPPORTED = [
    f"In Q2 2025, {IN} had rental revenue of $3.42 million.",
    f"In Q2 2025, {IN} had rental revenue of $3,420,000.",
    f"In Q2 2025, {IN} had rental revenue of $3,420 thousand.",
    f"In Q2 2025, {IN} had rental revenue of USD 3.42 million.",
    f"In the second quarter of 2025, {IN} had rental revenue of $3.42M.",
    f"For the quarter ended June 30, 2025, rental revenue at {IN} was $3.42 million.",
    f"{IN}'s rental revenue was $3.42 million (Q2 2025).",
    f"In Q1 2025 the rental revenue of {IN} was $3.11 million and in Q2 2025 it was $3.42 million.",
    f"Rental revenue of {IN} rose from $3.11 million in Q1 2025 to $3.42 million in Q2 2025.",
    f"In Q2 2025, rental revenue at {IN} was $3.42 million, up from $3.11 million in the prior quarter.",
    f"In Q2 2025, {IN} made a net loss of $1.24 million.",
    f"In Q2 2025, {IN} lost $1.24 million.",
    f"In Q2 2025, {IN} had negative net income of $1.24 million.",
    f"In Q2 2025, {IN} had net income of -$1.24 million.",
    f"In Q2 2025, {IN} had net income of $-1.24 million.",
    f"In Q2 2025, {IN} had net income of $(1.24) million.",
    f"In Q2 2025, {IN} had net income of ($1.24 million).",
    f"In Q2 2025, {IN} had net income of \u2212$1.24 million.",
    f"In Q2 2025, {IN} returned -2.3%.",
    f"In Q2 2025, {IN} had a total return of (2.3)%.",
    f"In Q2 2025, the total return of {IN} fell 2.3%.",
    f"In Q2 2025, the total return of {IN} was negative, at 2.3%.",
    f"In Q2 2025, {IN} had an expense ratio of 0.85%.",
    f"In Q2 2025, {IN} had an expense ratio of 85 basis points.",
    f"In Q2 2025, {IN} had a 94.1% occupancy rate.",
    f"In Q2 2025, {IN} was 94.1% occupied.",
    f"In Q2 2025, {IN} was rated Hallam A+.",
    "In Q2 2025, Cedar Loft Growth Fund had rental revenue of $2.75 million.",
    "In Q2 2025, rental revenue was $3.42 million at Cedar Loft Income and $2.75 million at Cedar Loft Growth.",
    f"In Q2 2025, {IN} and Cedar Loft Growth Fund had rental revenue of $3.42 million and $2.75 million.",
    "In Q2 2025, occupancy was 94.1% for Cedar Loft Income Fund, while Cedar Loft Growth Fund stood at 88.4%.",
    f"In Q2 2025, {IN} had rental revenue of $3.42 million, against $3.11 million in Q1 2025, and occupancy was 94.1%.",
    f"The Orchard 70 Index returned 1.9% in Q2 2025, while {IN} returned -2.3%.",
    "Rental revenue was $3.42 million.",
    "Q2 2025 occupancy was 94.1% (Q1 2025: 92.1%).",
    f"In Q2 2025, {IN} had rents of $3.42 million, up from $3.11 million in Q1 2025, with a NAV of $57.3 million.",
    f"{IN}\n\n| Item | Q2 2025 |\n|---|---|\n| Occupancy | 94.1% (Q1 2025: 92.1%) |",
    f"In Q2 2025, {IN} was **94.1%** occupied, compared with **88.4%** at Cedar Loft Growth Fund.",
    f"In Q2 2025, the Orchard 70 Index returned 1.9%, against a loss of 2.3% at {IN}.",
    f"In Q2 2025, {IN} had an occupancy of 94.1% and costs below the NAV, i.e. 85 basis points.",
    "- Rental revenue, Q2 2025: $3.42 million\n- Rental revenue, Q1 2025: $3.11 million",
    f"In Q2 2025, {IN} had rental revenue of 3,420 USD thousands.",
    f"{IN} beat Cedar Loft Growth Fund in Q2 2025, with rental revenue of $3.42 million versus $2.75 million.",
    "In Q2 2025 occupancy was 94.1% for the Income Fund and 88.4% for the Growth Fund.",
    f"In Q2 2025, {IN} saw net income swing to a loss of $1.24 million from $0.98 million in Q1 2025.",
    f"In Q2 2025, {IN}'s occupancy and expense ratio were 94.1% and 0.85%.",
]


@pytest.mark.parametrize("text", SUPPORTED)
def test_a_figure_in_its_place_is_supported(text):
    found = verdicts(text)
    assert found
    assert set(found.values()) == {"supported"}


WRONG = [
    ("mispaired", "$3.11 million", f"In Q2 2025, {IN} had rental revenue of $3.11 million."),
    ("mispaired", "$2.75 million", f"In Q2 2025, {IN} had rental revenue of $2.75 million."),
    ("mispaired", "$3.42 million", f"{IN} had rental revenue of $3.42 million in Q1 2025."),
    ("mispaired", "$3.42 million", f"In Q2 2025, {IN} had a net income of $3.42 million."),
    ("mispaired", "88.4%", f"In Q2 2025, Cedar Loft Growth Fund did well. Occupancy at {IN} was 88.4%."),
    ("mispaired", "1.9%", f"In Q2 2025, {IN} had a total return of 1.9%."),
    ("mispaired", "Hallam B+", f"In Q2 2025, {IN} was rated Hallam B+."),
    ("mispaired", "94.1%", f"In Q4 2019, {IN} had an occupancy rate of 94.1%."),
    ("mispaired", "$2.75 million", f"In Q2 2025, rental revenue was $2.75 million at {IN} and more elsewhere."),
    ("wrong_sign", "$1.24 million", f"In Q2 2025, {IN} had net income of $1.24 million."),
    ("wrong_sign", "2.3%", f"In Q2 2025, {IN} had a total return of 2.3%."),
    ("wrong_sign", "-94.1%", f"In Q2 2025, {IN} had an occupancy rate of -94.1%."),
    ("wrong_sign", "$980,000", f"In Q1 2025, {IN} made a net loss of $980,000."),
    ("wrong_sign", "$980,000", f"In Q1 2025, {IN} had negative net income of $980,000."),
    ("wrong_unit", "$3,420", f"In Q2 2025, {IN} had rental revenue of $3,420."),
    ("wrong_unit", "$3,420 million", f"In Q2 2025, {IN} had rental revenue of $3,420 million."),
    ("wrong_unit", "3,420", f"In Q2 2025, {IN} had rental revenue of 3,420."),
    ("wrong_unit", "$57.3 thousand", f"In Q2 2025, {IN} had a net asset value of $57.3 thousand."),
    ("wrong_unit", "85%", f"In Q2 2025, {IN} had an expense ratio of 85%."),
    ("mispaired", "94.1%", f"{IN}\n\n| Item | Q2 2025 |\n|---|---|\n| Occupancy | 92.1% (Q1 2025: 94.1%) |"),
    ("wrong_unit", "94.1 basis points", f"In Q2 2025, {IN} had an occupancy rate of 94.1 basis points."),
    ("wrong_unit", "94.1 percentage points", f"In Q2 2025, occupancy at {IN} was 94.1 percentage points."),
    ("ungrounded", "$4.18 million", f"In Q2 2025, {IN} had rental revenue of $4.18 million."),
    ("ungrounded", "$3.4 million", f"In Q2 2025, {IN} had rental revenue of $3.4 million."),
    ("ungrounded", "14", f"In Q2 2025, {IN} held 14 buildings."),
    ("ungrounded", "seven years", f"{IN} has grown for seven years."),
]


@pytest.mark.parametrize(("verdict", "quote", "text"), WRONG)
def test_a_figure_out_of_its_place_is_fabricated(verdict, quote, text):
    assert verdicts(text).get(quote) == verdict
    assert scored(text).counts["fabricated"] == 1


BETWEEN = f"Between Q1 2025 and Q2 2025, {IN} saw "
DERIVED = [
    ("10.0%", BETWEEN + "rental revenue rise by 10.0%."),
    ("10%", BETWEEN + "rental revenue rise by 10%."),
    ("9.97%", BETWEEN + "rental revenue rise 9.97%."),
    ("$310,000", BETWEEN + "a rental revenue increase of $310,000."),
    ("2.0 percentage points", BETWEEN + "occupancy rise by 2.0 percentage points."),
    ("2 pp", BETWEEN + "occupancy rise by 2 pp."),
    ("200 basis points", BETWEEN + "occupancy rise by 200 basis points."),
    ("$2.22 million", BETWEEN + "net income fall by $2.22 million."),
    ("226.5%", BETWEEN + "net income fall by 226.5%."),
    ("$6.53 million", f"In Q1 2025 and Q2 2025 together, {IN} had rental revenue of $6.53 million."),
    ("$6.17 million", f"In Q2 2025, {IN} and Cedar Loft Growth Fund had a combined rental revenue of $6.17 million."),
    ("$670,000", f"In Q2 2025, rental revenue at {IN} was $670,000 higher than at Cedar Loft Growth Fund."),
    ("5.7 percentage points", f"In Q2 2025, occupancy at {IN} was 5.7 percentage points above Cedar Loft Growth Fund."),
    ("10.0%", f"Rental revenue of {IN}: $3.42 million (Q2 2025), $3.11 million (Q1 2025). Change: +10.0%."),
    ("$3.4 million", f"In Q2 2025, {IN} had rental revenue of about $3.4 million."),
    ("94%", f"In Q2 2025, {IN} had an occupancy rate of roughly 94%."),
]


@pytest.mark.parametrize(("quote", "text"), DERIVED)
def test_a_change_or_sum_by_a_stated_rule_is_derived(quote, text):
    assert verdicts(text)[quote] == "derived"


MISCOUNTED = [
    ("wrong_arithmetic", "12.4%", BETWEEN + "rental revenue rise by 12.4%."),
    ("wrong_arithmetic", "10.0%", BETWEEN + "rental revenue fall by 10.0%."),
    ("wrong_arithmetic", "$410,000", BETWEEN + "a rental revenue increase of $410,000."),
    ("wrong_arithmetic", "3.0 percentage points", BETWEEN + "occupancy rise by 3.0 percentage points."),
    ("wrong_unit", "2.0%", BETWEEN + "occupancy rise by 2.0%."),
    ("wrong_unit", "10.0 percentage points", BETWEEN + "rental revenue rise by 10.0 percentage points."),
    (
        "wrong_arithmetic",
        "$7.53 million",
        f"In Q1 2025 and Q2 2025, {IN} had combined rental revenue of $7.53 million.",
    ),
    ("ungrounded", "$3.6 million", f"In Q2 2025, {IN} had rental revenue of about $3.6 million."),
]


@pytest.mark.parametrize(("verdict", "quote", "text"), MISCOUNTED)
def test_wrong_arithmetic_is_fabricated(verdict, quote, text):
    assert verdicts(text).get(quote) == verdict
    assert scored(text).counts["arithmetic_errors"] == int(verdict == "wrong_arithmetic")


CHANGES = """Fact sheet
entity | period | metric | unit | value
Elm Row Fund | Q2 2025 | rise of average rate on debt | basis points | 15
Elm Row Fund | Q2 2025 | net operating income growth | percent | 8.9
Elm Row Fund | Q2 2025 | rent increase on renewals | percent | 4.4
Elm Row Fund | Q2 2025 | interest expense | USD thousands | (2,218)
Elm Row Fund | Q1 2025 | interest expense | USD thousands | (1,974)
Elm Row Fund | Q2 2025 | loans on non-accrual | percent | 2.9
Elm Row Fund | Q1 2025 | loans on non-accrual | percent | 1.6
"""


@pytest.mark.parametrize(
    ("right", "wrong", "verdict"),
    [
        ("The average rate was up 15 basis points.", "The average rate fell 15 basis points.", "wrong_sign"),
        ("A rise of 15 basis points in Q2 2025.", "A fall of 15 basis points in Q2 2025.", "wrong_sign"),
        ("Net operating income was 8.9% more than in 2024.", "It was 8.9% less than a year earlier.", "wrong_sign"),
        ("Renewals were signed 4.4% above the old rent.", "Renewals were signed 4.4% below it.", "wrong_sign"),
        ("Interest expense rose by $244 thousand.", "Interest expense fell by $244 thousand.", "wrong_arithmetic"),
        (
            "Loans on non-accrual rose to 2.9% on June 30, from 1.6% on March 31.",
            "Loans on non-accrual fell to 2.9% on June 30, from 1.6% on March 31.",
            "wrong_arithmetic",
        ),
    ],
)
def test_a_rise_that_is_stated_as_a_fall_is_fabricated(right, wrong, verdict):
    case = Case(id="x", input={"document": CHANGES}, expected=[], cluster="s")
    assert report.report(case, answer(right)).counts["fabricated"] == 0
    score = report.report(case, answer(wrong))
    assert verdict in [span.verdict for span in score.spans]


@pytest.mark.parametrize(("stated", "fabricated"), [("$2.00 million", 0), ("$2 million", 1)])
def test_three_digits_are_a_right_rounding_also_with_a_decimal_zero(stated, fabricated):
    case = Case(id="x", input={"document": CHANGES.replace("1,974", "1,998")}, expected=[], cluster="s")
    assert report.report(case, answer(f"Interest expense was {stated} in Q1 2025.")).counts["fabricated"] == fabricated


@pytest.mark.parametrize(
    "text",
    [
        "Net operating income was 8.9% lower a year earlier.",
        "After a decline in occupancy, growth of net operating income was 8.9%.",
        "Values fell because the average rate on debt was raised by 15 basis points.",
        "Growth of net operating income fell to 8.9%.",
        "Loans on non-accrual fell earlier, and then went from 1.6% to 2.9%.",
    ],
)
def test_another_movement_near_a_change_reverses_nothing(text):
    case = Case(id="x", input={"document": CHANGES}, expected=[], cluster="s")
    assert report.report(case, answer(text)).counts["fabricated"] == 0


YEARS = """entity | period | metric | unit | value
Elm Row Fund | FY 2023 | net sales | USD millions | 31
Elm Row Fund | FY 2022 | net sales | USD millions | 24
"""


@pytest.mark.parametrize(
    "text",
    [
        "It rose from {early} to {late}.",
        "It went from {early} to {late}.",
        "It rose by 29% over the year, from {early} to {late}.",
        "It rose to {late} from {early}.",
        "It was {late}, up from {early}.",
        "It was {late}, $7 million more than the {early} of the year before.",
        "It was {late}, against {early} a year earlier.",
        "It came to {late}, compared with {early} in the prior year.",
        "It was {early} in 2022 and {late} in 2023.",
        "It was {late} and {early} in 2023 and 2022, respectively.",
        "In 2022 and 2023 it was {early} and {late}.",
        "It rose from {early} (as restated) in 2022 to {late}.",
    ],
)
def test_two_values_of_a_metric_that_is_not_named_are_in_their_order_in_time(text):
    case = Case(id="x", input={"document": YEARS}, expected=[], cluster="s")
    for early, late, is_wrong in (("$24 million", "$31 million", False), ("$31 million", "$24 million", True)):
        score = report.report(case, answer(text.format(early=early, late=late)))
        assert bool(score.counts["fabricated"]) is is_wrong
    fall = text.replace("rose", "fell").replace("up", "down").replace("more", "less").replace(" by 29%", " by 23%")
    assert report.report(case, answer(fall.format(early="$31 million", late="$24 million"))).counts["fabricated"]


QUARTERS = """entity | period | metric | unit | value
Elm Row Fund | Q3 2025 | regular distribution per unit | USD | 0.15
Elm Row Fund | Q3 2025 | cash earnings per unit | USD | 0.14
Elm Row Fund | Q2 2025 | yield | percent | 3.2
Elm Row Fund | Q3 2025 | yield | percent | 3.8
Elm Row Fund | Q2 2025 | net income | USD thousands | 640
Elm Row Fund | Q3 2025 | net income | USD thousands | 715
Elm Row Fund | Q3 2025 | distributions to all holders | USD thousands | 690
"""


@pytest.mark.parametrize(
    ("right", "wrong"),
    [
        ("It was 3.2% in the second quarter, 3.8% in the third.", "3.8% in the second quarter, 3.2% in the third."),
        ("It was 3.8% at the end of September 2025, 3.2% at the end of June.", "3.2% at the end of September 2025"),
        (
            "It made $715 thousand in the quarter ended September 30, 2025 and $640 thousand in the quarter before.",
            "It made $640 thousand in the quarter ended September 30, 2025, against $715 thousand.",
        ),
        (
            "It paid a regular distribution of $0.15 per unit in Q3 2025 out of cash earnings of $0.14 per unit.",
            "It paid a regular distribution of $0.14 per unit in Q3 2025 out of cash earnings of $0.15 per unit.",
        ),
        ("Net income rose from $640 thousand in Q2 2025 to $715 thousand.", "Net income was $715 thousand in Q2 2025."),
    ],
)
def test_periods_and_metrics_are_read_in_the_words_of_reports(right, wrong):
    case = Case(id="x", input={"document": QUARTERS}, expected=[], cluster="s")
    assert "mispaired" not in [span.verdict for span in report.report(case, answer(right)).spans]
    assert "mispaired" in [span.verdict for span in report.report(case, answer(wrong)).spans]


def test_a_date_on_which_no_period_of_the_sheet_ends_may_be_in_a_fiscal_quarter():
    fiscal = QUARTERS.replace("Q3", "Q4").replace("Q2", "Q3")
    for document, mispaired in ((QUARTERS, 1), (fiscal, 0)):
        case = Case(id="x", input={"document": document}, expected=[], cluster="s")
        counts = report.report(case, answer("The yield was 3.8% at the end of June 2025.")).counts
        assert counts["mispaired"] == mispaired


def test_a_metric_per_unit_is_not_meant_by_an_amount_that_is_not_per_unit():
    case = Case(id="x", input={"document": QUARTERS}, expected=[], cluster="s")
    for text, absent in (
        ("A regular distribution of $690 thousand went to all holders in Q3 2025.", 0),
        ("The regular distribution rate is not reported.", 0),
        ("The regular distribution per unit is not reported.", 1),
    ):
        counts = report.report(case, answer(text)).counts
        assert (counts["mispaired"], counts["false_absence"]) == (0, absent)


FORMS = {
    "${cell},000": False,
    "${cell} thousand": False,
    "USD {cell} thousand": False,
    "${million} million": False,
    "${million}M": False,
    "-${million} million": True,
    "$({million}) million": True,
    "(${million} million)": True,
    "a loss of ${million} million": True,
}


@settings(max_examples=200, deadline=None)
@given(st.integers(100, 9_990), st.sampled_from(sorted(FORMS)))
def test_an_amount_in_any_form_is_matched_to_its_row_and_to_no_other(thousands, form):
    cell = f"{thousands:,}"
    written = form.format(cell=cell, million=f"{thousands / 1000:.3f}")
    text = f"In Q2 2025, Elm Row Fund had net income of {written}."
    for shown, wrong in ((cell, FORMS[form]), (f"({cell})", not FORMS[form]), (f"{thousands + 1:,}", True)):
        document = (
            f"entity | period | metric | unit | value\nElm Row Fund | Q2 2025 | net income | USD thousands | {shown}"
        )
        case = Case(id="x", input={"document": document}, expected=[], cluster="s")
        said = answer(text)
        assert report.report(case, said).counts["fabricated"] == int(wrong)


@pytest.mark.parametrize(
    ("text", "fabricated"),
    [
        (f"In Q2 2025, {IN} returned -2.3%, against 1.9% for its benchmark.", []),
        (f"In Q2 2025, {IN} returned -2.3% and the index 1.9%.", []),
        ("In Q2 2025, the Orchard 70 Index returned 1.9% and the fund -2.3%.", []),
        ("In Q2 2025, the benchmark returned -2.3%.", ["-2.3%"]),
        (f"In Q2 2025, {IN} returned -2.3%; its expense ratio, not that of the benchmark, was 0.85%.", []),
        (f"In Q2 2025, {IN} returned -2.3% after expenses, against 1.9% at the Orchard 70 Index.", []),
        (f"{IN} is dear; against the index the expense ratio is 0.85%.", []),
    ],
)
def test_an_index_and_a_fund_may_be_named_by_their_kind(text, fabricated):
    assert scored(text).fabricated == fabricated


@pytest.mark.parametrize(
    ("right", "wrong"),
    [
        (f"{IN} (-2.3%) trailed the Orchard 70 Index", f"{IN} (-2.3%) beat the Orchard 70 Index"),
        (f"{IN} returned -2.3%, which was behind the index", f"{IN} returned -2.3%, which was ahead of the index"),
        (f"The index was ahead of {IN} and its -2.3%", f"The index lagged {IN} and its -2.3%"),
        (f"{IN} (-2.3%) was outperformed by the index", f"{IN} (-2.3%) outperformed the index"),
        (f"{IN} (-2.3%) did not outperform the index", f"{IN} (-2.3%) did outperform the index"),
    ],
)
def test_a_fund_said_to_be_ahead_of_an_index_that_it_is_behind_is_fabricated(right, wrong):
    ending = ", and the Orchard 70 Index returned 1.9% in Q2 2025."
    assert scored(right + ending).fabricated == []
    score = scored(wrong + ending)
    assert (score.counts["arithmetic_errors"], len(score.fabricated)) == (1, 1)


HORIZONS = """entity | period | metric | unit | value
Alder Bond Fund Class A | Q1 2024 | 3-year return | percent | 2.11
Alder Bond Fund Class A | Q1 2024 | 5-year return | percent | 1.34
Alder Bond Fund Class A | Q1 2024 | expense ratio | basis points | 78
Orchard Index | Q1 2024 | 5-year return | percent | 1.62
Alder Bond Fund | Q1 2024 | reserve | USD thousands | 1,374
Alder Bond Fund | Q1 2024 | loan balance | USD thousands | 11,467
"""


@pytest.mark.parametrize(
    ("text", "fabricated"),
    [
        ("Over five years Class A returned 1.34% a year.", 0),
        ("Over three years Class A returned 1.34% a year.", 1),
        ("Class A returned 1.34% a year over five years and 2.11% over three years.", 0),
        ("A reserve is set against the loan, 12.0% of its $11,467 thousand balance.", 0),
        ("The reserve is $1,374 thousand, or 12.0% of the loan's balance of $11,467 thousand.", 0),
        ("The reserve was $11,467 thousand.", 1),
        ("A balance of $1,374 thousand is left.", 0),
        ("The loan balance, of which a balance was $1,374 thousand.", 1),
        ('```json\n{"reserve": "$11,467 thousand", "loan_balance": "$1,374 thousand"}\n```', 2),
        ("Alder Bond Fund (Class A) trailed the Orchard Index over five years: 1.34% versus 1.62%.", 0),
        ("Class A returned 1.34% over five years after expenses, and the index 1.62%.", 0),
    ],
)
def test_a_figure_is_read_by_the_span_and_the_noun_next_to_it(text, fabricated):
    case = Case(id="x", input={"document": HORIZONS}, expected=[], cluster="s")
    assert report.report(case, answer(text)).counts["fabricated"] == fabricated


@pytest.mark.parametrize("unit", ["pts", "pp", "percentage points", "% points"])
def test_a_change_of_a_rate_is_in_points_however_they_are_written(unit):
    assert scored(f"In Q2 2025, {IN}'s occupancy rate rose by 2.0 {unit} from Q1 2025.").fabricated == []
