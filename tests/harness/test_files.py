"""Files in use: held by any process, dropped by none, free again as soon as the process is gone."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from harness import files
from harness.errors import UserError
from harness.files import claimed, hold, write_atomic

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


def test_a_file_is_replaced_whole_keeps_its_mode_and_leaves_nothing_else(file: Path) -> None:
    file.chmod(0o640)
    link = file.with_name("link")
    link.symlink_to(file)
    write_atomic(link, "neü")
    assert file.read_bytes() == "neü".encode() and file.stat().st_mode & 0o777 == 0o640 and link.is_symlink()
    assert sorted(path.name for path in file.parent.iterdir()) == ["file", "link"]


def test_a_write_that_breaks_leaves_the_old_file_and_no_part(file: Path) -> None:
    with pytest.raises(KeyboardInterrupt), files.replacing(file, "Free space") as opened:
        opened.write(b"half")
        raise KeyboardInterrupt
    assert file.read_text() == "content" and list(file.parent.iterdir()) == [file]


@pytest.mark.parametrize("shared", [False, True])
def test_a_refused_write_is_one_line_with_what_to_do(file: Path, monkeypatch: pytest.MonkeyPatch, shared: bool) -> None:
    def refuse(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", refuse)
    with pytest.raises(UserError, match=r"file: cannot be written \(No space left on device\)\. Free space$"):
        write_atomic(file, b"new", "Free space", shared=shared)
    with pytest.raises(OSError, match="No space"):
        write_atomic(file, b"new", shared=shared)
    assert file.read_text() == "content" and list(file.parent.iterdir()) == [file]


def test_a_missing_folder_is_made_only_where_that_is_meant(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="No such file or directory"):
        write_atomic(tmp_path / "a/b", "", "Make it")
    write_atomic(tmp_path / "a/b", "", "Make it", parents=True)
    assert (tmp_path / "a/b").read_bytes() == b""


def test_what_is_no_regular_file_is_written_to_and_stays() -> None:
    write_atomic(Path("/dev/null"), "text")
    assert not Path("/dev/null").is_file()
