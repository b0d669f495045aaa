"""A run in each tracker: what its own client or reader finds there, and that a silent one costs nothing."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import msgspec
import pytest

from harness.evaluation.plan import SuiteJob
from harness.files import file_sha256
from harness.runs import trackers
from harness.runs.folder import SEAL, RunData, load_run
from reports import tracking
from tests.support import mini
from tests.support.command import run_pytest, tunegate
from tests.support.processes import free_port

RECALL = "legal/mini/tuned/clause_recall"


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> RunData:
    return mini.compare(tmp_path_factory.mktemp("tracked"))


def send(run: RunData, name: str) -> None:
    said: list[str] = []
    assert tracking.send(run.path, [name], said.append) == [] and said == []


def estimate(run: RunData) -> Any:
    rows = run.metrics.metrics
    return next(r.estimate for r in rows if (r.variant, r.metric, r.slice) == ("tuned", "clause_recall", None))


@pytest.mark.slow
def test_tensorboard_shows_metrics_with_intervals_verdicts_and_the_report(run: RunData) -> None:
    reader = pytest.importorskip("tensorboard.backend.event_processing.event_accumulator")
    send(run, "tensorboard")
    shown = reader.EventAccumulator(str(run.path / "tensorboard"))
    shown.Reload()
    (low,) = shown.Scalars(f"{RECALL}.low")
    assert low.value == pytest.approx(estimate(run).low, rel=1e-6)
    assert "legal/mini/difference/clause_recall.high" in shown.Tags()["scalars"]
    texts = {tag: shown.Tensors(tag)[0].tensor_proto.string_val[0].decode() for tag in shown.Tags()["tensors"]}
    assert file_sha256(run.path / SEAL) in texts["tags"] and "gate/legal/mini/" in texts["tags"]
    assert texts["report"] == (run.path / "report" / "report.md").read_text("utf-8")


def check_mlflow(run: RunData, uri: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Send a run twice, and read it back."""
    mlflow = pytest.importorskip("mlflow")
    monkeypatch.setenv("MLFLOW_TRACKING_URI", uri)
    send(run, "mlflow")
    send(run, "mlflow")
    client = mlflow.MlflowClient(uri)
    (found,) = client.search_runs([client.get_experiment_by_name("tunegate").experiment_id])
    assert found.info.run_name == run.path.name and found.info.status == "FINISHED"
    assert found.data.metrics[RECALL] == estimate(run).value
    assert found.data.metrics[f"{RECALL}.high"] == estimate(run).high
    assert found.data.tags["digest"] == file_sha256(run.path / SEAL)
    assert found.data.tags["gate/legal/mini/clause_recall-at_least-0.5"] == "pass"
    assert found.data.params["baseline.name"] == "fake:old"
    files = {file.path for file in client.list_artifacts(found.info.run_id)}
    assert {"report.html", "cases.csv", "verdicts.json", SEAL} <= files


def test_mlflow_has_one_run_with_numbers_verdicts_and_files(
    run: RunData, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MLFLOW_ALLOW_FILE_STORE", "true")
    check_mlflow(run, f"file:{tmp_path}/mlruns", monkeypatch)


@pytest.mark.slow
def test_mlflow_takes_a_run_on_cases_of_ones_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("mlflow")
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    folder = mini.write_suite(tmp_path)
    (own := tmp_path / "My cases (v2).jsonl").write_bytes((folder / "cases.jsonl").read_bytes())
    (suite,) = mini.suites(tmp_path)
    suite.use_cases(own)
    mini.write_script(tmp_path, tuned=mini.right(mini.rows()))
    send(mini.make_run(tmp_path, suites=[SuiteJob(suite=suite, cases=suite.cases)]), "mlflow")


def test_mlflow_shows_a_run_that_was_stopped_as_such(
    run: RunData, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    mlflow = pytest.importorskip("mlflow")
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    stopped = tmp_path / run.path.name
    shutil.copytree(run.path, stopped)
    (stopped / SEAL).unlink()
    manifest = msgspec.structs.replace(run.manifest, status="running", ended=None)
    (stopped / "run.json").write_bytes(msgspec.json.encode(manifest))
    send(load_run(stopped), "mlflow")
    client = mlflow.MlflowClient(f"sqlite:///{tmp_path}/mlflow.db")
    (found,) = client.search_runs([client.get_experiment_by_name("tunegate").experiment_id])
    assert (found.info.status, found.data.tags["status"], found.data.tags["outcome"]) == (
        "KILLED",
        "interrupted",
        "skipped",
    )


@pytest.fixture
def mlflow_server(tmp_path: Path) -> Iterator[str]:
    port = free_port()
    words = ["mlflow", "server", "--backend-store-uri", f"sqlite:///{tmp_path}/server.db", "--port", str(port)]
    words += ["--artifacts-destination", f"{tmp_path}/artifacts", "--host", "127.0.0.1", "--workers", "1"]
    environment = os.environ | {"MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false"}
    with subprocess.Popen(
        [sys.executable, "-m", *words], cwd=tmp_path, env=environment, start_new_session=True
    ) as server:
        try:
            for _ in range(600):
                with socket.socket() as asked:
                    if asked.connect_ex(("127.0.0.1", port)) == 0:
                        break
                assert server.poll() is None
                time.sleep(1)
            yield f"http://127.0.0.1:{port}"
        finally:
            os.killpg(server.pid, 15)


@pytest.mark.skipif(not os.environ.get("TUNEGATE_SERVERS"), reason="starts MLflow's server: TUNEGATE_SERVERS=1")
def test_a_real_mlflow_server_has_it_too(run: RunData, mlflow_server: str, monkeypatch: pytest.MonkeyPatch) -> None:
    check_mlflow(run, mlflow_server, monkeypatch)


def blocks(data: bytes) -> Iterator[bytes]:
    """The records of a file of W&B: a log of LevelDB in blocks of 32 KiB, after 7 bytes of its own."""
    at, whole = 7, b""
    while at + 7 <= len(data):
        if (room := 32_768 - at % 32_768) < 7:
            at += room
            continue
        size, kind = int.from_bytes(data[at + 4 : at + 6], "little"), data[at + 6]
        whole += data[at + 7 : at + 7 + size]
        at += 7 + size
        if kind in (1, 4):  # Whole, or the last part.
            yield whole
            whole = b""


@pytest.fixture
def offline(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """W&B's files in the test's folder, no request to its server, and the process as it was before."""
    pytest.importorskip("wandb")
    for hook in ("exit", "excepthook"):  # W&B puts its own in their place, and leaves them there.
        monkeypatch.setattr(sys, hook, getattr(sys, hook))
    monkeypatch.setenv("WANDB_MODE", "offline")
    monkeypatch.setenv("WANDB_CACHE_DIR", str(tmp_path))
    monkeypatch.setenv("WANDB_DATA_DIR", str(tmp_path))


def wandb_records(folder: Path) -> list[Any]:
    """What W&B wrote of the run beside `folder`, up to its end."""
    from google.protobuf.message import DecodeError
    from wandb.proto.wandb_internal_pb2 import Record

    (file,) = (folder.parent / "wandb").glob("offline-run-*/*.wandb")
    records: list[Any] = []
    for _ in range(600):  # W&B's own process writes the end of the file, after the run is finished here.
        with suppress(DecodeError):
            records = [Record.FromString(block) for block in blocks(file.read_bytes())]
        if any(record.HasField("exit") for record in records):
            break
        time.sleep(0.1)
    return records


@pytest.mark.parametrize(("status", "code"), [("finished", 0), ("failed", 1), ("interrupted", 1)])
@pytest.mark.usefixtures("offline")
def test_wandb_shows_a_training_run_that_did_not_finish_as_failed(tmp_path: Path, status: str, code: int) -> None:
    folder = tmp_path / "20261201T080000Z-train-1"
    folder.mkdir()
    sent = trackers.Wandb(folder, {}, {})
    sent.close(status)
    assert [record.exit.exit_code for record in wandb_records(folder) if record.HasField("exit")] == [code]


@pytest.mark.slow
@pytest.mark.usefixtures("offline")
def test_wandb_writes_numbers_verdicts_and_files_to_its_offline_folder(run: RunData) -> None:
    send(run, "wandb")
    records = wandb_records(run.path)
    history = {
        "/".join(item.nested_key) or item.key: msgspec.json.decode(item.value_json)
        for record in records
        if record.HasField("history")
        for item in record.history.item
    }
    assert history[f"{RECALL}.low"] == pytest.approx(estimate(run).low)
    (artifact,) = (record.artifact for record in records if record.HasField("artifact"))
    assert {"report.html", "cases.csv", SEAL} <= {entry.path for entry in artifact.manifest.contents}
    summary = "".join(str(record.summary) for record in records if record.HasField("summary"))
    assert "gate/legal/mini/clause_recall-at_least-0.5" in summary and file_sha256(run.path / SEAL) in summary


def test_a_server_that_does_not_answer_costs_one_line_that_names_the_command(tmp_path: Path) -> None:
    pytest.importorskip("mlflow")
    folder = mini.write_suite(tmp_path)
    mini.write_script(tmp_path, tuned=mini.right(mini.rows()))
    (tmp_path / "pyproject.toml").write_text('[tool.tunegate]\ntrack = ["mlflow"]\n')
    silent = {"MLFLOW_TRACKING_URI": "http://me:hunter2@127.0.0.1:9", "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "0"}
    words = ("--suite", str(folder), "--engine", "fake", "--script", "script.json")
    done = tunegate(tmp_path, "eval", "new", *words, **silent)
    (path,) = (tmp_path / "runs").iterdir()
    assert done.returncode == 0 and done.stderr.count("mlflow failed") == 1
    assert f"tunegate track runs/{path.name} --to mlflow" in done.stderr and "hunter2" not in done.stderr

    again = tunegate(tmp_path, "track", "latest", **silent)
    assert again.returncode == 3 and "mlflow failed" in again.stdout
    later = tunegate(tmp_path, "track", "latest", "--to", "tensorboard")
    assert later.returncode == 0
    link = (path / "report" / "report.html").as_uri()
    assert later.stdout == f"sent to tensorboard: {path.name}\n{link}\n"
    done = mini.pytest_in(tmp_path, "--checkpoint", "new", "--eval-track", "tensorboard")
    shown = done.stdout.splitlines()
    sent = next(at for at, line in enumerate(shown) if line.startswith("sent to tensorboard"))
    assert shown[sent + 1].startswith("file://") and shown[sent + 1].endswith("/report/report.html")


def test_an_unknown_tracker_is_refused_before_anything_runs(tmp_path: Path) -> None:
    mini.write_suite(tmp_path)
    done = tunegate(tmp_path, "eval", "new", "--track", "mlflow,comet")
    assert done.returncode == 4 and "--track: 'comet' is no tracker. Expected some of mlflow, wandb" in done.stderr
    done = run_pytest("evalsuites", "--eval-track", "comet", cwd=tmp_path)
    assert done.returncode == 4 and "'comet' is no tracker" in done.stderr
    assert not (tmp_path / "runs").exists()
