"""Where a server listens and who may ask it: host, port, key. Starts nothing, and never says the key.

The key comes from the environment and goes on by the environment; only the variable's name is kept and printed.
"""

from __future__ import annotations

import errno
import ipaddress
import os
import socket
from collections.abc import Mapping

from msgspec import Struct

from harness.environment import SERVE_KEY
from harness.errors import UserError
from harness.serving.guard import OPEN
from harness.serving.platforms import Platform

KEYS = (SERVE_KEY, "VLLM_API_KEY")
"""Environment variables that may hold the server's key; the first one found counts."""
LOOPBACK = "127.0.0.1"


class Access(Struct, frozen=True, kw_only=True):
    """How a server is reached."""

    host: str
    """Address that it listens on."""
    port: int
    """Port that it listens on."""
    key_from: str | None
    """Environment variable that holds the key; None where everyone who reaches it may ask."""
    platform: Platform | None = None
    """The cloud platform whose routes are answered too."""

    @property
    def url(self) -> str:
        """Base URL for this machine; an address that stands for all of them is asked at the loopback one."""
        host = {"0.0.0.0": LOOPBACK, "::": "::1"}.get(self.host, self.host)
        return f"http://[{host}]:{self.port}" if ":" in host else f"http://{host}:{self.port}"

    @property
    def is_local(self) -> bool:
        """Only this machine reaches it."""
        return _is_loopback(self.host)

    @property
    def key(self) -> str | None:
        """The key, from the environment of now."""
        return os.environ[self.key_from].strip() if self.key_from else None

    @property
    def warnings(self) -> list[str]:
        """What the key does not guard, one line each."""
        open_paths = f"{', '.join(OPEN)} answer without a key: keep the port from those who must not see them"
        trusted = self.platform.predict if self.platform and self.platform.is_trusted else None
        open_route = [f"{trusted} answers without a key: whoever reaches the port may use the model"] if trusted else []
        plain = "the key and all text travel as plain HTTP: put a proxy with TLS before other machines"
        return [open_paths, *open_route, *([] if self.is_local else [plain])]


def arrange(host: str, port: int, environment: Mapping[str, str], platform: Platform | None = None) -> Access:
    """Check host, port and key. A host that others reach needs a key, and a port must be free; else a UserError."""
    key_from = next((name for name in KEYS if environment.get(name, "").strip()), None)
    key = environment[key_from].strip() if key_from else ""
    if not (key.isascii() and key.isprintable() and " " not in key):
        raise UserError(f"{key_from}: holds characters that no HTTP header can carry. Set it to the key alone")
    if not _is_loopback(host) and key_from is None:
        raise UserError(
            f"--host {host}: other machines reach it, and no key is set. Set {KEYS[0]} to a long random text, or leave "
            f"--host out to listen on {LOOPBACK}"
        )
    _check_free(host, port)
    return Access(host=host, port=port, key_from=key_from, platform=platform)


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _check_free(host: str, port: int) -> None:
    try:
        family, kind, _, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        with socket.socket(family, kind) as own:
            own.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            own.bind(address)
    except OSError as error:
        if error.errno == errno.EADDRINUSE:
            raise UserError(
                f"--port {port}: something listens on {host}:{port} already. Stop it, or name another port"
            ) from None
        raise UserError(
            f"--host {host} --port {port}: cannot listen there: {error.strerror or error}. Name an address of this "
            "machine and a port that you may use"
        ) from None
