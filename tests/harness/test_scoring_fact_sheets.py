"""Reports against a fact sheet: places, signs, units, arithmetic, names, statements and gaps, each both ways."""

import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.errors import UserError
from harness.schema import Case, Completion, Score
from harness.scoring import fact_sheets
from harness.scoring.base import run
from harness.scoring.fact_sheet_periods import period_key, related
from harness.scoring.fact_sheet_rows import read_sheet
from harness.scoring.fact_sheet_signs import signed_figures
from harness.scoring.fact_sheet_words import read_words
from harness.scoring.figure_forms import figures_in

DOCUMENT = """Fact sheet
entity | period | metric | unit | value
Cedar Loft Income Fund | Q2 2025 | net income | USD thousands | (1,240)
Cedar Loft Income Fund | Q1 2025 | net income | USD thousands | 980
Cedar Loft Income Fund | Q2 2025 | rental revenue | USD thousands | 3,420
Cedar Loft Income Fund | Q1 2025 | rental revenue | USD thousands | 3,110
Cedar Loft Income Fund | Q2 2025 | occupancy rate | percent | 94.1
Cedar Loft Income Fund | Q1 2025 | occupancy rate | percent | 92.1
Cedar Loft Income Fund | Q2 2025 | total return | percent | (2.3)
Cedar Loft Income Fund | Q2 2025 | net asset value | USD millions | 57.3
Cedar Loft Income Fund | Q2 2025 | expense ratio | basis points | 85
Cedar Loft Income Fund | Q2 2025 | rating | name | Hallam A+
Cedar Loft Growth Fund | Q2 2025 | rental revenue | USD thousands | 2,750
Cedar Loft Growth Fund | Q2 2025 | occupancy rate | percent | 88.4
Cedar Loft Growth Fund | Q2 2025 | rating | name | Hallam B+
Orchard 70 Index | Q2 2025 | total return | percent | 1.9
Required statements:
- These figures are unaudited / No audit was made of these figures
- Units may lose value
"""
QUESTION = "Report on Cedar Loft Income Fund: rental revenue in Q2 2025 and in Q1 2025, and the percent change."
STATED = " These figures are unaudited. Units may lose value."
RIGHT = (
    "Cedar Loft Income Fund had rental revenue of $3.42 million in Q2 2025, against $3.11 million in Q1 2025, a rise "
    "of 10.0%." + STATED
)


def scored(text: str, *, reason: str = "stop", question: str = QUESTION, expected: str = RIGHT, **tags: str) -> Score:
    case = Case(
        id="x", input={"document": DOCUMENT, "question": question}, expected=[expected], cluster="sheet-1", tags=tags
    )
    error = "stopped" if reason == "error" else None
    said = Completion(key="k", text=text, finish_reason=reason, prompt_tokens=1, output_tokens=1, error=error)
    return run([fact_sheets.report], case, said).fact_sheets


def verdicts(text: str) -> dict[str, str]:
    """Verdict of each figure and rating by its text."""
    kinds = ("money", "percent", "count", "duration", "date", "name")
    return {span.quote: span.verdict for span in scored(text).spans if span.kind in kinds}


def test_a_right_paragraph_is_clean_and_its_spans_point_into_the_sheet():
    score = scored(RIGHT)
    assert (score.value, score.counts["required"], score.counts["required_found"]) == (1.0, 3, 3)
    cells = [DOCUMENT[s.source.start : s.source.end] for s in score.spans]
    assert cells == ["3,420", "3,110", "3,110"]


IN = "Cedar Loft Income Fund"
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
    ("wrong_unit", "$3,420", f"In Q2 2025, {IN} had rental revenue of $3,420."),
    ("wrong_unit", "$3,420 million", f"In Q2 2025, {IN} had rental revenue of $3,420 million."),
    ("wrong_unit", "3,420", f"In Q2 2025, {IN} had rental revenue of 3,420."),
    ("wrong_unit", "$57.3 thousand", f"In Q2 2025, {IN} had a net asset value of $57.3 thousand."),
    ("wrong_unit", "85%", f"In Q2 2025, {IN} had an expense ratio of 85%."),
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


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("Bramhope Value Fund", "fund"),
        ("Cedar Loft Value Fund", "fund"),
        ("Cedar Loft Income Fund II", "fund"),
        ("Silver Income Fund", "fund"),
        ("Netherby Housing Trust", "fund"),
        ("Silverlode 400 Index", "benchmark"),
        ("Orchard 90 Index", "benchmark"),
        ("S&P 500", "benchmark"),
        ("Russell 2000", "benchmark"),
        ("Morningstar", "rating"),
        ("five-star", "rating"),
        ("AAA", "rating"),
        ("BBB+", "rating"),
    ],
)
def test_a_name_of_this_form_that_the_sheet_lacks_is_invented(name, kind):
    found = [s for s in scored(f"{RIGHT} It is set beside the {name} here.").spans if s.verdict == "invented"]
    assert [(s.quote, s.kind) for s in found] == [(name, kind)]


@pytest.mark.parametrize("text", ["It is rated Maplehurst Gold.", "It holds a Maplehurst Gold rating."])
def test_a_rating_is_known_by_the_words_around_it(text):
    assert scored(f"{RIGHT} {text}").invented == ["Maplehurst Gold"]


@pytest.mark.parametrize(
    "text",
    [
        "The Fund did well. Both Cedar Loft Income Fund and Cedar Loft Growth Fund did.",
        "During the quarter, the Cedar Loft Income Fund beat the Orchard 70 Index.",
        "Cedar Loft Income did well. The Trust's rating is Hallam A+.",
        "The Income Fund rose and so did the Growth Fund.",
        "Its rating was good. No rating is higher. The rating was Hallam A+.",
    ],
)
def test_names_of_the_sheet_in_any_shape_are_not_invented(text):
    assert scored(text).invented == []


def test_the_last_words_of_a_name_are_no_name_of_their_own_after_another_word():
    document = "entity | period | metric | unit | value\nIverson Mill Income Fund | Q2 2025 | net income | USD | 3"
    for text, invented in (
        ("The Income Fund fared well.", []),
        ("Silver Income Fund fared well.", ["Silver Income Fund"]),
    ):
        case = Case(id="x", input={"document": document}, expected=[], cluster="s")
        said = Completion(key="k", text=text, finish_reason="stop", prompt_tokens=1, output_tokens=1)
        assert fact_sheets.report(case, said).invented == invented


@pytest.mark.parametrize(
    ("ending", "carried"),
    [
        (" THESE FIGURES ARE UNAUDITED; units may lose value!", 2),
        (" No audit was made of these figures.", 1),
        (" These figures are audited. Units may lose.", 0),
        (" Subunits may lose value", 0),
        ("", 0),
    ],
)
def test_a_statement_counts_in_any_listed_wording(ending, carried):
    score = scored(RIGHT.removesuffix(STATED) + ending)
    assert (score.counts["disclosed"], score.counts["disclosures"]) == (carried, 2)
    assert score.counts["clean"] == int(carried == 2)


GAP = "Report on Cedar Loft Growth Fund for Q2 2025: rental revenue and expense ratio."
GAP_RIGHT = "In Q2 2025, Cedar Loft Growth Fund had rental revenue of $2.75 million. Its expense ratio is not reported."


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (GAP_RIGHT, 1),
        (GAP_RIGHT.replace("is not reported", "was not disclosed"), 1),
        (GAP_RIGHT.replace("Its expense ratio is not reported", "The sheet does not give an expense ratio"), 1),
        (GAP_RIGHT.replace("Its expense ratio is not reported", "No expense ratio is given"), 1),
        (GAP_RIGHT.replace("Its expense ratio is not reported", "Its expense ratio isn't reported"), 1),
        (GAP_RIGHT.replace("is not reported", "is low"), 0),
        (GAP_RIGHT.replace("expense ratio", "net asset value"), 0),
    ],
)
def test_what_the_sheet_lacks_must_be_said_to_be_missing(text, said):
    score = scored(text + STATED, question=GAP, expected=GAP_RIGHT, absent="expense ratio")
    assert (score.counts["absence_said"], score.counts["clean"]) == (said, said)


def test_a_gap_filled_with_the_other_funds_figure_is_mispaired():
    text = GAP_RIGHT.replace("is not reported", "is 0.85%") + STATED
    score = scored(text, question=GAP, expected=GAP_RIGHT, absent="expense ratio")
    assert (score.counts["mispaired"], score.counts["clean"]) == (1, 0)


def test_saying_that_a_reported_figure_is_missing_is_wrong():
    score = scored(f"{RIGHT} Occupancy in Q2 2025 is not reported.")
    assert (score.counts["false_absence"], score.value) == (1, 0.0)
    assert scored(f"{RIGHT} The number of tenants is not reported.").value == 1.0


def test_a_failed_answer_counts_against_every_claim():
    counts = scored("", reason="error").counts
    wrong = ("fabricated", "mispaired", "arithmetic_errors", "invented_name", "false_absence")
    assert {counts[name] for name in wrong} == {1}
    assert {counts[name] for name in ("clean", "disclosed", "required_found", "absence_said")} == {0}
    assert (counts["required"], counts["disclosures"]) == (3, 2)


@pytest.mark.parametrize("text", ["", "   ", "\x00\x07", "数字はありません。", "🙂" * 40, "| | | |", "Not reported."])
def test_an_answer_with_nothing_in_it_is_wrong_and_counted(text):
    score = scored(text)
    assert (score.value, score.counts["required"], score.counts["required_found"]) == (0.0, 3, 0)


def test_a_cut_answer_is_not_clean_and_its_broken_figure_not_judged():
    whole = scored(RIGHT, reason="length")
    assert (whole.counts["fabricated"], whole.counts["clean"]) == (0, 0)
    cut = scored(f"In Q2 2025, {IN} had rental revenue of $3.4", reason="length")
    assert (cut.counts["figures"], cut.counts["fabricated"]) == (0, 0)


def test_a_copy_of_the_table_and_a_long_answer_are_not_clean():
    ratings = [line for line in DOCUMENT.splitlines() if "| rating |" in line]
    assert len(ratings) == 2
    assert scored(f"{RIGHT}\n{ratings[0]}").counts["clean"] == 1
    copied = scored("\n".join([RIGHT, *ratings])).counts
    assert (copied["fabricated"], copied["clean"]) == (0, 0)
    assert scored(RIGHT + " It rained." * 70).counts["clean"] == 0


def test_spans_quote_the_untouched_text():
    text = "\u00ad🙂 " + RIGHT.replace("$3.42 million", "$\u200b3.42\u00a0million").replace(". ", ".\r\n")
    score = scored(text)
    assert len(score.spans) == 3
    assert all(text[s.start : s.end] == s.quote for s in score.spans)
    assert score.value == 1.0


def test_two_runs_give_equal_scores():
    assert scored(RIGHT) == scored(RIGHT)


@pytest.mark.parametrize(
    ("line", "problem"),
    [
        ("A Fund | Q2 2025 | net income | USD thousands", "4 cells"),
        ("A Fund | Q2 2025 | net income | shells | 3", "unit 'shells' is unknown"),
        ("A Fund | soon | net income | USD | 3", "period 'soon' is none"),
        ("A Fund | Q2 2025 | net income | USD | high", "value 'high' is no number"),
        ("A Fund | Q2 2025 | net income | USD | 3\nA Fund | Q2 2025 | net income | USD | 4", "two values stand for"),
    ],
)
def test_a_sheet_that_cannot_be_read_is_refused_with_the_reason(line, problem):
    with pytest.raises(UserError, match=problem):
        read_sheet(f"entity | period | metric | unit | value\n{line}\n")


def test_every_problem_of_a_sheet_is_named_at_once():
    with pytest.raises(UserError, match=r"(?s)no line 'entity.*line 1.*line 2"):
        read_sheet("A Fund | soon | net income | USD | 3\nA Fund | Q2 2025 | net income | shells | 3")


@pytest.mark.parametrize(
    ("written", "key"),
    [
        ("Q2 2025", "Q2 2025"),
        ("second quarter of 2025", "Q2 2025"),
        ("2Q25", "Q2 2025"),
        ("FY 2024", "FY 2024"),
        ("fiscal year 2024", "FY 2024"),
        ("quarter ended September 30, 2024", "Q3 2024"),
        ("H1 2025", "H1 2025"),
        ("Q3", "Q3 ?"),
        ("prior quarter", None),
    ],
)
def test_periods_have_one_key(written, key):
    assert period_key(written) == key


def test_relative_periods_are_seen_from_the_one_before():
    assert related("prior quarter", "Q1 2025", ()) == "Q4 2024"
    assert related("a year earlier", "Q3 2025", ()) == "Q3 2024"
    assert related("previous period", "FY 2025", ("FY 2024", "FY 2025")) == "FY 2024"


MONEY = st.integers(1, 99_999).map(lambda n: f"${n / 100:,.2f} million")
SHARE = st.integers(1, 9_999).map(lambda n: f"{n / 100}%")
WORDS = st.sampled_from(["in", "rose to", "and", ";", "the fund", "(", ")", "-", "about", "$", "5", "two", "1,2", "%"])


@settings(max_examples=300, deadline=None)
@given(st.lists(st.one_of(MONEY, SHARE, WORDS), min_size=1, max_size=8).map(" ".join))
def test_the_short_way_to_read_figures_gives_what_the_long_way_gives(text):
    short = [
        (f.start, f.end, f.unit, f.value, f.step) for f, minus in signed_figures(text, read_words(text)) if not minus
    ]
    long = [(f.start, f.end, f.unit, f.value, f.step) for f in figures_in(text)]
    assert set(short) <= set(long)
    assert len(short) == len(long) or any(minus for _, minus in signed_figures(text, read_words(text)))


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
        said = Completion(key="k", text=text, finish_reason="stop", prompt_tokens=1, output_tokens=1)
        assert fact_sheets.report(case, said).counts["fabricated"] == int(wrong)


@pytest.mark.slow
def test_reports_of_a_hundred_words_are_scored_fast():
    filler = " The manager kept the portfolio steady and tenants paid their rent on time in each month, " * 4
    texts = [f"{RIGHT}{filler} n{chr(97 + i % 26)}{chr(97 + i // 26 % 26)}{chr(97 + i // 676)}" for i in range(4000)]
    scored(texts[0])
    began = time.process_time()
    for text in texts:
        scored(text)
    assert len(texts) / (time.process_time() - began) > 1500
