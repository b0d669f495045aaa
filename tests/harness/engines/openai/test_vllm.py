"""The engine that asks servers, against a real vLLM server: equal answers, and one that is killed in mid-run."""

import json
import os
import signal
import subprocess
import sys
import threading
import time
import urllib.request
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import pytest
from msgspec import structs

from harness.checkpoints.resolve import EMBEDDED, embedded_model, resolve
from harness.engines.base import open_engine
from harness.engines.canary import MAX_ROUNDING
from harness.engines.config import EngineConfig, Servers
from harness.engines.openai import pool
from harness.engines.openai.config import endpoint
from harness.engines.openai.pool import Pool
from harness.engines.openai.served_weights import pinned
from harness.schema import Checkpoint, Completion, Request, Sampling
from harness.suites.prompts import Renderer
from tests.harness.engines.openai.reference import MAX_LEN, QUESTIONS, requests, shown
from tests.support.adapters import save_adapter
from tests.support.processes import free_port

ROOT = Path(__file__).parents[4]
KEY = "key-of-the-test"
START_S = 300
Sent = list[tuple[str, tuple[int, ...]]]
"""Model and prompt of each question that left for the server."""
pytestmark = [
    pytest.mark.slow,
    pytest.mark.vllm,
    pytest.mark.skipif(not os.environ.get("TUNEGATE_SERVERS"), reason="starts servers for minutes: TUNEGATE_SERVERS=1"),
]


class Served:
    """A vLLM server of the embedded model and one adapter, in a process group of its own."""

    def __init__(self, root: Path) -> None:
        self.model = embedded_model()  # Now: a test with a cache of its own would unpack another copy.
        self.adapter = save_adapter(self.model, root / "a0", seed=1, std=0.02, r=8, lora_alpha=16)
        self.log = root / "server.log"
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"

    def start(self) -> None:
        """Start it, and wait until it is healthy."""
        words = ["--model", str(self.model), "--served-model-name", "base", "--enable-lora", "--max-loras", "2"]
        words += ["--max-lora-rank", "8", "--lora-modules", f"clauses={self.adapter}", "--api-key", KEY]
        words += ["--host", "127.0.0.1", "--port", str(self.port), "--max-model-len", str(MAX_LEN), "--enforce-eager"]
        words += ["--kv-cache-memory-bytes", str(1 << 28), "--max-num-batched-tokens", "512", "--max-num-seqs", "16"]
        quiet = {
            "VLLM_NO_USAGE_STATS": "1",
            "DO_NOT_TRACK": "1",
            "HF_HUB_OFFLINE": "1",
            "VLLM_LOGGING_LEVEL": "WARNING",
        }
        threads = {"VLLM_CPU_OMP_THREADS_BIND": "nobind", "OMP_WAIT_POLICY": "PASSIVE"}
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "vllm.entrypoints.openai.api_server", *words],
                env=os.environ | quiet | threads,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        end = time.monotonic() + START_S
        while not self.healthy():
            assert self.process.poll() is None and time.monotonic() < end, self.log.read_text("utf-8")[-3000:]
            time.sleep(0.5)

    def healthy(self) -> bool:
        try:
            with urllib.request.urlopen(f"{self.url}/health", timeout=5) as answer:
                return bool(answer.status == 200)
        except OSError:
            return False

    def kill(self) -> None:
        """SIGKILL to every process of it."""
        os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    server = Served(tmp_path_factory.mktemp("served"))
    server.start()
    yield server
    server.kill()


@pytest.fixture(scope="module")
def reference(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """Answers of vLLM in a process without a server."""
    root = tmp_path_factory.mktemp("reference")
    adapter = save_adapter(embedded_model(), root / "a0", seed=1, std=0.02, r=8, lora_alpha=16)
    command = [sys.executable, "-m", "tests.harness.engines.openai.reference", str(adapter), str(root / "found.json")]
    given = os.environ | {"OMP_WAIT_POLICY": "PASSIVE", "VLLM_ENABLE_V1_MULTIPROCESSING": "0"}
    done = subprocess.run(command, cwd=ROOT, env=given, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-3000:]
    found: dict[str, Any] = json.loads((root / "found.json").read_text())
    return found


@pytest.fixture(scope="module")
def models() -> Path:
    """Folder of the embedded model, found before a test gets a cache of its own."""
    return embedded_model().parent


@pytest.fixture(autouse=True)
def own_cache(models: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """The embedded model that is there, and no completion of another test."""
    (tmp_path / "cache").mkdir()
    (tmp_path / "cache" / "models").symlink_to(models)
    monkeypatch.setenv("TUNEGATE_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("TUNEGATE_API_KEY", KEY)
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")


CHECKPOINTS = {"baseline": "base", "tuned": "clauses"}


def checkpoints(names: dict[str, str] = CHECKPOINTS) -> dict[str, Checkpoint]:
    return {variant: endpoint(name, EMBEDDED) for variant, name in names.items()}


def opened(served: Served, found: dict[str, Checkpoint], **settings: Any) -> Any:
    given = EngineConfig(servers=Servers(urls=(served.url,)), patience_s=START_S, **settings)
    return open_engine(structs.replace(given, name="openai"), found, max_model_len=MAX_LEN)


def short(renderer: Renderer, variants: Iterable[str], times: int = 1) -> list[Request]:
    """Eight questions to each variant, asked in so many forms, with short answers."""
    how = Sampling(max_tokens=6, stop_ids=renderer.stop_ids)
    asked = [question + " Please." * i for i in range(times) for question in QUESTIONS]
    ids = [renderer.prompt([{"role": "user", "content": text}]).ids for text in asked]
    return [Request(key=f"{v}-{i}", ids=one, sampling=how, variant=v) for v in variants for i, one in enumerate(ids)]


@pytest.fixture
def sent(monkeypatch: pytest.MonkeyPatch) -> Sent:
    """Model and prompt of every question that leaves for the server, in order; the canary's are left out."""
    found: Sent = []
    real = Pool.send

    async def send(
        self: Pool, server: Any, method: str, path: str, body: dict[str, Any] | None = None
    ) -> dict[str, Any]:
        if body and body["max_tokens"] != 8:
            found.append((body["model"], tuple(body["prompt"])))
        return await real(self, server, method, path, body)

    monkeypatch.setattr(Pool, "send", send)
    return found


def test_a_server_answers_as_the_engine_in_process_does(served: Served, reference: dict[str, Any]) -> None:
    found = checkpoints()
    engine = opened(served, found, batch=1)
    answers = {c.key: shown(c) for c in engine.generate(requests(Renderer(found["baseline"].path)))}
    record = engine.describe()
    engine.close()
    assert answers.keys() == reference.keys() and len(answers) == 22
    assert [key for key in reference if answers[key] != reference[key]] == []
    assert any(answers[f"baseline-{i}"]["logprobs"] != answers[f"tuned-{i}"]["logprobs"] for i in range(8))
    canary = record["canary"][f"clauses at {served.url}"]
    # The canary's requests are sent at once, and the server batches those that are there: rounding differs.
    assert canary["noise"] <= MAX_ROUNDING and canary["effect"]["clauses"] > max(canary["noise"], 0.01)
    assert record["version"].startswith("vllm 0.") and record["arguments"]["text_from_ids"] is True
    assert record["servers"][served.url]["models"]["clauses"]["parent"] == "base"
    assert record["latency_ms"]["tuned"]["answers"] == 11


def test_base_and_adapter_of_a_server_are_pinned_by_its_process(served: Served) -> None:
    servers = Servers(urls=(served.url,))
    local = {"base": str(embedded_model()), "clauses": str(served.adapter)}
    found = {name: pinned(endpoint(name, of), of, servers) for name, of in local.items()}
    assert {name: (one.pin, one.unpinned_because) for name, one in found.items()} == {
        "base": ("server process", ""), "clauses": ("server process", ""),
    }  # fmt: skip
    assert {name: one.digest for name, one in found.items()} == {n: resolve(of).digest for n, of in local.items()}
    engine = opened(served, {"baseline": found["base"], "tuned": found["clauses"]})
    assert engine.describe()["unpinned"] is False
    engine.close()
    (served.adapter / "adapter_config.json").touch()
    again = pinned(endpoint("clauses", str(served.adapter)), str(served.adapter), servers)
    assert again.pin == "name" and "changed after process" in again.unpinned_because


def test_a_server_killed_in_mid_run_and_started_again_finishes_it(
    served: Served, sent: Sent, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pool, "PROVE_EVERY_S", 0.2)
    found = checkpoints({"tuned": "base"})
    asked = short(Renderer(found["tuned"].path), found, times=5)
    engine = opened(served, found, batch=4)
    unbroken = {c.key: c.text for c in engine.generate(asked)}
    assert len(sent) == len(asked) == 40
    sent.clear()
    arrived: list[Completion] = []
    starting = threading.Thread(target=served.start)
    flushed: set[tuple[int, ...]] = set()
    ids = {request.key: request.ids for request in asked}
    for completion in engine.generate(asked):
        arrived.append(completion)
        if len(arrived) == 8:
            served.kill()
            flushed = {ids[c.key] for c in arrived}
            before = len(sent)
            starting.start()
    starting.join()
    faults = engine.describe()["servers"][served.url]["faults"]
    engine.close()
    again = {c.key: c.text for c in arrived}
    assert again.keys() == unbroken.keys() and len(arrived) == 40
    # A request whose batch is another, after the fault or beside a canary, is rounded otherwise: near ties may flip.
    assert sum(again[key] != unbroken[key] for key in again) <= 2
    assert faults["connection"] >= 1 and 40 < len(sent) <= 40 + 4
    assert flushed.isdisjoint(prompt for _, prompt in sent[before:])
