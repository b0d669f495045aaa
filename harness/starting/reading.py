"""Reads single answers of a person: a choice, labels, fields, a bar. Knows no question."""

from __future__ import annotations

import re
from collections.abc import Sequence

from msgspec import Struct

from harness.errors import UserError

COMPARED = {
    "better": "it must be better",
    "no_worse": "it must not be worse, by more than 2 of 100",
    "alone": "it is not compared",
}
INVENTS = {
    "never": "never: one is too many, and 300 without any are asked for",
    "few": "in at most 5 of 100",
}
TYPES = {"text": "string", "number": "number", "yes/no": "boolean"}
"""Types of a field, by their names in a JSON schema."""
LONGEST = 500
"""Characters of an answer."""


class Field(Struct, frozen=True, kw_only=True):
    name: str
    """Key of the JSON object."""
    type: str
    """One of TYPES."""


def read_line(text: str, option: str) -> str:
    """One line of printable text."""
    line = " ".join(text.split())
    if not line or not line.isprintable() or len(line) > LONGEST:
        raise UserError(f"{option}: {line[:40]!r} is no line of text, expected 1 to {LONGEST} printable characters")
    return line


def read_choice(text: str, names: Sequence[str], option: str) -> str:
    """One of `names`, by name or by its number in the list."""
    said = text.strip().lower().replace("-", "_")
    if said.isascii() and said.isdigit() and 1 <= int(said) <= len(names):
        return names[int(said) - 1]
    if said not in names:
        raise UserError(f"{option} {text.strip()!r}: expected one of {', '.join(names)}")
    return said


def read_labels(text: str, kind: str) -> tuple[str, ...]:
    """Labels between ';', or between commas where there is none; refused where the scorer cannot tell them apart."""
    from harness.scoring import clauses, labels

    found = tuple(part.strip() for part in read_line(text, "--labels").split(";" if ";" in text else ","))
    if len(found) < 2 or "" in found:
        raise UserError(f"--labels: found {list(found)}, expected two or more. Separate them with ';'")
    if kind == "list":
        clauses.vocabulary_table(found, {})
        words = [name for name in found if name.lower() in ("none", "nothing", "no")]
        if words:
            raise UserError(f"--labels: {words[0]!r} is how an answer says that there is none. Leave it out")
    else:
        labels.label_table(found, {})
    return found


def read_fields(text: str) -> tuple[Field, ...]:
    """Fields as `name: type` between ';'; a field without a type is text."""
    found = []
    for part in read_line(text, "--fields").split(";"):
        name, _, kind = (piece.strip() for piece in part.partition(":"))
        kind = kind.lower() or "text"
        if not name or kind not in TYPES:
            raise UserError(
                f"--fields: {part.strip()!r} is no field, expected 'name: type' with one of {', '.join(TYPES)}"
            )
        found.append(Field(name=name, type=kind))
    names = [f.name for f in found]
    if len(set(names)) < len(names):
        raise UserError(f"--fields: {', '.join(names)} names a field twice. Name each once")
    return tuple(found)


def read_tolerance(text: str) -> str:
    """How far off a number may be, as arguments of numeric.within: `0`, `0.5` or `1%`."""
    found = re.fullmatch(r"(\d{1,9}(?:\.\d{1,9})?)\s*(%?)", text.strip())
    if not found:
        raise UserError(f"--tolerance {text.strip()!r}: expected a number such as 0 or 0.5, or a share such as 1%")
    value = float(found[1])
    if not value:
        return ""
    return f"relative={value / 100:.12g}" if found[2] else f"absolute={value:.12g}"


def read_source(text: str) -> str:
    """The word for what one case comes from."""
    word = " ".join(text.lower().split())
    if not re.fullmatch(r"[a-z]+(?:[ -][a-z]+)*", word) or len(word) > 30:
        raise UserError(f"--source {text.strip()!r}: expected a word in the singular, such as contract")
    return word


def read_bar(text: str) -> float:
    """A share that is asked for, of `90`, `90%` or `0.9`."""
    found = re.fullmatch(r"(\d{1,3}(?:\.\d{1,6})?|\.\d{1,6})\s*(%?)", text.strip())
    value = float(found[1]) if found else 0.0
    share = value if found and not found[2] and value < 1 else value / 100
    if value == 1 and found and not found[2]:
        raise UserError("--bar 1: is that 1 or 100 of 100? Write 1% or 99%, and mind that no number of cases shows 100")
    if share == 1:
        raise UserError("--bar 100: no number of cases can show that a model is always right. Ask for 99 or less")
    if not 0 < share < 1:
        raise UserError(f"--bar {text.strip()!r}: expected how many of 100 must be right, such as 90")
    return round(share, 8)
