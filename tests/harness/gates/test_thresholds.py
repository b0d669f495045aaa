"""Thresholds that every model meets, or that none can meet, are refused before a model is asked."""

from pathlib import Path

import pytest

from harness.errors import UserError
from harness.gates.config import load_suite_gates, validate
from harness.schema import Gate, GateFile, Metric, Objective
from harness.suites.discovery import find_suites
from tests.support.command import tunegate
from tests.support.mini import GATES, pytest_in, write_script, write_suite

RECALL = Metric(name="recall", scorer="s", numerator="found", denominator="there")
ALARMS = Metric(name="alarms", scorer="s", numerator="invented", higher_is_better=False)
WORDS = Metric(name="words", scorer="s", numerator="words", unbounded=True)
LENGTH = Metric(name="length", scorer="s", numerator="words", unbounded=True, higher_is_better=False)
BLEU = Metric(name="bleu", scorer="s", numerator="", kind="mean", worst=0.0, best=100.0)
LOSS = Metric(name="loss", scorer="s", numerator="", kind="mean", worst=5.0, best=0.0, higher_is_better=False)
GRADE = Metric(name="grade", scorer="s", numerator="", kind="mean", worst=1.0, best=5.0)
RANK = Metric(name="rank", scorer="s", numerator="", kind="mean", worst=5.0, best=1.0, higher_is_better=False)
MOOD = Metric(name="mood", scorer="s", numerator="", kind="mean", worst=-1.0, best=1.0)
MACRO = Metric(name="macro", scorer="s", numerator="", kind="macro_f1")


def read(metric: Metric, rule: str, **more: object) -> None:
    gate = Gate(metric=metric.name, rule=rule, **more)  # type: ignore[arg-type]
    validate(GateFile(objective=Objective(text="Find."), gate=[gate]), [metric], [])


@pytest.mark.parametrize(
    ("metric", "rule", "more", "said"),
    [
        (RECALL, "at_least", {"value": 80}, "'value' is 80: 80 is not a share; did you mean 0.80?"),
        (RECALL, "at_least", {"value": 97.5}, "97.5 is not a share; did you mean 0.975?"),
        (ALARMS, "at_most", {"value": 5}, "5 is not a share; did you mean 0.05?"),
        (RECALL, "at_least", {"value": 1.5}, "'value' is 1.5: 'recall' is a share, from 0 to 1"),
        (RECALL, "at_least", {"value": -0.1}, "'value' is -0.1: 'recall' is a share, from 0 to 1"),
        (RECALL, "at_least", {"value": 120}, "'value' is 120: 'recall' is a share, from 0 to 1"),
        (RECALL, "at_least", {"value": 0}, "'value' is 0: every model is at least 0, so the gate cannot fail"),
        (ALARMS, "at_most", {"value": 1}, "'value' is 1: every model is at most 1, so the gate cannot fail"),
        (RECALL, "at_least", {"value": 1}, "'value' is 1: no number of cases shows 1, so the gate cannot pass"),
        (ALARMS, "at_most", {"value": 0}, "so the gate cannot pass. Use rule 'never'"),
        (MACRO, "at_least", {"value": 80}, "80 is not a share; did you mean 0.80?"),
        (RECALL, "no_worse", {"margin": 2}, "'margin' is 2: 2 is not a share; did you mean 0.02?"),
        (RECALL, "no_worse", {"margin": 1}, "'margin' is 1: no loss is larger than 1, so the gate cannot fail"),
        (RECALL, "improves", {"margin": 1}, "'margin' is 1: no gain is larger than 1, so the gate cannot pass"),
        (ALARMS, "improves", {"margin": 1, "unit": "relative"}, "so the gate cannot pass"),
        (GRADE, "improves", {"margin": 4, "unit": "relative"}, "no gain is larger than 4, so the gate cannot pass"),
        (RANK, "improves", {"margin": 0.8, "unit": "relative"}, "so the gate cannot pass"),
        (MOOD, "improves", {"margin": 0.3, "unit": "relative"}, "'mood' can be under 0, where a share of the"),
        (WORDS, "at_least", {"value": 0}, "so the gate cannot fail"),
        (LENGTH, "at_most", {"value": 0}, "so the gate cannot pass"),
        (LENGTH, "at_most", {"value": -3}, "'value' is -3: 'length' is a number of 0 or more"),
        (BLEU, "at_least", {"value": 140}, "'value' is 140: 'bleu' is a number from 0 to 100"),
        (BLEU, "at_least", {"value": 0.95}, "'value' is 0.95: 'bleu' is a number from 0 to 100; did you mean 95?"),
        (BLEU, "at_least", {"value": 100}, "so the gate cannot pass"),
        (BLEU, "no_worse", {"margin": 100}, "so the gate cannot fail"),
        (LOSS, "at_most", {"value": 5}, "so the gate cannot fail"),
        (GRADE, "no_worse", {"margin": 4}, "no loss is larger than 4, so the gate cannot fail"),
    ],
)
def test_a_threshold_that_every_model_meets_or_none_can_is_refused(
    metric: Metric, rule: str, more: dict[str, object], said: str
) -> None:
    with pytest.raises(UserError) as error:
        read(metric, rule, **more)
    assert f"gates.toml: gate 1 ({metric.name} {rule})" in str(error.value)
    assert said in str(error.value) and "\n" not in str(error.value)


def test_a_rate_that_is_no_share_says_how_to_declare_it() -> None:
    with pytest.raises(UserError, match=r"If 'alarms' can be more than 1, declare it with Metric\(unbounded=True\)"):
        read(ALARMS, "at_most", value=20)
    with pytest.raises(UserError) as error:
        read(MACRO, "at_least", value=20)
    assert "unbounded" not in str(error.value)


@pytest.mark.parametrize(
    ("metric", "rule", "more"),
    [
        (RECALL, "at_least", {"value": 0.999}),
        (ALARMS, "at_most", {"value": 0.001}),
        (LENGTH, "at_most", {"value": 95}),
        (WORDS, "no_worse", {"margin": 10}),
        (BLEU, "at_least", {"value": 40}),
        (BLEU, "at_least", {"value": 1}),
        (LOSS, "at_most", {"value": 0.5}),
        (WORDS, "at_least", {"value": 0.5}),
        (BLEU, "no_worse", {"margin": 2}),
        (RECALL, "improves", {"margin": 1.5, "unit": "relative"}),
        (RECALL, "improves", {}),
        (ALARMS, "reduces", {"ratio": 1.0}),
    ],
)
def test_thresholds_inside_of_a_metrics_own_range_are_read(metric: Metric, rule: str, more: dict[str, object]) -> None:
    read(metric, rule, **more)


def test_only_a_ratio_can_be_without_an_upper_end() -> None:
    with pytest.raises(ValueError, match="unbounded is for kind 'ratio'"):
        Metric(name="m", scorer="s", numerator="", kind="macro_f1", unbounded=True)


def test_a_count_divided_by_itself_is_no_metric() -> None:
    with pytest.raises(ValueError, match="metric 'm': 'found' divided by itself is always 1"):
        Metric(name="m", scorer="s", numerator="found", denominator="found")


def test_every_command_refuses_it_before_a_model_is_asked(tmp_path: Path) -> None:
    write_suite(tmp_path, gates=GATES.replace("value = 0.5", "value = 80", 1))
    write_script(tmp_path, tuned={})
    asking = ("--engine", "fake", "--script", "script.json")
    for done in (
        tunegate(tmp_path, "power"),
        tunegate(tmp_path, "compare", "old", "new", *asking),
        pytest_in(tmp_path, "-q"),
    ):
        said = done.stdout + done.stderr
        assert done.returncode == 4, said
        assert "gate 1 (clause_recall at_least): 'value' is 80" in " ".join(said.split())
    assert not list(tmp_path.rglob("answers.jsonl"))


def test_more_cases_than_the_suite_has_can_only_be_inconclusive_and_power_says_so(tmp_path: Path) -> None:
    write_suite(tmp_path, gates=GATES.replace("value = 0.5", "value = 0.5\nn_min = 300", 1))
    done = tunegate(tmp_path, "power", "--strict")
    assert done.returncode == 1
    assert "CANNOT PASS: Too few: 20 cases, and this gate needs 300 cases." in done.stdout


@pytest.mark.slow
def test_every_shipped_suite_has_thresholds_that_can_be_met_and_missed() -> None:
    suites = list(find_suites(["evalsuites"]))
    assert len(suites) > 8
    for suite in suites:
        load_suite_gates(suite, None)
