"""Passages around the sentences of a source that are nearest to a sentence."""

import sys

import pytest

from harness.errors import Unavailable
from harness.scoring.text import passages as retrieval
from harness.scoring.text.passages import passages, text_of

SOURCE = (
    "The Tenant shall pay rent of $1,200 on the first day of each month. "
    "The Landlord keeps the roof and the outer walls in repair. "
    "Either party may terminate this lease with sixty days' notice in writing. "
    "The Tenant keeps no animals, except two cats."
)


def test_a_short_source_is_returned_whole():
    assert passages(SOURCE, "Two cats.", 3) == [(SOURCE, 0, len(SOURCE))]


def test_passages_are_the_windows_around_the_nearest_sentences_in_the_order_of_the_source():
    filler = [f"Paragraph {n} is about the weather in the valley and nothing else at all." for n in range(60)]
    source = " ".join([*filler[:30], *SOURCE.split(". ")[:1], *filler[30:], "The deposit is two months of rent."])
    one, two = passages(source, "The tenants pay the deposit and $1,200 in rent monthly.", 2, 60)
    assert "$1,200" in one.text and "deposit" in two.text
    assert all(20 < len(each.text.split()) <= 60 for each in (one, two))
    assert [source[each.start : each.end] for each in (one, two)] == [one.text, two.text]
    assert text_of([one, two]) == f"{one.text}\n...\n{two.text}"
    assert passages(source, "The tenants pay $1,200 in rent.", 1, 60) == [one]


def test_a_sentence_longer_than_a_window_is_cut():
    source = " ".join(f"word{n}" for n in range(1000))
    (found,) = passages(source, "word555")
    assert "word555 " in found.text and len(found.text.split()) <= retrieval.TOKENS


def test_the_lines_of_a_table_stay_lines():
    table = "\n".join(f"Fund {n} | {n}.5% | {n} years" for n in range(40))
    (found,) = passages(table, "Fund 17 returned 17.5%.")
    assert "\nFund 17 | 17.5% | 17 years\n" in found.text


def test_without_the_library_one_line_says_how_to_get_it(monkeypatch):
    monkeypatch.setitem(sys.modules, "bm25s", None)
    retrieval._library.cache_clear()
    retrieval._indexed.cache_clear()
    with pytest.raises(Unavailable, match=r"'bm25s'.*\[claims\]"):
        passages(SOURCE * 9, "cats")
