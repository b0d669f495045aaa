"""Content digests: equal content gives equal digests, wherever it lies and whatever it is called."""

import hashlib
from pathlib import Path

import msgspec


def digest(value: object) -> str:
    """Hex sha256 of a string, bytes, or anything msgspec can write (keys sorted, so that order does not matter)."""
    if isinstance(value, str):
        value = value.encode()
    if not isinstance(value, bytes):
        value = msgspec.json.encode(value, order="sorted")
    return hashlib.sha256(value).hexdigest()


def file_sha256(file: Path) -> str:
    """Hex sha256 of a file's bytes."""
    with file.open("rb") as opened:
        return hashlib.file_digest(opened, "sha256").hexdigest()
