"""A disk that is full ends a training with one line; nothing that was saved is lost, and with room it goes on."""

import contextlib
import errno
import resource

import pytest
import torch

from harness.errors import EXIT_USAGE, UserError
from harness.runs.folder import load_run
from tests.support.training_process import losses, only_run, train_command, train_here, weights
from tests.training.test_run import stop_at
from training import session
from training.checkpointing import FILE, written
from training.run import LAST, Interrupted

FULL = "cannot be written (File too large). Free space"


def limit(size):
    """Let this process write no file beyond `size` bytes: the write that would stops half-way, as on a full disk."""
    before, most = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, most))
    return before, most


@contextlib.contextmanager
def room(size):
    before = limit(size)
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


def size_of(file):
    return file.stat().st_size


def stopped_at(config, step):
    with pytest.raises(Interrupted):
        train_here(config, stop_at(step))
    return only_run(config.parent / "runs")


def without_adapter(config, monkeypatch):
    """A run that trained to its end and was cut off before it wrote its adapter."""

    class Cut(Exception):
        pass

    def cut(*_):
        raise Cut

    with monkeypatch.context() as patched:
        patched.setattr(session, "write_adapter", cut)
        with pytest.raises(Cut):
            train_here(config)
    return only_run(config.parent / "runs")


def fails(config, size, named):
    """Run the command with room for files of `size` bytes; it must name `named` in one line."""
    with room(size):
        done = train_command(config)
    said = done.stderr.splitlines()
    assert (done.returncode, done.stdout) == (EXIT_USAGE, ""), said
    assert said[-1].startswith(f"tunegate: {named}: {FULL}")
    assert all(line.startswith("training: ") for line in said[:-1]), said


def refuses(config, size, named):
    """The same in this process."""
    with room(size), pytest.raises(UserError) as refused:
        train_here(config)
    assert refused.value.exit_code == EXIT_USAGE
    assert str(refused.value).startswith(f"{named}: {FULL}")


def ends_like(config, folder, whole):
    """With room again the same command goes on and ends as the unbroken run did."""
    assert train_here(config) == folder
    assert losses(folder) == losses(whole)
    assert weights(folder) == weights(whole)
    assert load_run(folder).manifest.status == "finished"
    assert not list(folder.rglob("*.part"))


@pytest.fixture
def whole(write_config):
    """Write an unbroken run of the same settings; returns the configuration to break, and the run."""

    def make(**settings):
        made = train_here(write_config(output__dir="whole", **settings))
        return write_config(**settings), made

    return make


@pytest.mark.slow
def test_the_state_before_stays_whole_when_the_next_does_not_fit(whole):
    config, unbroken = whole()
    folder = stopped_at(config, 3)
    state = folder / LAST / FILE
    before = state.read_bytes()
    fails(config, len(before) // 2, state)
    assert state.read_bytes() == before
    assert torch.load(state, weights_only=True)["step"] == 3
    assert [p.name for p in state.parent.iterdir()] == [FILE]
    assert load_run(folder).manifest.status == "failed"
    ends_like(config, folder, unbroken)


@pytest.mark.slow
def test_a_log_line_that_does_not_fit_is_written_again(whole):
    """The log is longer than the record here, so that it is what has no room; a part of its line remains."""
    config, unbroken = whole(train__max_steps=50, train__validate_every=100)
    folder = stopped_at(config, 45)
    log = folder / "train_log.jsonl"
    size = size_of(log)
    assert size > size_of(folder / "run.json")
    fails(config, size + 100, log)
    assert size_of(log) == size + 100
    assert torch.load(folder / LAST / FILE, weights_only=True)["step"] == 45
    ends_like(config, folder, unbroken)


@pytest.mark.slow
def test_an_adapter_that_does_not_fit_leaves_no_half_of_one(whole, monkeypatch):
    config, unbroken = whole()
    folder = without_adapter(config, monkeypatch)
    refuses(config, size_of(unbroken / "adapter" / "adapter_model.safetensors") // 2, folder / "adapter")
    assert not (folder / "adapter").exists() and not list(folder.glob(".adapter*"))
    ends_like(config, folder, unbroken)


@pytest.mark.slow
@pytest.mark.charts
def test_a_curve_that_does_not_fit_is_drawn_later(whole, monkeypatch):
    """The adapter is smaller than the image here."""
    config, unbroken = whole(lora__r=1, lora__target_modules=["q_proj"])
    folder = without_adapter(config, monkeypatch)
    refuses(config, size_of(unbroken / "loss_curve.svg") - 1000, folder.parent)
    assert (folder / "adapter").exists() and load_run(folder).manifest.status == "failed"
    ends_like(config, folder, unbroken)


def confused(cause):
    """What torch makes of a file that takes nothing more: an error of its own, with the file's behind it."""
    try:
        raise cause
    except Exception:
        raise RuntimeError("unexpected pos 64 vs 0")  # noqa: B904


def test_torch_is_understood_when_it_hides_what_the_disk_said(tmp_path):
    part = tmp_path / "part"
    part.mkdir()
    (part / "half").write_text("half")
    whole = tmp_path / "whole"
    with pytest.raises(UserError, match=r"whole: cannot be written \(No space left on device\)"), written(whole, part):
        confused(OSError(errno.ENOSPC, "No space left on device"))
    assert not part.exists()
    with pytest.raises(RuntimeError, match="unexpected pos"), written(whole, part):
        confused(ValueError("a fault of ours"))


def test_a_record_that_does_not_fit_leaves_no_folder(write_config):
    config = write_config()
    with pytest.raises(UserError, match=r"run\.json: cannot be written \(File too large\)"), room(1000):
        train_here(config)
    assert list((config.parent / "runs").glob("*/")) == []
