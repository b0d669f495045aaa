"""The real server against requests that no page of the review sends."""

from __future__ import annotations

import http.client
import json
import re
import urllib.parse
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.reports.review.conftest import Live, write_sealed
from tests.support.processes import LIMIT_S

Start = Callable[..., Live]
Answer = tuple[int, dict[str, str], str]


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Live]:
    made = Live(write_sealed(tmp_path_factory.mktemp("guard") / "run"), "--reviewer", "r1", "--reviewer", "r2")
    yield made
    made.process.kill()
    made.process.wait(timeout=LIMIT_S)


def ask(server: Live, method: str, path: str, body: str = "", **headers: str) -> Answer:
    """One request; header names are given with _ for -. `Host` and `Origin` are right unless given."""
    sent = {"Host": f"127.0.0.1:{server.port}", "Origin": server.origin}
    sent |= {name.replace("_", "-"): value for name, value in headers.items()}
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=LIMIT_S)
    connection.putrequest(method, path, skip_host=True, skip_accept_encoding=True)
    for name, value in sent.items():
        if value:
            connection.putheader(name, value)
    connection.putheader("Content-Length", str(len(body.encode())))
    connection.endheaders(body.encode())
    response = connection.getresponse()
    answer = response.status, {k.lower(): v for k, v in response.getheaders()}, response.read().decode()
    connection.close()
    return answer


def token(server: Live, name: str = "r1") -> str:
    return server.links[name].partition("#")[2]


def send_key(server: Live, key: str, path: str = "/enter", **headers: str) -> Answer:
    """The form in which a browser sends the key of a link."""
    form = urllib.parse.urlencode({"token": key})
    return ask(server, "POST", path, form, Content_Type="application/x-www-form-urlencoded", **headers)


def log_in(server: Live, name: str = "r1") -> tuple[str, str]:
    """A session's cookie and CSRF token, got as a browser gets them."""
    status, headers, _ = send_key(server, token(server, name))
    assert status == 303 and headers["location"] == "/"
    cookie = headers["set-cookie"].partition(";")[0]
    page = ask(server, "GET", "/", Cookie=cookie)[2]
    found = re.search(r'id="boot">(.*?)</script>', page)
    assert found is not None
    return cookie, json.loads(found[1])["csrf"]


def act(server: Live, cookie: str, csrf: str, **headers: str) -> Answer:
    more = {"Cookie": cookie, "X_CSRF_Token": csrf, "Content_Type": "application/json", **headers}
    return ask(server, "POST", "/do/settings", '{"shortcuts": true}', **more)


def test_a_right_request_is_answered(server: Live) -> None:
    assert act(server, *log_in(server))[0] == 200


@pytest.mark.parametrize(
    "host", ["evil.example", "evil.example:80", "127.0.0.1", "127.0.0.1:1", "localhost.evil:1", ""]
)
def test_other_hosts_are_refused_for_reading_and_writing(server: Live, host: str) -> None:
    cookie, csrf = log_in(server)
    for status, _, body in (ask(server, "GET", "/", Cookie=cookie, Host=host), act(server, cookie, csrf, Host=host)):
        assert status in (400, 403) and "csrf" not in body


@pytest.mark.parametrize("origin", ["https://evil.example", "null", "", "http://127.0.0.1", "http://localhost.evil"])
def test_other_origins_change_nothing(server: Live, origin: str) -> None:
    cookie, csrf = log_in(server)
    assert act(server, cookie, csrf, Origin=origin)[0] == 403
    status, headers, _ = send_key(server, token(server), Origin=origin)
    assert status == 403 and "set-cookie" not in headers


def test_a_request_without_its_page_changes_nothing(server: Live) -> None:
    cookie, csrf = log_in(server)
    other = log_in(server, "r2")[1]
    for wrong in ("", csrf[:-1] + ("0" if csrf[-1] != "0" else "1"), other, "é"):
        assert act(server, cookie, wrong.encode("utf-8").decode("latin-1"))[0] == 403, wrong
    assert act(server, "", csrf)[0] == 403
    assert ask(server, "POST", "/do/nonsense", "{}", Cookie=cookie, X_CSRF_Token=csrf)[0] == 403
    assert ask(server, "GET", "/do/settings", Cookie=cookie)[0] == 405


def test_a_wrong_key_opens_nothing(server: Live) -> None:
    for wrong in ("", "x", token(server)[:-1], "' OR 1=1 --"):
        status, headers, body = send_key(server, wrong)
        assert status == 403 and "set-cookie" not in headers and "is not valid" in body
    assert ask(server, "GET", "/", Cookie=f"review-{server.port}=forged")[0] == 401


def test_the_organisers_page_needs_its_own_key_and_names_no_variant(server: Live) -> None:
    key = server.said.partition("/organiser#")[2].split()[0]
    for wrong in ("", key[:-1], token(server)):
        status, headers, _ = send_key(server, wrong, "/organiser")
        assert status == 403 and "set-cookie" not in headers
    mine, _ = log_in(server)
    assert "Progress of the review" not in ask(server, "GET", "/organiser", Cookie=mine)[2]
    status, headers, _ = send_key(server, key, "/organiser")
    cookie = headers["set-cookie"].partition(";")[0]
    assert status == 303 and headers["location"] == "/organiser" and key not in headers["set-cookie"]
    page = ask(server, "GET", "/organiser", Cookie=cookie)[2]
    assert "Progress of the review" in page and "not started" in page and "1 minute" in page
    assert not re.search("baseline|tuned|small-instruct|adapter", page)
    assert ask(server, "GET", "/", Cookie=cookie)[0] == 401


def test_the_cookie_is_for_this_site_alone_and_out_of_reach_of_scripts(server: Live) -> None:
    headers = send_key(server, token(server))[1]
    parts = {part.strip().lower() for part in headers["set-cookie"].split(";")[1:]}
    assert {"httponly", "samesite=strict", "path=/"} <= parts
    assert token(server) not in headers["set-cookie"]


@pytest.mark.parametrize("path", ["/", "/enter", "/nowhere", "/do/submit"])
def test_every_answer_carries_what_keeps_it_private_and_inert(server: Live, path: str) -> None:
    headers = ask(server, "GET", path)[1]
    assert headers["cache-control"] == "no-store"
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["x-frame-options"] == "DENY" and headers["referrer-policy"] == "same-origin"
    policy = dict(part.strip().split(" ", 1) for part in headers["content-security-policy"].split(";"))
    assert policy["default-src"] == policy["frame-ancestors"] == policy["base-uri"] == "'none'"
    for source in (policy["script-src"], policy["style-src"]):
        assert re.fullmatch(r"'sha256-[A-Za-z0-9+/=]{44}'", source)
    assert "server" not in headers


def test_what_cannot_be_read_is_refused_in_words(server: Live) -> None:
    cookie, csrf = log_in(server)
    sent: dict[str, Any] = {"Cookie": cookie, "X_CSRF_Token": csrf}
    status, _, body = ask(server, "POST", "/do/draft", "{", **sent)
    assert status == 422 and "error" in json.loads(body)
    assert ask(server, "POST", "/do/draft", '"' + "x" * 2_100_000 + '"', **sent)[0] == 413


@pytest.mark.slow
def test_tokens_are_shown_once_and_kept_nowhere(tmp_path: Path) -> None:
    server = Live(write_sealed(tmp_path / "run"), "--reviewer", "r1")
    first = token(server)
    cookie, csrf = log_in(server)
    act(server, cookie, csrf)
    assert server.end() == 0
    server.start()
    assert log_in(server)[0] and act(server, cookie, csrf)[0] == 200
    assert server.end() == 0
    said = server.said
    assert said.count(first) == 1 and "has a link (--new-link 'r1' replaces it" in said
    assert "stopped: every confirmed change is saved" in said
    kept = b"".join(file.read_bytes() for file in server.run.rglob("*") if file.is_file())
    assert first.encode() not in kept and cookie.partition("=")[2].encode() not in kept
    server.start("--new-link", "r1")
    assert token(server) != first
    assert act(server, cookie, csrf)[0] == 403
    server.end()
