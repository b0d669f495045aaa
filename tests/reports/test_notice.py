"""The notice of a run, as a web server receives it."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest

from tests.support import mini
from tests.support.command import tunegate

SECRET = "T000/B000/hunter2hunter2"


class Hook(HTTPServer):
    """Keeps what it receives and answers with `code`, with 0 in another protocol."""

    code = 200

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Receiver)
        self.received: list[tuple[str, Any]] = []

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}/services/{SECRET}"


class Receiver(BaseHTTPRequestHandler):
    server: Hook

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.server.received.append((self.path, body))
        if self.server.code:
            self.send_response(self.server.code)
            self.end_headers()
        else:
            self.wfile.write(b"220 mail\r\n")

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def hook() -> Iterator[Hook]:
    with Hook() as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield server
        server.shutdown()


@pytest.fixture
def project(tmp_path: Path) -> Path:
    mini.write_suite(tmp_path)
    answers = mini.right(mini.rows())
    mini.write_script(tmp_path, tuned=answers | dict.fromkeys([f"c{i}" for i in range(1, 40, 2)], "none"))
    return tmp_path


def evaluate(project: Path, *words: str, **environment: str) -> Any:
    suite = str(project / "evalsuites/legal/mini")
    words = ("--suite", suite, "--engine", "fake", "--script", "script.json", *words)
    return tunegate(project, "eval", "a<b", *words, **environment)


def stored(project: Path) -> bytes:
    return b"".join(file.read_bytes() for file in (project / "runs").rglob("*") if file.is_file())


def test_the_hook_receives_verdict_counts_and_link_and_its_address_is_not_stored(project: Path, hook: Hook) -> None:
    done = evaluate(project, TUNEGATE_NOTIFY=hook.url, CI_JOB_URL="https://ci.example/jobs/7")
    ((path, body),) = hook.received
    (run,) = (project / "runs").iterdir()
    assert done.returncode == 1 and SECRET in path and list(body) == ["text"]
    assert body["text"].splitlines()[0].startswith("*FAIL*: 1 fail") and "a&lt;b" in body["text"]
    assert "FAIL: legal/mini clause recall at least 50.0%" in body["text"]
    assert body["text"].endswith(f"<https://ci.example/jobs/7|{run.name}>")
    assert SECRET not in done.stdout + done.stderr and SECRET.encode() not in stored(project)


def test_pytest_sends_it_too(project: Path, hook: Hook) -> None:
    done = mini.pytest_in(project, "--checkpoint", "new", "--eval-notify", hook.url)
    assert done.returncode == 1 and len(hook.received) == 1
    assert "|" in hook.received[0][1]["text"] and SECRET.encode() not in stored(project)


def test_a_pass_beside_what_was_not_run_says_so(project: Path, hook: Hook) -> None:
    mini.write_script(project, tuned=mini.right(mini.rows()))
    (mini.write_suite(project, name="other") / "test_other.py").write_text("def test_plain():\n    assert not 1\n")
    words = ("eval", "new", "--engine", "fake", "--script", "script.json", "--notify", hook.url)
    assert tunegate(project, *words).returncode == 0
    done = mini.pytest_in(project, "--checkpoint", "new", "--eval-notify", hook.url)
    assert done.returncode == 1, done.stdout
    by_command, by_pytest = (body["text"].splitlines() for _, body in hook.received)
    assert by_command[0] == by_pytest[0] == "*PASS*: 3 pass"
    assert by_command[2] == "not run: evalsuites/legal/other/gates.toml belongs to no suite that was found"
    assert by_pytest[2] == "pytest ended with exit code 1"


@pytest.mark.slow
def test_a_notice_that_is_not_taken_is_one_line_and_changes_no_exit_code(project: Path, hook: Hook) -> None:
    hook.code = 404
    done = evaluate(project, "--notify", hook.url)
    assert done.returncode == 1
    assert done.stderr.count("the notice was not sent: 127.0.0.1 answered 404. The run is kept") == 1
    hook.code = 0
    done = evaluate(project, "--notify", hook.url)
    assert done.returncode == 1 and "127.0.0.1 did not answer (BadStatusLine)" in done.stderr
    done = evaluate(project, "--notify", f"http://127.0.0.1:9/{SECRET}")
    assert done.returncode == 1 and "127.0.0.1 did not answer (URLError)" in done.stderr
    assert SECRET not in done.stderr


@pytest.mark.parametrize("address", [f"file:///{SECRET}", f"http://localhost:{SECRET}/"])
def test_what_is_no_address_is_refused_without_repeating_it(project: Path, address: str) -> None:
    done = evaluate(project, "--notify", address)
    assert done.returncode == 4 and "not an address" in done.stderr and SECRET not in done.stderr
    assert not (project / "runs").exists()
