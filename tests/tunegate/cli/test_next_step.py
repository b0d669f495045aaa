"""Which command is named as the next one."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from harness.schema import Checkpoint
from tests.support.sample import make_manifest
from tunegate.cli import next_step
from tunegate.cli.train import train

ADAPTER = Checkpoint(name="runs/adapter", kind="adapter", path="/m", digest="ab" * 32)
MODEL = Checkpoint(name="org/model", kind="model", path="/m", digest="cd" * 32)
SPACED = Checkpoint(name="my runs/adapter", kind="adapter", path="/m", digest="ab" * 32)
SERVED = Checkpoint(name="sorter", kind="endpoint", path="/m", digest="ef" * 32)
SCRIPTED = Checkpoint(name="fake:m", kind="scripted", path="", digest="01" * 32)

MERGE = "merge the adapter into its base"


def verdicts(*outcomes: str) -> Any:
    return [SimpleNamespace(outcome=outcome) for outcome in outcomes]


@pytest.mark.parametrize(("checkpoints", "outcomes", "expected"), [
    ({"tuned": ADAPTER, "baseline": MODEL}, ["pass", "fail"], "tunegate view R    # open the report"),
    ({"tuned": ADAPTER, "baseline": MODEL}, ["inconclusive"], "tunegate view R    # open the report"),
    ({"tuned": ADAPTER, "baseline": MODEL}, ["pass"], f"tunegate merge runs/adapter OUT    # {MERGE}"),
    ({"tuned": SPACED, "baseline": MODEL}, ["pass"], f"tunegate merge 'my runs/adapter' OUT    # {MERGE}"),
    ({"tuned": MODEL, "baseline": ADAPTER}, ["pass", "skipped"], "tunegate serve org/model"),
    ({"tuned": MODEL, "baseline": MODEL}, ["pass"], "tunegate view R    # open the report"),
    ({"tuned": SERVED, "baseline": SERVED}, ["pass"], "tunegate view R    # open the report"),
    ({"tuned": SCRIPTED, "baseline": SCRIPTED}, ["pass"], "tunegate view R    # open the report"),
    ({"tuned": SCRIPTED}, ["pass"], "tunegate view R    # open the report"),
    ({"tuned": MODEL}, ["pass"], 'tunegate baseline accept R --reason "..."    # compare later models with this one'),
])  # fmt: skip
def test_verdicts_decide_what_follows_a_run(
    capsys: pytest.CaptureFixture[str], checkpoints: dict[str, Checkpoint], outcomes: list[str], expected: str
) -> None:
    manifest = make_manifest(checkpoints=checkpoints)
    judged: Any = SimpleNamespace(manifest=manifest, verdicts=verdicts(*outcomes), path=Path(manifest.run_id))
    next_step.after_verdicts(judged, "R", "tunegate view R")
    assert capsys.readouterr().out == f"next: {expected}\n"


@pytest.mark.parametrize(("was_evaluated", "is_approved", "expected"), [
    (False, False, "tunegate compare BASELINE runs/adapter    # judge it against the model in use"),
    (True, False, "tunegate runs --checkpoint abababababab    # see the runs that evaluated it"),
    (True, True, f"tunegate merge runs/adapter OUT    # {MERGE}"),
])  # fmt: skip
def test_the_verdict_decides_what_follows_a_model_card(
    capsys: pytest.CaptureFixture[str], was_evaluated: bool, is_approved: bool, expected: str
) -> None:
    next_step.after_model_card(ADAPTER, was_evaluated, is_approved)
    assert capsys.readouterr().out == f"next: {expected}\n"


def test_a_training_run_is_named_by_its_path(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """No command finds a checkpoint by the name of its run alone."""
    monkeypatch.chdir(tmp_path)
    for root, shown in (("runs", "runs/20260101T000000Z-mine-0"), ("my runs", "'my runs/20260101T000000Z-mine-0'")):
        folder = tmp_path / root / "20260101T000000Z-mine-0"
        monkeypatch.setattr("training.run.train", lambda config, folder=folder, **more: folder)
        train(Path("train.toml"))
        said = capsys.readouterr().out.splitlines()[-1]
        assert said.startswith(f"next: tunegate compare BASELINE {shown}    # ")


def test_a_gate_that_cannot_pass_needs_cases(capsys: pytest.CaptureFixture[str]) -> None:
    able, short = (SimpleNamespace(suite=f"legal/{can}", can_pass=can) for can in (True, False))
    next_step.after_power([able, short], [])  # type: ignore[list-item]
    next_step.after_power([able], ["evalsuites/legal"])  # type: ignore[list-item]
    assert capsys.readouterr().out.splitlines() == [
        "next: tunegate cases import FILE --into legal/False --append    # add cases",
        "next: tunegate compare BASELINE TUNED --suite evalsuites/legal",
    ]
