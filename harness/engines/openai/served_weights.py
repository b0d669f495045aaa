"""Pin the weights of servers on this machine: compute the content digest of the files that a server's process loaded.

The start time and command line of the process that listens on the port name the folders; their files must not have
changed since. This detects mistakes and swapped files, not someone who can start programs on the machine.
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
from harness.engines.openai.config import key_header
from harness.errors import UserError
from harness.schema import Checkpoint

PROC = Path("/proc")
LIST_S = 30.0
"""Longest wait for the list of models, in seconds."""
DECISIVE = {".json", ".safetensors", ".jinja", ".model", ".txt"}
"""Suffixes of the files that affect answers."""
CHANGING = ("--config", "--hf-config-path", "--hf-overrides", "--model-loader-extra-config", "--quantization")
"""Options of vLLM that change the weights after they are read, or that read options from elsewhere."""
FORMATS = ("auto", "safetensors")
RUNTIME_CHANGES = ("VLLM_SERVER_DEV_MODE", "VLLM_ALLOW_RUNTIME_LORA_UPDATING")
"""Environment variables of a vLLM server that let a request change its weights."""
LISTENS = "0A"
"""State of a listening socket in /proc/net/tcp."""

Cards = Mapping[str, Mapping[str, Any]]
"""Entries of `/v1/models`, by name."""


class Unpinned(Exception):
    """The reason why the weights behind a server are unknown."""


class Process(Struct, frozen=True, kw_only=True):
    """The process that listens on a port."""

    pid: int
    """Process id."""
    started: float
    """Start time, in seconds since 1970."""
    words: list[str]
    """Its command line."""
    folder: Path
    """Its working directory."""


def pinned(endpoint: Checkpoint, local: str, servers: Servers) -> Checkpoint:
    """Return the endpoint with the digest of the weights behind it, if they can be determined.

    A server on this machine is pinned by its process. With `trust`, the user states that any other server has the
    weights of `local`. Raises UserError if those are not on this machine.
    """
    try:
        loaded = [behind(url, endpoint.name, cards(url)) for url in servers.urls]
        if len({one.digest for one in loaded}) > 1:
            raise Unpinned("the servers loaded different weights")
        if loaded[0].tokenizer_digest != endpoint.tokenizer_digest:
            raise Unpinned("the server's folder has another tokenizer than the checkpoint that renders the prompts")
        return _with(endpoint, loaded[0], pinned_by="server process")
    except Unpinned as reason:
        why = str(reason)
    if servers.trust:
        try:
            return _with(endpoint, resolve(local), pinned_by="trusted canary", unpinned_because=why)
        except UserError as error:
            raise UserError(
                f"--trust-server states that '{endpoint.name}' has the weights of {local}, which are not on this "
                f"machine: {error}"
            ) from None
    return structs.replace(endpoint, unpinned_because=why)


def _with(endpoint: Checkpoint, weights: Checkpoint, **more: Any) -> Checkpoint:
    return structs.replace(
        endpoint,
        digest=weights.digest,
        base_digest=weights.base_digest,
        adapter_digest=weights.adapter_digest,
        **more,
    )


def cards(url: str) -> Cards:
    """Return the models of a server, by name; none if it does not list them."""
    import httpx

    headers = key_header()
    try:
        got = httpx.get(f"{url}/v1/models", headers=headers, timeout=LIST_S)
        return {str(card["id"]): dict(card) for card in got.json()["data"]}
    except (httpx.HTTPError, ValueError, TypeError, KeyError):
        return {}


def behind(url: str, name: str, listed: Cards) -> Checkpoint:
    """Return the checkpoint that the server at `url` loaded as `name`. Raises Unpinned if it is unknown."""
    card = listed.get(name)
    if card is None:
        raise Unpinned(f"{url} does not list '{name}'")
    process = listening(url)
    _check_start(process)
    folder = _folder(process, card)
    try:
        checkpoint = resolve(str(folder))
        if checkpoint.kind == "adapter":
            base = _folder(process, listed.get(str(card.get("parent")), {}))
            if resolve(str(base)).base_digest != checkpoint.base_digest:
                raise Unpinned(f"{folder} names another base than the server loaded")
    except UserError as error:
        raise Unpinned(str(error)) from None
    if other := sorted(Path(checkpoint.path).glob("consolidated*.safetensors")):
        raise Unpinned(f"vLLM may have loaded {other[0]} and not the other weights next to it. Move it out")
    return checkpoint


def _folder(process: Process, card: Mapping[str, Any]) -> Path:
    """Return the folder that the server loaded a model from. Raises Unpinned if it changed since."""
    root = str(card.get("root") or "")
    is_named = any(word == root or word.endswith(f"={root}") or json.dumps(root) in word for word in process.words)
    folder = process.folder / root
    if not root or not is_named or not folder.is_dir():
        raise Unpinned(
            f"process {process.pid} was not started with the folder '{root}' that it reports as its model's. Start the "
            "server with a local folder"
        )
    for path in _decisive(folder):
        if max(path.lstat().st_ctime, path.stat().st_ctime) > process.started:
            raise Unpinned(f"{path} changed after process {process.pid} started. Restart the server")
    return folder


def _decisive(folder: Path) -> Iterator[Path]:
    """Yield the folder, links on its path, and its files that affect answers."""
    yield from (path for path in [folder, *folder.parents] if path == folder or path.is_symlink())
    yield from (path for path in folder.iterdir() if path.suffix in DECISIVE)


def _check_start(process: Process) -> None:
    """Raise Unpinned for a server whose options change weights, or that accepts new ones while it runs."""
    for index, word in enumerate(process.words):
        option, _, value = word.replace("_", "-").partition("=")
        value = value or (process.words[index + 1] if index + 1 < len(process.words) else "")
        may_name = len(option) > 2 and option != "--model"  # argparse accepts unique prefixes of options.
        if word.startswith("-q") or (may_name and any(one.startswith(option) for one in CHANGING)):
            raise Unpinned(f"process {process.pid} was started with {option}, so it may compute with other weights")
        if len(option) > 2 and "--load-format".startswith(option) and value not in FORMATS:
            raise Unpinned(f"process {process.pid} was started with {option} {value}, so it may have other weights")
    for word in _read(process.pid, "environ"):
        name, _, value = word.partition("=")
        if name in RUNTIME_CHANGES and value not in ("", "0"):
            raise Unpinned(f"process {process.pid} was started with {name}, so a request can change its weights")


def listening(url: str) -> Process:
    """Return the process on this machine that listens at `url`. Raises Unpinned if none can be inspected."""
    parts = urlsplit(url)
    port = parts.port or (443 if parts.scheme == "https" else 80)
    if not _is_here(str(parts.hostname)):
        raise Unpinned(f"{url} is not on this machine")
    sockets = {f"socket:[{inode}]" for inode in _inodes(port)}
    holders = [pid for path in PROC.glob("[0-9]*") if sockets & _open_files(pid := int(path.name))]
    first = [pid for pid in holders if _stat(pid)[1] not in holders]
    if len(first) != 1:
        problem = "no process that you may inspect listens" if not first else "more than one process listens"
        raise Unpinned(f"{problem} on port {port}")
    pid = first[0]
    try:
        if (PROC / str(pid) / "ns/mnt").readlink() != (PROC / "self/ns/mnt").readlink():
            raise Unpinned(f"process {pid} runs in a container, where paths may mean other folders")
        folder = (PROC / str(pid) / "cwd").readlink()
        booted = time.time() - time.clock_gettime(time.CLOCK_BOOTTIME)
        started = booted + _stat(pid)[0] / os.sysconf("SC_CLK_TCK")
    except OSError as error:
        raise Unpinned(f"process {pid} cannot be inspected: {error.strerror}") from None
    return Process(pid=pid, started=started, words=list(_read(pid, "cmdline")), folder=folder)


def _is_here(host: str) -> bool:
    """Whether every address of the host belongs to this machine, so that a socket can bind to it."""
    try:
        addresses = {(family, address[0]) for family, _, _, _, address in socket.getaddrinfo(host, 0)}
        for family, address in addresses - {(socket.AF_INET6, "::1")}:  # It cannot be bound where IPv6 is off.
            with socket.socket(family, socket.SOCK_DGRAM) as own:
                own.bind((address, 0))
    except OSError:
        return False
    return True


def _inodes(port: int) -> Iterator[str]:
    """Yield the inodes of the sockets that listen on a port."""
    for table in ("net/tcp", "net/tcp6"):
        try:
            lines = (PROC / table).read_text("ascii").splitlines()[1:]
        except OSError:
            continue
        for fields in map(str.split, lines):
            if fields[3] == LISTENS and int(fields[1].rpartition(":")[2], 16) == port:
                yield fields[9]


def _open_files(pid: int) -> set[str]:
    targets = set()
    with suppress(OSError):
        for file in (PROC / str(pid) / "fd").iterdir():
            with suppress(OSError):  # The process may close files meanwhile.
                targets.add(str(file.readlink()))
    return targets


def _stat(pid: int) -> tuple[int, int]:
    """Return the start, in clock ticks since boot, and the parent's id; the name may contain any character."""
    try:
        fields = (PROC / str(pid) / "stat").read_text("utf-8", "replace").rpartition(")")[2].split()
    except OSError:
        return 0, 0
    return int(fields[19]), int(fields[1])


def _read(pid: int, file: str) -> Sequence[str]:
    """Return the words of a command line, or the variables of an environment. Raises Unpinned."""
    try:
        return (PROC / str(pid) / file).read_text("utf-8", "replace").rstrip("\0").split("\0")
    except OSError as error:
        raise Unpinned(f"process {pid} cannot be inspected: {error.strerror}") from None
