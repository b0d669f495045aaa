"""Real engines on Ray with the embedded model, two on two cores: the answers of one process, and what goes wrong."""

import json
import os
import secrets
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from harness.checkpoints.resolve import embedded_model
from tests.harness.engines.ray.scenarios import CHOICES, TOO_LONG
from tests.support.processes import free_port

ROOT = Path(__file__).parents[4]
LIMIT_S = 3600
pytestmark = [
    pytest.mark.slow,
    pytest.mark.vllm,
    pytest.mark.skipif(not os.environ.get("TUNEGATE_RAY"), reason="starts Ray and vLLM for minutes: TUNEGATE_RAY=1"),
]


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A cache of its own that has the embedded model."""
    pytest.importorskip("ray")
    pytest.importorskip("vllm")
    folder = tmp_path_factory.mktemp("ray")
    (folder / "cache").mkdir()
    (folder / "cache" / "models").symlink_to(embedded_model().parent)
    return folder


def scenario(root: Path, name: str, **env: str) -> dict[str, Any]:
    """Run one of tests/harness/engines/ray/scenarios.py in a process group of its own, and read what it found."""
    out = root / f"{name}.json"
    given = os.environ | {"TUNEGATE_CACHE": str(root / "cache"), "OMP_WAIT_POLICY": "PASSIVE"} | env
    given.pop("RAY_ADDRESS", None) if "RAY_ADDRESS" not in env else None
    command = [sys.executable, "-m", "tests.harness.engines.ray.scenarios", str(root), str(out), name]
    log = root / f"{name}.log"
    with log.open("w") as opened:
        done = subprocess.Popen(command, cwd=ROOT, env=given, stdout=opened, stderr=opened, start_new_session=True)
        try:
            code = done.wait(LIMIT_S)
        finally:
            if done.poll() is None:
                os.killpg(done.pid, signal.SIGKILL)
    assert code == 0, log.read_text()[-3000:]
    found: dict[str, Any] = json.loads(out.read_text())
    return found | {"log": log.read_text()}


def of_scenario(name: str) -> Any:
    """A fixture with what one scenario found."""
    return pytest.fixture(scope="module", name=name)(lambda root: scenario(root, name))


in_process, shared, merged = map(of_scenario, ("in_process", "shared", "merged"))


def answers(found: dict[str, Any], variant: str) -> dict[str, Any]:
    return {key: answer for key, answer in found["answers"].items() if key.startswith(f"{variant}-")}


def test_base_and_adapter_answer_as_in_one_process_token_by_token(shared: Any, in_process: Any) -> None:
    for variant in ("baseline", "a0"):
        found, expected = answers(shared, variant), answers(in_process["force"], variant)
        assert len(expected) == 12 and found.keys() == expected.keys()
        assert {k: (a["text"], a["finish"]) for k, a in found.items()} == {
            k: (a["text"], a["finish"]) for k, a in expected.items()
        }
        for key, answer in found.items():
            assert answer["logprobs"] == pytest.approx(expected[key]["logprobs"], abs=1e-3)
            assert answer["options"] == pytest.approx(expected[key]["options"], abs=1e-3)
            assert answer["logprobs"] or answer["options"]


def test_both_engines_serve_rows_and_answer_alike(shared: Any) -> None:
    assert len(shared["describe"]["engines"]) == 2 and min(shared["describe"]["engines"].values()) >= 8
    assert shared["describe"]["engines_apart"] == 0.0


def test_base_rows_are_bit_identical_with_and_without_adapters_present(shared: Any, merged: Any) -> None:
    assert shared["describe"]["ways"] == {"baseline": "plain", "a0": "lora"}
    assert merged["describe"]["ways"] == {"baseline": "plain", "a0": "merged"}
    assert shared["describe"]["canary"]["a0"]["base_moved"] == 0.0
    assert shared["canary"][0] == merged["canary"][0] and shared["canary"][0][0][1]


def test_adapters_have_an_effect_by_either_way(shared: Any, merged: Any) -> None:
    assert shared["describe"]["canary"]["a0"]["effect"]["a0"] > 0.01
    assert merged["describe"]["canary"]["a0"]["effect"] > 0.01
    assert answers(shared, "a0") != answers(shared, "baseline")


def test_a_merged_adapter_answers_as_in_one_process(merged: Any, in_process: Any) -> None:
    found, expected = answers(merged, "a0"), answers(in_process["merge"], "a0")
    assert len(found) == 12 and {k: a["text"] for k, a in found.items()} == {k: a["text"] for k, a in expected.items()}


def test_a_row_that_vllm_refuses_fails_alone_under_its_own_key(shared: Any) -> None:
    failed = {key: answer["error"] for key, answer in shared["answers"].items() if answer["error"]}
    assert list(failed) == [TOO_LONG] and failed[TOO_LONG].startswith("vllm: ") and "200" in failed[TOO_LONG]


def test_ray_and_vllm_say_nothing_of_themselves(shared: Any) -> None:
    lines = [line for line in shared["log"].splitlines() if line.strip() and "Loading weights" not in line]
    assert lines == []


def test_engines_without_a_spare_slot_are_caught_before_any_answer(root: Path) -> None:
    found = scenario(root, "no_spare_slot")
    assert found["answers"] == 0
    assert found["error"].startswith("CanaryFailed") and "mixes adapter weights into base rows" in found["error"]


def test_a_killed_worker_comes_back_is_proven_and_no_row_is_lost(root: Path) -> None:
    found = scenario(root, "killed")
    assert sorted(found["answers"]) == sorted(found["asked"]) and len(found["asked"]) == 72
    assert not any(answer["error"] for answer in found["answers"].values())
    engines = found["describe"]["engines"]
    assert found["killed"] in engines and len(engines) == 3 and sum(engines.values()) == 72
    assert found["describe"]["engines_apart"] == 0.0
    assert found["below"] and found["left_behind"] == []
    assert "raylet" not in found["log"]


@pytest.fixture
def cluster() -> Iterator[dict[str, str]]:
    """Environment that leads to a cluster that somebody else started, with the token that it asks for."""
    port = free_port()
    ray = str(Path(sys.executable).with_name("ray"))
    words = ["start", "--head", "--block", f"--port={port}", "--num-cpus=4", "--num-gpus=0"]
    words += ["--include-dashboard=false", "--object-store-memory=200000000"]
    token = {"RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN": secrets.token_hex(32)}
    env = os.environ | token | {"RAY_USAGE_STATS_ENABLED": "0"}
    started = subprocess.Popen(
        [ray, *words], env=env, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True
    )
    try:
        for _ in range(120):
            with socket.socket() as asked:
                if asked.connect_ex(("127.0.0.1", port)) == 0:
                    break
            time.sleep(1)
        yield token | {"RAY_ADDRESS": f"127.0.0.1:{port}"}
    finally:
        os.killpg(started.pid, signal.SIGTERM)
        started.wait(60)


def test_a_running_cluster_is_used_by_its_address(root: Path, cluster: dict[str, str], merged: Any) -> None:
    found = scenario(root, "cluster", **cluster)
    assert found["describe"]["cluster"] == cluster["RAY_ADDRESS"]
    assert {k: a["text"] for k, a in answers(found, "baseline").items()} == {
        k: a["text"] for k, a in answers(merged, "baseline").items()
    }
    held = [answer["text"] for answer in answers(found, "held").values()]
    assert len(held) == 3 and set(held) <= set(CHOICES)
    assert "lacks" in found["lacking"] and "not-there" in found["lacking"] and "one path" in found["lacking"]
