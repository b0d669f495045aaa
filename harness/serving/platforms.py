"""The routes and ports that cloud platforms expect of a container that serves predictions."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from msgspec import Struct

from harness.errors import UserError

EVERYWHERE = "0.0.0.0"  # noqa: S104 - a platform reaches its container from outside, and a key is required
PORT = 8080


class Platform(Struct, frozen=True, kw_only=True):
    """What one platform expects of the server."""

    name: str
    """Name in PLATFORMS."""
    port: int
    """Port on which the platform expects the server."""
    health: str
    """Path of the health check."""
    predict: str
    """Path of predictions."""
    is_trusted: bool = False
    """Whether the platform authenticates callers, so that predictions need no key."""


class _Expected(NamedTuple):
    """Environment variables with a platform's expectations, and their defaults."""

    port: str
    health: tuple[str, str]
    predict: tuple[str, str]


PLATFORMS = {
    "sagemaker": _Expected("SAGEMAKER_BIND_TO_PORT", ("", "/ping"), ("", "/invocations")),
    "vertex": _Expected("AIP_HTTP_PORT", ("AIP_HEALTH_ROUTE", "/health"), ("AIP_PREDICT_ROUTE", "/predict")),
}


def find_platform(name: str | None, is_trusted: bool, environment: Mapping[str, str]) -> Platform | None:
    """Return the named platform, as its environment describes it. Raises UserError."""
    if name is None:
        if is_trusted:
            raise UserError("--trust-platform: no platform is named. Add --platform, or leave --trust-platform out")
        return None
    if name not in PLATFORMS:
        raise UserError(f"--platform {name}: expected one of: {', '.join(PLATFORMS)}")
    expected = PLATFORMS[name]
    port = environment.get(expected.port) or str(PORT)
    if not (port.isascii() and port.isdigit() and 0 < int(port) < 1 << 16):
        raise UserError(f"{expected.port}={port!r}: expected a port from 1 to 65535. Correct the environment variable")
    health, predict = (
        _path(variable, default, environment) for variable, default in (expected.health, expected.predict)
    )
    if health == predict:
        raise UserError(
            f"{expected.health[0]} and {expected.predict[0]} are both {health!r}. Give the two routes different paths"
        )
    return Platform(name=name, port=int(port), health=health, predict=predict, is_trusted=is_trusted)


def _path(variable: str, default: str, environment: Mapping[str, str]) -> str:
    path = environment.get(variable) or default
    if not path.startswith("/") or not path.isascii() or not path.isprintable() or set(path) & set(" ?#%"):
        raise UserError(f"{variable}={path!r}: expected a path such as {default}. Correct the environment variable")
    return path
