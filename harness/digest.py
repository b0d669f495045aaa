"""Content digests: equal content gives equal digests, wherever it lies and whatever it is called."""

import hashlib

import msgspec


def digest(value: object) -> str:
    """Hex sha256 of a string, bytes, or anything msgspec can write (keys sorted, so that order does not matter)."""
    if isinstance(value, str):
        value = value.encode()
    if not isinstance(value, bytes):
        value = msgspec.json.encode(value, order="sorted")
    return hashlib.sha256(value).hexdigest()
