"""Edit distance in code points, against the textbook's recursion."""

from functools import cache

from hypothesis import given
from hypothesis import strategies as st

from harness.sanitize import shown
from reports.review.results import distance, edits, restored


def textbook(before: str, after: str) -> int:
    @cache
    def cost(i: int, j: int) -> int:
        if not i or not j:
            return i + j
        return min(cost(i - 1, j) + 1, cost(i, j - 1) + 1, cost(i - 1, j - 1) + (before[i - 1] != after[j - 1]))

    return cost(len(before), len(after))


@given(st.text("ab😀 ", max_size=12), st.text("ab😀 ", max_size=12))
def test_distance_is_levenshteins(before: str, after: str) -> None:
    assert distance(before, after) == textbook(before, after)


def test_known_distances() -> None:
    assert distance("kitten", "sitting") == 3
    assert distance("", "😀😀") == 2
    assert distance("x" * 3000 + "a" + "y" * 3000, "x" * 3000 + "b" + "y" * 3000) == 1


@given(st.text("ab\u202e\u200b\r\n", max_size=12))
def test_an_untouched_draft_has_no_edits_whatever_it_hides(draft: str) -> None:
    assert edits(draft, shown(draft))[0] == 0


def test_taking_out_one_hidden_character_is_one_edit() -> None:
    draft = "rent \u202edoubles"
    assert edits(draft, "rent doubles") == (1, 13)
    assert restored("rent ⟨U+202E⟩doubles!", draft) == "rent \u202edoubles!"
    assert restored("⟨U+200B⟩", draft) == "⟨U+200B⟩"
