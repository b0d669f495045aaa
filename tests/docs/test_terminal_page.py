"""The page on what the terminal shows is what the commands print now."""

from pathlib import Path

from tools import terminal_page

PAGE = Path(__file__).parents[2] / "docs" / "reference" / "terminal.md"


def test_the_page_is_what_the_commands_print_now() -> None:
    assert PAGE.read_text("utf-8") == terminal_page.text(), "docs/reference/terminal.md: run `make reference`"


def test_nothing_of_tunegates_own_is_wider_than_the_terminal() -> None:
    text = PAGE.read_text("utf-8")
    own = text[text.index("\n## ") : text.index("\n## A failing pytest run")] + text[text.rindex("\n## ") :]
    assert [line for line in own.splitlines() if len(line) > 80 and not line.startswith(("file://", "`tunegate"))] == []
