"""The sentences of an answer that are held to a source: where they end, rows of tables, and answers that are cut."""

import pytest

from harness.scoring.text.sentences import sentences, statements


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("One. Two! Three?", ["One.", "Two!", "Three?"]),
        ("- First point\n2. Second point.\n\n# Head", ["First point", "Second point.", "Head"]),
        ("Oakmere, Inc. pays Mr. Ames $1.50 under 4.2. Yes.", ["Oakmere, Inc. pays Mr. Ames $1.50 under 4.2.", "Yes."]),
        ("12. 34! ...", []),
        ("", []),
        ('He said "no." Then he left', ['He said "no."', "Then he left"]),
    ],
)
def test_what_is_a_sentence(text, found):
    assert [text[start:end] for start, end in sentences(text)] == found


def said(text, whole=True):
    return [sentence for _, _, sentence in statements(text, whole)]


def test_sentences_are_cut_at_their_ends_and_short_lines_are_none():
    text = (
        "## Key terms\nThe rent is due at 10 p.m. on the first day. It is $1,200 a month.\n- See O.C.G.A. § 44-14-161."
    )
    assert said(text) == [
        "The rent is due at 10 p.m. on the first day.",
        "It is $1,200 a month.",
        "See O.C.G.A. § 44-14-161.",
    ]


def test_a_row_of_a_table_stands_below_the_header_of_its_own_table():
    text = "| Item | Sum |\n|---|---:|\n| Rent | $5 |\n\nAnd then a line of text.\n| Fee | Day |\n| Late | 4 |"
    assert said(text) == ["| Item | Sum |\n| Rent | $5 |", "And then a line of text.", "| Fee | Day |\n| Late | 4 |"]


def test_ranges_are_those_of_the_text_without_markup():
    text = 'Note:\n**The rent is due in May.** It is late then.\n"due": "5 May 2024, at noon",'
    found = [(text[start:end], sentence) for start, end, sentence in statements(text)]
    assert [sentence for _, sentence in found[:2]] == ["The rent is due in May.", "It is late then."]
    assert found[0][0].startswith("The rent")
    assert found[-1] == ('"due": "5 May 2024, at noon",', '"due": "5 May 2024, at noon"')


def test_a_sentence_or_row_that_is_cut_is_no_statement():
    text = "The rent is due. The fee is payab"
    assert said("The rent is due in May. The fee is payable in Jun", whole=False) == ["The rent is due in May."]
    assert said("The rent is due in May. The fee is payable.", whole=False)[1:] == ["The fee is payable."]
    assert len(said(f"{text}le in June")) == 2
    table = "| Item | Sum |\n| Rent of May | $5 |\n| Rent of June | $"
    assert said(table, whole=False) == ["| Item | Sum |\n| Rent of May | $5 |"]
    assert len(said(table)) == 2
