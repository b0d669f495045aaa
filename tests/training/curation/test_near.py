"""Near copies are found exactly: all of them, and no other pair."""

import random

import pytest

from tests.training.curation.conftest import edited, prose, sample
from training.curation.check import CheckSettings
from training.curation.checks import duplicates
from training.curation.checks.duplicates import RunIndex
from training.curation.split import SplitSettings, assign
from training.curation.text import words


def runs(text):
    text_words = words(text)
    return (
        {tuple(text_words[at : at + 5]) for at in range(len(text_words) - 4)}
        if len(text_words) >= 5
        else {tuple(text_words)} - {()}
    )


def similarity(one, other):
    """Jaccard similarity by sets, as it is defined."""
    return len(one & other) / len(one | other) if one | other else 0.0


def apart(row):
    """Each row is a component."""
    return row


@pytest.mark.parametrize("threshold", [0.3, 0.5, 0.7, 0.8, 0.9, 1.0])
def test_links_are_those_of_the_definition(threshold):
    rng = random.Random(0)
    texts = [prose(n, rng.randrange(1, 60)) for n in range(25)]
    for _ in range(60):
        text = rng.choice(texts)
        texts.append(edited(text, *(rng.randrange(len(text.split())) for _ in range(rng.randrange(4)))))
    texts += ["", "—"]
    expected = {
        (a, b)
        for a in range(len(texts))
        for b in range(a)
        if runs(texts[a]) and similarity(runs(texts[a]), runs(texts[b])) >= threshold
    }
    assert {(a, b) for a, b, _ in RunIndex([(t,) for t in texts], threshold).all(apart)} == expected
    assert len(expected) > 10


def test_a_pair_that_is_just_as_similar_as_asked_is_found():
    """Of 25 runs, 14 shared; 0.56 * 25 is a little more than 14 in floating point."""
    one, other = prose(1, 29), " ".join(prose(1, 29).split()[:18])
    assert similarity(runs(one), runs(other)) == 0.56
    assert [(a, b) for a, b, _ in RunIndex([(one,), (other,)], 0.56).nearest()] == [(1, 0)]
    assert [(a, b) for a, b, _ in RunIndex([(other,), (one,)], 0.56).nearest()] == [(1, 0)]


def test_a_linked_row_is_not_compared_again():
    first = prose(1, 100)
    second = edited(first, 20)
    third = edited(second, 40, 60)
    texts = [(first,), (second,), (third,)]
    assert [(link.row, link.other) for link in RunIndex(texts, 0.8).nearest()] == [(1, 0)]
    assert {(a, b) for a, b, _ in RunIndex(texts, 0.8).all(apart)} == {(1, 0), (2, 1)}


@pytest.mark.parametrize("prompt", ["{0}\n{1}", "{1}\n{0}", "Ticket:\n{1}\n{0}"])
def test_long_instructions_do_not_make_short_texts_alike(prompt):
    instruction = prose("instruction", 120)
    rows = [prompt.format(instruction, prose(n, 12)) for n in range(8)]
    assert duplicates.find_near(sample(*rows), CheckSettings()).findings == []
    copied = [*rows, prompt.format(instruction, f"1. {prose(3, 12)}!")]
    (finding,) = duplicates.find_near(sample(*copied), CheckSettings()).findings
    assert finding.other == "a.jsonl:4"


@pytest.mark.parametrize("prompt", ["{0}\n\n{1}", "Contract:\n{0}\n\n{1}", "{1}\n\n{0}"])
def test_a_question_on_another_document_and_another_on_this_one_are_other_rows(prompt):
    """And the rows of a document, which five questions or more have, stay together in a split."""
    questions = [f"{prose(n, 8)} Yes or no?" for n in range(6)]
    rows = [(prompt.format(prose(d + 50, 200), question), "yes") for d in range(9) for question in questions]
    assert duplicates.find_near(sample(*rows), CheckSettings()).findings == []
    found = assign(sample(*rows), SplitSettings(validation=0.3))
    assert (found.groups, found.largest) == (9, 6)


def test_another_label_is_another_row_and_said():
    found = duplicates.find_near(sample((prose(1), "repair"), (prose(1) + " Garden.", "insurance")), CheckSettings())
    assert found.findings == []
    assert found.notes == ["Near copies with another question or answer are not counted: 1."]


def test_the_answer_decides_which_rows_are_compared():
    """Questions on one document, contradictory long answers, and a copy behind a row with another answer."""
    document = prose(1, 300)
    rows = [(f"{prose(n, 12)} {document}", prose(n + 50, 20)) for n in range(2, 5)]
    rows += [(f"May it be assigned? {document}", prose(n, 20)) for n in (60, 61)]
    found = duplicates.find_near(sample(*rows), CheckSettings())
    assert found.findings == []
    assert found.notes == ["Near copies with another question or answer are not counted: 4."]
    long = prose(70, 60)
    rows = [(edited(document, 20), "yes"), (edited(document, 90), "no"), (edited(document, 91), "no")]
    rows += [(edited(document, 120), long), (edited(document, 150), edited(long, 30))]
    found = duplicates.find_near(sample(*rows), CheckSettings())
    assert [(f.row, f.other) for f in found.findings] == [(2, "a.jsonl:2"), (4, "a.jsonl:4")]


def test_answers_that_a_third_joins_are_compared_themselves():
    answer = prose(2, 100)
    answers = [answer, edited(answer, 20), edited(answer, 20, 40, 60)]
    joined = duplicates._Answers(answers, 0.8)
    assert len(set(joined.groups)) == 1
    assert (joined.differ(0, 1), joined.differ(1, 2), joined.differ(0, 2)) == (False, False, True)


def test_examples_begin_where_rows_differ():
    text = prose(1, 90)
    text_words = text.split()
    text_words[70] = "GARDENS"
    (finding,) = duplicates.find_near(sample(text, " ".join(text_words)), CheckSettings()).findings
    assert finding.quote.startswith("… ") and "GARDENS" in finding.quote and "GARDENS" not in finding.other_quote


@pytest.mark.parametrize("words_around", [15, 30])
def test_rows_that_differ_in_one_number_are_near_where_enough_words_are_around_it(words_around):
    """With 15 words before and after it, they are below the threshold, and with 30 above."""
    frame = f"{prose('before', words_around)} {{}} {prose('after', words_around)}"
    framed = [frame.format(n) for n in range(500)]
    answers = duplicates.find_near(sample(*((prose(n, 40), text) for n, text in enumerate(framed))), CheckSettings())
    prompts = duplicates.find_near(sample(*((text, "yes") for text in framed)), CheckSettings())
    assert (len(answers.findings), len(prompts.findings)) == (0, 499 if words_around == 30 else 0)
