"""Which ray is taken, what engines' processes are told, and how a wait for a cluster ends; starts none."""

import os
from pathlib import Path
from typing import Any

import pytest

from harness.engines import base
from harness.engines.config import EngineConfig
from harness.engines.ray import cluster as ray_cluster
from harness.engines.ray import engine
from harness.engines.ray import worker as ray_worker
from harness.engines.ray.cluster import ADDRESS, Cluster, Workers, environment, first_line, refuse_old
from harness.engines.vllm import environment as vllm_environment
from harness.errors import MissingExtra, UserError

TELEMETRY = {"VLLM_NO_USAGE_STATS": "1", "DO_NOT_TRACK": "1", "RAY_USAGE_STATS_ENABLED": "0"}


def workers(**more: Any) -> Workers:
    given: dict[str, Any] = {
        "vllm": "1", "on_cpu": True, "invariant": False, "engines": 2, "device_bytes": None, "devices": ["cpu"],
    }  # fmt: skip
    return Workers(**(given | more))


@pytest.mark.parametrize("version", ["2.60.0", "2.60.0rc1", "2.101.3", "3.0.0"])
def test_a_new_ray_is_taken(version: str) -> None:
    refuse_old(version)


@pytest.mark.parametrize("version", ["2.59.9", "2.9.0", "1.99.0", "unknown"])
def test_an_old_ray_is_refused_in_one_line(version: str) -> None:
    with pytest.raises(UserError, match=f"ray {version} is installed, expected 2.60 or later.*pip install") as refused:
        refuse_old(version)
    assert "\n" not in str(refused.value)


def test_an_old_ray_is_refused_before_anything_starts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engine, "engine_version", lambda name: "2.59.0")
    monkeypatch.setattr(engine, "Cluster", lambda *given: pytest.fail("a cluster was looked at"))
    with pytest.raises(UserError, match=r"ray 2\.59\.0"):
        engine.start({}, 64, EngineConfig())


def test_without_vllm_the_line_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(ADDRESS, raising=False)
    monkeypatch.setattr(base, "installed", lambda name: False)
    with pytest.raises(MissingExtra, match="pip install"):
        Cluster(None, lambda text: None)


def test_ray_s_client_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(ADDRESS, "ray://head:10001")
    with pytest.raises(UserError, match=r"Ray's client is not supported.*RAY_ADDRESS=auto"):
        Cluster(None, lambda text: None)


def test_more_engines_than_gpus_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    torch = pytest.importorskip("torch")
    monkeypatch.delenv(ADDRESS, raising=False)
    monkeypatch.setattr(ray_cluster, "pick_engine", lambda name: name)
    monkeypatch.setattr(vllm_environment, "on_cpu", lambda: False)
    monkeypatch.setattr(vllm_environment, "prepare", lambda cpu: None)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 8)
    assert Cluster(None, lambda text: None).workers.engines == 8
    assert Cluster(3, lambda text: None).workers.engines == 3
    with pytest.raises(UserError, match="--engines 9: this machine has 8 GPUs"):
        Cluster(9, lambda text: None)


def test_engines_are_told_to_report_nothing_and_to_ask_no_hub() -> None:
    for told in (environment(workers(), 2), environment(workers(on_cpu=False, invariant=True), None)):
        assert {name: told[name] for name in TELEMETRY} == TELEMETRY
        assert told["HF_HUB_OFFLINE"] == "1"


def test_engines_without_gpus_share_the_cores() -> None:
    assert environment(workers(engines=2), 8)["OMP_NUM_THREADS"] == "4"
    assert environment(workers(engines=4), 2)["OMP_NUM_THREADS"] == "1"
    assert "OMP_NUM_THREADS" not in environment(workers(), None)
    assert environment(workers(), 2)["VLLM_CPU_OMP_THREADS_BIND"] == os.environ.get(
        "VLLM_CPU_OMP_THREADS_BIND", "nobind"
    )


def test_batch_invariance_goes_to_the_gpus_that_have_it() -> None:
    assert environment(workers(on_cpu=False, invariant=True), None)["VLLM_BATCH_INVARIANT"] == "1"
    assert "VLLM_BATCH_INVARIANT" not in environment(workers(on_cpu=False), None)


class OfWorker(Exception):
    """Ray wraps what a worker raised."""

    def __init__(self, text: str, cause: BaseException | None = None) -> None:
        super().__init__(text)
        self.cause = cause


def test_the_line_told_is_the_worker_s_own() -> None:
    assert first_line(OfWorker("ray::udf()", OfWorker("wrapped", ValueError("\n no room \n at all")))) == "no room"
    assert first_line(KeyError()) == "KeyError"
    empty = OfWorker("RuntimeError: no memory", OfWorker("", None))
    assert first_line(empty) == "no memory"
    died = "The actor died because of an error in its creation task\n  File x.py, line 1\nValueError: no memory\n"
    assert first_line(OfWorker(died)) == "ValueError: no memory"


def test_of_what_ray_prints_the_first_sentence_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    said: list[str] = []
    monkeypatch.delenv(ADDRESS, raising=False)
    monkeypatch.setattr(Cluster, "_local_workers", lambda cluster, engines: workers())
    Cluster(None, said.append).report_output(
        {"lines": ["A worker died while executing a task. To troubleshoot\nread this"]}
    )
    assert said == ["ray: A worker died while executing a task"]


def test_a_folder_is_looked_for_only_on_clusters_and_only_once(monkeypatch: pytest.MonkeyPatch) -> None:
    looked: list[list[str]] = []

    def look(cluster: Cluster, paths: list[str]) -> list[dict[str, Any]]:
        looked.append(list(paths))
        sampled = {path: ray_worker.sampled(Path(path)) for path in paths}
        lacks = [path for path in paths if "not" in path]
        return [{"host": "w1", "lacks": [], "weights": sampled}, {"host": "w2", "lacks": lacks, "weights": sampled}]

    monkeypatch.delenv(ADDRESS, raising=False)
    monkeypatch.setattr(Cluster, "_query_machines", look)
    monkeypatch.setattr(Cluster, "_local_workers", lambda cluster, engines: workers())
    monkeypatch.setattr(Cluster, "_cluster_workers", lambda cluster, engines: workers())
    Cluster(None, print).check_paths([Path("/not-there")])
    monkeypatch.setenv(ADDRESS, "head:6379")
    cluster = Cluster(None, print)
    cluster.check_paths([Path("/m")])
    cluster.check_paths([Path("/m"), Path("/a")])
    assert looked == [["/m"], ["/a"]]
    with pytest.raises(
        UserError, match=r"w2 lacks /not-there\. Models and adapters must have one path on every worker"
    ):
        cluster.check_paths([Path("/not-there")])


def test_a_machine_with_other_weights_under_the_same_path_is_refused(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    here, there = tmp_path / "here", tmp_path / "there"
    for folder, content in ((here, b"\0" * 10_000_000), (there, b"\1" * 10_000_000)):
        folder.mkdir()
        (folder / "model.safetensors").write_bytes(content)
    machines = [
        {"host": host, "lacks": [], "weights": {str(here): ray_worker.sampled(folder)}}
        for host, folder in (("w1", here), ("w2", there))
    ]
    monkeypatch.setenv(ADDRESS, "head:6379")
    monkeypatch.setattr(Cluster, "_cluster_workers", lambda cluster, engines: workers())
    monkeypatch.setattr(Cluster, "_query_machines", lambda cluster, paths: machines)
    with pytest.raises(UserError, match=rf"^w2 has other weights in {here} than this machine\. Models"):
        Cluster(None, print).check_paths([here])
