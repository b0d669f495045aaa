"""Trackers show what the log holds and nothing else, and never stand in a training's way."""

import json

import pytest

from harness.errors import UserError
from harness.runs import trackers
from harness.runs.folder import check_seal, load_run
from harness.runs.trackers import Trackers
from tests.training.conftest import quiet
from tests.training.test_run import stop_at
from training.config_file import load
from training.model_checks import model_problems
from training.run import Interrupted, train

SECRET = "hunter2-do-not-log"


def scalars(folder):
    """Tag and step of every value that TensorBoard shows, read back by TensorBoard."""
    reader = pytest.importorskip("tensorboard.backend.event_processing.event_accumulator")
    shown = reader.EventAccumulator(str(folder))
    shown.Reload()
    return {(tag, e.step): e.value for tag in shown.Tags()["scalars"] for e in shown.Scalars(tag)}


@pytest.mark.slow
def test_tensorboard_shows_the_losses_of_the_log_and_no_secret(write_config, monkeypatch):
    pytest.importorskip("tensorboard")
    monkeypatch.setenv("HF_TOKEN", SECRET)
    monkeypatch.setenv("MLFLOW_TRACKING_PASSWORD", SECRET)
    folder = train(write_config(records__trackers=["tensorboard"], train__max_steps=3), progress=quiet)
    log = load_run(folder).train_log
    found = scalars(folder / "tensorboard")
    for row in log:
        table = "validation" if "validation_loss" in row else "train"
        loss = row.get("validation_loss", row.get("loss"))
        assert found[f"{table}/loss", row["step"]] == pytest.approx(loss, rel=1e-6)
    assert ("train/lr", 3) in found and check_seal(folder) == []
    files = [p for p in folder.parent.rglob("*") if p.is_file()]
    assert any("events.out" in p.name for p in files)
    assert [p.name for p in files if SECRET.encode() in p.read_bytes()] == []


def test_mlflow_keeps_one_run_with_settings_and_losses_and_no_secret(tmp_path, monkeypatch):
    mlflow = pytest.importorskip("mlflow")
    monkeypatch.setenv("MLFLOW_ALLOW_FILE_STORE", "true")
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"file:{tmp_path}/mlruns")
    monkeypatch.setenv("MLFLOW_TRACKING_PASSWORD", SECRET)
    client = mlflow.MlflowClient()

    def stored():
        (found,) = client.search_runs([e.experiment_id for e in client.search_experiments()])
        return found

    for step, status in ((0, "interrupted"), (1, "finished")):
        lines = []
        shown = Trackers(["mlflow"], tmp_path / "run-1", {"lora.r": 4, "base": "b" * 300}, lines.append)
        assert stored().info.status == "RUNNING"
        shown.log_row({"step": step + 1, "loss": 2.5 - step, "best": True})
        shown.log_row({"step": step + 1, "validation_loss": 2.25 - step})
        shown.close(status)
        assert lines == []
    found = stored()
    assert (found.info.run_name, found.info.status) == ("run-1", "FINISHED")
    assert found.data.params["lora.r"] == "4"
    assert found.data.metrics == {"train/loss": 1.5, "validation/loss": 1.25}
    assert [p for p in tmp_path.rglob("*") if p.is_file() and SECRET.encode() in p.read_bytes()] == []


@pytest.mark.slow
def test_mlflow_shows_how_a_training_run_ended(write_config, tmp_path, monkeypatch):
    """Stopped, then broken, then finished."""
    mlflow = pytest.importorskip("mlflow")
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    config = write_config(records__trackers=["mlflow"], train__max_steps=3)

    def status():
        client = mlflow.MlflowClient(f"sqlite:///{tmp_path}/runs/mlflow.db")
        (found,) = client.search_runs([client.get_experiment_by_name("tunegate").experiment_id])
        return found.info.status

    def breaks(update):
        if update.step == 2:
            raise RuntimeError("the device is lost")

    with pytest.raises(Interrupted):
        train(config, progress=stop_at(1))
    assert status() == "KILLED"
    with pytest.raises(RuntimeError):
        train(config, progress=breaks)
    assert status() == "FAILED"
    train(config, progress=quiet)
    assert status() == "FINISHED"


def test_a_tracker_that_breaks_is_left_out_with_one_line_without_its_address(tmp_path):
    class Broken:
        def log(self, *_, **__):
            raise ConnectionError(f"https://me:{SECRET}@server refused")

    lines = []
    shown = Trackers([], tmp_path, {}, lines.append)
    shown.open["mlflow"] = Broken()
    shown.log_row({"step": 1, "loss": 1.0})
    shown.log_row({"step": 2, "loss": 1.0})
    shown.close("finished")
    assert len(lines) == 1 and "mlflow failed and is dropped" in lines[0] and SECRET not in lines[0]


def test_a_missing_package_is_one_line_before_anything_starts(write_config, monkeypatch):
    monkeypatch.setattr(trackers, "find_spec", lambda name: None)
    with pytest.raises(UserError, match=r"names mlflow, which is not installed.*pip install .\.\[track\]"):
        load(write_config(records__trackers=["mlflow"]), model_problems)


@pytest.mark.slow
def test_trackers_do_not_change_what_a_run_is(write_config):
    """The same command with a tracker returns the finished run."""
    pytest.importorskip("tensorboard")
    first = train(write_config(train__max_steps=1), progress=quiet)
    assert train(write_config(train__max_steps=1, records__trackers=["tensorboard"]), progress=quiet) == first
    assert "records" in json.dumps(load_run(first).manifest.training["config"])
