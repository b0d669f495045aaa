"""Files in use: held by any process, dropped by none, free again as soon as the process is gone."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from harness import files
from harness.files import claimed, hold

HOLDER = """
import sys, time
from pathlib import Path
from harness.files import hold
hold(Path(sys.argv[1]))
print("held", flush=True)
time.sleep(60)
"""


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "file"
    path.write_text("content")
    return path


def is_free(file: Path) -> bool:
    with claimed(file) as free:
        return free


def test_a_file_that_is_held_twice_is_free_when_the_last_holder_has_closed_it(file: Path) -> None:
    one, other = hold(file), hold(file)
    os.close(one)
    assert not is_free(file)
    os.close(other)
    assert is_free(file)


def test_a_process_that_is_killed_holds_nothing_any_more(file: Path) -> None:
    holder = subprocess.Popen([sys.executable, "-c", HOLDER, str(file)], stdout=subprocess.PIPE, text=True)
    try:
        assert holder.stdout is not None and holder.stdout.readline() == "held\n"
        assert not is_free(file)
    finally:
        holder.kill()
        holder.wait()
    assert is_free(file)


def test_only_one_may_drop_a_file(file: Path) -> None:
    with claimed(file) as first:
        assert first and not is_free(file)


def test_a_file_that_was_dropped_while_it_was_waited_for_is_not_held(
    file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = files.fcntl.flock

    def slow(handle: int, how: int) -> None:
        file.unlink(missing_ok=True)
        real(handle, how)

    monkeypatch.setattr(files.fcntl, "flock", slow)
    with pytest.raises(FileNotFoundError):
        hold(file)


def test_where_there_are_no_locks_files_can_be_used_and_nothing_is_dropped(
    file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def none(handle: int, how: int) -> None:
        raise OSError(37, "No locks available")

    monkeypatch.setattr(files.fcntl, "flock", none)
    os.close(hold(file))
    assert not is_free(file)


def test_a_file_that_is_not_there_is_nobodys(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        hold(tmp_path / "none")
    assert not is_free(tmp_path / "none")
