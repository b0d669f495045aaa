"""The Python API: what a script or a notebook calls."""

import csv
import inspect
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from msgspec import structs

import tunegate
from harness.suites.discovery import find_suites
from reports.exports import export
from tests.support.mini import TEST, rows, write_suite


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


def test_a_past_run_is_loaded_and_its_answers_are_those_of_the_csv(suite: Path, tmp_path: Path) -> None:
    made = tunegate.compare("old", "new", [suite], engine="fake", quiet=True)
    found = tunegate.load_run()
    assert (found.path, found.verdicts, found.metrics) == (made.path, made.verdicts, made.metrics)
    assert made.manifest.run_id in repr(made) and "Gates of" in made._repr_html_()
    table = found.to_pandas()
    head, *lines = csv.reader("".join(export(found.path, "csv")).removeprefix("\ufeff").splitlines())
    assert list(table.columns) == head and len(table) == len(lines) == 24
    assert [list(row) for row in table[["case_id", "variant", "answer"]].to_numpy()] == [
        [line[head.index(name)] for name in ("case_id", "variant", "answer")] for line in lines
    ]
    metric = made.manifest.suites[0].metrics[0].name
    values = [float(line[head.index(metric)] or "nan") for line in lines]
    assert table[metric].dtype == float and table[metric].tolist() == pytest.approx(values, nan_ok=True)


def test_results_say_whether_every_gate_passed_and_are_no_truth_value(suite: Path) -> None:
    results = tunegate.compare("old", "new", [suite], engine="fake", quiet=True)
    assert {verdict.outcome for verdict in results.verdicts} != {"pass"} and not results.passed
    passing = [structs.replace(verdict, outcome="pass") for verdict in results.verdicts]
    assert structs.replace(results, verdicts=passing).passed
    assert not structs.replace(results, verdicts=[]).passed
    with pytest.raises(TypeError, match=r"results are neither true nor false: ask for \.passed"):
        assert results


def test_what_cannot_be_loaded_is_one_line(suite: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(tunegate.UserError, match=r"run 'latest': no eval run in .*runs"):
        tunegate.load_run()
    made = tunegate.evaluate("new", [suite], engine="fake", quiet=True)
    monkeypatch.setitem(sys.modules, "pandas", None)
    with pytest.raises(tunegate.UserError, match=r"to_pandas needs the package 'pandas'.*pip install '\.\[pandas\]'"):
        made.to_pandas()
    file = made.path / "run.json"
    file.write_text(file.read_text("utf-8").replace('"kind": "eval"', '"kind": "train"'), "utf-8")
    with pytest.raises(tunegate.UserError, match=r"a train run, which has no scores\. Name an evaluation"):
        tunegate.load_run(made.path)


def test_a_notebook_completes_the_names_and_shows_no_inner_frames_of_a_mistake(suite: Path) -> None:
    assert dir(tunegate) == tunegate.__all__
    with pytest.raises(tunegate.UserError, match=r"Suite.*: no suite was found\. Name a folder") as raised:
        tunegate.evaluate("new", next(find_suites([str(suite)])), engine="fake")  # type: ignore[arg-type]
    assert raised.value._render_traceback_() == [f"UserError: {raised.value}"]


def test_the_package_runs_as_the_command() -> None:
    command = [sys.executable, "-m", "tunegate", "--version"]
    assert subprocess.run(command, capture_output=True, text=True, check=True).stdout.startswith("tunegate ")


@pytest.mark.parametrize("kind", [str, Path])
def test_one_suite_needs_no_list(suite: Path, kind: type) -> None:
    found = tunegate.evaluate("new", kind(suite), engine="fake", quiet=True)
    assert [info.name for info in found.manifest.suites] == ["legal/mini"]


@pytest.mark.slow
def test_suites_that_cannot_run_are_left_out_and_named(suite: Path, tmp_path: Path) -> None:
    absent = 'def cases():\n    raise Unavailable("the data is elsewhere")\n\n\nsuite = Suite(cases=cases, '
    missing = TEST.replace("import Suite", "import Suite, Unavailable").replace("suite = Suite(", absent)
    long = TEST.replace("suite = ", "import pytest\n\npytestmark = pytest.mark.long\nsuite = ")
    for name, text in (("far", missing), ("large", long)):
        write_suite(tmp_path, rows(12), test=text, name=name)
    found = tunegate.evaluate("new", engine="fake", quiet=True)
    assert [info.name for info in found.manifest.suites] == ["legal/mini"]
    assert found.not_run == ("the data is elsewhere", "legal/large is marked long: run it with long=True")
    assert len(tunegate.evaluate("new", engine="fake", long=True, quiet=True).manifest.suites) == 2
    with pytest.raises(tunegate.UserError, match=r"no suite can run: the data is elsewhere"):
        tunegate.evaluate("new", "evalsuites/legal/far", engine="fake")
    with pytest.raises(tunegate.UserError, match=r"no suite can run: none was found"):
        tunegate.evaluate("new", [], engine="fake")


def test_a_suite_that_was_removed_and_has_thresholds_is_named(suite: Path, tmp_path: Path) -> None:
    thresholds = tmp_path / "base" / "evalsuites"
    write_suite(tmp_path, rows(12), name="other")
    shutil.copytree(tmp_path / "evalsuites", thresholds)
    assert tunegate.evaluate("new", engine="fake", thresholds=thresholds, quiet=True).not_run == ()
    shutil.rmtree(tmp_path / "evalsuites" / "legal" / "other")
    found = tunegate.evaluate("new", engine="fake", thresholds=thresholds, quiet=True)
    assert found.not_run == (f"legal/other ({thresholds} has gates for it)",)


def test_gates_of_a_file_that_lost_its_suite_are_named(suite: Path, tmp_path: Path) -> None:
    (write_suite(tmp_path, rows(12), name="other") / "test_other.py").unlink()
    found = tunegate.evaluate("new", engine="fake", quiet=True)
    assert found.not_run == ("evalsuites/legal/other/gates.toml belongs to no suite that was found",)


@pytest.mark.parametrize("option", [{"repeats": 0}, {"repeats": -1}, {"engine": "transformers"}])
def test_an_option_that_cannot_be_used_leaves_no_run(suite: Path, tmp_path: Path, option: dict[str, Any]) -> None:
    with pytest.raises(tunegate.UserError, match=r"repeats=-?\d: expected 1 or more|no such checkpoint"):
        tunegate.evaluate("new", suite, **{"engine": "fake", "quiet": True} | option)
    assert list((tmp_path / "runs").glob("2*")) == []


def test_a_suite_that_is_not_there_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(tunegate.UserError, match=r"nowhere: no suite was found") as caught:
        tunegate.evaluate("new", [tmp_path / "nowhere"], engine="fake")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("function", [tunegate.compare, tunegate.evaluate, tunegate.load_run, tunegate.train])
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


def own_scorer(root: Path, right: str) -> Path:
    """A suite whose scorer is in a second file."""
    folder = write_suite(root, rows(12), test=OWN_TEST, gates=OWN_GATES)
    (folder / "right.py").write_text(OWN_SCORER.format(right=right))
    return folder


OWN_SCORER = """from harness.schema import Metric, Score
from harness.scoring import scorer


@scorer(metrics=[Metric(name="accuracy", scorer="right", numerator="ok", denominator="n")], name="right")
def right(case, completion):
    return Score(name="right", value=float({right}), counts={{"ok": int({right}), "n": 1}})
"""
OWN_TEST = """from evalsuites.legal.mini.right import right
from harness import Suite

suite = Suite(scorers=[right], max_tokens=8)
"""
OWN_GATES = '[objective]\ntext = "Be right."\n[[gate]]\nmetric = "accuracy"\nrule = "at_least"\nvalue = 0.5\n'


@pytest.fixture
def no_suites_imported() -> Iterator[None]:
    before = {name: module for name, module in sys.modules.items() if name.partition(".")[0] == "evalsuites"}
    for name in before:
        del sys.modules[name]
    yield
    for name in [name for name in sys.modules if name.partition(".")[0] == "evalsuites"]:
        del sys.modules[name]
    sys.modules.update(before)


@pytest.mark.slow
@pytest.mark.usefixtures("no_suites_imported", "suite")
def test_a_scorer_that_changed_since_its_import_scores_no_second_call(tmp_path: Path) -> None:
    folder = own_scorer(tmp_path, "True")
    first, again = (tunegate.evaluate("new", engine="fake", quiet=True) for _ in range(2))
    assert [v.outcome for v in first.verdicts] == [v.outcome for v in again.verdicts] == ["pass"]
    (folder / "right.py").write_text(OWN_SCORER.format(right="False"))
    with pytest.raises(tunegate.UserError, match=r"right\.py: changed since it was imported; restart the kernel"):
        tunegate.evaluate("new", engine="fake", quiet=True)


@pytest.mark.slow
@pytest.mark.usefixtures("no_suites_imported", "suite")
def test_the_scorer_of_one_project_scores_no_other(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    own_scorer(tmp_path, "True")
    tunegate.evaluate("new", engine="fake", quiet=True)
    own_scorer(tmp_path / "other", "False")
    monkeypatch.chdir(tmp_path / "other")
    with pytest.raises(tunegate.UserError, match=r"evalsuites\.legal\.mini\.right was imported from .*; restart"):
        tunegate.evaluate("new", engine="fake", quiet=True)
