"""The word difference of two answers, with the scorers' findings on it."""

from hypothesis import given
from hypothesis import strategies as st

from harness.schema import Case
from reports.cases import exchange
from tests.support.sample import cite, make_record, make_suite

TEXTS = st.text(alphabet="ab cd.\n§", max_size=60)


def said_by(text: str, stretches: list[exchange.Stretch], change: str) -> list[str]:
    return [text[a:b] for a, b, kind in stretches if kind == change]


def test_words_of_one_answer_only_are_marked() -> None:
    old, new = "The lease has an Insurance clause.", "The lease has a Governing Law clause."
    before, after = exchange.compare(old, new)
    assert said_by(old, before, "removed") == ["an Insurance"]
    assert said_by(new, after, "added") == ["a Governing Law"]
    assert said_by(new, after, "same") == ["The lease has ", " clause."]


def test_equal_answers_have_no_change() -> None:
    before, after = exchange.compare("Same words.", "Same words.")
    assert {kind for *_, kind in [*before, *after]} == {"same"}


def test_a_long_answer_is_not_cut() -> None:
    old, new = "word " * 3000 + "end", "word " * 3000 + "finish"
    _, after = exchange.compare(old, new)
    assert after[-1] == (15000, 15006, "added")


@given(TEXTS, TEXTS)
def test_stretches_cover_each_text_once(old: str, new: str) -> None:
    for text, stretches in zip((old, new), exchange.compare(old, new), strict=True):
        assert "".join(text[a:b] for a, b, _ in stretches) == text


@given(TEXTS, TEXTS)
def test_pieces_join_to_the_answer_whatever_the_change(old: str, new: str) -> None:
    text = f"{new} see § 9"
    _, after = exchange.compare(old, text)
    pieces = exchange.pieces(make_record(1, "tuned", text, spans=(cite(text, "see § 9"),)), after)
    assert "".join(p.text for p in pieces) == text
    assert "".join(p.text for p in pieces if p.tone == "bad") == "see § 9"


def test_a_finding_is_named_once_where_it_ends() -> None:
    text = "Audit, see O.C.G.A. § 44-99-999 for it."
    _, after = exchange.compare("Audit, see O.C.G.A. § 13-1-1 for it.", text)
    pieces = exchange.pieces(make_record(1, "tuned", text, spans=(cite(text, "O.C.G.A. § 44-99-999"),)), after)
    assert len([p for p in pieces if p.tone == "bad"]) > 1
    assert [p.finding for p in pieces if p.finding] == ["citation invented"]
    assert text.startswith("".join(p.text for p in pieces[: [bool(p.finding) for p in pieces].index(True) + 1]))


def test_a_span_counts_code_points_so_that_an_emoji_does_not_shift_it() -> None:
    text = "😀😀 § 9 end"
    pieces = exchange.pieces(make_record(1, "tuned", text, spans=(cite(text, "§ 9"),)), exchange.compare(text, text)[1])
    assert [p.text for p in pieces] == ["😀😀 ", "§ 9", " end"]


def test_a_span_that_quotes_something_else_is_not_drawn() -> None:
    text = "one two three"
    other = cite("two one three", "two")
    pieces = exchange.pieces(make_record(1, "tuned", text, spans=(other,)), exchange.compare(text, text)[1])
    assert [p.text for p in pieces] == [text]


def test_a_long_document_does_not_push_the_question_out_of_a_case() -> None:
    case = Case(id="a", input={"document": "Rent. " * 999, "question": "How much?"}, expected=[], cluster="a")
    label, text, _ = exchange.asked(make_suite(prompt=""), case)
    assert (label, text[:32]) == ("Input", "question: How much?\n\nRent. Rent.")
