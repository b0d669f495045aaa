"""Reads files that a user wrote as UTF-8 text; an error names what was found in their place."""

import codecs
import stat
from pathlib import Path

from harness.errors import UserError

SPECIAL = (
    (stat.S_ISFIFO, "a pipe"),
    (stat.S_ISSOCK, "a socket"),
    (stat.S_ISCHR, "a device"),
    (stat.S_ISBLK, "a device"),
)
"""Files that may have no end, or block whoever opens them."""


def shown_path(path: Path) -> str:
    """The path from the working directory where it is inside of it, else as it is."""
    return str(path.relative_to(Path.cwd())) if path.is_relative_to(Path.cwd()) else str(path)


def size_of(path: Path, expected: str) -> int:
    """Bytes of a regular file; a UserError for anything else."""
    try:
        found = path.stat()
    except (OSError, ValueError) as error:
        raise UserError(f"{shown_path(path)}: cannot be read ({_why(error)}). {expected}") from None
    special = next((name for is_special, name in SPECIAL if is_special(found.st_mode)), None)
    if special:
        raise UserError(f"{shown_path(path)}: is {special}, expected a regular file. {expected}")
    return found.st_size


def read_bytes(path: Path, expected: str) -> bytes:
    """Bytes of a regular file; `expected` says in a sentence what should be there."""
    size_of(path, expected)
    try:
        return path.read_bytes()
    except OSError as error:
        raise UserError(f"{shown_path(path)}: cannot be read ({_why(error)}). {expected}") from None


def read_text(path: Path, expected: str) -> str:
    """Text of a UTF-8 file without a byte order mark, with any line ends as `\\n`; anything else is a UserError."""
    data = read_bytes(path, expected)
    problem = byte_order_mark(data)
    if problem:
        raise UserError(f"{shown_path(path)}: {problem}")
    try:
        return data.decode("utf-8").replace("\r\n", "\n").replace("\r", "\n")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise UserError(f"{shown_path(path)}: line {line} {not_utf8(error)}") from None


def byte_order_mark(data: bytes) -> str | None:
    """What the first bytes of a file say of its encoding, where it is not plain UTF-8."""
    if data.startswith(codecs.BOM_UTF8):
        return "starts with a byte order mark (UTF-8 BOM). Save it as UTF-8 without BOM"
    if data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return "is UTF-16. Save it as UTF-8"
    return None


def not_utf8(error: UnicodeDecodeError) -> str:
    """What a byte that is not UTF-8 would be in the usual other encoding."""
    byte = error.object[error.start : error.start + 1]
    guess = byte.decode("cp1252", "ignore")
    meant = f" is {guess!r} in Windows-1252 (Latin-1)" if guess else ""
    return f"is not UTF-8: byte 0x{byte.hex().upper()}{meant}. Save it as UTF-8"


def _why(error: OSError | ValueError) -> str:
    return (error.strerror if isinstance(error, OSError) else None) or str(error)
