"""Reports against a fact sheet: names, statements and gaps, each both ways, and answers that are no whole report."""

import pytest

from harness.schema import Case
from harness.scoring.finance import report
from tests.support.answers import answer
from tests.support.fund_sheet import DOCUMENT, IN, RIGHT, STATED, scored


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
        said = answer(text)
        assert report.report(case, said).invented == invented


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
    ("sentence", "said"),
    [
        ("Its expense ratio is not reported.", 1),
        ("Its expense ratio was not disclosed.", 1),
        ("The sheet does not give an expense ratio.", 1),
        ("No expense ratio is given.", 1),
        ("Its expense ratio isn't reported.", 1),
        ("Its expense ratio is not mentioned.", 1),
        ("Its expense ratio cannot be determined from the sheet.", 1),
        ("Its expense ratio is missing from the sheet.", 1),
        ("The sheet does not specify the expense ratio.", 1),
        ("There is no information on the expense ratio.", 1),
        ("The sheet has no figure for the expense ratio.", 1),
        ("Expense ratio: N/A.", 1),
        ("I couldn't find an expense ratio for this fund.", 1),
        ("I was not able to find its expense ratio.", 1),
        ("The filing doesn't say what the ratio of expenses is.", 1),
        ("The filing is silent on its expense ratio.", 1),
        ("There is no expense ratio in this filing.", 1),
        ("You also asked for its expense ratio. That isn't in the filing.", 1),
        ("You also asked for its expense ratio. That is low.", 0),
        ("Its expense ratio is fine. That is not reported elsewhere.", 0),
        ("I cannot say the expense ratio is high.", 0),
        ("There is no expense ratio in the filing's year, since it was nil.", 0),
        ("Its manager is not mentioned.", 0),
        ("I couldn't find its manager.", 0),
        ("Its expense ratio is low.", 0),
        ("Its expense ratio is not high.", 0),
        ("Its net asset value is not reported.", 0),
    ],
)
def test_what_the_sheet_lacks_must_be_said_to_be_missing(sentence, said):
    text = GAP_RIGHT.replace("Its expense ratio is not reported.", sentence)
    score = scored(text + STATED, question=GAP, expected=GAP_RIGHT, absent="expense ratio")
    assert (score.counts["absence_said"], score.counts["clean"]) == (said, said)


@pytest.mark.parametrize(
    ("sentence", "said"),
    [
        ("Its FFO is not reported.", 1),
        ("Its average FFOs per unit are not reported.", 1),
        ("Its AFO is not reported.", 0),
        ("Its FF is not reported.", 0),
        ("Its NOI is not reported.", 0),
        ("Its FFO is low.", 0),
    ],
)
def test_what_is_missing_may_be_named_by_its_initials(sentence, said):
    right = GAP_RIGHT.replace("Its expense ratio", "Its funds from operations")
    text = GAP_RIGHT.replace("Its expense ratio is not reported.", sentence) + STATED
    score = scored(text, question=GAP, expected=right, absent="funds from operations")
    assert (score.counts["absence_said"], score.counts["clean"]) == (said, said)


def test_a_gap_filled_with_the_other_funds_figure_is_mispaired():
    text = GAP_RIGHT.replace("is not reported", "is 0.85%") + STATED
    score = scored(text, question=GAP, expected=GAP_RIGHT, absent="expense ratio")
    assert (score.counts["mispaired"], score.counts["clean"]) == (1, 0)


def test_saying_that_a_reported_figure_is_missing_is_wrong():
    for false in ("Occupancy in Q2 2025 is not reported.", "I could not find the occupancy in Q2 2025."):
        score = scored(f"{RIGHT} {false}")
        assert (score.counts["false_absence"], score.value) == (1, 0.0)
    assert scored(f"{RIGHT} The number of tenants is not reported.").value == 1.0


def test_a_required_statement_that_something_is_not_given_denies_no_figure():
    sheet = (
        "entity | period | metric | unit | value\nElm Row Fund | Q2 2025 | rent | USD | 3\nRequired statements:\n- {}"
    )
    stated = "Units are not listed on any exchange"
    case = Case(id="x", input={"document": sheet.format(stated)}, expected=[], cluster="s")
    assert report.report(case, answer(f"Rent was $3 and *{stated}.*")).value == 1.0
    assert report.report(case, answer(f"{stated}. Rent is not listed.")).value == 0.0


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
