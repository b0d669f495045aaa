"""Reads names as a user writes them: of a suite, and of columns. Knows no file."""

from __future__ import annotations

import keyword
import re
from collections.abc import Iterable

from harness.errors import UserError

NAME = re.compile(r"[a-z][a-z0-9_]{0,39}")
FIRST = "first"
"""What a suite is called where only a domain is named."""


def suite_name(text: str) -> tuple[str, str]:
    """Domain and suite of `contracts/first`, `evalsuites/contracts/first` or `contracts`."""
    parts = text.strip().removesuffix("/").split("/")
    if len(parts) > 1 and parts[0] == "evalsuites":
        parts = parts[1:]
    if len(parts) > 2:
        raise UserError(f"{text!r} has {len(parts)} parts, expected DOMAIN or DOMAIN/SUITE, such as contracts/first")
    for part in parts:
        _check(part, text)
    return parts[0], parts[1] if len(parts) == 2 else FIRST


def _check(part: str, text: str) -> None:
    if NAME.fullmatch(part) and not keyword.iskeyword(part):
        return
    near = re.sub(r"[^a-z0-9]+", "_", part.lower()).strip("_0123456789")[:40].strip("_")
    write = f"Write {near!r}" if near and not keyword.iskeyword(near) else "Write a name such as contracts/first"
    raise UserError(
        f"{text!r}: {part!r} cannot name a folder of Python code, expected small letters, digits and '_' after a first "
        f"letter. {write}"
    )


def plain_name(text: str, option: str) -> str:
    """The name of an input or a tag."""
    if not re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]*", text) or keyword.iskeyword(text):
        raise UserError(f"{option}: {text!r} is no name, expected letters, digits and '_', such as document")
    return text


def named_columns(given: Iterable[str] | None, option: str) -> dict[str, str]:
    """`name=COLUMN` options as a table; a bare COLUMN names itself."""
    found: dict[str, str] = {}
    for text in given or []:
        name, _, column = text.partition("=")
        if plain_name(name, option) in found:
            raise UserError(f"{option} {name} is given twice. Name each once")
        found[name] = column or name
    return found
