"""Key terms of summaries: figures by value, words as words, each near the clause it belongs to."""

import time

import pytest

from harness.errors import UserError
from harness.schema import Case, Score
from harness.scoring.base import run
from harness.scoring.legal import key_terms
from tests.support.answers import answer

LINES = [
    "!price: price|pays + $412,000",
    "!earnest money: earnest money|deposit + $9,000 + 5 days",
    "!closing: closing|close + June 12, 2026",
    "parties: Kestrel Hollow, LLC + Bram O'Dell",
]
NAMES = ["parties: Geraldine E. Galindo + Amberjack Homes, L.P."]
RIGHT = (
    "Bram O'Dell buys from Kestrel Hollow, LLC at a price of $412,000. Earnest money of $9,000 is due in 5 days. "
    "Closing: June 12, 2026."
)


def scored(text: str, expected=LINES, finish_reason: str = "stop", stale: str = "", document: str = "one two") -> Score:
    case = Case(
        id="s1",
        input={"document": document},
        expected=list(expected),
        cluster="c",
        tags={"stale": stale} if stale else {},
    )
    done = answer(text, finish_reason)
    score = run([key_terms.covered], case, done).terms
    assert not score.failed, score.reason
    return score


def test_a_right_summary_carries_every_term():
    score = scored(RIGHT)
    assert (score.value, score.complete, score.missing) == (1.0, 1, [])
    assert (score.terms, score.found_terms, score.critical, score.found_critical) == (9, 9, 3, 3)
    assert score.found == ["price", "earnest money", "closing", "parties"]


@pytest.mark.parametrize(
    ("text", "missing"),
    [
        (RIGHT.replace("$9,000", "9,000 dollars"), []),
        (RIGHT.replace("$412,000", "$412,000.00").replace("5 days", "five (5) days"), []),
        (RIGHT.replace("$412,000", "four hundred twelve thousand dollars"), []),
        (RIGHT.replace("June 12, 2026", "the 12th day of June, 2026"), []),
        (RIGHT.replace("June 12, 2026", "6/12/2026"), []),
        (RIGHT.replace("O'Dell", "O’Dell").replace("Kestrel Hollow", "Kestrel\n  Hollow"), []),
        (RIGHT.upper().replace("JUNE", "June"), []),
        (RIGHT.replace("Closing:", "Closings:").replace("Earnest money", "Deposits"), []),
        (
            '{"parties": "Bram O\'Dell; Kestrel Hollow, LLC", "price": "$412,000", "earnest_money": "$9,000, 5 days", '
            '"closing_date": "June 12, 2026"}',
            [],
        ),
        (RIGHT.replace("price", "pricelist"), ["price: price|pays", "price: $412,000"]),
        (RIGHT.replace("Earnest money", "E\u00adarnest money"), []),
        (RIGHT.replace("$9,000", "$9,500"), ["earnest money: $9,000"]),
        (RIGHT.replace("5 days", "5 weeks"), ["earnest money: 5 days"]),
        (RIGHT.replace("2026", "2027"), ["closing: June 12, 2026"]),
        (RIGHT.replace("Bram O'Dell", "The buyer"), ["parties: Bram O'Dell"]),
        (RIGHT.replace("price", "priceless sum"), ["price: price|pays", "price: $412,000"]),
        (RIGHT.replace("Closing", "Foreclosing"), ["closing: closing|close", "closing: June 12, 2026"]),
    ],
)
def test_figures_are_found_by_value_and_words_as_whole_words(text, missing):
    assert scored(text).missing == missing


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("Amberjack Homes, L.P. lets to Geraldine E. Galindo.", 2),
        ("Amberjack Homes LP lets to Geraldine Galindo.", 2),
        ("Amberjack Homes lets to GERALDINE E GALINDO.", 2),
        (
            "Geraldine E. Galindo and three children, heirs of Basil L. Orr, buy from Amberjack Homes.",
            2,
        ),
        ("Amberjack Holmes, L.P. lets to Geraldine Galindo.", 1),
        ("Amberjack Homes, L.P. lets to Geraldine A. Galindo.", 0),
        ("Amberjack lets to Mrs. Galindo.", 0),
    ],
)
def test_a_name_may_lack_an_initial_and_the_form_of_the_company(text, found):
    assert scored(text, NAMES).found_terms == found


@pytest.mark.parametrize(
    ("word", "text"),
    [
        ("closing", "It closes"),
        ("finished", "to finish"),
        ("leases", "leased"),
        ("fees", "a fee"),
        ("deposit", "deposits"),
    ],
)
def test_a_word_is_found_in_any_inflection(word, text):
    assert scored(f"{text} on May 1, 2026.", [f"clause: {word} + May 1, 2026"]).found_terms == 2


@pytest.mark.parametrize(("word", "text"), [("note", "not"), ("rate", "rat"), ("rent", "current")])
def test_another_word_is_no_inflection(word, text):
    assert scored(f"{text} on May 1, 2026.", [f"clause: {word} + May 1, 2026"]).found_terms == 0


def test_a_term_far_from_its_clause_does_not_count():
    aside = "The weather was fine all week. " * 12
    text = RIGHT.replace("is due in 5 days. ", "") + " " + aside + "Five days."
    assert scored(text).missing == ["earnest money: 5 days"]


@pytest.mark.parametrize(
    ("text", "swapped"),
    [
        ("Price: $9,000. Earnest money: $412,000 in 5 days.", True),
        ("A price of $9,000 with earnest money of $412,000 in 5 days.", True),
        ("Buyer pays $412,000, earnest money due in 5 days is $9,000.", False),
        ("$9,000 earnest money in 5 days toward a $412,000 price.", False),
        ("The price of $412,000 less the deposit of $9,000, paid in 5 days.", False),
    ],
)
def test_figures_that_changed_places_count_for_neither_clause(text, swapped):
    score = scored(text, LINES[:2])
    assert bool(score.mispaired) is swapped
    assert score.found_critical == (0 if swapped else 2)
    if swapped:
        assert score.mispaired == ["price: $412,000", "earnest money: $9,000"]


def test_a_summary_without_a_minor_clause_is_complete_and_without_a_critical_one_is_not():
    assert scored(RIGHT.replace("Bram O'Dell", "X")).complete == 1
    assert scored(RIGHT.replace("5 days", "time")).complete == 0


@pytest.mark.parametrize(
    ("stale", "found"),
    [("$8,000", ["8,000 dollars"]), ("$8,000 + Old Mill", ["8,000 dollars", "old mill"]), ("$7,000", [])],
)
def test_what_was_replaced_spoils_a_summary(stale, found):
    score = scored(RIGHT + " It was 8,000 dollars at the old mill.", stale=stale)
    assert score.extracted["stale"] == found
    assert (score.counts["stale"], score.has_stale, score.complete) == (int(bool(found)), 1, int(not found))


def test_an_empty_failed_or_cut_summary_is_not_complete_and_stays_in_the_denominator():
    for text, reason in (("", "stop"), (RIGHT, "error")):
        score = scored(text, finish_reason=reason)
        assert (score.value, score.terms, score.found_terms, score.complete, score.critical) == (0.0, 9, 0, 0, 3)
    cut = scored(RIGHT.removesuffix("."), finish_reason="length")
    assert cut.missing == ["closing: June 12, 2026"] and cut.complete == 0


def test_a_case_without_key_terms_is_unscored():
    score = scored(RIGHT, [])
    assert score.value is None and score.reason == "the case lists no key terms"


@pytest.mark.parametrize(
    "lines", [["price $5"], ["price: "], ["price: pays + "], [": pays"], ["price: pays", "!price: $5"], ["price: |"]]
)
def test_lines_that_cannot_be_read_are_refused_together(lines):
    with pytest.raises(UserError, match="write 'name: term"):
        key_terms.clauses_of(tuple(lines))
    case = Case(id="s1", input={}, expected=lines, cluster="c")
    assert len(key_terms.covered.check(case)) == len(lines)
    assert key_terms.covered.check(Case(id="s1", input={}, expected=LINES, cluster="c")) == []


def test_every_span_quotes_the_answer_as_it_was_given():
    text = "🏠 e\u0301 ﬁne.\r\n" + RIGHT.replace("O'Dell", "O’Dell").replace("Earnest money", "E\u00adarnest  money")
    score = scored(text, stale="fine")
    assert score.value == 1.0
    assert [text[s.start : s.end] for s in score.spans] == [s.quote for s in score.spans]
    assert {"E\u00adarnest  money", "Bram O’Dell", "ﬁne", "$412,000"} <= {s.quote for s in score.spans}


def test_compression_counts_words_of_both():
    score = scored("two words", document="five words of a source")
    assert (score.words, score.source_words) == (2, 5)


@pytest.mark.parametrize(
    "text", ["x" * 1_000_000, "price $412,000 " * 3000, "\x00\x07 \u202e ☃", "価格は四十一万二千ドルです。"]
)
def test_odd_answers_are_scored_in_little_time(text):
    begun = time.process_time()
    assert scored(text).complete == 0
    assert time.process_time() - begun < 5


@pytest.mark.parametrize("fees", ["attorneys' fees", "attorney’s fees", "attorney fees", "attorneys fee"])
def test_a_term_matches_in_the_plural_and_as_a_possessive(fees):
    lines = ["fees: attorney's fees + 15%"]
    assert scored(f"Reasonable {fees} are 15%.", lines).value == 1.0
    assert scored(f"Reasonable {fees.replace('fee', 'free')} are 15%.", lines).value == 0.0
