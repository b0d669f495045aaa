"""The installed checker: its record, the digest of its weights, when suites use it, and its threshold."""

import json

import pytest

from harness.env import CHECKER
from harness.errors import UserError
from harness.schema import Case
from harness.scoring import checker
from harness.scoring.base import run
from tests.conftest import save_tiny_model
from tests.support.adapters import save_adapter
from tests.support.answers import answer

HOW = checker.CheckerRecord(
    system="You check.",
    prompt="{source}\n{sentence}",
    answers=("Yes", "No", "due"),
    windows=1,
    window_tokens=120,
    threshold=0.4,
)


def recorded(root):
    """A tiny checker with its record."""
    adapter = save_adapter(save_tiny_model(root / "base", "qwen", initializer_range=0.2), root / "adapter")
    checker.record(adapter, HOW)
    return adapter


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return recorded(tmp_path_factory.mktemp("checker"))


def test_the_scorer_asks_as_the_record_says(folder):
    scorer = checker.of_folder(folder)
    assert {name: scorer.config[name] for name in checker.options(HOW)} == checker.options(HOW) | {
        "answers": HOW.answers
    }
    case = Case(id="x", input={"document": "The rent is due on sale."}, expected=[], cluster="lease-1")
    score = run([scorer], case, answer("The rent is due on sale. The tenant agrees to it.")).support
    probabilities = [float(span.reason.removeprefix("support ")) for span in score.spans]
    assert score.counts == {"claims": 2, "supported": sum(value >= 0.4 for value in probabilities)}


def test_another_adapter_than_the_recorded_one_is_refused(folder, tmp_path):
    other = save_adapter(folder.parent / "base", tmp_path / "adapter", seed=2)
    (other / checker.RECORD).write_bytes((folder / checker.RECORD).read_bytes())
    with pytest.raises(UserError, match="they changed after it was built"):
        checker.of_folder(other)


def test_a_folder_without_a_readable_record_is_refused_with_the_command_that_makes_one(tmp_path):
    with pytest.raises(UserError, match=r"no checker there.*`make checker`"):
        checker.of_folder(tmp_path)
    (tmp_path / checker.RECORD).write_text(json.dumps({"prompt": "x"}))
    with pytest.raises(UserError, match=r"`system`.*`make checker`"):
        checker.of_folder(tmp_path)


def test_suites_have_the_metric_only_if_a_checker_is_named_or_passed_its_gates(folder, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(checker, "installed", lambda: folder)
    monkeypatch.delenv(CHECKER, raising=False)
    monkeypatch.setattr(checker, "GATES_PASSED", False)
    assert checker.ready() == []
    monkeypatch.setenv(CHECKER, str(folder))
    (named,) = checker.ready()
    assert [metric.name for metric in named.metrics] == ["claim_support_rate"]
    monkeypatch.delenv(CHECKER)
    monkeypatch.setattr(checker, "GATES_PASSED", True)
    assert [found.version for found in checker.ready()] == [named.version]
    assert capsys.readouterr().err == ""
    monkeypatch.setattr(checker, "installed", lambda: tmp_path)
    checker._say_missing.cache_clear()
    assert checker.ready() + checker.ready() == []
    (line,) = capsys.readouterr().err.splitlines()
    assert "claim_support_rate is left out" in line and "make checker" in line


@pytest.mark.parametrize(("alarms", "found"), [(0.10, 0.2), (0.25, 0.3), (0.0, 0.1)])
def test_a_threshold_leaves_at_most_the_share_of_false_alarms(alarms, found):
    supported = [0.5, 0.1, 0.3, 0.2, *[0.9] * 6]
    assert checker.threshold_at(alarms, supported) == found
    assert sum(value < found for value in supported) <= alarms * len(supported)
