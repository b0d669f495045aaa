"""The Python API: what a script or a notebook calls."""

import inspect
import subprocess
import sys
from pathlib import Path

import pytest

import tunegate
from tests.support.mini import rows, write_suite


@pytest.fixture
def suite(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("TUNEGATE_CACHE", str(tmp_path / "cache"))
    monkeypatch.chdir(tmp_path)
    return write_suite(tmp_path, rows(12))


def test_compare_pairs_two_checkpoints_and_writes_a_run_where_the_user_works(suite: Path, tmp_path: Path) -> None:
    found = tunegate.compare("old", "new", [suite], engine="fake", quiet=True)
    assert found.path.parent == tmp_path / "runs" and (found.path / "run.json").is_file()
    assert set(found.manifest.checkpoints) == {"baseline", "tuned"}
    assert found.verdicts and {v.suite for v in found.verdicts} == {info.name for info in found.manifest.suites}


def test_evaluate_needs_no_baseline_and_skips_the_gates_that_do(suite: Path, tmp_path: Path) -> None:
    found = tunegate.evaluate("new", [suite], engine="fake", runs=tmp_path / "elsewhere", quiet=True)
    assert found.path.parent == tmp_path / "elsewhere"
    assert {v.outcome for v in found.verdicts if v.rule in ("improves", "no_worse", "reduces")} <= {"skipped"}


def test_a_suite_that_is_not_there_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(tunegate.UserError, match=r"nowhere: no suite was found") as caught:
        tunegate.evaluate("new", [tmp_path / "nowhere"], engine="fake")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("function", [tunegate.compare, tunegate.evaluate, tunegate.train])
def test_every_parameter_of_the_api_is_documented(function: object) -> None:
    text = inspect.getdoc(function) or ""
    for name in inspect.signature(function).parameters:  # type: ignore[arg-type]
        assert f"\n    {name}: " in text, name
    assert "Returns:" in text and "Raises:" in text


def test_importing_tunegate_loads_no_model_library() -> None:
    code = "import sys, tunegate; print(*{m.split('.')[0] for m in sys.modules})"
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert (
        set(loaded.stdout.split()) & {"torch", "transformers", "vllm", "datasets", "scipy", "numpy", "pytest"} == set()
    )
