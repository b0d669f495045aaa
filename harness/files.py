"""Read, write, digest and lock files; an error names what was found in place of what was expected."""

from __future__ import annotations

import codecs
import fcntl
import hashlib
import json
import os
import stat
import tomllib
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from io import BufferedReader
from pathlib import Path
from typing import Any, BinaryIO, TypeVar

import msgspec

from harness.errors import UserError

MEMORY_BYTES = 64 << 20
"""Most bytes of cases, records or token ids that are held in memory; larger files are read from disk as needed."""


def digest(value: object) -> str:
    """Return the hex sha256 of a string, bytes, or anything that msgspec can encode, with sorted keys."""
    if isinstance(value, str):
        value = value.encode()
    if not isinstance(value, bytes):
        value = msgspec.json.encode(value, order="sorted")
    return hashlib.sha256(value).hexdigest()


def file_link(file: Path) -> str:
    """Return the file:// address of a file, which terminals make clickable."""
    return file.resolve().as_uri()


def file_sha256(file: Path) -> str:
    """Return the hex sha256 of a file's bytes."""
    with file.open("rb") as opened:
        return hashlib.file_digest(opened, "sha256").hexdigest()


READABLE = "Make it readable, or remove it"


def text_sha256(file: Path, expected: str = READABLE) -> str:
    """Return the hex sha256 of a text file, whether or not this checkout of it has the line ends of Windows.

    Raises UserError with the sentence `expected` where it cannot be read.
    """
    return digest(read_bytes(file, expected).replace(b"\r\n", b"\n"))


def home_expanded(text: str) -> Path:
    """Return a path with `~` as the home folder; as it is where there is no such user."""
    try:
        return Path(text).expanduser()
    except RuntimeError:
        return Path(text)


def absolute(path: Path | str) -> Path:
    """Return the path from the root, as pytest writes it. Links are kept, because a suite is named by its place."""
    return Path(os.path.abspath(path))  # noqa: PTH100 - `resolve` would follow links


def files_below(folder: Path, pattern: str) -> list[Path]:
    """List the files below a folder whose names match, sorted, as pytest finds them: not in hidden folders or venvs.

    Links are followed, except into a folder above them.
    """
    return sorted(_below(folder, pattern, ()))


def _below(folder: Path, pattern: str, above: tuple[Path, ...]) -> Iterator[Path]:
    real = folder.resolve()
    if real in above or not os.access(folder, os.R_OK | os.X_OK):
        return
    for path in folder.iterdir():
        if path.is_dir():
            if not path.name.startswith(".") and not (path / "pyvenv.cfg").is_file():
                yield from _below(path, pattern, (*above, real))
        elif path.match(pattern):
            yield path


@contextmanager
def replacing(
    path: Path, hint: str | None = None, *, parents: bool = False, shared: bool = False
) -> Iterator[BinaryIO]:
    """Open a file that replaces `path` when the block ends: whole and on the disk, or not at all.

    hint: what to do where the disk refuses, for a UserError; without it the OSError is raised
    parents: create its folder and the folders above where they are missing
    shared: several processes may write the file at the same time

    What is no regular file, such as /dev/stdout, is written to directly.
    """
    target = Path(os.path.realpath(path))
    is_special = target.exists() and not target.is_file()
    mark = f"{os.getpid()}." if shared else ""
    part = target if is_special else target.with_name(f".{target.name}.{mark}part")
    try:
        if parents:
            target.parent.mkdir(parents=True, exist_ok=True)
        with part.open("wb") as file:
            yield file
            file.flush()
            if not is_special:
                os.fsync(file.fileno())
        if not is_special:
            with suppress(FileNotFoundError):
                part.chmod(stat.S_IMODE(target.stat().st_mode))
            part.replace(target)
    except BaseException as error:
        if not is_special:
            with suppress(OSError):
                part.unlink()
        if hint is None or not isinstance(error, OSError):
            raise
        raise UserError(f"{path}: cannot be written ({_why(error)}). {hint}") from None


def write_atomic(
    path: Path, data: bytes | str, hint: str | None = None, *, parents: bool = False, shared: bool = False
) -> None:
    """Write a whole file, text as UTF-8; see `replacing`."""
    with replacing(path, hint, parents=parents, shared=shared) as file:
        file.write(data.encode() if isinstance(data, str) else data)


def hold(file: Path) -> int:
    """Lock a file as in use until the returned handle is closed. Raises FileNotFoundError."""
    while True:
        handle = os.open(file, os.O_RDONLY)
        with suppress(OSError):  # A file system without locks; `claimed` never succeeds there.
            fcntl.flock(handle, fcntl.LOCK_SH)
        if _leads_to(file, handle):
            return handle
        os.close(handle)


@contextmanager
def claimed(file: Path) -> Iterator[bool]:
    """Yield True while only this process may delete the file; False where it is in use or locks do not work."""
    try:
        handle = os.open(file, os.O_RDWR if os.access(file, os.W_OK) else os.O_RDONLY)  # NFS locks none to read.
    except OSError:
        yield False
        return
    try:
        yield _locked(handle) and _leads_to(file, handle)
    finally:
        os.close(handle)


def _locked(handle: int) -> bool:
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True


def _leads_to(file: Path, handle: int) -> bool:
    """Whether the open file still has this name; it may have been deleted while this process waited for the lock."""
    try:
        return os.path.samestat(os.fstat(handle), file.stat())
    except FileNotFoundError:
        return False


SPECIAL = (
    (stat.S_ISFIFO, "a pipe"),
    (stat.S_ISSOCK, "a socket"),
    (stat.S_ISCHR, "a device"),
    (stat.S_ISBLK, "a device"),
)
"""Files that may have no end, or block the process that opens them."""


def shown_path(path: Path) -> str:
    """Return the path relative to the working directory where it is inside, else unchanged."""
    return str(path.relative_to(Path.cwd())) if path.is_relative_to(Path.cwd()) else str(path)


def size_of(path: Path, expected: str) -> int:
    """Return the size of a regular file in bytes. Raises UserError for anything else."""
    try:
        status = path.stat()
    except (OSError, ValueError) as error:
        raise UserError(f"{shown_path(path)}: cannot be read ({_why(error)}). {expected}") from None
    special = next((name for is_special, name in SPECIAL if is_special(status.st_mode)), None)
    if special:
        raise UserError(f"{shown_path(path)}: is {special}, expected a regular file. {expected}")
    return status.st_size


def is_large(file: Path) -> bool:
    """The file is too large to be held in memory."""
    return file.exists() and file.stat().st_size > MEMORY_BYTES


def open_regular(path: Path, expected: str) -> BufferedReader:
    """Open a regular file. Raises UserError with the sentence `expected` on what should be there."""
    size_of(path, expected)
    try:
        return path.open("rb")
    except OSError as error:
        raise UserError(f"{shown_path(path)}: cannot be read ({_why(error)}). {expected}") from None


def read_bytes(path: Path, expected: str) -> bytes:
    """Read a regular file. Raises UserError with the sentence `expected` on what should be there."""
    with open_regular(path, expected) as file:
        return file.read()


def read_text(path: Path, expected: str) -> str:
    """Read UTF-8 text without a byte order mark, with all line ends as `\\n`. Raises UserError for anything else."""
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
    """Describe the encoding that a byte order mark shows; None without one."""
    if data.startswith(codecs.BOM_UTF8):
        return "starts with a byte order mark (UTF-8 BOM). Save it as UTF-8 without BOM"
    if data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return "is UTF-16. Save it as UTF-8"
    return None


def decode_line(decode: Callable[[bytes], T], line: bytes) -> T:
    """Decode a line of JSON by msgspec. Raises UnicodeDecodeError, with the place, for bytes that are not UTF-8.

    msgspec 0.23 raises its own DecodeError for them, without the place, and keeps the last value of a repeated key.
    """
    try:
        decoded = decode(line)
    except msgspec.DecodeError:
        line.decode("utf-8")
        raise
    refuse_repeated_keys(line)
    return decoded


def refuse_repeated_keys(line: bytes) -> None:
    """Raise ValueError where an object in a line of JSON has a key twice."""
    json.loads(line, object_pairs_hook=distinct_keys, parse_int=str)


def distinct_keys(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Make a JSON object, as a hook of `json.loads`. Raises ValueError for a key that it has twice."""
    made = dict(pairs)
    if len(made) < len(pairs):
        names = [name for name, _ in pairs]
        repeated = next(name for name in names if names.count(name) > 1)
        raise ValueError(f"has the key {repeated!r} twice. Remove one of them")
    return made


def not_utf8(error: UnicodeDecodeError) -> str:
    """Describe a byte that is not UTF-8, with its meaning in Windows-1252."""
    byte = error.object[error.start : error.start + 1]
    guess = byte.decode("cp1252", "ignore")
    meant = f" is {guess!r} in Windows-1252 (Latin-1)" if guess else ""
    return f"is not UTF-8: byte 0x{byte.hex().upper()}{meant}. Save it as UTF-8"


def _why(error: OSError | ValueError) -> str:
    return (error.strerror if isinstance(error, OSError) else None) or str(error)


NOT_TOML = (ValueError, RecursionError)
"""Errors of parsing text as TOML: another format, and too deep nesting."""


def read_toml(path: Path, expected: str) -> dict[str, Any]:
    """Read a TOML file. Raises UserError with the sentence `expected` on what should be there."""
    text = read_text(path, expected)
    try:
        return tomllib.loads(text)
    except NOT_TOML as error:
        raise UserError(f"{shown_path(path)}: not valid TOML: {error}. {expected}") from None


def dotted(tables: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    """Yield the values of nested tables by their keys with dots, such as `optim.lr`."""
    for key, value in tables.items():
        if isinstance(value, Mapping):
            yield from dotted(value, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}", value


T = TypeVar("T")
S = TypeVar("S", bound=msgspec.Struct)


def struct_of(kind: type[S], table: object, where: str, problems: list[str], expected: Mapping[Any, str]) -> S | None:
    """Make a Struct of the values of a table, or None with all that is wrong added to `problems`.

    `expected` has what to write for a field, by its type; a field of another type takes its value unchecked.
    """
    if not isinstance(table, Mapping):
        problems.append(f"{where} is not a table")
        return None
    fields = {field.encode_name: field for field in msgspec.structs.fields(kind)}
    wrong = [f"{where}: unknown key '{k}'. Expected one of {', '.join(fields)}" for k in table if k not in fields]
    wrong += [f"{where}: '{k}' is missing" for k, field in fields.items() if field.required and k not in table]
    values = {}
    for name in filter(table.__contains__, fields):
        field, value = fields[name], table[name]
        try:
            values[field.name] = msgspec.convert(value, field.type) if field.type in expected else value
        except msgspec.ValidationError:
            wrong.append(f"{where}: '{name}' is {value!r}, expected {expected[field.type]}")
    problems += wrong
    return None if wrong else kind(**values)


def read_with_sidecar(path: Path, kind: type[T], expected: str) -> tuple[str, T]:
    """Read a text and the TOML file of the same name next to it. Raises UserError, also for a field of another type."""
    text, sidecar = read_text(path, expected), path.with_suffix(".toml")
    try:
        return text, msgspec.convert(read_toml(sidecar, expected), kind)
    except msgspec.ValidationError as error:
        raise UserError(f"{shown_path(sidecar)}: {error}. {expected}") from None
