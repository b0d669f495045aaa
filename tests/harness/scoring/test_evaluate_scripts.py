"""A source that is not exact, unusable options and scripts with traps are refused before any script runs."""

from pathlib import Path

import pytest

from harness.errors import UserError
from harness.scoring import evaluate_bridge, evaluate_metrics, evaluate_scripts
from tests.support.written_metrics import GOOD, REVISION, WORDS, bridged, write


@pytest.mark.parametrize(
    ("source", "revision", "said"),
    [
        ("rouge", None, "could be a path or a name on the Hub"),
        ("owner/rouge", None, "could be a path or a name on the Hub"),
        ("metrics/rouge.py", None, "could be a path or a name on the Hub"),
        ("https://x.test/rouge.py", None, "could be a path or a name on the Hub"),
        ("", None, "could be a path or a name on the Hub"),
        ("./absent", None, "absent.py does not exist"),
        ("hub:rouge", REVISION, "expected hub:owner/name"),
        ("hub:../rouge/x", REVISION, "expected hub:owner/name"),
        ("hub:owner/rouge", None, "revision is None, expected the 40 hex digits"),
        ("hub:owner/rouge", "main", "revision is 'main', expected the 40 hex digits"),
        ("hub:owner/rouge", REVISION[:12], "expected the 40 hex digits"),
        ("hub:owner/rouge", REVISION, "is not in the cache and could not be fetched"),
        ("./overlap.py", REVISION, "a local path, which has no revision"),
    ],
)
def test_a_source_that_is_not_exact_is_refused_in_one_line(tmp_path, monkeypatch, source, revision, said):
    write(tmp_path / "owner" / "rouge", WORDS, name="rouge")
    write(tmp_path, WORDS)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    with pytest.raises(UserError, match=said) as refused:
        evaluate_bridge.metric(source, worst=0.0, best=1.0, revision=revision)
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"per": "suite"}, "no gate may use it"),
        ({"per": "corpus"}, "per is 'corpus', expected case"),
        ({"worst": float("nan")}, "expected two different finite numbers"),
        ({"worst": 1.0}, "expected two different finite numbers"),
        ({"name": "a b"}, "'a b' cannot name a metric"),
        ({"arguments": {"tokenizer": object()}}, "plain data that JSON can hold"),
    ],
)
def test_options_that_cannot_be_used_are_refused(tmp_path, options, said):
    with pytest.raises(UserError, match=said) as refused:
        bridged(write(tmp_path, WORDS), **options)
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (f"import datasets, evaluate\n{GOOD}", "line 1: evaluate reads 'import datasets, evaluate' as one name"),
        (f"import datasets; import evaluate\n{GOOD}", "line 1: evaluate reads several statements on one line"),
        (f"import evaluate\nimport neighbour\n{GOOD}", "line 2: 'neighbour' is a module in the script's folder"),
        (f"import evaluate\nfrom neighbour import x\n{GOOD}", "line 2: 'neighbour' is a module in the script's folder"),
        (f"import evaluate\nfrom .neighbour import x\n{GOOD}", "line 2: the import of 'neighbour' is relative"),
        (f"import evaluate\nfrom . import neighbour\n{GOOD}", "line 2: the import of 'neighbour' is relative"),
        (f"import evaluate\nimport no_such_package\n{GOOD}", "'no_such_package' is imported but not installed"),
        ("from evaluate import Metric\nclass Own(Metric):\n    pass\n", "line 1: 'from evaluate import Metric' makes"),
        (f"import evaluate\nfrom evaluate.module import Metric as M\n{GOOD}", "line 2: 'from evaluate.module import"),
        (f"import evaluate\nfrom evaluate import *\n{GOOD}", "makes evaluate use its own class"),
        (f"import evaluate\n{GOOD}class Other(Own):\n    pass\n", r"several metric classes \(Own, Other\)"),
        ("import evaluate\n\nclass Own:\n    pass\n", "no class derives from evaluate.Metric"),
        ("def broken(:\n", "line 1: not Python"),
    ],
)
def test_a_script_that_would_not_load_is_refused_before_anything_runs(tmp_path, text, said):
    (tmp_path / "neighbour.py").write_text("x = 1\n")
    path = tmp_path / "own.py"
    path.write_text(text)
    with pytest.raises(UserError, match=said) as refused:
        bridged(path)
    assert "\n" not in str(refused.value)


def test_every_problem_of_a_script_is_named_together(tmp_path):
    path = tmp_path / "own.py"
    path.write_text("import os, evaluate\nfrom evaluate import Metric\n")
    with pytest.raises(UserError, match="2 problems") as refused:
        bridged(path)
    assert "line 1" in str(refused.value) and "line 2" in str(refused.value)


@pytest.mark.parametrize("name", evaluate_metrics.NAMES)
def test_a_script_of_the_project_has_no_trap(name):
    path = Path(evaluate_metrics.script(name))
    assert evaluate_scripts.problems(path.read_text(), path) == []


def test_an_unknown_script_is_refused():
    with pytest.raises(UserError, match=r"no metric 'meteor'\. Expected one of checkable_facts"):
        evaluate_metrics.script("meteor")
