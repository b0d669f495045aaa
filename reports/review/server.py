"""Start the review server and print each reviewer's link, once.

The socket is bound before anything is printed, so that every link works. Requests are not logged.
"""

from __future__ import annotations

import re
import secrets
import socket
from collections.abc import Callable, Sequence
from contextlib import suppress

from harness.errors import MissingExtra, UserError
from reports.review.items import Material
from reports.review.planning import progress
from reports.review.schema import Reviewer
from reports.review.storage import ReviewDatabase, secret_hash

ADDRESS = re.compile(r"https?://[a-z0-9.-]+(:[0-9]{1,5})?/?")
LOOPBACK = ("127.0.0.1", "::1", "localhost")

Say = Callable[[str], None]


def serve(
    state: ReviewDatabase,
    material: Material,
    say: Say,
    host: str,
    port: int,
    address: str | None,
    new_links: Sequence[str] = (),
) -> None:
    """Serve until interrupted. `address` is the origin that reviewers use, if it is not this machine's.

    Raises MissingExtra without the web server's packages, and UserError where the address or port cannot be used.
    """
    try:
        import python_multipart  # noqa: F401 - Starlette reads forms with it
        import uvicorn

        from reports.review.app import application
    except ImportError as error:
        raise MissingExtra("`tunegate review`", (error.name or "starlette").split(".")[0], "review") from None
    if address is not None and not ADDRESS.fullmatch(address):
        raise UserError(f"--address is {address!r}; expected only scheme and host, such as https://review.example.org")
    with _bind(host, port) as bound:
        own = f"http://{{}}:{bound.getsockname()[1]}"
        origins = [address.rstrip("/")] if address else [own.format("127.0.0.1"), own.format("localhost")]
        token = secrets.token_urlsafe(32)
        app = application(state, material, origins, secret_hash(token))
        for line in _links(state, origins[0], new_links):
            say(line)
        say(f"organiser: progress, time and agreement, until this server stops\n  {origins[0]}/organiser#{token}")
        if host not in LOOPBACK and not origins[0].startswith("https:"):
            say(f"others can reach {host}, and traffic is not encrypted: put a TLS proxy in front of it")
        say(
            "Links are shown only once; anyone who has a link can review as that person. Ctrl-C stops; rerun to resume."
        )
        config = uvicorn.Config(app, log_config=None, access_log=False, server_header=False, lifespan="off")
        with suppress(KeyboardInterrupt):
            uvicorn.Server(config).run(sockets=[bound])
    say("stopped: every confirmed change is saved; run the same command to resume")


def _bind(host: str, port: int) -> socket.socket:
    try:
        family = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0][0]
        return socket.create_server((host, port), family=family)
    except OSError as error:
        raise UserError(
            f"cannot listen on {host}:{port} ({error.strerror}). Stop what listens there, or choose another --port"
        ) from None


def _links(state: ReviewDatabase, origin: str, new_links: Sequence[str]) -> list[str]:
    reviewers = state.reviewers()
    unknown = set(new_links) - {reviewer.name for reviewer in reviewers}
    if unknown:
        raise UserError(f"--new-link: no reviewer '{sorted(unknown)[0]}' in this review")
    return [_link(state, reviewer, origin, reviewer.name in new_links) for reviewer in reviewers]


def _link(state: ReviewDatabase, reviewer: Reviewer, origin: str, is_new: bool) -> str:
    status = f"{reviewer.name}: {progress(state, reviewer)}"
    if reviewer.packet_hash:
        return f"{status}; uses a packet"
    if reviewer.token_hash and not is_new:
        return f"{status}; has a link (--new-link {reviewer.name!r} replaces it)"
    token = secrets.token_urlsafe(32)
    state.change_reviewer(reviewer.name, token_hash=secret_hash(token))
    state.end_sessions(reviewer.name)
    return f"{status}\n  {origin}/enter#{token}"
