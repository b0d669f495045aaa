"""A message to a user may quote anybody, and does nothing to the terminal that it is shown on."""

import pytest

from harness.errors import EngineFailed, GateFailed, MissingExtra, UserError, refuse_all


@pytest.mark.parametrize("kind", [UserError, EngineFailed, GateFailed])
def test_what_a_terminal_would_obey_is_shown_by_name(kind: type[UserError]) -> None:
    said = str(kind("name \x1b[2J\x07 and \u202etxt\u200b"))
    assert said == "name ⟨U+001B⟩[2J⟨U+0007⟩ and ⟨U+202E⟩txt⟨U+200B⟩"


def test_lines_of_a_list_of_problems_stay_lines() -> None:
    with pytest.raises(UserError) as caught:
        refuse_all(["a\x1bb", "c"], "two")
    assert str(caught.value).splitlines() == ["two: 2 problems", "  a⟨U+001B⟩b", "  c"]


def test_many_problems_are_counted_and_their_first_listed() -> None:
    with pytest.raises(UserError) as caught:
        refuse_all([f"line {n}" for n in range(1200)], "cases")
    lines = str(caught.value).splitlines()
    assert lines[0] == "cases: 1,200 problems" and lines[1] == "  line 0" and lines[-1] == "  and 1,160 more"
    assert len(lines) == 42


def test_a_missing_package_names_the_command_that_installs_it() -> None:
    assert "pip install '.[train]'" in str(MissingExtra("training", "torch", "train"))
