"""URLs, keys and model names of OpenAI-compatible servers, as a user writes them."""

from __future__ import annotations

import os
from urllib.parse import urlsplit

from harness.checkpoints.resolve import tokenizer_of
from harness.env import API_KEY
from harness.errors import UserError
from harness.files import digest
from harness.schema import Checkpoint

KEYS = (API_KEY, "OPENAI_API_KEY")
"""Environment variables that may hold the servers' key, the first one found counts. It is read from nowhere else."""

NO_SERVER = "--engine openai: no server is named. Add --url http://HOST:PORT, once for each server"


def shown(url: str) -> str:
    """A URL without what may be secret in it, for messages."""
    head, _, tail = url.partition("://")
    rest = (tail or head).rpartition("@")[2].partition("?")[0].partition("#")[0]
    return f"{head}://{rest}" if tail else rest


def fault(url: str) -> str | None:
    """Why a URL is no server's, or None. Never repeats the URL, which may hold a password."""
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        return "not a URL. Expected http://HOST:PORT"
    if "@" in parts.netloc or parts.query or parts.fragment:
        return f"holds a user, a password, a query or a fragment. Put the key into {KEYS[0]}, and name host and port"
    if parts.scheme not in ("http", "https") or not parts.hostname or port == 0:
        return "not a server's URL. Expected http://HOST:PORT"
    return None


def api_key() -> str | None:
    """The servers' key from the environment. One that no header can carry is a UserError that does not repeat it."""
    for name in KEYS:
        key = os.environ.get(name, "").strip()
        if key and not (key.isascii() and key.isprintable()):
            raise UserError(f"{name}: holds characters that no HTTP header can carry. Set it to the key alone")
        if key:
            return key
    return None


def without_key(text: str) -> str:
    """Text of a server or a library with the key taken out, should it be repeated there."""
    for name in KEYS:
        key = os.environ.get(name, "").strip()
        if key:
            text = text.replace(key, f"[{name}]")
    return text


def endpoint(served: str, local: str) -> Checkpoint:
    """A model by the name that servers give it; `local` names a checkpoint whose tokenizer renders the prompts."""
    folder, adapter, tokenizer = tokenizer_of(local)
    return Checkpoint(
        name=served,
        kind="endpoint",
        path=str(folder),
        adapter_path=str(adapter) if adapter else None,
        digest=digest(["endpoint", served, tokenizer]),
        tokenizer_digest=tokenizer,
        pinned_by="name",
    )
