"""A training without a terminal says a line now and then, and one for each evaluation."""

from types import SimpleNamespace

import pytest

from harness.schema import Estimate, Metric
from training.hooks import Update
from training.progress import TrainingProgress
from training.validation import Validation


def asked(name):
    return SimpleNamespace(metric=Metric(name=name, scorer="s", numerator="n"))


def estimate(value, low, high):
    return Estimate(value=value, low=low, high=high, n=40)


@pytest.fixture
def said(capsys):
    """Give updates to a fresh progress and return what stood on stderr."""

    def say(*updates, held=None, quiet=False):
        progress = TrainingProgress(quiet=quiet)
        if held:
            progress.held = held
        for update in updates:
            progress(update)
        progress.close()
        return capsys.readouterr().err.splitlines()

    return say


def test_an_evaluation_names_the_metric_with_its_interval_and_what_is_forgotten(said):
    found = Validation(
        validation_loss=0.5, general_loss=3.25, task=estimate(0.5, 0.25, 0.75), general=estimate(0.4, 0.3, 0.5)
    )
    held = SimpleNamespace(select=asked("clause_recall"), forgetting=asked("accuracy"))
    before = Update(step=0, total=9, measured=found)
    best = Update(step=3, total=9, measured=found, is_best=True)
    figures = (
        "clause recall 50.0% (25.0% to 75.0%), accuracy 40.0% (30.0% to 50.0%), validation loss 0.5000, "
        "general text loss 3.2500"
    )
    assert said(before, best, held=held) == [
        f"training: before the first step: {figures}",
        f"training: step 3: {figures}, the best so far",
    ]


def test_a_metric_that_could_not_be_measured_is_said_to_be(said):
    nothing = Validation(task=Estimate(value=None, reason="no case was scored"))
    held = SimpleNamespace(select=asked("recall"), forgetting=None)
    assert said(Update(step=2, total=9, measured=nothing), held=held) == ["training: step 2: recall not measured"]


def test_steps_are_said_now_and_then_and_the_last_always(said):
    steps = [
        Update(step=n, total=50, loss=2.0, lr=1e-3, tokens_per_s=1234.5, answer_tokens_per_s=67) for n in (1, 2, 50)
    ]
    lines = said(*steps)
    assert [line.split()[1] for line in lines] == ["1/50", "50/50"]
    assert lines[0] == "training: 1/50 steps, loss 2.0000, lr 1.00e-03, 1,234 tokens/s (67 answer)"


def test_a_quiet_one_says_nothing(said):
    assert said(Update(step=1, total=1, loss=2.0), quiet=True) == []
