"""CUAD's span rule on cases worked by hand, and the scorer of quoted lines."""

import math

import numpy as np
import pytest

from harness.schema import Case
from harness.scoring.base import run
from harness.scoring.legal import cuad
from harness.scoring.legal.cuad import (
    SpanCounts,
    above_threshold,
    aupr,
    count,
    curve,
    envelope,
    jaccard,
    precision_at_recall,
)
from tests.support.answers import answer, pooled

RENT = "Tenant shall pay rent monthly"
LAW = "Georgia law governs this lease"


# Jaccard


def test_half_of_the_union_is_a_match_and_less_is_none():
    """{a b c} and {b c d}: 2 of 4; {a b c} and {c d e}: 1 of 5; {a b c d} and {c d e}: 2 of 5."""
    assert jaccard("a b c", "b c d") == 0.5 and cuad.matches("a b c", "b c d")
    assert jaccard("a b c d", "c d e") == pytest.approx(0.4) and not cuad.matches("a b c d", "c d e")


def test_four_marks_go_a_slash_parts_words_case_does_not_matter_and_other_marks_stay():
    assert jaccard("Rent, due; monthly: always.", "rent DUE monthly always") == 1.0
    assert jaccard("and/or", "AND or") == 1.0
    assert jaccard("(rent)", "rent") == 0.0


def test_a_double_space_makes_an_empty_word():
    """{a, '', b} and {a, b}: 2 of 3."""
    assert jaccard("a  b", "a b") == pytest.approx(2 / 3)


def test_a_line_break_joins_two_words():
    """{'a\\nb', c} and {a, b, c}: 1 of 4, no match."""
    assert jaccard("a\nb c", "a b c") == pytest.approx(1 / 4)


def test_words_count_once_and_marks_alone_are_the_empty_word():
    assert jaccard("a a a b", "a b b") == 1.0
    assert jaccard(".", ";") == 1.0


# Counting


def test_counts_worked_by_hand():
    """RENT is quoted twice (one true positive), LAW is missed, and one quote matches nothing."""
    assert count([RENT, LAW], [RENT, RENT + " early", "the moon is made of cheese"]) == SpanCounts(1, 1, 1)


def test_one_quote_may_find_two_labelled_strings():
    assert count(["a b c d", "b c d e"], ["b c d"]) == SpanCounts(2, 0, 0)


def test_without_a_labelled_string_every_quote_is_wrong():
    assert count([], [RENT, LAW]) == SpanCounts(0, 2, 0)
    assert count([], []) == SpanCounts(0, 0, 0)
    assert count([RENT, LAW], []) == SpanCounts(0, 0, 2)


def test_parties_also_match_where_the_labelled_string_is_part_of_the_quote_as_it_is_written():
    quote = "This lease is made by and between Alder Row LLC and its many heirs and assigns forever"
    assert count(["Alder Row LLC"], [quote]) == SpanCounts(0, 1, 1)
    assert count(["Alder Row LLC"], [quote], parties=True) == SpanCounts(1, 0, 0)
    assert count(["ALDER ROW LLC"], [quote], parties=True) == SpanCounts(0, 1, 1)
    assert count([quote], ["Alder Row LLC"], parties=True) == SpanCounts(0, 1, 1)


def test_of_equal_texts_the_last_confidence_counts_and_empty_texts_are_dropped():
    pairs = [(RENT, 0.9), ("", 0.8), (LAW, 0.3), (RENT, 0.2)]
    assert above_threshold(pairs, 0.25) == [LAW]
    assert above_threshold(pairs, 0.1) == [RENT, LAW]
    assert above_threshold(pairs, 0.2) == [LAW], "a confidence that equals the threshold is not over it"


# Curve


def test_thresholds_are_those_of_numpy_to_the_last_digit():
    assert list(cuad.THRESHOLDS) == [*np.arange(0.99, 0, -0.01), 0.001, 0]
    assert len(cuad.THRESHOLDS) == 101


def test_area_and_precision_at_recall_worked_by_hand():
    """One right quote over .6, a wrong one over .4, the second right one over .2.

    From .60 on P 1 R 1/2; from .40 on P 1/2 R 1/2; from .20 on P 2/3 R 1. The envelope is 1 up to the last point at
    recall 1/2 with precision 1, then 2/3: area 1 * 1/2 + the trapezoid from (1/2, 2/3) to (1, 2/3), since the wrong
    quote's points at recall 1/2 are raised to 2/3.
    """
    made = curve({"q": [RENT, LAW]}, {"q": [(RENT, 0.605), ("cheese", 0.405), (LAW, 0.205)]})
    assert len(made.precisions) == len(made.recalls) == 102 and len(made.confidences) == 101
    assert aupr(made) == pytest.approx(1 / 2 + 1 / 2 * 2 / 3)
    assert precision_at_recall(made, 0.8)[0] == pytest.approx(2 / 3)
    assert precision_at_recall(made, 0.5)[0] == 1.0


def test_precision_and_recall_are_over_all_questions_together():
    """Two questions: 1 of 1 right, and 3 quotes without a label; together P 1/4, R 1."""
    predictions = {"a": [(RENT, 0.995)], "b": [("x", 0.995), ("y", 0.995), ("z", 0.995)]}
    made = curve({"a": [RENT], "b": []}, predictions)
    assert made.precisions[1] == pytest.approx(1 / 4) and made.recalls[1] == 1.0


def test_only_questions_named_after_parties_follow_their_rule():
    long = "by and between Alder Row LLC and its heirs and assigns and many others besides"
    for name, recall in (("lease__Parties", 1.0), ("lease__Insurance", 0.0)):
        assert curve({name: ["Alder Row LLC"]}, {name: [(long, 0.5)]}).recalls[-1] == recall


def test_a_nan_gives_way_to_a_later_precision_and_the_last_one_spreads():
    assert envelope([1.0, math.nan, 0.5, 0.7]) == [1.0, 0.7, 0.7, 0.7]
    assert all(math.isnan(p) for p in envelope([1.0, 0.5, math.nan]))


def test_a_model_that_never_answers_has_no_area_and_no_precision():
    """Every precision is nan, which spreads to the first point; the area is 0, not 1."""
    made = curve({"q": [RENT]}, {"q": []})
    assert all(math.isnan(p) for p in envelope(made.precisions))
    assert (aupr(made), precision_at_recall(made, 0.8)[0]) == (0.0, 0.0)


def test_without_any_labelled_string_the_area_is_nought():
    assert aupr(curve({"q": []}, {"q": [(RENT, 0.5)]})) == 0.0


def test_the_last_threshold_is_never_examined():
    """A right quote of confidence .0005 is over 0 alone, so that recall 1 is reached at the last point only."""
    made = curve({"q": [RENT]}, {"q": [(RENT, 0.0005)]})
    assert made.recalls[-1] == 1.0 and made.recalls[-2] == 0.0
    assert precision_at_recall(made, 0.8) == (0.0, 0.0)
    assert aupr(made) > 0.9, "the area does see it"


def test_the_confidence_is_one_step_off():
    made = curve({"q": [RENT]}, {"q": [(RENT, 0.505)]})
    reached = next(i for i, recall in enumerate(made.recalls) if recall == 1.0) - 1
    precision, confidence = precision_at_recall(made, 0.8)
    assert made.confidences[reached] == pytest.approx(0.50)
    assert (precision, confidence) == (1.0, pytest.approx(0.49))


def test_questions_without_predictions_are_refused():
    with pytest.raises(ValueError, match="ids must agree"):
        curve({"a": [RENT]}, {})


def test_f_scores_worked_by_hand():
    """P 3/4, R 1/2: F1 .6; F2 = 5 * .375 / (4 * .75 + .5) = .5357."""
    counts = SpanCounts(tp=3, fp=1, fn=3)
    assert (counts.precision, counts.recall) == (0.75, 0.5)
    assert cuad.f_score(counts) == pytest.approx(0.6)
    assert cuad.f_score(counts, 2) == pytest.approx(5 * 0.375 / 3.5)
    assert cuad.f_score(SpanCounts(0, 0, 0)) is None
    assert (SpanCounts(0, 0, 0).precision, SpanCounts(0, 0, 0).recall) == (None, None)


# Quoted lines


def scored(text, gold, finish="stop", document="", case_id="q", clause=""):
    case = Case(id=case_id, input={"document": document}, expected=gold, cluster="c", tags={"clause": clause})
    said = answer(text, finish)
    return run([cuad.quoted], case, said).spans


def test_quoted_lines_are_counted_without_bullets_and_quotation_marks():
    score = scored(f'1. "{RENT}."\r\n- {LAW}\nthe moon is made of cheese', [RENT, LAW])
    assert (score.tp, score.fp, score.fn, score.value) == (2, 1, 0, 0.0)
    assert (score.counts["f2_top"], score.counts["f2_bottom"]) == (10, 11)
    assert [s.quote for s in score.spans] == [f"{RENT}.", LAW, "the moon is made of cheese"]
    assert [s.verdict for s in score.spans] == ["found", "found", "invented"]


def test_a_line_given_twice_counts_once():
    assert scored("the moon\nthe moon", []).fp == 1


def test_none_is_right_where_nothing_is_labelled_and_an_abstention_elsewhere():
    right, abstained = scored("None.", []), scored("none", [RENT])
    assert (right.value, right.abstained, right.false_alarm) == (1.0, 0, 0)
    assert (abstained.value, abstained.abstained, abstained.fn, abstained.fp) == (0.0, 1, 1, 0)


def test_none_with_an_explanation_is_none_and_with_a_quote_is_not():
    assert scored("None. The repair clause is struck.", []).value == 1.0
    assert scored("None.\nThe repair clause is struck.", [RENT]).abstained == 1
    assert scored(f"None.\n{RENT}", [], document=RENT).fp == 2


@pytest.mark.parametrize(
    "text", ["The text does not contain this clause.", "None (struck)", "The clause is not present."]
)
def test_none_is_read_in_the_words_of_a_sentence(text):
    assert (scored(text, []).value, scored(text, [RENT]).abstained) == (1.0, 1)


def test_a_passage_copied_with_the_line_breaks_of_its_source_is_one_quote():
    wrapped = RENT.replace(" ", "\n", 2)
    score = scored(wrapped, [RENT], document=f"1. {wrapped}\n\n2. {LAW}")
    assert (score.value, score.spans[0].quote, score.spans[0].source.start) == (1.0, wrapped, 3)
    listed = scored(f"{RENT}\n{LAW}", [RENT, LAW], document=f"{RENT}\n{LAW}")
    assert (listed.tp, listed.fp) == (2, 0)


def test_a_line_that_leads_to_a_quote_is_no_quote():
    assert scored(f"The clause reads:\n\n{RENT}", [RENT], document=RENT).value == 1.0
    assert scored("The clause reads:", [RENT]).fp == 1


@pytest.mark.parametrize(
    "text",
    [
        f'```json\n["{RENT} on the first day"]\n```',
        f'```json\n{{\n  "rent": [\n    "{RENT} on the first day"\n  ]\n}}\n```',
        f"| Clause | Text |\n|:---|---|\n| rent | {RENT} on the first day |",
        f"## Rent\n{RENT} on the first day",
        f"**Payment of rent:**\n\n- {RENT} on the first day",
        f"{RENT}\non the first day",
        f'- "{RENT}"\n- "on the first day"',
    ],
)
def test_marks_around_a_quote_and_the_lines_that_it_is_cut_into_are_no_quotes_of_their_own(text):
    gold = f"{RENT} on the first day"
    score = scored(text, [gold], document=f"1. {gold}. 2. {LAW}.")
    assert (score.value, score.tp, score.fp) == (1.0, 1, 0)
    assert scored(f"{text}\n{LAW}", [gold], document=f"1. {gold}. 2. {LAW}.").fp == 1


@pytest.mark.parametrize(
    "text",
    [
        f"| {LAW} |\n|---|",
        f"| Clause | Text |\n|---|---|\n| rent | {LAW} |",
        f"| Clause | {LAW} |",
        f'{{\n  "rent": [\n    "{LAW}"\n  ]\n}}',
        f'{{\n  "{LAW}": "rent",\n}}',
    ],
)
def test_a_table_and_json_hide_no_wrong_quote(text):
    for gold in ([], [RENT]):
        assert (scored(text, gold, document=f"{RENT} {LAW}").fp, scored(text, gold).tp) == (1, 0)


@pytest.mark.parametrize(
    ("text", "value"), [("There is no due-on-sale clause in this text.", 1.0), ("Due on sale.", 0.0)]
)
def test_none_may_name_the_clause_that_was_asked_for(text, value):
    case = Case(id="x", input={"document": RENT}, expected=[], cluster="c", tags={"clause": "due on sale"})
    assert run([cuad.quoted], case, answer(text)).spans.value == value


def test_none_beside_a_quote_is_a_quote_that_matches_nothing():
    assert (scored(f"{RENT}\nnone", [RENT]).tp, scored(f"{RENT}\nnone", [RENT]).fp) == (1, 1)


@pytest.mark.parametrize(
    ("text", "finish"),
    [("", "stop"), (" \n ", "stop"), (RENT, "length"), (RENT, "error"), ("I cannot answer that.", "stop")],
)
def test_what_cannot_be_read_scores_no_better_than_a_wrong_quote(text, finish):
    for gold in ([], [RENT]):
        score, wrong = scored(text, gold, finish), scored("the moon is made of cheese", gold)
        assert (score.tp, score.fp, score.fn) == (wrong.tp, wrong.fp, wrong.fn) == (0, 1, len(gold))
        assert (score.parsed, score.abstained, score.false_alarm) == (0, 0, wrong.false_alarm)


def test_a_quote_says_where_it_stands_in_the_source():
    score = scored(f"{LAW}\n{RENT}", [RENT], document=f"{LAW}. {RENT}.")
    assert [(s.verdict, s.source.start, s.source.end) for s in score.spans] == [
        ("unmatched", 0, len(LAW)),
        ("found", len(LAW) + 2, len(LAW) + 2 + len(RENT)),
    ]


def test_a_case_of_parties_follows_their_rule():
    long = "by and between Alder Row LLC and its heirs and assigns and many others besides"
    assert scored(long, ["Alder Row LLC"]).tp == 0
    assert scored(long, ["Alder Row LLC"], case_id="lease__Parties").tp == 1
    assert scored(long, ["Alder Row LLC"], clause="Parties").tp == 1


def test_metrics_of_several_answers_worked_by_hand():
    """tp 1, fp 2, fn 1: recall 1/2, precision 1/3, F1 2/5, F2 5/11; one of two texts abstained on; one false alarm."""
    scores = [scored(f"{RENT}\ncheese", [RENT]), scored("none", [LAW]), scored("cheese", [])]
    assert pooled(cuad.quoted.metrics, scores) == {
        "span_recall": 1 / 2,
        "span_precision": 1 / 3,
        "span_f1": 2 / 5,
        "span_f2": 5 / 11,
        "span_abstention_rate": 1 / 2,
        "span_false_alarm_rate": 1.0,
        "span_parse_rate": 1.0,
    }
