"""Labels of a closed set (LegalBench, ContractNLI) and cited evidence, worked by hand."""

import pytest

from harness.errors import UserError
from harness.schema import Case
from harness.scoring import cited_evidence, labels
from harness.scoring.base import run
from harness.stats.estimates import estimate
from harness.stats.observations import observations
from tests.support.answers import answer, scored_record

YES_NO = labels.among(("Yes", "No"))
NLI = labels.among(
    ("Entailment", "Contradiction", "NotMentioned"),
    aliases={"Not mentioned": "NotMentioned"},
    apart=("Entailment", "Contradiction"),
    until="[",
)
TEXT = "[1] The price is fixed. [2] It may not change.\n[3] Notices go by mail."


def case_of(gold, case_id="x", evidence="", cluster="c"):
    tags = {"evidence": evidence} if evidence else {}
    return Case(id=case_id, input={"document": TEXT}, expected=[gold], cluster=cluster, tags=tags)


def scored(text, gold, finish="stop", scorer=YES_NO):
    return run([scorer], case_of(gold), answer(text, finish)).labels


def level(scorer, name, answers):
    """A metric over answers (text, gold), each in a cluster of its own."""
    metric = next(m for m in scorer.metrics if m.name == name)
    records = [
        scored_record([scorer], case_of(gold, f"case-{i}", cluster=str(i)), answer(text))
        for i, (text, gold) in enumerate(answers)
    ]
    return estimate(observations(records, metric), metric)


# Labels


@pytest.mark.parametrize("text", ["Yes", "yes", " YES.\n", '"Yes"', "(yes)!", "**Yes**"])
def test_marks_white_space_and_case_do_not_matter(text):
    score = scored(text, "Yes")
    assert (score.value, score.parsed, score.found) == (1.0, 1, ["Yes"])


@pytest.mark.parametrize(
    "text", ["", "  ", "Yes, because the clause says so", "yes no", "Maybe", "I cannot answer.", "Да", "Yes" * 300_000]
)
def test_what_is_no_label_is_wrong_and_in_the_denominator(text):
    for gold in ("Yes", "No"):
        score = scored(text, gold)
        assert (score.value, score.correct, score.parsed) == (0.0, 0, 0)
        assert (score.missing, score.invented, score.predicted) == ([gold], [], ["(no label)"])


REASONED = labels.among(("Yes", "No"), until="[(:;.,–—-\n")


@pytest.mark.parametrize(
    ("text", "label"),
    [
        *(("Yes, because the source says so", "Yes"), ("No: the source says 5.", "No"), ("**Yes** - it does", "Yes")),
        *(("No\n\nIt says 5.", "No"), ("- Yes", "Yes"), ("(Yes)", "Yes"), ("No (the rent is 27.54)", "No")),
        *(("Yes and no. It depends.", None), ("Yesterday, it was", None), ("Answer: Yes", None), ("So, yes", None)),
    ],
)
def test_a_label_may_have_a_reason_behind_it_where_the_suite_says_what_ends_it(text, label):
    assert scored(text, "Yes", scorer=REASONED).predicted == [label or "(no label)"]


@pytest.mark.parametrize("finish", ["length", "error"])
def test_a_cut_or_failed_answer_is_wrong_whatever_it_says(finish):
    assert (scored("Yes", "Yes", finish).value, scored("Yes", "Yes", finish).parsed) == (0.0, 0)


def test_another_label_is_wrong_and_parsed():
    score = scored("No", "Yes")
    assert (score.value, score.parsed, score.missing, score.invented) == (0.0, 1, ["Yes"], ["No"])


def test_the_right_label_has_a_span_and_an_unreadable_answer_says_why():
    (right,) = scored(" Yes.\n", "Yes").spans
    (unread,) = scored("Maybe so", "Yes").spans
    (cut,) = scored("Yes", "Yes", "length").spans
    assert (right.quote, right.verdict) == ("Yes.", "correct")
    assert (unread.quote, unread.verdict) == ("Maybe so", "unreadable") and "none of the labels" in unread.reason
    assert "token limit" in cut.reason
    assert scored("No", "Yes").spans == []


def test_balanced_accuracy_is_the_mean_of_recalls_worked_by_hand():
    """Gold Yes 4 times (3 right), gold No once (right): (3/4 + 1) / 2, where accuracy is 4/5."""
    answers = [("Yes", "Yes")] * 3 + [("No", "Yes"), ("No", "No")]
    assert level(YES_NO, "balanced_accuracy", answers).value == pytest.approx(7 / 8)
    assert level(YES_NO, "accuracy", answers).value == pytest.approx(4 / 5)


def test_an_answer_outside_the_labels_lowers_its_gold_labels_recall():
    """Yes: 1 of 2, No: 1 of 1. Dropped from the denominator it would be 1; F1 of Yes 2/3, of No 1."""
    answers = [("Yes", "Yes"), ("Perhaps", "Yes"), ("No", "No")]
    assert level(YES_NO, "balanced_accuracy", answers).value == pytest.approx(3 / 4)
    assert level(YES_NO, "label_macro_f1", answers).value == pytest.approx((2 / 3 + 1) / 2)
    assert level(YES_NO, "parse_rate", answers).value == pytest.approx(2 / 3)


def test_always_yes_has_half_whatever_the_share_of_yes():
    answers = [("Yes", "Yes")] * 90 + [("Yes", "No")] * 10
    assert level(YES_NO, "balanced_accuracy", answers).value == pytest.approx(0.5)


def test_a_label_that_is_never_right_is_named_as_left_out():
    made = level(YES_NO, "balanced_accuracy", [("Yes", "Yes"), ("No", "Yes")])
    assert made.value == pytest.approx(1 / 2) and "without No" in made.method
    predicted = level(YES_NO, "label_macro_f1", [("Yes", "Yes"), ("No", "Yes")])
    assert predicted.value == pytest.approx((2 / 3 + 0) / 2) and "without" not in predicted.method


def test_single_labels_have_precision_recall_and_f1_worked_by_hand():
    """Entailment is right twice of three, said three times; Contradiction is right once, said twice."""
    answers = [
        ("Entailment", "Entailment"),
        ("Entailment [2]", "Entailment"),
        ("Contradiction", "Entailment"),
        ("contradiction", "Contradiction"),
        ("Entailment", "NotMentioned"),
        ("Not mentioned", "NotMentioned"),
    ]
    expected = {
        "accuracy": 4 / 6,
        "parse_rate": 1.0,
        "entailment_precision": 2 / 3,
        "entailment_recall": 2 / 3,
        "entailment_f1": 2 / 3,
        "contradiction_precision": 1 / 2,
        "contradiction_recall": 1.0,
        "contradiction_f1": 2 / 3,
        "balanced_accuracy": (2 / 3 + 1 + 1 / 2) / 3,
        "label_macro_f1": (2 / 3 + 2 / 3 + 2 / 3) / 3,
    }
    assert {m.name: pytest.approx(level(NLI, m.name, answers).value) for m in NLI.metrics} == expected


def test_a_label_nobody_gives_has_no_precision():
    made = level(NLI, "contradiction_precision", [("Entailment", "Entailment")] * 3)
    assert made.value is None and made.reason == "no case has anything that it counts"


def test_evidence_after_the_label_is_no_part_of_it_only_where_that_is_declared():
    assert scored("Entailment [1] [2]", "Entailment", scorer=NLI).value == 1.0
    assert scored("Yes [1]", "Yes").value == 0.0


def test_labels_that_cannot_be_told_apart_and_aliases_that_lead_nowhere_are_refused():
    with pytest.raises(UserError, match="2 problems"):
        labels.among(("Yes", "yes."), aliases={"No": "Not"})
    with pytest.raises(UserError, match="no labels"):
        labels.among(())
    with pytest.raises(UserError, match="not one of the labels"):
        labels.among(("Yes", "No"), apart=("Maybe",))


@pytest.mark.parametrize("expected", [[], ["Maybe"], ["Yes", "No"]])
def test_a_case_that_expects_no_single_label_is_refused_before_it_is_asked(expected):
    case = Case(id="x", input={}, expected=expected, cluster="c")
    (problem,) = YES_NO.check(case)
    assert "case 'x'" in problem and "Yes, No" in problem
    assert run([YES_NO], case, answer("Yes")).labels.failed


# Evidence


def evidence(text, gold, finish="stop"):
    return run([cited_evidence.cited], case_of("x", evidence=gold), answer(text, finish)).evidence


def test_cited_sentences_are_counted_against_those_that_decide():
    score = evidence("Entailment [1] [2, 3] [1]", "2 3")
    assert (score.hits, score.counts["gold"], score.cited, score.extra, score.missed) == (2, 2, 3, ["1"], [])
    assert [(s.quote, TEXT[s.source.start : s.source.end]) for s in score.spans] == [
        ("2", "It may not change."),
        ("3", "Notices go by mail."),
    ]
    assert (evidence("Entailment [2]", "2").value, evidence("Entailment [2]", "2 3").value) == (1.0, 0.0)


def test_where_no_sentence_decides_nothing_is_counted():
    assert evidence("NotMentioned [1]", "").counts == {"hits": 0, "gold": 0, "cited": 0}
    assert (evidence("NotMentioned [1]", "").value, evidence("NotMentioned", "").value) == (0.0, 1.0)


def test_a_number_of_no_sentence_is_invented():
    (span,) = evidence("Entailment [7]", "2").spans
    assert (span.quote, span.verdict, span.source) == ("7", "invented", None)


@pytest.mark.parametrize("finish", ["length", "error"])
def test_an_answer_that_broke_off_cites_nothing(finish):
    counts = evidence("Entailment [2]", "2", finish).counts
    assert (counts["hits"], counts["gold"]) == (0, 1)


def test_evidence_that_is_no_sentence_of_the_text_is_refused():
    assert cited_evidence.cited.check(case_of("x", evidence="2 3")) == []
    assert len(cited_evidence.cited.check(case_of("x", evidence="2 4 two"))) == 2
