"""Reads and checks training rows, line by line. Knows no tokens.

Two forms, one JSON object a line: {"instruction", "input", "output"} and {"messages": [{"role", "content"}]}. Either
may name what it was made from, in "cluster", "document" or "source".
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal

import msgspec
from msgspec import Struct

from harness.digest import digest, file_sha256
from harness.errors import UserError, refuse_all

FLOOR_ROWS = 1000
LONGEST_LINE = 8 * 2**20
"""Bytes; more than any model's context."""
SNIFFED = 4096
"""Bytes at the start of a file that tell text from something else."""


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
    document: str = ""
    """What the row was made from, where the line says so in one of DOCUMENT_FIELDS; not learnt."""

    @property
    def chat(self) -> list[dict[str, str]]:
        """Messages as the renderer takes them."""
        return [{"role": t.role, "content": t.content} for t in self.messages]


class _Made(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What a line of either form may say of where it comes from."""

    cluster: str | int | None = None
    document: str | int | None = None
    source: str | int | None = None


DOCUMENT_FIELDS = _Made.__struct_fields__


class _Chat(_Made, frozen=True, kw_only=True, forbid_unknown_fields=True):
    messages: list[Turn]


class _Instruction(_Made, frozen=True, kw_only=True, forbid_unknown_fields=True):
    instruction: str
    output: str
    input: str = ""


def load_rows(files: Sequence[str]) -> list[Row]:
    """Rows of all files in order. One UserError lists every bad line of every file."""
    rows: list[Row] = []
    problems: list[str] = []
    for file in files:
        try:
            rows += _read(file, problems)
        except OSError as error:
            problems.append(f"{file}: cannot be read: {error.strerror}. Name a JSONL file of training rows")
    refuse_all(problems, f"{', '.join(files)}: rows that cannot be trained on")
    return rows


def _read(file: str, problems: list[str]) -> list[Row]:
    """Rows of one file. Neighbouring lines with one and the same fault are named together."""
    rows: list[Row] = []
    faults: list[tuple[int, int, str]] = []
    forms: dict[str, int] = {}
    with Path(file).open("rb") as lines:
        start = lines.read(SNIFFED)
        first_byte = start.lstrip()[:1]
        if b"\0" in start:
            problems.append(f"{file}: a binary file, or text that is not UTF-8. Expected one JSON object a line")
            return []
        lines.seek(0)
        for number, line in enumerate(lines, 1):
            line = line.removeprefix(b"\xef\xbb\xbf") if number == 1 else line
            if not line.strip():
                continue
            try:
                form, turns, document = _line(line)
            except (ValueError, RecursionError) as error:
                said = _said(error)
                first = faults.pop()[0] if faults and faults[-1][1:] == (number - 1, said) else number
                faults.append((first, number, said))
                continue
            forms.setdefault(form, number)
            rows.append(Row(messages=turns, where=f"{file}:{number}", document=document))
    if faults and not rows and first_byte == b"[":
        problems.append(f"{file}: a JSON array. Write its objects one a line, without brackets and commas around them")
        return []
    problems += [f"{file}:{a}{f'-{b}' if b > a else ''}: {said}" for a, b, said in faults]
    if len(forms) > 1:
        both = " and ".join(f'"{form}" (from line {number})' for form, number in forms.items())
        problems.append(f"{file}: rows with {both}. Keep one form a file")
    if not rows and not faults:
        problems.append(f"{file}: no rows. Expected one JSON object a line")
    return rows


def _said(error: Exception) -> str:
    """What is wrong with a line, in one sentence."""
    if isinstance(error, UnicodeDecodeError):
        return f"not UTF-8 ({error.reason}). Save the file as UTF-8"
    if isinstance(error, RecursionError):
        return "nested too deeply to be a row"
    return f"{error}. Expected one JSON object a line" if type(error) is msgspec.DecodeError else str(error)


def _line(line: bytes) -> tuple[str, list[Turn], str]:
    """Form, conversation and document of one line; a ValueError says what is wrong with it."""
    if len(line) > LONGEST_LINE:
        raise ValueError(f"the line has {len(line):,} bytes; a row has at most {LONGEST_LINE:,}. Cut its document up")
    raw: Any = msgspec.json.decode(line)
    if not isinstance(raw, dict) or not ("messages" in raw or "instruction" in raw):
        raise ValueError('expected an object with "messages", or with "instruction", "input" and "output"')
    row: _Chat | _Instruction
    if "messages" in raw:
        form, row = "messages", msgspec.convert(raw, _Chat)
        turns = row.messages
    else:
        form, row = "instruction", msgspec.convert(raw, _Instruction)
        asked = f"{row.instruction}\n\n{row.input}" if row.input else row.instruction
        turns = [Turn(role="user", content=asked), Turn(role="assistant", content=row.output)]
    _check(turns)
    named = next((value for name in DOCUMENT_FIELDS if (value := getattr(row, name)) is not None), "")
    return form, turns, str(named)


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


def some_rows(rows: list[Row], wanted: int | None, seed: int) -> list[Row]:
    """`wanted` rows drawn by the seed, in their order; all where it is None. A smaller draw is part of a larger one."""
    if wanted is None:
        return rows
    if wanted > len(rows):
        raise UserError(f"'data.rows' is {wanted}, but there are {len(rows)} training rows. Lower it, or leave it out")
    drawn = list(range(len(rows)))
    random.Random(f"rows/{seed}").shuffle(drawn)
    return [rows[index] for index in sorted(drawn[:wanted])]


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
    return digest([file_sha256(Path(file)) for file in files])
