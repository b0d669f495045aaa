"""An answer in the log of another tool, and the two kinds of JSON files that hold answers."""

from __future__ import annotations

import json
import mmap
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any, TypeVar

import msgspec
from msgspec import Meta, Struct

from harness.errors import NOT_JSON, UserError, first_line
from harness.files import MEMORY_BYTES, byte_order_mark, refuse_repeated_keys, shown_path, size_of

T = TypeVar("T")
Repeat = Annotated[int, Meta(ge=1)]
"""Which answer to its case: 1 for the first."""


class LoggedAnswer(Struct, frozen=True, kw_only=True):
    """One answer as a log has it, with everything that may name its case."""

    where: str
    """Place in the log, for messages."""
    text: str
    """The answer; empty where there is none."""
    ids: tuple[str, ...] = ()
    """What may be the id of its case."""
    prompts: tuple[str, ...] = ()
    """What may be the text of its prompt, or of the inputs of its case."""
    model: str = ""
    """The model that answered; empty where the log does not say."""
    repeat: Repeat = 1
    is_cut: bool = False
    """Whether it ended at the limit of tokens."""
    error: str = ""
    """Why there is no answer; empty where there is one."""


def json_lines(path: Path, kind: type[T], expected: str) -> Iterator[tuple[str, T]]:
    """Yield the place and the content of each line, one in memory at a time. Raises UserError."""
    size_of(path, expected)
    with path.open("rb") as file:
        for number, line in enumerate(iter(lambda: file.readline(MEMORY_BYTES + 1), b""), 1):
            where = f"{shown_path(path)}:{number}"
            if len(line) > MEMORY_BYTES:
                raise UserError(f"{where}: the line is longer than {MEMORY_BYTES >> 20} MiB. {expected}")
            if line.strip():
                yield f"line {number}", decoded(line, kind, where, expected)


def json_document(path: Path, kind: type[T], expected: str) -> T:
    """Read a file that is one JSON document; what `kind` has no field for stays on disk. Raises UserError."""
    if not size_of(path, expected):
        raise UserError(f"{shown_path(path)}: is empty. {expected}")
    with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
        return decoded(data, kind, shown_path(path), expected)


def decoded(data: bytes | mmap.mmap, kind: type[T], where: str, expected: str) -> T:
    """Decode JSON, with NaN and Infinity as null; no object of a line may have a key twice.

    Raises UserError for anything else, as where the tool was stopped.
    """
    try:
        is_finite = data.find(b"NaN") < 0 and data.find(b"Infinity") < 0
        value = msgspec.json.decode(data if is_finite else _finite(data), type=kind)
        if isinstance(data, bytes):
            refuse_repeated_keys(data)
        return value
    except NOT_JSON as error:
        problem = byte_order_mark(data[:4]) or f"cannot be read: {first_line(error)}"
        raise UserError(f"{where}: {problem}. {expected}") from None


def _finite(data: bytes | mmap.mmap) -> bytes | mmap.mmap:
    """Return JSON in which null stands for NaN and Infinity, which tools in Python write for what was not measured."""
    try:
        msgspec.json.decode(data, type=msgspec.Raw)
        return data
    except msgspec.DecodeError:
        return msgspec.json.encode(json.loads(data[:], parse_constant=lambda name: None))


def texts_in(value: Any) -> Iterator[str]:
    """Yield every text in a JSON value, numbers as text; a text that is JSON itself, such as a chat, also in parts."""
    if isinstance(value, dict | list):
        for part in value.values() if isinstance(value, dict) else value:
            yield from texts_in(part)
    elif isinstance(value, str | int | float):
        yield str(value)
        if isinstance(value, str) and value.lstrip()[:1] == "[":
            try:
                yield from texts_in(json.loads(value))
            except NOT_JSON:
                return
