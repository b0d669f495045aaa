"""`tunegate diagnose`, `plan` and `models`, run as a user runs them."""

import json
import subprocess
from pathlib import Path

from harness.runs.folder import RunFolder
from harness.schema import Manifest
from tests.support import command


def tunegate(folder: Path, *words: str, columns: int = 120) -> subprocess.CompletedProcess[str]:
    return command.tunegate(folder, *words, HF_HUB_OFFLINE="1", COLUMNS=str(columns))


def test_a_training_run_is_diagnosed_by_its_name(tmp_path: Path) -> None:
    run = RunFolder.create(tmp_path / "runs", "train")
    run.write_manifest(
        Manifest(
            run_id=run.path.name,
            kind="train",
            status="finished",
            started="2026-01-01T00:00:00Z",
            training={"config": {"base": "b", "data": {"train": ["rows.jsonl"]}}},
        )
    )
    for step in range(1, 41):
        run.append_log({"step": step, "loss": 2.5 - step / 40, "lr": 2e-4, "grad_norm": 1.0})
    done = tunegate(tmp_path, "diagnose", run.path.name)
    assert done.returncode == 0, done.stderr
    assert [line.partition(":")[0] for line in done.stdout.splitlines()] == ["diagnosis", "because", "next"]
    assert done.stdout.startswith("diagnosis: undertrained")
    assert "set train.epochs = 2 (now 1)" in done.stdout


def test_a_plan_of_a_base_that_is_not_here(tmp_path: Path) -> None:
    row = {"instruction": "Which clause?", "input": "The tenant pays. " * 40, "output": "Rent"}
    (tmp_path / "rows.jsonl").write_text(json.dumps(row) + "\n")
    (tmp_path / "t.toml").write_text('base = "Qwen3-8B"\n[data]\ntrain = ["rows.jsonl"]\n[train]\nmax_steps = 50\n')
    done = tunegate(tmp_path, "plan", "t.toml", "--json")
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert found["parameters"] == 8_190_735_360 and found["work"]["steps"] == 50
    assert {d["device"]: d["fits"][1]["fits"] for d in found["devices"]}["T4 16 GB"] == "cannot"


def test_models_compares_what_is_named(tmp_path: Path) -> None:
    done = tunegate(tmp_path, "models", "Qwen3-8B", "mixtral-8x7b-instruct-v0.1")
    assert done.returncode == 0, done.stderr
    assert "Qwen3-8B" in done.stdout and "46.7B, 12.9B active" in done.stdout
    assert "Llama" not in done.stdout.split("served by")[0]
    narrow = tunegate(tmp_path, "models", "mixtral-8x7b-instruct-v0.1", columns=80).stdout
    assert "46.7B" in narrow and "12.9B" in narrow and "…" not in narrow
    table = json.loads(tunegate(tmp_path, "models", "Qwen3-8B", "--json").stdout)
    assert table[0]["licence"] == "Apache-2.0" and len(table[0]["sources"]) == 3
