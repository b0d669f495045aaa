"""`tunegate serve` with vLLM's own server: an adapter that a real run approved, merged and judged again, or as LoRA."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from harness.checkpoints import EMBEDDED, embedded_model
from harness.schema import Manifest
from harness.serving.probe import probe
from harness.store import load_manifest
from tests.harness.adapters import save_adapter
from tests.harness.mini import rows, write_suite
from tests.harness.serving.test_merged import PASSES

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
        write_suite(root, rows(12), gates=PASSES)
        self.adapter = save_adapter(embedded_model(), root / "clauses", seed=1, std=0.02, r=8, lora_alpha=16)
        self.tunegate("compare", EMBEDDED, str(self.adapter))

    def command(self, *words: str) -> list[str]:
        return [sys.executable, "-m", "harness.cli", *words]

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
def port() -> Iterator[str]:
    with socket.socket() as own:
        own.bind(("127.0.0.1", 0))
        free = str(own.getsockname()[1])
    yield free


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
    assert kept.notes == [f"approved by run {run.run_id}: 1 gates passed" for run in (first, again)]
    assert "12 answers equal the recorded ones" in findings(kept)["answers"]["says"]
    assert KEY not in out.read_text() + "".join(p.read_text() for p in (project.root / "runs" / kept.run_id).iterdir())
    print(out.read_text())


def test_an_adapter_is_served_as_lora_beside_its_base(project: Project, port: str) -> None:
    words = ["--lora", "force", "--max-model-len", "256", "--name", "leases", "--check"]
    said = project.tunegate("serve", str(project.adapter), "--port", port, *words)
    kept = project.manifests("serve")[-1]
    found = findings(kept)
    assert kept.engine["ways"] == {"tuned": "lora"} and found["models"]["says"] == "served: base, leases"
    assert "the adapter moves log probabilities by up to 0." in found["answers"]["says"]
    assert "of 12 answers equal the recorded ones" in found["answers"]["says"]
    assert json.dumps(kept.engine["command"]).count("--max-loras") == 1
    print(said)
