"""`tunegate serve` with vLLM's own server: an adapter that a real run approved, merged and judged again, or as LoRA."""

import json
import os
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

import pytest

from harness.checkpoints.resolve import EMBEDDED, embedded_model
from harness.runs.folder import load_manifest
from harness.schema import Manifest
from harness.serving.smoke_test import probe
from tests.harness.serving.test_merged import CASES, PASSES
from tests.support.adapters import save_adapter
from tests.support.mini import write_suite
from tests.support.processes import free_port

KEY = "key-of-the-test"
PATIENCE_S = 1500
pytestmark = [
    pytest.mark.slow,
    pytest.mark.vllm,
    pytest.mark.skipif(not os.environ.get("TUNEGATE_SERVERS"), reason="starts servers for minutes: TUNEGATE_SERVERS=1"),
]


class Project:
    """A folder with a suite, an adapter of the embedded model, and the real run that approved it."""

    def __init__(self, root: Path) -> None:
        self.root = root
        (root / "cache").mkdir()
        (root / "cache" / "models").symlink_to(embedded_model().parent)
        write_suite(root, CASES, gates=PASSES)
        self.adapter = save_adapter(embedded_model(), root / "clauses", seed=1, std=0.02, r=8, lora_alpha=16)
        self.tunegate("approval")
        self.tunegate("compare", EMBEDDED, str(self.adapter))

    def command(self, *words: str) -> list[str]:
        return [sys.executable, "-m", "tunegate.cli.main", *words]

    def environment(self, **more: str) -> dict[str, str]:
        return os.environ | {"TUNEGATE_CACHE": str(self.root / "cache"), "OMP_WAIT_POLICY": "PASSIVE"} | more

    def tunegate(self, *words: str) -> str:
        """Run the command; what it said on both channels."""
        done = subprocess.run(
            self.command(*words),
            cwd=self.root,
            env=self.environment(),
            capture_output=True,
            text=True,
            timeout=PATIENCE_S,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout + done.stderr

    def manifests(self, kind: str) -> list[Manifest]:
        found = [load_manifest(path) for path in sorted((self.root / "runs").iterdir()) if path.is_dir()]
        return [manifest for manifest in found if manifest.kind == kind]


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Project:
    return Project(tmp_path_factory.mktemp("served"))


@pytest.fixture
def port() -> str:
    return str(free_port())


def group(leader: int) -> list[str]:
    """Command lines of the processes in a group."""
    listed = subprocess.run(["ps", "-eo", "pgid=,stat=,args="], capture_output=True, text=True, check=True).stdout
    split = [line.split(None, 2) for line in listed.splitlines()]
    return [args for pgid, state, args in split if int(pgid) == leader and "Z" not in state]


def server_of(parent: int) -> int:
    """The one child of `tunegate serve`, which leads the server's group."""
    return int(Path(f"/proc/{parent}/task/{parent}/children").read_text().split()[-1])


def findings(manifest: Manifest) -> dict[str, Any]:
    return {found["check"]: found for found in manifest.engine["smoke"]["findings"]}


def test_merged_weights_are_judged_again_served_with_a_key_and_stopped(project: Project, port: str) -> None:
    out = project.root / "out"
    words = ["serve", str(project.adapter), "--port", port, "--max-model-len", "256"]
    with out.open("w") as file:
        process = subprocess.Popen(
            project.command(*words),
            cwd=project.root,
            env=project.environment(TUNEGATE_SERVE_KEY=KEY),
            stdout=file,
            stderr=file,
        )
    end = time.monotonic() + PATIENCE_S
    while "[5/5] serving until interrupted" not in out.read_text():
        assert process.poll() is None and time.monotonic() < end, out.read_text()
        time.sleep(0.5)
    leader = server_of(process.pid)
    assert len(group(leader)) >= 2
    url = f"http://127.0.0.1:{port}"
    body = {"model": "clauses", "messages": [{"role": "user", "content": "Hello"}], "max_tokens": 4, "temperature": 0}
    status, said = probe(f"{url}/v1/chat/completions", KEY, body)
    assert status == 200 and said["model"] == "clauses" and said["usage"]["completion_tokens"] == 4
    assert [probe(f"{url}{path}", None, body)[0] for path in ("/v1/chat/completions", "/invocations")] == [401, 404]
    process.send_signal(signal.SIGTERM)
    assert process.wait(120) == 0, out.read_text()
    assert group(leader) == [] and probe(f"{url}/health")[0] == 0
    first, again = project.manifests("eval")
    (kept,) = project.manifests("serve")
    assert first.checkpoints["tuned"].kind == "adapter" and again.checkpoints["tuned"].kind == "model"
    assert [info.gates_hash for info in first.suites] == [info.gates_hash for info in again.suites]
    assert kept.engine["served"]["content"] == again.checkpoints["tuned"].digest
    policy = "evalsuites/approval.toml"
    says = [f"approved by {policy}: legal/mini by run {run.run_id}, 1 gate passed" for run in (first, again)]
    assert kept.notes[:2] == says
    assert [note.split(" (seal ")[0] for note in kept.notes[2:]] == [
        f"legal/mini: run {run.run_id}" for run in (first, again)
    ]
    assert "12 answers equal the recorded ones" in findings(kept)["answers"]["says"]
    assert KEY not in out.read_text() + "".join(p.read_text() for p in (project.root / "runs" / kept.run_id).iterdir())
    print(out.read_text())


def asked(url: str, body: Any, **headers: str) -> tuple[int, Any]:
    """Status and JSON of a POST with other headers than the server's key."""
    named = {"Content-Type": "application/json"} | {name.replace("_", "-"): value for name, value in headers.items()}
    request = urllib.request.Request(url, json.dumps(body).encode(), named)
    try:
        with urllib.request.urlopen(request, timeout=120) as answer:
            return answer.status, json.loads(answer.read())
    except urllib.error.HTTPError as error:
        return error.code, json.loads(error.read())


@pytest.mark.parametrize("platform", ["sagemaker", "vertex"])
def test_a_served_adapter_is_answered_through_the_routes_of_a_platform(
    platform: str, project: Project, port: str
) -> None:
    """As LoRA next to its base, so that a request without a model could be answered by the wrong one."""
    routes = {"sagemaker": ("/ping", "/invocations"), "vertex": ("/v1/endpoints/7", "/v1/endpoints/7:predict")}[
        platform
    ]
    scripts = project.root / f"scripts-{platform}"
    scripts.mkdir()
    (scripts / "model.py").write_text(f"open({str(scripts / 'ran')!r}, 'w')")
    words = ["serve", str(project.adapter), "--lora", "force", "--max-model-len", "256", "--platform", platform]
    out = project.root / f"out-{platform}"
    with out.open("w") as file:
        process = subprocess.Popen(
            project.command(*words, "--host", "127.0.0.1"),
            cwd=project.root,
            env=project.environment(
                TUNEGATE_SERVE_KEY=KEY,
                SAGEMAKER_BIND_TO_PORT=port,
                SAGEMAKER_MODEL_PATH=str(scripts),
                AIP_HTTP_PORT=port,
                AIP_HEALTH_ROUTE="/v1/endpoints/7",
                AIP_PREDICT_ROUTE="/v1/endpoints/7:predict",
            ),
            stdout=file,
            stderr=file,
        )
    try:
        end = time.monotonic() + PATIENCE_S
        while "[5/5] serving until interrupted" not in out.read_text():
            assert process.poll() is None and time.monotonic() < end, out.read_text()
            time.sleep(0.5)
        health, predict = (f"http://127.0.0.1:{port}{path}" for path in routes)
        assert probe(health)[0] == 200
        chat = {"messages": [{"role": "user", "content": "Hello"}], "max_tokens": 4, "temperature": 0}
        assert asked(predict, chat)[0] == 401
        status, said = asked(predict, chat, X_Amzn_SageMaker_Custom_Attributes=KEY)
        assert (status, said["model"], said["usage"]["completion_tokens"]) == (200, "clauses", 4)
        url = f"http://127.0.0.1:{port}/v1"
        listed = probe(f"{url}/models", KEY)[1]["data"]
        assert [card["id"] for card in listed] == ["clauses", "base"]
        for nameless in (chat, chat | {"model": ""}, chat | {"model": None}):
            status, plain = probe(f"{url}/chat/completions", KEY, nameless)
            assert (status, plain["model"]) == (200, "clauses")
            assert plain["choices"][0]["message"] == said["choices"][0]["message"]
        body = {"instances": [chat, {"prompt": "Rent is", "max_tokens": 2}], "parameters": {"temperature": 0}}
        status, many = asked(predict, body, Authorization=f"Bearer {KEY}")
        assert status == 200 and [found["object"] for found in many["predictions"]] == [
            "chat.completion", "text_completion",
        ]  # fmt: skip
        assert many["predictions"][0]["choices"][0]["message"] == said["choices"][0]["message"]
        assert asked(predict, {"text": "x"}, Authorization=f"Bearer {KEY}")[0] == 400
        other = "/v1/endpoints/7:predict" if platform == "sagemaker" else "/invocations"
        assert asked(f"http://127.0.0.1:{port}{other}", chat)[0] in (401, 404)
    finally:
        process.send_signal(signal.SIGTERM)
        assert process.wait(120) == 0, out.read_text()
    kept = project.manifests("serve")[-1]
    assert findings(kept)[f"routes of {platform}"]["ok"] and kept.engine["served"]["platform"]["predict"] == routes[1]
    assert not (scripts / "ran").exists()
    print(out.read_text())


def test_an_adapter_is_served_as_lora_beside_its_base(project: Project, port: str) -> None:
    words = ["--lora", "force", "--max-model-len", "256", "--name", "leases", "--check"]
    said = project.tunegate("serve", str(project.adapter), "--port", port, *words)
    kept = project.manifests("serve")[-1]
    found = findings(kept)
    assert kept.engine["ways"] == {"tuned": "lora"} and found["models"]["says"] == "served: leases, base"
    assert found["no model"]["says"].endswith("/v1/completions gives 'leases', expected 'leases'")
    assert "the adapter moves log probabilities by up to 0." in found["answers"]["says"]
    assert "of 12 answers equal the recorded ones" in found["answers"]["says"]
    assert json.dumps(kept.engine["command"]).count("--max-loras") == 1
    print(said)
