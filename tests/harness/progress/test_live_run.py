"""A real pseudo-terminal, a pipe and a keyboard: what a user sees of `tunegate compare` and pytest."""

import os
import re
import signal
from pathlib import Path

import pytest

from harness.runs.folder import load_manifest
from tests.support.command import run_pytest, run_tunegate
from tests.support.mini import TEST, right, rows, write_script, write_suite
from tests.support.pseudo_terminal import CTRL_C, UNSET, Seen, run_on_terminal

pytestmark = pytest.mark.slow
CASES = rows(40)
ASK = ["--engine", "fake", "--script", "script.json"]
COMPARE = ["tunegate", "compare", "old", "new", "--suite", "evalsuites", *ASK]
PYTEST = ["pytest", "evalsuites", "-p", "no:cacheprovider", "--baseline", "old", *ASK]
HOSTILE = "\x1b[2J\x1b[31m[red]evil[/red] \u202egnp.exe\x07"
SLOW = '''
import os
import subprocess
import sys
import time

from harness.schema import Score
from harness.scoring.base import scorer


@scorer(name="slow", metrics=[])
def slow(case, completion):
    """Takes its time, and prints as libraries and processes of their own do."""
    time.sleep({seconds})
    if case.id == "c3":
        os.write(2, b"a library in C speaks\\n")
        subprocess.run([sys.executable, "-c", "print('ERROR of an engine of its own')"], check=True)
    return Score(name="slow", value=1.0)


suite = Suite(scorers=[slow, '''


def environment(root: Path) -> dict[str, str]:
    return {"TUNEGATE_CACHE": str(root / "cache")}


def project(root: Path, seconds: float) -> Path:
    """The mini suite, whose scorer takes this long for an answer; the tuned model attacks the terminal once."""
    write_suite(root, CASES, slowly(seconds))
    answers = right(CASES)
    write_script(root, tuned=answers | {"c1": HOSTILE}, baseline=dict.fromkeys(answers, "none"))
    return root


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A project whose run takes a second or two."""
    return project(tmp_path, 0.02)


@pytest.fixture
def long_root(tmp_path: Path) -> Path:
    """A project whose run is not over before it is interrupted."""
    return project(tmp_path, 2.0)


@pytest.fixture(scope="module")
def compared(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Seen]:
    """A project, and a comparison of some seconds in it that was watched to its end."""
    root = project(tmp_path_factory.mktemp("compared"), 0.05)
    return root, run_on_terminal(COMPARE, root, environment(root))


def slowly(seconds: float) -> str:
    return TEST.replace("\nsuite = Suite(scorers=[", SLOW.replace("{seconds}", str(seconds)))


def assert_is_sane(seen: Seen) -> None:
    """The cursor is back, nothing of a picture is left, and nothing but pictures moved it."""
    assert seen.cursor_is_shown
    assert "plan > answers" not in seen.text
    assert seen.unknown == []


def test_a_comparison_shows_stage_rate_and_time_left_and_leaves_a_line(compared: tuple[Path, Seen]) -> None:
    _, seen = compared
    assert seen.code in (0, 1), seen.text
    assert_is_sane(seen)
    frames = "\n".join(seen.frames)
    assert "plan > answers > gates > writing" in frames
    assert re.search(r"answers \(fake 1\) .* \d+/80 +answers 0:\d\d:\d\d", frames)
    assert re.search(r"\d+\.\d answers/s", frames)
    assert re.search(
        r"^answers \(fake 1\): 80/80 answers, [\d,]+ tokens/s, (?:\d+ min )?\d+ s$", seen.text, re.MULTILINE
    )
    result = seen.text.split("answers (fake 1): 80/80")[1]
    assert re.search(r"^  clause recall +\d+% -> \d+%  .+ better$", result, re.MULTILINE), "the result follows"


def test_what_others_print_stands_whole_above_the_picture(compared: tuple[Path, Seen]) -> None:
    _, seen = compared
    lines = seen.text.splitlines()
    assert lines.count("a library in C speaks") == 2
    assert lines.count("ERROR of an engine of its own") == 2
    assert lines.index("ERROR of an engine of its own") < next(n for n, x in enumerate(lines) if "80/80 answers" in x)


@pytest.mark.parametrize(("columns", "rows_"), [(40, 24), (20, 6)])
def test_a_narrow_or_low_terminal_is_no_trouble(root: Path, columns: int, rows_: int) -> None:
    seen = run_on_terminal(COMPARE, root, environment(root), columns, rows_)
    assert seen.code in (0, 1), seen.text
    assert seen.cursor_is_shown and seen.unknown == []
    assert "live view ended" not in seen.text
    assert rows_ < 24 or any("/80" in frame for frame in seen.frames)


@pytest.mark.parametrize("ending", [CTRL_C, signal.SIGTERM])
def test_an_interruption_gives_the_terminal_back(long_root: Path, ending: bytes | signal.Signals) -> None:
    seen = run_on_terminal(COMPARE, long_root, environment(long_root), type_when=(lambda text: "/80" in text, ending))
    assert seen.code == 2
    said = seen.text.replace("\n", "")
    assert "tunegate: interrupted; finished answers" in said
    assert "except a server's answers since its last canary" in said
    assert "\x1b[?25l" in seen.written
    assert_is_sane(seen)
    assert re.search(r"answers \(fake 1\): \d+/80 answers", seen.text)
    (made,) = (p for p in (long_root / "runs").iterdir() if p.is_dir())
    assert load_manifest(made).status == "interrupted"


@pytest.mark.parametrize("words", [[], ["-s"]])
def test_pytest_shows_the_run_before_the_first_item(root: Path, words: list[str]) -> None:
    seen = run_on_terminal([*PYTEST, *words], root, environment(root))
    assert seen.code in (0, 1), seen.text
    assert_is_sane(seen)
    assert any("/80" in frame for frame in seen.frames)
    before, after = seen.text.split("answers (fake 1): 80/80 answers")
    assert "tunegate: 80 answers for baseline old" in before
    assert "%]" not in before and "PASSED" not in before
    assert re.search(r"\d+ passed", after)


@pytest.mark.parametrize("words", [["-q", "-q"], ["-n", "2"]])
def test_pytest_draws_nothing_for_workers_and_the_very_quiet(root: Path, words: list[str]) -> None:
    write_suite(root, CASES, slowly(0.01))
    seen = run_on_terminal([*PYTEST, *words], root, environment(root))
    assert seen.code in (0, 1), seen.text
    assert seen.frames == [] or "-n" in words
    assert "/80" not in seen.written.replace("80/80", "") and "answers (fake 1)" not in seen.written


def test_ctrl_c_in_pytest_gives_the_terminal_back(long_root: Path) -> None:
    seen = run_on_terminal(PYTEST, long_root, environment(long_root), type_when=(lambda text: "/80" in text, CTRL_C))
    assert seen.code == 2
    assert_is_sane(seen)
    assert "KeyboardInterrupt" in seen.text


@pytest.mark.parametrize("command", [COMPARE, PYTEST])
def test_a_pipe_gets_lines_without_any_control_character(root: Path, command: list[str]) -> None:
    settings = {name: value for name, value in os.environ.items() if name not in UNSET}
    run = run_pytest if command is PYTEST else run_tunegate
    done = run(*command[1:], cwd=root, env=settings | environment(root))
    assert done.returncode in (0, 1), done.stderr
    assert re.search(
        r"^answers \(fake 1\): 80/80 answers, [\d,]+ tokens/s, (?:\d+ min )?\d+ s$", done.stderr, re.MULTILINE
    )
    assert not re.search(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]", done.stdout + done.stderr)
