"""Reads a TOML file that a user wrote. Knows no key: what may stand in it, its reader says."""

import tomllib
from pathlib import Path
from typing import Any

from harness.errors import UserError
from harness.text_files import read_text, shown_path

NOT_TOML = (ValueError, RecursionError)
"""What reading text as TOML raises: another language, and nesting that is too deep."""


def read_toml(path: Path, expected: str) -> dict[str, Any]:
    """The file's content. One that cannot be read is a UserError, which says in a sentence what was `expected`."""
    text = read_text(path, expected)
    try:
        return tomllib.loads(text)
    except NOT_TOML as error:
        raise UserError(f"{shown_path(path)}: not valid TOML: {error}. {expected}") from None
