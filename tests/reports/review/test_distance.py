"""Edit distance of a corrected draft, in code points."""

from hypothesis import given
from hypothesis import strategies as st

from harness.sanitize import shown
from reports.review.results import edits, restored


def test_edits_are_counted_in_code_points() -> None:
    assert edits("kitten", "sitting") == (3, 6)
    assert edits("", "😀😀") == (2, 0)
    assert edits("x" * 3000 + "a" + "y" * 3000, "x" * 3000 + "b" + "y" * 3000) == (1, 6001)


@given(st.text("ab\u202e\u200b\r\n", max_size=12))
def test_an_untouched_draft_has_no_edits_whatever_it_hides(draft: str) -> None:
    assert edits(draft, shown(draft))[0] == 0


def test_taking_out_one_hidden_character_is_one_edit() -> None:
    draft = "rent \u202edoubles"
    assert edits(draft, "rent doubles") == (1, 13)
    assert restored("rent ⟨U+202E⟩doubles!", draft) == "rent \u202edoubles!"
    assert restored("⟨U+200B⟩", draft) == "⟨U+200B⟩"
