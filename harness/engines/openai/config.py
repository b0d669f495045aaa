"""Which servers are asked, and what they call the models: checks what a user wrote. Opens no connection."""

from __future__ import annotations

import os
from collections.abc import Iterable
from urllib.parse import urlsplit

from msgspec import Struct

from harness.checkpoints.resolve import tokenizer_of
from harness.engines.base import traits_of
from harness.env import API_KEY
from harness.errors import UserError, refuse_all
from harness.files import digest
from harness.schema import Checkpoint

KEYS = (API_KEY, "OPENAI_API_KEY")
"""Environment variables that may hold the servers' key, the first one found counts. It is read from nowhere else."""

NO_SERVER = "--engine openai: no server is named. Add --url http://HOST:PORT, once for each server"


class Servers(Struct, frozen=True, kw_only=True):
    """OpenAI-compatible servers that answer in place of a model loaded here."""

    urls: tuple[str, ...]
    """Base URLs without `/v1`."""
    model: str | None = None
    """What the servers call the judged model; None: the checkpoint's name as it is written."""
    baseline: str | None = None
    """What they call the baseline; None: the baseline's name as it is written."""
    trust: bool = False
    """The user says that the servers have the weights of the checkpoints that are named."""


def servers_of(
    engine: str | None,
    urls: Iterable[str] | None,
    model: str | None,
    baseline: str | None = None,
    trust: bool = False,
) -> Servers | None:
    """The options that concern servers, checked together; None for every other engine."""
    given = {
        "--url": urls,
        "--served-model": model,
        "--served-baseline": baseline,
        "--trust-server": trust,
    }
    if engine is None or not traits_of(engine).needs_url:
        stray = [option for option, value in given.items() if value]
        if stray:
            raise UserError(f"{', '.join(stray)}: only for servers. Add --engine openai, or leave it out")
        return None
    listed = list(urls or ())
    if not listed:
        raise UserError(NO_SERVER)
    refuse_all([f"--url {shown(url)}: {why}" for url in listed if (why := _fault(url))], "servers")
    clean = [url.rstrip("/").removesuffix("/v1").rstrip("/") for url in listed]
    return Servers(urls=tuple(dict.fromkeys(clean)), model=model, baseline=baseline, trust=trust)


def shown(url: str) -> str:
    """A URL without what may be secret in it, for messages."""
    head, _, tail = url.partition("://")
    rest = (tail or head).rpartition("@")[2].partition("?")[0].partition("#")[0]
    return f"{head}://{rest}" if tail else rest


def _fault(url: str) -> str | None:
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
