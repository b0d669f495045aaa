"""A model card on the Hub: what the Hub's own client sends to a local server that records it."""

from __future__ import annotations

import base64
import json
import subprocess
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import pytest
import yaml

from harness.errors import UserError
from reports.exports.hub import push as upload
from tests.support.command import PROGRAMS, ROOT, TUNEGATE, run
from tests.support.gated import write_project, write_run
from training import model_card

TOKEN = "hf_made_up_for_this_test"


class Hub(BaseHTTPRequestHandler):
    """The calls of the Hub's API that an upload of small files makes."""

    seen: list[tuple[str, str, bytes]]
    refuses = 0

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.seen.append((self.path, self.headers.get("Authorization", ""), body))
        if self.path == "/api/validate-yaml":
            self.answer(200, {"errors": [], "warnings": []})
        elif self.refuses:
            code = {"X-Error-Code": "RepoNotFound"} if self.refuses == 404 else {}
            self.answer(self.refuses, {"error": "refused"}, code)
        elif "/preupload/" in self.path:
            files = [{"path": f["path"], "uploadMode": "regular"} for f in json.loads(body)["files"]]
            self.answer(200, {"files": [file | {"shouldIgnore": False} for file in files]})
        else:
            self.answer(200, {"commitOid": "c" * 40, "commitUrl": f"http://{self.headers['Host']}/org/name/commit/c"})

    def answer(self, status: int, content: dict[str, Any], headers: dict[str, str] | None = None) -> None:
        data = json.dumps(content).encode()
        self.send_response(status)
        for name, value in {"Content-Length": str(len(data)), **(headers or {})}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, format: str, *words: object) -> None:
        """Print nothing."""


@pytest.fixture
def hub() -> Iterator[tuple[type[Hub], str]]:
    """The server's class, with what it saw, and its address."""
    handler = type("Recorded", (Hub,), {"seen": []})
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        yield handler, f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


def push(folder: Path, address: str, repository: str) -> subprocess.CompletedProcess[str]:
    own = {"HF_ENDPOINT": address, "HF_TOKEN": TOKEN, "HF_HOME": f"{folder}/hf", "TUNEGATE_CACHE": f"{folder}/c"}
    paths = {"PYTHONPATH": str(ROOT), "PATH": str(PROGRAMS), "HOME": str(folder)}
    words = ("model-card", "model", "--push", repository, "--runs", "evals")
    return run(*TUNEGATE, *words, cwd=folder, env=own | paths)


@pytest.fixture
def project(tiny_model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A model with a card and a curve, and a run that judged it."""
    monkeypatch.chdir(tmp_path)
    model = tmp_path / "model"
    model.mkdir()
    for file in tiny_model.iterdir():
        (model / file.name).symlink_to(file)
    card = f"---\nlicense: mit\n---\n# Mine\n\n{model_card.BEGIN}\n{model_card.NOT_JUDGED}\n{model_card.END}\n"
    (model / "README.md").write_text(card)
    (model / model_card.CURVE).write_text("<svg/>")
    write_project(tmp_path)
    write_run(tmp_path / "evals", model, "pass", "pass")
    return tmp_path


@pytest.mark.slow
def test_the_client_sends_the_card_its_metrics_and_its_curve(project: Path, hub: tuple[type[Hub], str]) -> None:
    server, address = hub
    done = push(project, address, "org/name")
    assert done.returncode == 0 and f"pushed: {address}/org/name/commit/c\n" in done.stdout, done.stderr
    assert [path for path, _, _ in server.seen] == [
        "/api/validate-yaml",
        "/api/models/org/name/preupload/main",
        "/api/models/org/name/commit/main",
    ]
    assert {sent for _, sent, _ in server.seen[1:]} == {f"Bearer {TOKEN}"}
    _, *lines = [json.loads(line)["value"] for line in server.seen[2][2].splitlines()]
    files = {line["path"]: base64.b64decode(line["content"]).decode() for line in lines}
    assert files.keys() == {"README.md", model_card.CURVE} and files[model_card.CURVE] == "<svg/>"
    head = yaml.safe_load(files["README.md"].split("---\n")[1])
    assert head["license"] == "mit" and head["model-index"][0]["name"] == "model"
    metrics = head["model-index"][0]["results"][0]["metrics"]
    assert {metric["type"]: metric["value"] for metric in metrics}["clause_recall"] == 1.0
    assert "Approved by evalsuites/approval.toml" in files["README.md"]
    written = [file.read_bytes() for file in project.rglob("*") if file.is_file()]
    assert TOKEN not in done.stdout + done.stderr and not any(TOKEN.encode() in data for data in written)


@pytest.mark.parametrize(
    ("refuses", "repository", "says"),
    [
        (404, "org/name", "the Hub has no such model repository"),
        (403, "org/name", "not uploaded: "),
        (0, "not a name", "--push not a name: not uploaded: "),
    ],
)
def test_what_the_hub_refuses_is_one_line(
    hub: tuple[type[Hub], str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    refuses: int,
    repository: str,
    says: str,
) -> None:
    server, address = hub
    server.refuses = refuses
    monkeypatch.setattr("huggingface_hub.constants.ENDPOINT", address)
    monkeypatch.setenv("HF_TOKEN", TOKEN)
    card = tmp_path / "README.md"
    card.write_text("---\nlicense: mit\n---\n# Mine\n")
    with pytest.raises(UserError) as refused:
        upload(card, repository, None)
    assert says in str(refused.value) and "\n" not in str(refused.value) and TOKEN not in str(refused.value)


@pytest.mark.parametrize(("head", "says"), [("license: mit", "Connection refused"), ("a: [", "while parsing")])
def test_a_hub_that_does_not_answer_and_a_card_that_cannot_be_read_are_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, head: str, says: str
) -> None:
    monkeypatch.setattr("huggingface_hub.constants.ENDPOINT", "http://127.0.0.1:9")
    card = tmp_path / "README.md"
    card.write_text(f"---\n{head}\n---\n# Mine\n")
    with pytest.raises(UserError, match=f"not uploaded: .*{says}") as refused:
        upload(card, "org/name", None)
    assert "\n" not in str(refused.value)
