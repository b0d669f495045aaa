"""A training in a process of its own ends as a run folder, a reason, or a stop, and gets each signal once."""

import os
import signal
import sys
import threading
from pathlib import Path

import pytest

from training.run import handling
from training.sweep.run import Ended, Processes

TRAINING = "i=0; while [ $((i += 1)) -lt 600 ]; do sleep 0.2; done"
"""Two minutes in short steps, because the shell obeys a signal after a step."""


@pytest.fixture
def run(tmp_path, monkeypatch):
    """Run a shell script in the place of `tunegate train`; returns how it ended and what it said."""

    def run(script, act=None):
        program = tmp_path / "python"
        program.write_text(f"#!/bin/sh\n{script}\n")
        program.chmod(0o755)
        monkeypatch.setattr(sys, "executable", str(program))
        said = []

        def relay(line):
            said.append(line)
            if act:
                act(line)

        processes = Processes()
        with handling(processes.forward):
            return processes.train(Path("point.toml"), relay), said, processes

    return run


def test_a_finished_training_names_its_run_folder(run):
    ended, said, _ = run('echo "$@"; echo loss 0.5 >&2; echo "adapter: /runs/a b/adapter"')
    assert ended == Ended(run=Path("/runs/a b"))
    assert said == ["-m tunegate.cli.main train point.toml", "loss 0.5"]


@pytest.mark.parametrize(("script", "ended"), [
    ("echo first; echo 'tunegate: rows.jsonl:2: no row' >&2; exit 4", Ended(error="rows.jsonl:2: no row")),
    ("echo 'Traceback' >&2; echo 'ValueError: bad' >&2; echo; exit 1", Ended(error="ValueError: bad")),
    ("exit 3", Ended(error="ended with code 3 without output")),
    ("echo step 7; kill -KILL $$", Ended(error="killed by SIGKILL; last output: step 7")),
    ("exit 2", Ended(stopped=True)),
    ("kill -INT $$", Ended(stopped=True)),
])  # fmt: skip
def test_an_end_without_an_adapter_says_why(run, script, ended):
    assert run(script)[0] == ended


@pytest.mark.parametrize("sent", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_reaches_the_training_once_and_the_sweep_waits_for_it(run, sent):
    script = f"trap 'echo saving; exit 2' INT; echo ready; {TRAINING}; exit 4"
    ended, said, processes = run(script, lambda line: line == "ready" and os.kill(os.getpid(), sent))
    assert ended == Ended(stopped=True) and processes.stop_requested
    assert said == ["ready", "saving"]


def test_the_training_does_not_share_the_terminals_own_signals(run):
    _, (group,), _ = run("ps -o pgid= -p $$")
    assert int(group) != os.getpgrp()


def test_a_relay_that_breaks_stops_the_training_first(run, tmp_path):
    def broken(line):
        raise BrokenPipeError

    stopped = tmp_path / "stopped"
    with pytest.raises(BrokenPipeError):
        run(f"trap 'touch {stopped}; exit 2' INT; echo ready; {TRAINING}", broken)
    assert stopped.exists()


def test_a_relay_that_breaks_after_a_signal_sends_no_second_one(run, tmp_path):
    def broken(line):
        if line == "ready":
            os.kill(os.getpid(), signal.SIGTERM)
        else:
            raise OSError

    saved = tmp_path / "saved"
    script = f"trap 'trap \"exit 3\" INT; echo saving; sleep 0.5; touch {saved}; exit 2' INT; echo ready; {TRAINING}"
    with pytest.raises(OSError):
        run(script, broken)
    assert saved.exists()


def test_handlers_are_put_back_and_other_threads_set_none(run):
    before = signal.getsignal(signal.SIGINT)
    run("exit 2")
    assert signal.getsignal(signal.SIGINT) is before
    ended = []
    thread = threading.Thread(target=lambda: ended.append(run("exit 2")[0]))
    thread.start()
    thread.join()
    assert ended == [Ended(stopped=True)] and signal.getsignal(signal.SIGINT) is before
