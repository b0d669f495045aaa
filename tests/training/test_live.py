"""The live view of a training: what it holds, on a real pseudo-terminal and in a pipe."""

import io
import json
import os
import re

import pytest
from rich.cells import cell_len
from rich.console import Console

from harness.progress import screen
from harness.runs.folder import load_manifest
from harness.sanitize import is_hidden
from tests.support.command import run_tunegate
from tests.support.pseudo_terminal import CTRL_C, UNSET, run_on_terminal
from training import checkpointing
from training.hooks import TRAINING, VALIDATION, Update
from training.progress import TrainingPicture
from training.run import LAST
from training.validation import Validation

TRAIN = ["tunegate", "train", "train.toml"]
ENDLESS = 20_000
"""More steps than any test waits for."""
SWEEP = ["tunegate", "sweep", "sweep.toml"]


def watched(command, folder, *size, **more):
    """The command on a terminal, with a cache of its own."""
    return run_on_terminal(command, folder, {"TUNEGATE_CACHE": str(folder / "cache")}, *size, **more)


def picture(steps=200):
    """After so many of 500 steps, with an evaluation each hundred; the loss falls."""
    made = TrainingPicture()
    made.stage = TRAINING
    made.add(Update(step=0, total=500, measured=Validation(validation_loss=3.0)))
    for step in range(1, steps + 1):
        made.add(
            Update(
                step=step, total=500, loss=2.0 / step, lr=1e-3, tokens_per_s=1234.5, answer_tokens_per_s=67,
                peak_memory_mib=2048, saved_step=step // 100 * 100, seconds_left=90.0,
            )
        )  # fmt: skip
        if step % 100 == 0:
            made.add(Update(step=step, total=500, measured=Validation(validation_loss=1 / step), is_best=True))
    return made


def rows(made, columns=100, height=24):
    out = io.StringIO()
    Console(file=out, width=columns, height=height, force_terminal=True).print(made.draw(columns, height))
    return re.sub(r"\x1b\[[0-9;]*m", "", out.getvalue()).rstrip("\n").split("\n")


def test_it_holds_stage_steps_rates_losses_memory_time_and_what_is_kept():
    seen = "\n".join(rows(picture()))
    assert "data > model > training > result" in seen
    assert "200/500 steps" in seen
    assert "training · 1,234 tokens/s (67 answer) · learning rate 1.00e-03 · 2,048 MiB peak" in seen
    assert "about 1 min 30 s left" in seen
    assert re.search(r"^loss +0\.0100 █[▁-█]+▁ *$", seen, re.MULTILINE)
    assert re.search(r"^validation loss +0\.0050 █▁▁ *$", seen, re.MULTILINE)
    assert "resumes after step 200 if interrupted · best adapter at step 200" in seen


def test_a_narrow_terminal_shortens_the_course_and_not_the_number():
    seen = "\n".join(rows(picture(), 40))
    assert re.search(r"^loss +0\.0100 █[▁-█]+▁ *$", seen, re.MULTILINE)
    assert re.search(r"^validation loss +0\.0050 █▁▁ *$", seen, re.MULTILINE)


def test_a_validation_is_told_from_training():
    made = picture()
    made.stage = VALIDATION
    assert "validation · 1,234 tokens/s" in "\n".join(rows(made))


@pytest.mark.parametrize(("columns", "height"), [(20, 6), (40, 24), (200, 60)])
def test_it_fits_any_terminal(columns, height):
    for made in (TrainingPicture(), picture()):
        found = rows(made, columns, height)
        assert max(map(cell_len, found)) <= columns and len(found) < height


def manifest_of(tmp_path):
    (made,) = (p for p in (tmp_path / "runs").iterdir() if (p / "run.json").exists())
    return load_manifest(made)


@pytest.mark.slow
def test_a_training_is_drawn_to_its_end_and_leaves_its_lines(write_config, tmp_path, monkeypatch):
    monkeypatch.setattr(screen, "EVERY_S", 0.02)  # The training is longer than the time between two drawings.
    write_config(train__max_steps=400, train__validate_every=20)
    seen = watched(TRAIN, tmp_path, 40)
    assert seen.code == 0, seen.text
    assert seen.cursor_is_shown and seen.unknown == []
    assert "data > model" not in seen.text and "live view ended" not in seen.text
    frames = "\n".join(seen.frames)
    assert "data > model > training > result" in frames
    assert re.search(r"\d+/400 steps", frames) and re.search(r"[\d,]+ tokens/s \([\d,]+ answer\)", frames)
    assert re.search(r"loss +\d\.\d{4} [▁-█]+", frames) and "learning rate" in frames
    assert re.search(r"[\d,]+ MiB peak", frames)
    text = seen.text.replace("\n", "")
    assert "training: step 400: validation loss" in text and "training: finished: " in text
    assert "adapter: " in text


@pytest.mark.slow
def test_ctrl_c_keeps_the_step_and_gives_the_terminal_back(write_config, tmp_path):
    write_config(train__max_steps=ENDLESS, train__validate_every=20)
    seen = watched(TRAIN, tmp_path, type_when=(lambda text: "resumes after step" in text, CTRL_C))
    assert seen.code == 2, seen.text
    assert seen.cursor_is_shown and "data > model" not in seen.text
    assert "stopping: saving the last finished step" in seen.text
    assert re.search(rf"training stopped after step \d+ of {ENDLESS}", seen.text)
    assert manifest_of(tmp_path).status == "interrupted"


@pytest.mark.slow
@pytest.mark.parametrize("command", [TRAIN, SWEEP])
def test_a_terminal_that_hangs_up_keeps_the_last_step(write_config, tmp_path, command):
    write_config(train__max_steps=ENDLESS, train__validate_every=20)
    (tmp_path / "sweep.toml").write_text('config = "train.toml"\n[vary]\n"optim.lr" = [0.01, 0.02]\n')
    watched(command, tmp_path, type_when=(lambda text: "resumes after step" in text, None))
    assert manifest_of(tmp_path).status == "interrupted"
    (log,) = (tmp_path / "runs").glob("*/train_log.jsonl")
    done = [row["step"] for row in map(json.loads, log.read_text().splitlines()) if "loss" in row]
    assert checkpointing.load(log.parent / LAST, manifest_of(tmp_path).training["fingerprint"]).step == done[-1]


@pytest.mark.slow
def test_a_pipe_gets_lines_without_any_control_character(write_config, tmp_path):
    write_config()
    settings = {name: value for name, value in os.environ.items() if name not in UNSET}
    settings |= {"TUNEGATE_CACHE": str(tmp_path / "cache"), "TERM": "xterm-256color"}
    done = run_tunegate(*TRAIN[1:], cwd=tmp_path, env=settings)
    assert done.returncode == 0, done.stderr
    assert "training: 6/6 steps, loss" in done.stderr
    assert not [c for c in done.stdout + done.stderr if c != "\n" and c != "\r" and is_hidden(c)]


@pytest.mark.slow
def test_each_point_of_a_sweep_draws_its_view_on_the_sweeps_terminal(write_config, tmp_path):
    # Longer than the time between two drawings; each evaluation computes the general text, in seconds where it is busy.
    write_config(train__max_steps=400, train__validate_every=100)
    (tmp_path / "sweep.toml").write_text('config = "train.toml"\n[vary]\n"optim.lr" = [0.01, 0.02]\n')
    seen = watched(SWEEP, tmp_path)
    assert seen.code == 0, seen.text
    assert seen.cursor_is_shown and seen.unknown == [] and "data > model" not in seen.text
    for number in (1, 2):
        assert f"sweep: point {number} of 2" in seen.text
        _, drawn = seen.written.split(f"sweep: point {number} of 2", 1)
        assert "resumes after step" in drawn.split("sweep: point 2", 1)[0]
    assert seen.text.count("training: finished: ") == 2


@pytest.mark.slow
def test_ctrl_c_in_a_sweep_reaches_its_training_and_gives_the_terminal_back(write_config, tmp_path):
    write_config(train__max_steps=ENDLESS, train__validate_every=20)
    (tmp_path / "sweep.toml").write_text('config = "train.toml"\n[vary]\n"optim.lr" = [0.01, 0.02]\n')
    seen = watched(SWEEP, tmp_path, type_when=(lambda text: "resumes after step" in text, CTRL_C))
    assert seen.code == 2, seen.text
    assert seen.cursor_is_shown and "data > model" not in seen.text
    assert "stopping: saving the last finished step" in seen.text.splitlines()
    assert "sweep stopped at point 1 of 2" in seen.text
