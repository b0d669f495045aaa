"""A run says where its tuned model may have been trained on the cases that judge it."""

from pathlib import Path
from typing import Any

import pytest
from msgspec import structs

from harness.checkpoints.resolve import resolve
from harness.engines.config import EngineConfig
from harness.evaluation.seen_cases import notes
from harness.runs.folder import RunFolder
from harness.schema import BASELINE, CANDIDATE, Checkpoint, Manifest
from tests.conftest import save_tiny_model
from tests.support.adapters import save_adapter
from tests.support.mini import make_run, rows, write_suite

UNCHECKED = (
    "The training rows were compared with no suite, so the model may have been trained on the cases that score it."
)
CASES = {"legal/mini": 12, "legal/own": 4}


@pytest.fixture(scope="module")
def adapter(tmp_path_factory: pytest.TempPathFactory) -> Checkpoint:
    root = tmp_path_factory.mktemp("training")
    return resolve(str(save_adapter(save_tiny_model(root / "base"), root / "run" / "adapter")))


def record(adapter: Checkpoint, made: Checkpoint, contamination: dict[str, Any] | None) -> None:
    """Write the manifest of the training run around the adapter, as if it had made a model."""
    assert adapter.adapter_path is not None
    folder = RunFolder(Path(adapter.adapter_path).parent)
    checkpoints = {BASELINE: resolve(adapter.path), CANDIDATE: made}
    training = {"contamination": contamination} if contamination else {}
    folder.write_manifest(
        Manifest(run_id="run", kind="train", status="finished", started="", checkpoints=checkpoints, training=training)
    )


@pytest.mark.parametrize(
    ("contamination", "said"),
    [
        (None, []),
        ({"cases": 16, "suites": CASES, "rows": 0}, []),
        ({"cases": 14, "suites": {"legal/mini": 10, "legal/own": 4}, "uncompared": {"legal/mini": 2}}, []),
        ({"cases": 0, "unchecked": "--no-contamination-check"}, [UNCHECKED]),
        (
            {"cases": 16, "suites": CASES, "rows": 2, "allowed": "a trial"},
            ["Text of a suite's cases is in 2 training rows, so the scores are too high: a trial"],
        ),
        (
            {"cases": 9, "suites": {"legal/mini": 9}, "rows": 0},
            [
                f"{name}: the training rows were compared with {compared}, so the model may have been trained on the "
                "others. Compare them with `tunegate data check`"
                for name, compared in (("legal/mini", "9 of its 12 cases"), ("legal/own", "0 of its 4 cases"))
            ],
        ),
    ],
)
def test_the_record_of_the_training_run_decides(
    adapter: Checkpoint, contamination: dict[str, Any] | None, said: list[str]
) -> None:
    record(adapter, adapter, contamination)
    assert list(notes(adapter, CASES)) == said


def test_a_record_of_another_adapter_says_nothing_of_this_one(adapter: Checkpoint) -> None:
    record(adapter, structs.replace(adapter, adapter_digest="0" * 64), {"cases": 0, "unchecked": "yes"})
    assert list(notes(adapter, CASES)) == []
    assert list(notes(resolve(adapter.path), CASES)) == []


def test_a_run_has_it_in_its_notes(adapter: Checkpoint, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TUNEGATE_CACHE", str(tmp_path / "cache"))
    write_suite(tmp_path, rows(12))
    record(adapter, adapter, {"cases": 0, "unchecked": "--no-contamination-check"})
    run = make_run(tmp_path, candidate=adapter.adapter_path, engine=EngineConfig(name="transformers"))
    assert UNCHECKED in run.manifest.notes
