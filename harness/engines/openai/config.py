"""Check URLs, keys and model names of OpenAI-compatible servers."""

from __future__ import annotations

import ipaddress
import os
from urllib.parse import urlsplit

from harness.checkpoints.resolve import tokenizer_of
from harness.env import API_KEY
from harness.errors import UserError
from harness.files import digest
from harness.schema import Checkpoint

KEYS = (API_KEY, "OPENAI_API_KEY")
"""Environment variables for the servers' key; the first one that is set is used. It is read from nowhere else."""

NO_SERVER = "--engine openai: no server is named. Add --url http://HOST:PORT, once per server"


def shown(url: str) -> str:
    """Return a URL without parts that may be secret, for messages."""
    head, _, tail = url.partition("://")
    rest = (tail or head).rpartition("@")[2].partition("?")[0].partition("#")[0]
    return f"{head}://{rest}" if tail else rest


def fault(url: str) -> str | None:
    """Explain why a URL cannot be a server's, or return None. Never repeats the URL, which may have a password."""
    import httpx

    try:
        parts = urlsplit(url)
        port, host = parts.port, parts.hostname or ""
        if host.count(".") == 3 and host.replace(".", "").isdigit():
            ipaddress.ip_address(host)
        host.encode("idna")
        httpx.URL(url).host  # noqa: B018 - decodes it, as each request does
    except (ValueError, httpx.InvalidURL):  # UnicodeError among the first.
        return "not a URL. Expected http://HOST:PORT"
    if "@" in parts.netloc or parts.query or parts.fragment:
        return f"has a user, a password, a query or a fragment. Expected http://HOST:PORT, with the key in {KEYS[0]}"
    if parts.scheme not in ("http", "https") or not host or port == 0 or not url.isprintable():
        return "not a server's URL. Expected http://HOST:PORT"
    return None


def _keys() -> dict[str, str]:
    """Return the keys that are set, by the names of their variables."""
    return {name: key for name in KEYS if (key := os.environ.get(name, "").strip())}


def key_header() -> dict[str, str]:
    """Return the HTTP header with the servers' key; {} without one. Raises UserError if no header can hold it."""
    for name, key in _keys().items():
        if not (key.isascii() and key.isprintable()):
            raise UserError(f"{name}: has characters that are not allowed in an HTTP header. Set it to the key alone")
        return {"Authorization": f"Bearer {key}"}
    return {}


def without_key(text: str) -> str:
    """Return the text of a server or a library with the key masked."""
    for name, key in _keys().items():
        text = text.replace(key, f"[{name}]")
    return text


def endpoint(served: str, local: str) -> Checkpoint:
    """Describe a model by its name at the servers; the tokenizer of the checkpoint `local` renders the prompts."""
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
