"""Lines that a CI service reads from a log: GitHub's workflow commands, and text that must not become one.

A command is one line, `::name key=value::message`; the older form `##[name]message` acts from anywhere in a line.
"""

from __future__ import annotations

from harness.visible import shown


def data(text: str) -> str:
    """A message as GitHub's toolkit escapes it."""
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def attribute(text: str) -> str:
    """A property's value as GitHub's toolkit escapes it."""
    return data(text).replace(":", "%3A").replace(",", "%2C")


def command(kind: str, title: str, message: str) -> str:
    """One annotation, as one line; hidden characters are shown by name."""
    return f"::{kind} title={attribute(shown(title))}::{data(shown(message))}"


def inert(text: str) -> str:
    """Foreign text as the rest of a log line that is no command: one line, hidden characters shown, `##[` broken."""
    return " ".join(shown(text).split()).replace("##[", "## [")
