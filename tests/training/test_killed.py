"""A training killed at any moment goes on with the same command and ends as if nothing had been."""

import os
import random
import signal
import time

import pytest

from harness.errors import EXIT_OK
from harness.runs.folder import RunFolder, check_seal, load_run
from tests.support.training_process import losses, only_run, start, train_command, wait_for, weights
from training.checkpointing import FILE
from training.loop import Loop
from training.run import LAST

STEPS = 8
EVERY = 2


def log_of(runs):
    """Whole lines of the only run's log."""
    files = list(runs.glob("*/train_log.jsonl"))
    return [line for line in files[0].read_bytes().splitlines(keepends=True) if line.endswith(b"\n")] if files else []


def evaluations(runs):
    return [line for line in log_of(runs) if b'"best"' in line]


def steps_done(runs):
    return len(log_of(runs)) - len(evaluations(runs))


def first_bytes(pipe):
    """What a writer has put into the pipe; none while nobody has opened it."""
    try:
        return os.read(pipe, 20_000)
    except BlockingIOError:
        return b""


def kill(process):
    process.kill()
    process.join()


class Moment:
    """Waits for a moment of a running training, kills it there, and checks that it was the moment.

    The training waits where it would leave the moment, so that a late kill is no other one.
    """

    def __init__(self, config, runs, seed):
        self.config, self.runs, self.random = config, runs, random.Random(seed)

    def start(self, method, is_over=lambda loop: True):
        """Start a training run that waits for the kill at the end of a call of the loop's method, if it is there."""
        real = getattr(Loop, method)

        def held(loop, *arguments):
            result = real(loop, *arguments)
            while is_over(loop):
                time.sleep(0.002)
            return result

        return start(self.config, (Loop, method, held))

    def while_it_loads(self):
        process = self.start("_evaluate")
        wait_for(lambda: list(self.runs.glob("*/run.json")), process)
        time.sleep(self.random.uniform(0, 0.2))
        kill(process)
        assert steps_done(self.runs) == 0

    def in_the_middle_of_step(self, step):
        process = self.start("_step", lambda loop: loop.state.step == step - 1)
        wait_for(lambda: steps_done(self.runs) == step - 1, process)
        time.sleep(self.random.uniform(0.02, 0.06))
        kill(process)
        assert steps_done(self.runs) == step - 1

    def right_after_the_evaluation_of(self, step):
        """Step 0 is evaluated too."""
        process = self.start("_save", lambda loop: loop.state.step == step)
        wait_for(lambda: len(evaluations(self.runs)) == step // EVERY + 1, process)
        kill(process)
        assert steps_done(self.runs) == step

    def while_the_state_is_written(self):
        """A pipe in place of the file holds the writer up after its first bytes."""
        last = only_run(self.runs) / LAST
        part = last / f".{FILE}.part"
        process = self.start("_step", lambda loop: (last / FILE).exists() and not part.is_fifo())
        wait_for(lambda: (last / FILE).exists(), process)
        before = (last / FILE).read_bytes()
        os.mkfifo(part)
        reader = os.open(part, os.O_RDONLY | os.O_NONBLOCK)
        reached_the_disk = wait_for(lambda: first_bytes(reader), process)
        kill(process)
        os.close(reader)
        part.unlink()
        part.write_bytes(reached_the_disk)
        assert len(reached_the_disk) < len(before)
        assert (last / FILE).read_bytes() == before

    def after_the_last_step(self):
        process = start(self.config, (RunFolder, "seal", lambda run: signal.pause()))
        wait_for(lambda: list(self.runs.glob("*/adapter")), process)
        kill(process)
        assert not list(self.runs.glob("*/MANIFEST.sha256"))


@pytest.mark.slow
def test_it_ends_with_the_same_log_and_the_same_adapter_wherever_it_was_killed(write_config, tmp_path):
    """One run is killed six times, the other never. Dropout counts, and the best step lies before the last kills."""
    settings = {
        "rows": 20, "train__rows_per_step": 20, "train__max_steps": STEPS, "train__validate_every": EVERY,
        "train__pack_tokens": 0, "lora__dropout": 0.1, "optim__lr": 0.2, "optim__schedule": "constant",
        "optim__warmup_ratio": 0.0,
    }  # fmt: skip
    assert train_command(write_config(output__dir="whole", **settings)).returncode == EXIT_OK
    whole = only_run(tmp_path / "whole")
    assert load_run(whole).manifest.training["best_step"] < STEPS
    config = write_config(output__dir="killed", **settings)
    runs = tmp_path / "killed"
    moment = Moment(config, runs, seed=11)
    moment.while_it_loads()
    moment.in_the_middle_of_step(2)
    moment.right_after_the_evaluation_of(2)
    moment.while_the_state_is_written()
    moment.in_the_middle_of_step(8)
    moment.after_the_last_step()
    done = train_command(config)
    assert done.returncode == EXIT_OK
    folder = only_run(runs)
    adapter, following = done.stdout.splitlines()
    assert adapter == f"adapter: {folder / 'adapter'}" and following.startswith("next: tunegate compare BASELINE ")
    assert f"resumes after step {STEPS} of {STEPS}" in done.stderr
    assert losses(folder) == losses(whole)
    assert [row["step"] for row in losses(folder) if "loss" in row] == list(range(1, STEPS + 1))
    assert weights(folder) == weights(whole)
    assert check_seal(folder) == [] and load_run(folder).manifest.status == "finished"
    assert sorted(p.name for p in folder.iterdir()) == sorted(p.name for p in whole.iterdir())
