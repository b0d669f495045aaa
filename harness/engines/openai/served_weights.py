"""Pin the weights of servers on this machine: find the content digest of what a server's process loaded.

The process that listens on the port says when it started and with which folders; the files in them must not have
changed since. This finds mistakes and swapped files. It does not stop someone who runs programs of his own here.
"""

from __future__ import annotations

import json
import os
import socket
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from msgspec import Struct, structs

from harness.checkpoints.resolve import resolve
from harness.engines.config import Servers
from harness.engines.openai.config import api_key
from harness.errors import UserError
from harness.schema import Checkpoint

PROC = Path("/proc")
LOOK_S = 30.0
COUNTED = {".json", ".safetensors", ".jinja", ".model", ".txt"}
"""Suffixes of the files that decide answers."""
CHANGING = ("--config", "--hf-config-path", "--hf-overrides", "--model-loader-extra-config", "--quantization")
"""Options of vLLM after which it computes with other weights than the files hold, or that name options elsewhere."""
FORMATS = ("auto", "safetensors")
DOORS = ("VLLM_SERVER_DEV_MODE", "VLLM_ALLOW_RUNTIME_LORA_UPDATING")
"""Environment variables of a vLLM server with which a request can change its weights."""
LISTENS = "0A"

Cards = Mapping[str, Mapping[str, Any]]
"""What `/v1/models` says, by name."""


class Unpinned(Exception):
    """Why the weights behind a server are not known."""


class Process(Struct, frozen=True, kw_only=True):
    """The process that listens on a port."""

    pid: int
    """Process id."""
    started: float
    """Seconds since 1970."""
    words: list[str]
    """Its command line."""
    folder: Path
    """Its working directory."""


def pinned(asked: Checkpoint, local: str, servers: Servers) -> Checkpoint:
    """The endpoint with the digest of the weights behind it, as far as that can be known.

    A server on this machine is pinned by its process. Another one is pinned by the user's word with `trust`, which says
    that it has the weights of `local`; those must be here, or it is a UserError.
    """
    try:
        found = [behind(url, asked.name, cards(url)) for url in servers.urls]
        if len({one.digest for one in found}) > 1:
            raise Unpinned("the servers loaded different weights")
        if found[0].tokenizer_digest != asked.tokenizer_digest:
            raise Unpinned("the server's folder has another tokenizer than the checkpoint that renders the prompts")
        return _with(asked, found[0], pinned_by="server process")
    except Unpinned as reason:
        why = str(reason)
    if servers.trust:
        try:
            return _with(asked, resolve(local), pinned_by="trusted canary", unpinned_because=why)
        except UserError as error:
            raise UserError(
                f"--trust-server: says that '{asked.name}' has the weights of {local}, and these are not here: {error}"
            ) from None
    return structs.replace(asked, unpinned_because=why)


def _with(asked: Checkpoint, weights: Checkpoint, **more: Any) -> Checkpoint:
    return structs.replace(
        asked,
        digest=weights.digest,
        base_digest=weights.base_digest,
        adapter_digest=weights.adapter_digest,
        **more,
    )


def cards(url: str) -> Cards:
    """The models of a server, by name; none where it does not say."""
    import httpx

    key = api_key()
    try:
        got = httpx.get(f"{url}/v1/models", headers={"Authorization": f"Bearer {key}"} if key else {}, timeout=LOOK_S)
        return {str(card["id"]): dict(card) for card in got.json()["data"]}
    except (httpx.HTTPError, ValueError, TypeError, KeyError):
        return {}


def behind(url: str, name: str, listed: Cards) -> Checkpoint:
    """The checkpoint that the server at `url` loaded as `name`; Unpinned where that cannot be known."""
    card = listed.get(name)
    if card is None:
        raise Unpinned(f"{url} does not list '{name}'")
    process = listening(url)
    _check_start(process)
    folder = _folder(process, card)
    try:
        found = resolve(str(folder))
        if found.kind == "adapter":
            base = _folder(process, listed.get(str(card.get("parent")), {}))
            if resolve(str(base)).base_digest != found.base_digest:
                raise Unpinned(f"{folder} names another base than the server loaded")
    except UserError as error:
        raise Unpinned(str(error)) from None
    return found


def _folder(process: Process, card: Mapping[str, Any]) -> Path:
    """The folder that the server loaded a model from, unchanged since."""
    root = str(card.get("root") or "")
    given = any(word == root or word.endswith(f"={root}") or json.dumps(root) in word for word in process.words)
    folder = process.folder / root
    if not root or not given or not folder.is_dir():
        raise Unpinned(
            f"process {process.pid} was not started with the folder '{root}' that it says its model is from. Start the "
            "server with a local folder"
        )
    for path in _decisive(folder):
        if max(path.lstat().st_ctime, path.stat().st_ctime) > process.started:
            raise Unpinned(f"{path} changed after process {process.pid} started. Start the server again")
    return folder


def _decisive(folder: Path) -> Iterator[Path]:
    """The folder, what it is reached by, and its files that decide answers."""
    yield from (path for path in [folder, *folder.parents] if path == folder or path.is_symlink())
    yield from (path for path in folder.iterdir() if path.suffix in COUNTED)


def _check_start(process: Process) -> None:
    """Refuse a server that computes with other weights than its files hold, or takes new ones while it runs."""
    for place, word in enumerate(process.words):
        option, _, value = word.replace("_", "-").partition("=")
        value = value or (process.words[place + 1] if place + 1 < len(process.words) else "")
        may_name = len(option) > 2 and option != "--model"  # argparse takes a unique beginning of an option for it.
        if word.startswith("-q") or (may_name and any(one.startswith(option) for one in CHANGING)):
            raise Unpinned(f"process {process.pid} was started with {option}, so it may compute with other weights")
        if len(option) > 2 and "--load-format".startswith(option) and value not in FORMATS:
            raise Unpinned(f"process {process.pid} was started with {option} {value}, so it may have other weights")
    for word in _read(process.pid, "environ"):
        name, _, value = word.partition("=")
        if name in DOORS and value not in ("", "0"):
            raise Unpinned(f"process {process.pid} was started with {name}, so a request can change its weights")


def listening(url: str) -> Process:
    """The process on this machine that listens at `url`; Unpinned where there is none that can be looked at."""
    parts = urlsplit(url)
    port = parts.port or (443 if parts.scheme == "https" else 80)
    if not _is_here(str(parts.hostname)):
        raise Unpinned(f"{url} is not on this machine")
    sockets = {f"socket:[{inode}]" for inode in _inodes(port)}
    holders = [pid for pid in _processes() if sockets & _open_files(pid)]
    first = [pid for pid in holders if _stat(pid)[1] not in holders]
    if len(first) != 1:
        found = "no process that you may look at listens" if not first else "more than one process listens"
        raise Unpinned(f"{found} on port {port}")
    pid = first[0]
    try:
        if (PROC / str(pid) / "ns/mnt").readlink() != (PROC / "self/ns/mnt").readlink():
            raise Unpinned(f"process {pid} runs in a container, where its folders may be others")
        folder = (PROC / str(pid) / "cwd").readlink()
        booted = time.time() - time.clock_gettime(time.CLOCK_BOOTTIME)
        started = booted + _stat(pid)[0] / os.sysconf("SC_CLK_TCK")
    except OSError as error:
        raise Unpinned(f"process {pid} cannot be looked at: {error.strerror}") from None
    return Process(pid=pid, started=started, words=list(_read(pid, "cmdline")), folder=folder)


def _is_here(host: str) -> bool:
    """Every address of the host is one of this machine: it can be listened on here."""
    try:
        addresses = {(family, address[0]) for family, _, _, _, address in socket.getaddrinfo(host, 0)}
        for family, address in addresses:
            with socket.socket(family, socket.SOCK_DGRAM) as own:
                own.bind((address, 0))
    except OSError:
        return False
    return True


def _inodes(port: int) -> Iterator[str]:
    """Sockets that listen on a port."""
    for table in ("net/tcp", "net/tcp6"):
        try:
            lines = (PROC / table).read_text("ascii").splitlines()[1:]
        except OSError:
            continue
        for fields in map(str.split, lines):
            if fields[3] == LISTENS and int(fields[1].rpartition(":")[2], 16) == port:
                yield fields[9]


def _processes() -> list[int]:
    try:
        return [int(path.name) for path in PROC.iterdir() if path.name.isdigit()]
    except OSError:
        return []


def _open_files(pid: int) -> set[str]:
    found = set()
    with suppress(OSError):
        for file in (PROC / str(pid) / "fd").iterdir():
            with suppress(OSError):  # A busy process closes files meanwhile.
                found.add(str(file.readlink()))
    return found


def _stat(pid: int) -> tuple[int, int]:
    """Start in clock ticks since the machine started, and the parent; its name may hold any character."""
    try:
        fields = (PROC / str(pid) / "stat").read_text("utf-8", "replace").rpartition(")")[2].split()
    except OSError:
        return 0, 0
    return int(fields[19]), int(fields[1])


def _read(pid: int, file: str) -> Sequence[str]:
    """Words of a command line, or settings of an environment."""
    try:
        return (PROC / str(pid) / file).read_text("utf-8", "replace").rstrip("\0").split("\0")
    except OSError as error:
        raise Unpinned(f"process {pid} cannot be looked at: {error.strerror}") from None
