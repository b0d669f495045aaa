"""The state of an unfinished training is read as tensors and numbers; what else is in the file never runs."""

import pickle
from pathlib import Path

import pytest
import torch

from harness.errors import UserError
from tests.support.adapters import Bomb
from training import checkpointing
from training.checkpointing import FILE, TrainingState


def refused(folder: Path) -> str:
    with pytest.raises(UserError) as caught:
        checkpointing.load(folder, {})
    return str(caught.value)


@pytest.mark.filterwarnings("ignore:Detected pickle protocol")
@pytest.mark.parametrize("is_torch", [True, False])
def test_a_state_that_would_run_code_is_refused_and_does_not_run_it(tmp_path: Path, is_torch: bool) -> None:
    marker = tmp_path / "it-ran"
    bomb = {"step": 3, "adapter": {"a": Bomb(marker)}}
    if is_torch:
        torch.save(bomb, tmp_path / FILE)
    else:
        (tmp_path / FILE).write_bytes(pickle.dumps(bomb))
    message = refused(tmp_path)
    assert message.startswith(f"{tmp_path / FILE}: cannot be read: ") and message.endswith("Start over with --fresh")
    assert "\n" not in message and not marker.exists()


OTHER_FIELDS = [{"step": 1, "unknown": 2}, [1, 2], {"step": "many"}, {"fingerprint": 3}, {1: 2}]


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04", b"not a state", bytes(200), *OTHER_FIELDS])
def test_a_file_that_is_no_state_is_refused_in_one_line(tmp_path: Path, content: object) -> None:
    if isinstance(content, bytes):
        (tmp_path / FILE).write_bytes(content)
    else:
        torch.save(content, tmp_path / FILE)
    assert "cannot be read" in refused(tmp_path) and "\n" not in refused(tmp_path)


def test_a_state_comes_back_as_it_was_saved(tmp_path: Path) -> None:
    saved = TrainingState(step=4, adapter={"a": torch.ones(2)}, misses=1, fingerprint={"seed": 0})
    checkpointing.save(tmp_path, saved)
    found = checkpointing.load(tmp_path, {"seed": 0})
    assert found is not None and found.step == 4 and torch.equal(found.adapter["a"], torch.ones(2))
