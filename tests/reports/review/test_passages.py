"""Texts on the page: numbered sentences, hidden characters by name, and places that lead back to the exact text."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.sanitize import is_hidden
from reports.review.passages import Passage, cut, sentences
from tests.support.hostile import ATTACKS, random_texts


def exact(passages: list[Passage]) -> str:
    pieces = [piece for passage in passages for piece in passage.pieces]
    return "".join(piece.text if piece.code is None else chr(piece.code) for piece in pieces)


def said(text: str) -> list[str]:
    return [text[start:end] for start, end in sentences(text)]


@given(st.text(alphabet=st.characters(), max_size=200))
def test_the_pieces_are_the_exact_text_without_a_gap(text: str) -> None:
    passages = cut(text)
    assert exact(passages) == text
    at = 0
    for passage in passages:
        assert passage.start == at
        for piece in passage.pieces:
            assert piece.at == at
            at += 1 if piece.code is not None else len(piece.text)
        assert passage.end == at


def test_hostile_texts_keep_their_places_and_show_no_hidden_character() -> None:
    for text in [*ATTACKS, *random_texts(200)]:
        passages = cut(text)
        assert exact(passages) == text
        assert not any(is_hidden(c) for p in passages for piece in p.pieces for c in piece.text)


def test_a_line_end_of_two_characters_is_shown_as_one() -> None:
    shown = [piece.text for passage in cut("One.\r\nTwo.") for piece in passage.pieces]
    assert "".join(shown) == "One.\nTwo."


def test_sentences_end_where_a_reader_ends_them() -> None:
    assert said("Hawthorn Press, Inc. pays $1,250.00. See O.C.G.A. § 44-7-50 for it! Done") == [
        "Hawthorn Press, Inc. pays $1,250.00.",
        "See O.C.G.A. § 44-7-50 for it!",
        "Done",
    ]
    assert said("1. Rent. Base rent is due.\n2. Late Charge. It is 5%.\n- holdover\n* none") == [
        "Rent. Base rent is due.",
        "Late Charge. It is 5%.",
        "holdover",
        "none",
    ]
    assert said("No.") == ["No."] and said("42") == ["42"] and said("B.") == ["B."] and said(" \n—\n") == []


@pytest.mark.parametrize(("text", "expected"), [
    ("1.\nRent is due.\n(a)\nLate fees.\n(iv) None", ["Rent is due.", "Late fees.", "None"]),
    ("Tenant shall: 1. Pay the rent when it is due. 2. Insure the whole store at once. (b) Keep it.",
     ["Tenant shall: 1. Pay the rent when it is due.", "Insure the whole store at once.", "Keep it."]),
    ("1. (a) Rent is due.\nII. Fees\n2.1. Term\n§ 5. Law", ["Rent is due.", "Fees", "Term", "§ 5. Law"]),
    ("1.\n2.\n3. Rent\n4.", ["Rent"]),
    ("How much? 42.", ["How much?", "42."]),
    ("The sum is 5. It is due.", ["The sum is 5.", "It is due."]),
])  # fmt: skip
def test_a_list_number_is_no_sentence(text: str, expected: list[str]) -> None:
    assert said(text) == expected


def test_a_sentence_points_to_the_source_that_shares_its_figures_and_rarer_words() -> None:
    source = "Rent is $4,250.00 a month.\nTenant insures the store.\nIf Tenant stays, rent is 150% of the last rent."
    passages = cut("Staying on costs 150%. The moon is made of cheese.", sentences(source), source)
    assert [p.source for p in passages if p.number] == [[3], []]
