"""Every diagnosis follows from curves that show it and from no others; real trainings that go wrong are told apart."""

import math

import msgspec
import pytest

from harness.errors import UserError
from harness.runs.folder import load_run
from harness.suites.prompts import Renderer
from tests.training.conftest import crashed, quiet
from training.config import Config, Data, Lora, Optim, Train
from training.diagnosis import RULES, diagnose, of_run
from training.run import train

STEPS = 100
COUNTED = {"train": {"answer_tokens": 5000, "answer_tokens_expected": 5000}}


def settled(x):
    """A loss that falls from 2.5 and is level long before the end."""
    return 0.5 + 2.0 * math.exp(-10 * x)


def near_zero(x):
    """A loss of 0.07 that falls to 0.01, with harder rows in some steps."""
    return 0.09 if round(100 * x) in (40, 41, 60, 61, 80, 81) else 0.01 + 0.06 * math.exp(-10 * x)


def curves(loss, validation=None, lr=2e-4, norm=lambda x: 1.0, task=None, every=10, steps=STEPS):
    """A training log from functions of the share of the way."""
    log = []
    for step in range(1, steps + 1):
        x = step / steps
        log.append({"step": step, "loss": loss(x), "lr": lr, "grad_norm": norm(x)})
        if validation and step % every == 0:
            log.append({"step": step, "validation_loss": validation(x), "task_metric": task(x) if task else None})
    return log


def config(**more):
    tables = {"lora": Lora(), "optim": Optim(), "train": Train(epochs=2), "data": Data(train=["rows.jsonl"])}
    return Config(base="b", **(tables | more))


def found(log, record=COUNTED, settings=None):
    return diagnose(log, record, settings or config())


BAD = {
    "data or mask fault": [
        (curves(settled, settled), {"train": {"answer_tokens": 9000, "answer_tokens_expected": 5000}}),
        (curves(lambda x: 0.005, lr=1e-6), COUNTED),
        (curves(lambda x: 2.5, lambda x: 2.5), COUNTED),
    ],
    "unstable": [
        (curves(lambda x: 2 + 3 * x, lambda x: 2 + 3 * x), COUNTED),
        (curves(settled, settled, norm=lambda x: 30.0 if round(100 * x) % 10 == 0 else 1.0), COUNTED),
        (curves(lambda x: 6.0 if round(100 * x) in (40, 41, 60, 61, 80, 81) else settled(x), settled), COUNTED),
    ],
    "overfit": [
        (curves(settled, lambda x: 0.8 + (x - 0.3) ** 2), COUNTED),
        (curves(settled, lambda x: 0.9 + 0.06 * x), COUNTED),
    ],
    "undertrained": [(curves(lambda x: 2.5 - x, lambda x: 2.5 - x), COUNTED), (curves(lambda x: 2.5 - x), COUNTED)],
    "underfit": [
        (curves(lambda x: 2.5, lambda x: 2.6, lr=1e-7), COUNTED),
        (curves(lambda x: 2.4 + 0.1 * math.exp(-20 * x), lambda x: 2.5), COUNTED),
        (curves(lambda x: 2.5 - 0.06 * x, lambda x: 2.5 - 0.06 * x), COUNTED),
    ],
    "wrong target": [(curves(settled, settled, task=lambda x: 0.4), COUNTED)],
    "forgetting": [(curves(settled, settled), COUNTED | {"forgetting": {"before": 3.0, "after": 3.4}})],
}


@pytest.mark.parametrize(("name", "log", "record"), [(n, *case) for n, cases in BAD.items() for case in cases])
def test_a_curve_that_shows_it_gives_the_diagnosis_alone(name, log, record):
    diagnosis = found(log, record)
    assert (diagnosis.name, diagnosis.also) == (name, [])
    assert any(c.isdigit() for c in diagnosis.evidence)


def test_every_rule_has_a_curve():
    assert list(BAD) == [rule.name for rule in RULES]


@pytest.mark.parametrize(
    ("log", "record"),
    [
        (curves(settled, settled), COUNTED),
        (curves(settled), COUNTED),
        (curves(settled, lambda x: settled(x) + 0.1 + 0.01 * x), COUNTED),
        (curves(settled, settled, task=lambda x: 0.4 + 0.3 * x), COUNTED | {"forgetting": {"before": 3, "after": 3.1}}),
        (curves(lambda x: settled(x) * (1 + 0.1 * math.sin(900 * x)), settled), COUNTED),
        (curves(lambda x: 3.0 if round(100 * x) == 98 else settled(x), settled, norm=lambda x: 30 / (1 + 50 * x)), {}),
        (curves(settled, lambda x: 0.9 + 0.03 * x), COUNTED),
        (curves(lambda x: 6.0 if round(100 * x) in (40, 60, 80) else settled(x), settled), COUNTED),
        (curves(near_zero, lambda x: 0.005 + 0.04 * math.exp(-10 * x)), COUNTED),
    ],
)
def test_a_healthy_curve_gives_none(log, record):
    diagnosis = found(log, record)
    assert (diagnosis.name, diagnosis.also) == ("healthy", [])


@pytest.mark.parametrize(
    ("name", "settings", "change"),
    [
        ("unstable", config(optim=Optim(lr=3e-4)), "set optim.lr = 0.0001 (now 0.0003)"),
        ("overfit", config(), "set train.max_steps = 30 (now 2 epochs, 100 steps)"),
        ("undertrained", config(), "set train.epochs = 4 (now 2)"),
        ("undertrained", config(train=Train(max_steps=100)), "set train.max_steps = 200 (now 100)"),
        ("underfit", config(optim=Optim(lr=1e-7)), "set optim.lr = 0.0001 (now 1e-07)"),
        ("underfit", config(optim=Optim(lr=2e-4)), "set optim.lr = 0.0003 (now 0.0002)"),
        ("underfit", config(optim=Optim(lr=1e-3)), "set train.epochs = 4 (now 2)"),
        ("underfit", config(optim=Optim(lr=1e-3), train=Train(epochs=3), lora=Lora(r=8)), "set lora.r = 16 (now 8)"),
        ("forgetting", config(), "set optim.lr = 0.0001 (now 0.0002)"),
        ("data or mask fault", config(), "check rows of rows.jsonl"),
    ],
)
def test_the_change_is_one_setting_with_its_value(name, settings, change):
    log, record = BAD[name][0]
    assert found(log, record, settings).change.startswith(change)


def test_a_cause_goes_before_what_it_brings_about():
    """Wrong labels make a loss rise too; settings are not the place to mend it."""
    log = curves(settled, lambda x: 0.8 + (x - 0.3) ** 2)
    diagnosis = found(log, {"train": {"answer_tokens": 1, "answer_tokens_expected": 5000}})
    assert (diagnosis.name, diagnosis.also) == ("data or mask fault", ["overfit"])


def test_a_task_metric_is_stated_as_measured_and_of_the_kept_adapter():
    lower = {"selection": {"higher_is_better": False}}
    forgot = COUNTED | lower | {"forgetting": {"before": 3.0, "after": 3.4}}
    log = curves(settled, settled, task=lambda x: {0.1: 0.42, 0.3: 0.38}.get(x, 0.415))
    stated = [found(log, record).evidence for record in (forgot | {"best_step": 30}, forgot)]
    assert stated[0].endswith("the task metric went from 0.420 to 0.380")
    assert stated[1].endswith("the task metric went from 0.420 to 0.415")
    flat = found(curves(settled, settled, task=lambda x: 0.42 + 0.1 * (x == 0.5) - 0.005 * (x > 0.8)), COUNTED | lower)
    assert flat.name == "wrong target" and flat.evidence.endswith("moved from 0.420 to 0.415 at best")


def test_a_metric_of_unknown_direction_is_untouched_only_where_it_moves_neither_way():
    for record in (COUNTED, COUNTED | {"selection": {"higher_is_better": False}}):
        assert found(curves(settled, settled, task=lambda x: 0.4 - 0.3 * x), record).name == "healthy"
    flat = found(curves(settled, settled, task=lambda x: 0.4 + 0.005 * (x == 0.5)))
    assert flat.evidence.endswith("moved from 0.400 to 0.405 at most (whether higher is better was not recorded)")


def test_a_loss_at_its_floor_does_not_overfit_by_rounding():
    assert found(curves(settled, lambda x: 0.001 + 0.001 * x)).name == "healthy"


def test_two_steps_are_not_judged():
    assert found(curves(settled, steps=2)).name == "not judged"


def test_one_hard_step_of_few_is_no_instability():
    log = curves(lambda x: 3.0 if x == 1 else 2.5 - x / 2, norm=lambda x: 30.0 if x == 0.5 else 1.0, steps=6)
    assert "unstable" not in (found(log).name, *found(log).also) and "28.6% higher" in found(log).evidence
    risen = curves(lambda x: 3.0 if x > 0.5 else 2.5 - x / 2, steps=6)
    assert found(risen).name == "unstable"


REAL = {
    "unstable": {
        "optim__lr": 0.9,
        "optim__schedule": "constant",
        "optim__max_grad_norm": 0.0,
        "optim__warmup_ratio": 0.0,
        "lora__alpha": 256,
        "train__max_steps": 12,
    },
    "undertrained": {"optim__lr": 0.003, "optim__schedule": "constant", "train__max_steps": 6},
    "overfit": {"rows": 8, "optim__lr": 0.02, "lora__r": 16, "train__max_steps": 48, "train__validate_every": 6},
    "underfit": {"optim__lr": 1e-7, "train__max_steps": 24, "train__validate_every": 8},
}


@pytest.mark.slow
@pytest.mark.parametrize("name", REAL)
def test_a_real_training_that_goes_wrong_is_told(write_config, sharp_model, name):
    run = load_run(train(write_config(base=sharp_model, **REAL[name]), progress=quiet))
    assert of_run(run).name == name
    assert run.manifest.training["diagnosis"]["name"] == name


def test_a_real_training_on_wrongly_masked_rows_is_told(write_config, monkeypatch):
    """The prompt is learnt too: the loss falls nicely, and only the count of tokens gives it away."""
    rendered = Renderer.training

    def everything(self, chat):
        ids, _ = rendered(self, chat)
        return ids, [0] + [1] * (len(ids) - 1)

    monkeypatch.setattr(Renderer, "training", everything)
    run = load_run(train(write_config(), progress=quiet))
    assert of_run(run).name == "data or mask fault"
    assert "tokens are learnt, but the answers have" in of_run(run).evidence


def test_an_unfinished_run_is_diagnosed_and_an_evaluation_is_refused(write_config):
    run = load_run(crashed(write_config()))
    assert run.manifest.status == "failed" and of_run(run).name != "not judged"
    other = msgspec.structs.replace(run.manifest, kind="eval", training=None)
    with pytest.raises(UserError, match="a run of kind eval; expected a training run"):
        of_run(msgspec.structs.replace(run, manifest=other))
