"""Reads and checks training rows, line by line. Knows no tokens.

Two forms, one JSON object a line: {"instruction", "input", "output"} and {"messages": [{"role", "content"}]}.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal

import msgspec
from msgspec import Struct

from harness.digest import digest
from harness.errors import UserError, refuse_all

FLOOR_ROWS = 1000


class Turn(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    role: Literal["system", "user", "assistant"]
    """Who speaks."""
    content: str
    """What is said."""


class Row(Struct, frozen=True, kw_only=True):
    messages: list[Turn]
    """The conversation; every assistant turn is learnt."""
    where: str
    """`file:line`, for messages."""

    @property
    def chat(self) -> list[dict[str, str]]:
        """Messages as the renderer takes them."""
        return [{"role": t.role, "content": t.content} for t in self.messages]


class _Chat(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    messages: list[Turn]


class _Instruction(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    instruction: str
    output: str
    input: str = ""


def load_rows(files: Sequence[str]) -> list[Row]:
    """Rows of all files in order. One UserError lists every bad line of every file."""
    rows: list[Row] = []
    problems: list[str] = []
    for file in files:
        try:
            lines = Path(file).read_bytes().split(b"\n")
        except OSError as error:
            raise UserError(f"{file}: cannot be read: {error.strerror}") from None
        for number, line in enumerate(lines, 1):
            if line.strip():
                try:
                    rows.append(Row(messages=_turns(line.removeprefix(b"\xef\xbb\xbf")), where=f"{file}:{number}"))
                except (ValueError, msgspec.MsgspecError) as error:
                    problems.append(f"{file}:{number}: {error}")
    refuse_all(problems, f"{', '.join(files)}: rows that cannot be trained on")
    if not rows:
        raise UserError(f"{', '.join(files)}: no rows. Expected one JSON object a line")
    return rows


def _turns(line: bytes) -> list[Turn]:
    """The conversation of one line; ValueError or a msgspec error says what is wrong with it."""
    raw: Any = msgspec.json.decode(line)
    if not isinstance(raw, dict) or not ("messages" in raw or "instruction" in raw):
        raise ValueError('expected an object with "messages", or with "instruction", "input" and "output"')
    if "messages" in raw:
        turns = msgspec.convert(raw, _Chat).messages
    else:
        row = msgspec.convert(raw, _Instruction)
        asked = f"{row.instruction}\n\n{row.input}" if row.input else row.instruction
        turns = [Turn(role="user", content=asked), Turn(role="assistant", content=row.output)]
    _check(turns)
    return turns


def _check(turns: Sequence[Turn]) -> None:
    for number, turn in enumerate(turns, 1):
        if not turn.content.strip():
            raise ValueError(f"message {number} ({turn.role}) is empty; every message needs text")
        if turn.role == "system" and number > 1:
            raise ValueError(f"message {number} is a system message; only the first may be")
    spoken = [t.role for t in turns if t.role != "system"]
    expected = ["user", "assistant"] * (len(spoken) // 2)
    if not spoken or spoken != expected:
        raise ValueError(
            f"the roles are {', '.join(t.role for t in turns) or 'none'}; expected user and assistant in turn, "
            "assistant last"
        )


def shared_rows(train: Sequence[Row], validation: Sequence[Row]) -> list[str]:
    """One problem for every validation row whose conversation is also a training row."""
    seen = {digest(row.chat): row.where for row in train}
    return [
        f"{row.where}: also a training row ({seen[key]}). Take it out of one of the two"
        for row in validation
        if (key := digest(row.chat)) in seen
    ]


def files_sha256(files: Sequence[str]) -> str:
    """Digest of the files' contents in order."""
    return digest([hashlib.sha256(Path(file).read_bytes()).hexdigest() for file in files])
