"""Columns and texts come back as they were put in, from memory and from the disk."""

import tempfile
from array import array

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.errors import UserError
from harness.stats import spilled_columns
from harness.stats.spilled_columns import Column, Shelf, Texts

CHUNK = 32


@pytest.fixture(autouse=True)
def short_chunks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(spilled_columns, "CHUNK", CHUNK)


def room() -> Shelf:
    return Shelf("numbers", "a byte for each")


def is_on_disk(found: Shelf) -> bool:
    return found._end > 0


@pytest.mark.parametrize("count", [0, 1, 3, 4, 5, 8, 1000])
def test_numbers_come_back_in_their_order(count: int) -> None:
    column = Column(found := room(), "q")
    for value in range(count):
        column.append(-value)
    assert column.read() == array("q", [-value for value in range(count)]) and len(column) == count
    assert is_on_disk(found) == (count >= CHUNK // 8)


@given(pieces=st.lists(st.lists(st.integers(0, 255), max_size=80), max_size=8), data=st.data())
def test_any_part_of_a_column_is_the_same_part_of_a_list(pieces: list[list[int]], data: st.DataObject) -> None:
    column, known = Column(room(), "B"), list[int]()
    for piece in pieces:
        column.extend(piece)
        known += piece
    begin = data.draw(st.integers(0, len(known)))
    end = data.draw(st.integers(begin, len(known)))
    assert column.read(begin, end).tolist() == known[begin:end] and column.read().tolist() == known


def test_columns_that_share_a_file_do_not_mix() -> None:
    found = room()
    one, other = Column(found, "d"), Column(found, "i")
    for value in range(100):
        one.append(value / 3)
        other.append(value)
    assert one.read().tolist() == [value / 3 for value in range(100)] and other.read().tolist() == list(range(100))


def test_a_copy_stays_as_it_was_when_more_comes_in() -> None:
    column = Column(room(), "i")
    column.extend([1, 2, 3])
    before = column.read()
    column.extend(range(100))
    assert before.tolist() == [1, 2, 3]


def test_texts_come_back_whatever_they_hold() -> None:
    texts, known = Texts(room()), ["", "a lease", "§ 44-7-30", "\ud800", "x" * 100, ""]
    for text in known:
        texts.append(text)
    found = [texts.read(place).decode("utf-8", "surrogatepass") for place in range(len(texts))]
    assert found == known


def test_a_disk_without_room_is_one_clear_line(monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> int:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.pwrite", full)
    column = Column(Shelf("token ids", "four bytes for each"), "I")
    with pytest.raises(
        UserError, match=f"{tempfile.gettempdir()}: token ids cannot be kept .No space left.*TMPDIR .*four bytes"
    ):
        column.extend(range(CHUNK))
