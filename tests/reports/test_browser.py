"""Reports in a real Chromium: no request, no blocked style, no script from any text, readable at 320 pixels.

Chromium runs headless through its command line; a page tells what happened in its document and on standard error.
"""

from __future__ import annotations

import html as markup
import re
import shutil
import subprocess
import threading
from collections.abc import Callable, Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

import reports
from harness.store import RunData
from reports import html
from tests.reports.hostile import ATTACKS, RUN, model_of, random_texts

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
pytestmark = [
    pytest.mark.browser,
    pytest.mark.slow,
    pytest.mark.skipif(CHROMIUM is None, reason="no Chromium on this machine: install the package chromium"),
]
POLICY = re.compile(r'<meta http-equiv="Content-Security-Policy"[^>]*>')
MEASURE = "document.documentElement.dataset.wide = document.scrollingElement.scrollWidth"
PROBE = f"<script>addEventListener('load', () => {{ {MEASURE}; }})</script>"

Open = Callable[..., tuple[str, str]]


class Server(ThreadingHTTPServer):
    """Serves a folder and remembers what was asked for."""

    asked: list[str]


class Handler(SimpleHTTPRequestHandler):
    def do_GET(self) -> None:
        assert isinstance(self.server, Server)
        self.server.asked.append(self.path)
        super().do_GET()

    def log_message(self, format: str, *args: object) -> None:
        """Keep the test's output quiet."""


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    made = Server(("127.0.0.1", 0), partial(Handler, directory=str(tmp_path)))
    made.asked = []
    thread = threading.Thread(target=made.serve_forever, daemon=True)
    thread.start()
    yield made
    made.shutdown()
    made.server_close()


@pytest.fixture
def open_page(tmp_path: Path, server: Server) -> Open:
    """Write a page, open it, and return its final document and what Chromium said of it."""

    def open_(page: str, *flags: str) -> tuple[str, str]:
        (tmp_path / "page.html").write_text(page, "utf-8")
        assert CHROMIUM is not None
        base = ["--headless", "--no-sandbox", "--disable-gpu", "--enable-logging=stderr", "--hide-scrollbars"]
        profile = f"--user-data-dir={tmp_path / 'profile'}"
        address = f"http://127.0.0.1:{server.server_port}/page.html"
        done = subprocess.run(
            [CHROMIUM, *base, profile, "--virtual-time-budget=2000", *flags, "--dump-dom", address],
            capture_output=True,
            text=True,
            timeout=120,
            check=True,
        )
        console = [line for line in done.stderr.splitlines() if "CONSOLE" in line]
        return done.stdout, "\n".join(console)

    return open_


def ran_script(document: str) -> bool:
    return re.search(r"<html[^>]*data-pwned", document) is not None


def full_report(run: RunData, training_run: RunData) -> str:
    return html.render(reports.build([run, training_run]))


def test_the_probe_sees_a_script_that_does_run(open_page: Open) -> None:
    document, _ = open_page(f"<!doctype html><html><body><script>{RUN}</script></body></html>")
    assert ran_script(document)


def test_the_probe_sees_a_blocked_style(open_page: Open, run: RunData, training_run: RunData) -> None:
    page = full_report(run, training_run).replace("<main>", '<main style="color: red">')
    assert "Content Security Policy" in open_page(page)[1]


@pytest.mark.parametrize("theme", ["0", "1"], ids=["dark", "light"])
def test_a_report_makes_no_request_and_breaks_no_policy(
    open_page: Open, server: Server, run: RunData, training_run: RunData, theme: str
) -> None:
    document, console = open_page(full_report(run, training_run), f"--blink-settings=preferredColorScheme={theme}")
    assert "Sign-off" in document
    assert console == ""
    assert [path for path in server.asked if path != "/favicon.ico"] == ["/page.html"]


@pytest.mark.parametrize("layer", ["both", "escaping alone", "policy alone"])
def test_hostile_texts_are_inert_with_either_layer_alone(open_page: Open, server: Server, layer: str) -> None:
    local = [text.replace("https://evil.example", f"http://127.0.0.1:{server.server_port}/evil") for text in ATTACKS]
    page = html.render(model_of([*local, *random_texts(100)]))
    if layer == "escaping alone":
        page = POLICY.sub("", page)
    if layer == "policy alone":
        head, body = page.split("</head>")
        page = f"{head}</head>{markup.unescape(body)}"
    document, _ = open_page(page)
    assert not ran_script(document)
    assert not [path for path in server.asked if "evil" in path]


def test_without_either_layer_the_same_texts_do_run(open_page: Open) -> None:
    head, body = POLICY.sub("", html.render(model_of(ATTACKS))).split("</head>")
    assert ran_script(open_page(f"{head}</head>{markup.unescape(body)}")[0])


@pytest.mark.parametrize("width", [320, 1280])
def test_a_page_never_scrolls_sideways(
    open_page: Open, tmp_path: Path, run: RunData, training_run: RunData, width: int
) -> None:
    report = POLICY.sub("", full_report(run, training_run)).replace("</head>", f"{PROBE}</head>")
    (tmp_path / "report.html").write_text(report, "utf-8")
    say = "document.documentElement.dataset.wide = f.contentDocument.documentElement.dataset.wide"
    frame = f'<iframe id="f" src="report.html" width="{width}" height="800" onload="{say}"></iframe>'
    document, _ = open_page(f"<!doctype html><html><body>{frame}</body></html>", "--window-size=1400,900")
    found = re.search(r'<html[^>]*data-wide="(\d+)"', document)
    assert found is not None and int(found[1]) <= width
