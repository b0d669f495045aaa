"""Characters that hide or reorder text become names."""

import pytest

from harness.sanitize import shown


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("a\x00b", "a⟨U+0000⟩b"),
        ("\x1b[31mred", "⟨U+001B⟩[31mred"),
        ("\x9b31m", "⟨U+009B⟩31m"),
        ("pay\u202e001$", "pay⟨U+202E⟩001$"),
        ("a\u2066b\u2069", "a⟨U+2066⟩b⟨U+2069⟩"),
        ("in\u200bvisible", "in⟨U+200B⟩visible"),
        ("\ufeffstart", "⟨U+FEFF⟩start"),
        ("soft\u00adhyphen", "soft⟨U+00AD⟩hyphen"),
        ("tag\U000e0041", "tag⟨U+E0041⟩"),
        ("vs\U000e0101", "vs⟨U+E0101⟩"),
        ("line\u2028sep", "line⟨U+2028⟩sep"),
        ("half\ud83d", "half⟨U+D83D⟩"),
        ("blank\u3164", "blank⟨U+3164⟩"),
        ("over\rwrite", "over⟨U+000D⟩write"),
        ("می\u200cخواهم", "می\u200cخواهم"),
        ("می\u200c\u200cخواهم", "می⟨U+200C⟩⟨U+200C⟩خواهم"),
        ("\u200cمی\u200c", "⟨U+200C⟩می⟨U+200C⟩"),
        ("می\u200ca ۱\u200c۲", "می⟨U+200C⟩a ۱⟨U+200C⟩۲"),
        ("می\u200dخواهم \u202eمی\u200cخواهم", "می⟨U+200D⟩خواهم ⟨U+202E⟩می\u200cخواهم"),
        ("in\u200cvisible", "in⟨U+200C⟩visible"),
        ("two\r\nlines\tand tab", "two\nlines\tand tab"),
        ("§ 44-14-1, a😀b, übung, 契約", "§ 44-14-1, a😀b, übung, 契約"),
    ],
)
def test_a_hidden_character_is_shown_by_name_and_plain_text_stays(text: str, said: str) -> None:
    assert shown(text) == said
