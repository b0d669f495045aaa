"""`make gpu`: what it writes of items that pass, fail and hang, what it runs again, and what it says without a card."""

import json
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from harness.errors import EXIT_GATE_FAILED, EXIT_INTERRUPTED, EXIT_OK, EXIT_USAGE
from tests.benchmarks.test_injected import load
from tests.support.processes import all_end

ROOT = Path(__file__).parents[2]
gpu = load("gpu")
SCRIPTS = {
    "good": "print('| contestant | tokens/s | MFU |\\n|---|---|---|\\n| tunegate | 41,000 | 38.5% |')",
    "bad": "print('starting'); raise SystemExit('torch.OutOfMemoryError: | 2 GiB')",
    "silent": "print('4 skipped in 0.1s')",
    "tests": "print('10 passed, 2 skipped in 0.1s\\nleaked 3 passed functions')",
    "red": "print('FAILED test_a.py - assert 1\\n1 failed, 3 passed in 2.10s\\nleaked functions'); raise SystemExit(1)",
    "hangs": """
import pathlib, subprocess, sys, time
child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
pathlib.Path(sys.argv[0]).with_suffix(".pid").write_text(str(child.pid))
print("step 1", flush=True)
time.sleep(600)
""",
}


@pytest.fixture
def items(tmp_path, monkeypatch):
    """Stand-ins that need neither a card nor a model."""
    for name, script in SCRIPTS.items():
        (tmp_path / f"{name}.py").write_text(script)
    made = [gpu.Item(name, str(tmp_path / f"{name}.py"), 8 if name == "hangs" else 60) for name in SCRIPTS]
    monkeypatch.setattr(gpu, "ITEMS", made)
    monkeypatch.setattr(gpu, "machine", lambda dry: "NVIDIA H100, torch 2.13.0")


@pytest.mark.slow
def test_every_item_is_written_down_whatever_becomes_of_the_others(items, tmp_path, capsys):
    out = tmp_path / "results" / "gpu.json"
    assert gpu.main(["--out", str(out)]) == EXIT_GATE_FAILED
    found = {one["name"]: one for one in json.loads(out.read_text())["items"]}
    assert {name: one["outcome"] for name, one in found.items()} == {
        "good": "passed", "bad": "failed", "silent": "failed", "tests": "passed", "red": "failed",
        "hangs": "out of time",
    }  # fmt: skip
    assert found["good"]["figures"] == {"tunegate": {"tokens/s": 41000.0, "MFU": "38.5%"}}
    assert found["tests"]["figures"] == {"passed": 10, "skipped": 2}
    assert found["bad"]["error"] == ["starting", "torch.OutOfMemoryError: | 2 GiB"]
    assert found["red"]["error"] == ["FAILED test_a.py - assert 1", "1 failed, 3 passed in 2.10s"]
    assert found["hangs"]["error"] == ["step 1"] and 8 <= found["hangs"]["seconds"] < 60
    assert found["good"]["command"] == f"python {tmp_path / 'good.py'}" and "error" not in found["good"]
    rows = capsys.readouterr().out.splitlines()
    assert rows[0] == "NVIDIA H100, torch 2.13.0" and "| tunegate | 41,000 | 38.5% |" in rows
    assert any(row.startswith("| bad | failed: torch.OutOfMemoryError: / 2 GiB |") for row in rows)
    assert any(row.startswith("| tests | passed: 10 passed, 2 skipped |") for row in rows)


@pytest.mark.slow
@pytest.mark.parametrize("interrupted", [False, True])
def test_what_an_item_started_ends_with_it(items, tmp_path, interrupted):
    def interrupt():
        while not (tmp_path / "hangs.pid").exists():
            time.sleep(0.05)
        os.kill(os.getpid(), signal.SIGTERM)

    if interrupted:
        gpu.ITEMS[-1] = gpu.Item("hangs", gpu.ITEMS[-1].words, 60)
        threading.Thread(target=interrupt, daemon=True).start()
    code = gpu.main(["--items", "hangs", "--out", str(tmp_path / "gpu.json")])
    assert code == (EXIT_INTERRUPTED if interrupted else EXIT_GATE_FAILED)
    assert all_end([int((tmp_path / "hangs.pid").read_text())])


def test_finished_items_run_again_on_another_card_or_when_asked(items, tmp_path, capsys, monkeypatch):
    out = tmp_path / "gpu.json"
    chosen = ["--items", "good", "bad", "--out", str(out)]
    gpu.main(chosen)
    (tmp_path / "bad.py").write_text(SCRIPTS["good"])
    capsys.readouterr()

    def started(*more):
        assert gpu.main([*chosen, *more]) == EXIT_OK
        return [line.partition(":")[0] for line in capsys.readouterr().err.splitlines() if "at most" in line]

    assert (started(), started(), started("--again")) == (["bad"], [], ["good", "bad"])
    monkeypatch.setattr(gpu, "machine", lambda dry: "NVIDIA A100, torch 2.13.0")
    assert started() == ["good", "bad"]
    out.write_text("[]")
    assert gpu.main(chosen) == EXIT_USAGE and out.read_text() == "[]"
    assert "not a file of results of this script" in capsys.readouterr().err


def test_without_a_card_or_a_package_it_is_one_line(tmp_path):
    code = "import sys; sys.path.insert(0, 'benchmarks'); import gpu; gpu.PACKAGES = {}; sys.exit(gpu.main([]))"
    said = {
        "('torch', 'nosuch')": "gpu.py: not installed: nosuch. Install requirements/cuda.lock and",
        "('torch',)": "gpu.py: no CUDA device was found (torch ",
    }
    for packages, expected in said.items():
        words = [sys.executable, "-c", code.format(packages)]
        env = os.environ | {"CUDA_VISIBLE_DEVICES": ""}
        done = subprocess.run(words, cwd=ROOT, env=env, capture_output=True, text=True)
        assert done.returncode == EXIT_USAGE and done.stdout == ""
        assert done.stderr.startswith(expected) and done.stderr.count("\n") == 1


def test_all_items_fit_into_25_minutes_and_their_scripts_and_tests_exist():
    assert sum(item.limit_s + gpu.STOP_S for item in gpu.ITEMS) <= 25 * 60
    for item in gpu.ITEMS:
        files = [word for word in item.words.split() if "/" in word]
        assert files and all((ROOT / word.partition("::")[0]).is_file() for word in files)
        assert all(name in (ROOT / file).read_text() for file, _, name in (word.partition("::") for word in files))


@pytest.mark.slow
def test_a_benchmark_on_a_cpu_gives_its_figures(tmp_path):
    out = tmp_path / "gpu.json"
    assert gpu.main(["--dry", "--items", "train-nf4", "--out", str(out)]) == EXIT_OK
    (found,) = json.loads(out.read_text())["items"]
    assert found["figures"]["tunegate"]["tokens/s"] > 0 and found["figures"]["tunegate"]["MFU"] == "unknown"
