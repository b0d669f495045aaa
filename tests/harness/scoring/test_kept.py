"""What was worked out of a source is kept, within its bound."""

from harness.scoring.base import DocumentCache


def counted(most: int) -> tuple[DocumentCache[str], list[str]]:
    read: list[str] = []

    def upper(document: str) -> str:
        """Upper case."""
        read.append(document)
        return document.upper()

    return DocumentCache(upper, most), read


def test_a_source_is_read_once():
    upper, read = counted(most=100)
    assert [upper("one"), upper("two"), upper("one"), upper("two")] == ["ONE", "TWO", "ONE", "TWO"]
    assert read == ["one", "two"]


def test_the_oldest_sources_make_room_and_are_read_again():
    upper, read = counted(most=8)
    for document in ("aaaa", "bbbb", "aaaa", "cc", "bbbb", "aaaa"):
        assert upper(document) == document.upper()
    assert read == ["aaaa", "bbbb", "cc", "aaaa"], "only the first made room for the third; then it was read again"


def test_a_source_beyond_the_bound_is_kept_alone():
    upper, read = counted(most=2)
    assert [upper("long"), upper("long"), upper("a"), upper("long")] == ["LONG", "LONG", "A", "LONG"]
    assert read == ["long", "a", "long"]


def test_a_source_that_cannot_be_read_is_not_kept():
    tries: list[str] = []

    def refuse(document: str) -> str:
        tries.append(document)
        raise ValueError(document)

    kept = DocumentCache(refuse)
    for _ in range(2):
        try:
            kept("x")
        except ValueError as error:
            assert str(error) == "x"
    assert tries == ["x", "x"]


def test_it_is_called_what_the_function_is_called():
    upper, _ = counted(most=1)
    assert (upper.__name__, upper.__doc__, upper.__module__) == ("upper", "Upper case.", __name__)
