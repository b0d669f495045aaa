"""Reads a TOML file that a user wrote. Knows no key: what may stand in it, its reader says."""

import tomllib
from pathlib import Path
from typing import Any

from harness.errors import UserError

NOT_TOML = (ValueError, RecursionError)
"""What reading bytes as TOML raises: another language, no UTF-8, and nesting that is too deep."""


def read_toml(path: Path, expected: str) -> dict[str, Any]:
    """The file's content. One that cannot be read is a UserError, which says in a sentence what was `expected`."""
    try:
        return tomllib.loads(path.read_text("utf-8"))
    except OSError as error:
        raise UserError(f"{path}: cannot be read ({error.strerror}). {expected}") from None
    except NOT_TOML as error:
        raise UserError(f"{path}: not valid TOML: {error}. {expected}") from None
