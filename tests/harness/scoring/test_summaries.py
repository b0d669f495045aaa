"""Summaries in plain words: coverage, copying, length and ease on cases worked by hand."""

import pytest

from harness.schema import Case
from harness.scoring import summaries
from harness.scoring.base import run
from tests.support.answers import answer, pooled

SOURCE = "The lessor may change the fees of the garden at any time. You must pay the changed fees within ten days."
REFERENCE = "They can change fees; you have ten days to pay."


def scored(text, finish="stop", reference=REFERENCE, source=SOURCE):
    case = Case(id="x", input={"document": source}, expected=[reference], cluster="c")
    said = answer(text, finish)
    return run([summaries.summary], case, said).plain


def test_the_reference_itself_covers_all_of_its_content_words():
    """Content words: change, fees, ten, days, pay."""
    score = scored(REFERENCE)
    assert (score.covered, score.reference, score.value, score.uncovered) == (5, 5, 1.0, [])


def test_endings_do_not_matter_and_function_words_do_not_count():
    score = scored("They may have to be at you. The fee changes!")
    assert (score.covered, score.reference) == (2, 5)
    assert score.uncovered == ["day", "pay", "ten"]


def test_a_word_counts_as_often_as_both_texts_have_it():
    assert scored("pay pay pay", reference="pay the pay").covered == 2
    assert scored("pay", reference="pay the pay").covered == 1


@pytest.mark.parametrize(
    ("word", "other"),
    [("changes", "changed"), ("policies", "policy"), ("fees", "fee"), ("services", "service"), ("accessed", "access")],
)
def test_forms_of_a_word_share_a_stem(word, other):
    assert summaries.stem(word) == summaries.stem(other)


def test_short_words_keep_their_ending():
    assert [summaries.stem(word) for word in ("day", "used", "thing", "is")] == ["day", "used", "thing", "is"]


def test_copied_words_stand_in_a_run_of_six_from_the_source():
    """Nine words of a row of the source, then five of another: nine are copied of fifteen."""
    text = "The lessor may change the fees of the garden, and you must pay the changed."
    score = scored(text)
    (span,) = score.spans
    assert (score.copied, score.words) == (9, 15)
    assert span.quote == "The lessor may change the fees of the garden"
    assert SOURCE[span.source.start : span.source.end] == span.quote
    assert span.verdict == "supported"


def test_two_runs_are_found_apart_and_case_and_marks_between_words_do_not_matter():
    score = scored("YOU must - pay the changed fees! The lessor may change the fees?")
    assert [s.quote for s in score.spans] == ["YOU must - pay the changed fees", "The lessor may change the fees"]
    assert score.copied == score.words == 12


def test_copying_the_source_is_seen_whole():
    score = scored(SOURCE)
    assert (score.copied, score.words, score.counts["source_words"]) == (21, 21, 21)


def test_length_sentences_and_long_words_worked_by_hand():
    """Two sentences, nine words; 'garden' has six letters and is not long, 'expensive' is."""
    score = scored("The garden is expensive. You pay in ten days!")
    assert (score.words, score.sentences, score.long) == (9, 2, 1)


@pytest.mark.parametrize(("text", "sentences"), [("", 0), ("...", 0), ("Pay", 1), ("a. b! c? d", 4), ("a\nb", 2)])
def test_sentences_end_at_full_stops_questions_exclamations_and_lines(text, sentences):
    assert scored(text).sentences == sentences


@pytest.mark.parametrize(
    ("text", "finish"),
    [(REFERENCE, "length"), (REFERENCE, "error"), ("", "stop"), ("I cannot answer, but change fees ten days", "stop")],
)
def test_a_cut_failed_empty_or_refusing_answer_covers_nothing(text, finish):
    score = scored(text, finish)
    assert (score.covered, score.reference, score.value) == (0, 5, 0.0)


@pytest.mark.parametrize("text", ["İ" * 50, "\x00\x07 𝔘𝔫𝔦", "да нет", "x " * 100_000])
def test_strange_answers_are_scored(text):
    assert scored(text).value == 0.0


def test_a_case_without_a_reference_is_refused_before_it_is_asked():
    for expected in ([], ["of the"]):
        (problem,) = summaries.summary.check(Case(id="x", input={}, expected=expected, cluster="c"))
        assert "case 'x'" in problem


def test_metrics_over_two_answers_worked_by_hand():
    """Covered 5 + 2 of 10; copied 0 + 6 of 10 + 6 words; 16 words for 42 of the sources; 2 sentences."""
    scores = [scored(REFERENCE), scored("The lessor may change the fees.")]
    assert pooled(summaries.METRICS, scores) == {
        "reference_coverage": 7 / 10,
        "copied_share": 6 / 16,
        "length_share": 16 / 42,
        "words_per_sentence": 16 / 2,
        "long_word_share": 0 / 16,
    }
