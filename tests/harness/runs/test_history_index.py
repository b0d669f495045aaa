"""The index of past runs says what the folders say, whatever happened to either."""

import multiprocessing
import os
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from harness.runs import history
from harness.runs.history import INDEX, LOCK, PastRun, levels, past_runs
from tests.support.runs import SUITES, name_of, write_history, write_run


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """Two evaluations, a training, an evaluation that was not sealed, a folder of something else."""
    return write_history(tmp_path / "runs")


def everything(root: Path, keep: bool = True) -> tuple[list[PastRun], object]:
    return past_runs(root, keep=keep), levels(root, SUITES, keep=keep)


def test_a_deleted_index_comes_back_with_equal_rows(root: Path) -> None:
    first = everything(root)
    before = rows(root)
    (root / INDEX).unlink()
    assert everything(root) == first
    assert rows(root) == before
    past_runs(root, rebuild=True)
    assert rows(root) == before
    assert len(before[0]) == 4 and len(before[1]) == 6


def rows(root: Path) -> tuple[list[object], list[object]]:
    """All rows of the index, as they lie in it."""
    with sqlite3.connect(root / INDEX) as opened:
        return (
            opened.execute("SELECT * FROM runs ORDER BY name").fetchall(),
            opened.execute("SELECT * FROM levels ORDER BY run, metric").fetchall(),
        )


def test_without_an_index_the_folders_say_the_same(root: Path) -> None:
    kept = everything(root)
    assert everything(root, keep=False) == kept
    for file in root.glob(".index*"):
        file.unlink()
    assert everything(root, keep=False) == kept
    assert list(root.glob(".*")) == []


@pytest.fixture
def read_names(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Names of the folders that are read from now on."""
    names: list[str] = []
    real = history.read

    def read(folder: Path, name: str) -> object:
        names.append(name)
        return real(folder, name)

    monkeypatch.setattr(history, "read", read)
    return names


def test_only_what_changed_is_read_again(root: Path, read_names: list[str]) -> None:
    past_runs(root)
    assert sorted(read_names) == [name_of(1), name_of(2), name_of(3), name_of(4, "train")]
    read_names.clear()
    assert len(everything(root)[0]) == 4 and read_names == []
    later = write_run(root, 9)
    past_runs(root)
    assert read_names == [later.name]


def test_an_index_that_is_there_is_used_even_where_none_would_be_made(root: Path, read_names: list[str]) -> None:
    past_runs(root)
    read_names.clear()
    assert len(everything(root, keep=False)[0]) == 4 and read_names == []


@pytest.mark.parametrize("name", ["run.json", "verdicts.json", "metrics.json"])
def test_a_file_that_was_written_anew_is_seen(root: Path, read_names: list[str], name: str) -> None:
    past_runs(root)
    read_names.clear()
    file = root / name_of(2) / name
    content, times = file.read_bytes(), file.stat()
    (root / "new").write_bytes(content)
    (root / "new").replace(file)
    os.utime(file, ns=(times.st_atime_ns, times.st_mtime_ns))
    past_runs(root)
    assert read_names == [name_of(2)]


def test_a_seal_that_comes_later_is_seen(root: Path) -> None:
    assert not past_runs(root)[2].sealed
    (root / name_of(3) / "MANIFEST.sha256").write_text("")
    assert past_runs(root)[2].sealed


def test_a_folder_that_went_away_is_gone(root: Path) -> None:
    everything(root)
    for file in (root / name_of(2)).iterdir():
        file.unlink()
    (root / name_of(2)).rename(root / "elsewhere")
    assert name_of(2) not in [run.name for run in past_runs(root)]
    assert name_of(2) not in {level.run for level in levels(root, SUITES)}


def garbage(file: Path) -> None:
    file.write_bytes(os.urandom(50_000))


def cut(file: Path) -> None:
    file.write_bytes(file.read_bytes()[:5000])


def half_zero(file: Path) -> None:
    content = file.read_bytes()
    file.write_bytes(content[: len(content) // 2] + bytes(len(content) // 2))


def statement(*several: str) -> Callable[[Path], None]:
    def change(file: Path) -> None:
        with sqlite3.connect(file) as opened:
            for sql in several:
                opened.execute(sql)

    return change


@pytest.mark.parametrize(
    "damage",
    [
        garbage,
        cut,
        half_zero,
        statement("DELETE FROM levels", "PRAGMA user_version = 99"),
        statement("DROP TABLE levels"),
        statement("ALTER TABLE runs DROP COLUMN stamp"),
        statement("UPDATE runs SET entry = '{'"),
        statement("UPDATE runs SET entry = x'22ff22'"),
        statement("UPDATE runs SET entry = '{\"kind\": 3}'"),
    ],
    ids=["garbage", "cut", "half zero", "layout", "no table", "no column", "torn", "no text", "another kind"],
)
def test_a_damaged_index_is_made_anew(root: Path, damage: Callable[[Path], None]) -> None:
    whole = everything(root)
    before = rows(root)
    damage(root / INDEX)
    assert everything(root) == whole
    assert rows(root) == before


def test_a_damaged_level_is_made_anew(root: Path) -> None:
    whole = levels(root, SUITES)
    statement("UPDATE levels SET value = 'high'")(root / INDEX)
    assert levels(root, SUITES) == whole


@pytest.mark.parametrize("name", [INDEX, LOCK])
def test_where_no_index_can_be_kept_the_folders_are_read(root: Path, name: str) -> None:
    whole = everything(root, keep=False)
    (root / name).mkdir()
    (root / name / "in the way").touch()
    assert everything(root) == whole


READER = """
import sys, time
from pathlib import Path
from harness.runs import history as index
slowly, rebuild = float(sys.argv[2]), len(sys.argv) > 3
read = index.read
index.AT_ONCE = 3
index.read = lambda folder, name: (time.sleep(slowly), read(folder, name))[1]
print(len(index.past_runs(Path(sys.argv[1]), rebuild=rebuild)))
"""


def test_killed_in_the_middle_it_goes_on_and_says_the_same(tmp_path: Path) -> None:
    for day in range(1, 25):
        write_run(tmp_path, day)
    reader = subprocess.Popen([sys.executable, "-c", READER, str(tmp_path), "0.05"])
    deadline = time.monotonic() + 60
    while kept(tmp_path) < 3 and time.monotonic() < deadline:
        time.sleep(0.01)
    reader.send_signal(signal.SIGKILL)
    reader.wait()
    assert 3 <= kept(tmp_path) < 24
    assert everything(tmp_path) == everything(tmp_path, keep=False)
    assert len(past_runs(tmp_path)) == 24


def kept(root: Path) -> int:
    """Runs that the index holds; 0 as long as there is none."""
    if not (root / INDEX).exists():
        return 0
    try:
        with sqlite3.connect(f"file:{root / INDEX}?mode=ro", uri=True) as opened:
            return int(opened.execute("SELECT count(*) FROM runs").fetchone()[0])
    except sqlite3.Error:
        return 0


def test_several_processes_read_and_rebuild_at_once(tmp_path: Path) -> None:
    for day in range(1, 13):
        write_run(tmp_path, day)
    command = [sys.executable, "-c", READER, str(tmp_path), "0.005"]
    readers = [
        subprocess.Popen(command + ["rebuild"] * (at % 2), stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        for at in range(6)
    ]
    said = [reader.communicate(timeout=120) for reader in readers]
    assert said == [(b"12\n", b"")] * 6
    assert everything(tmp_path) == everything(tmp_path, keep=False)


def held(lock: str, is_held: "multiprocessing.synchronize.Event", done: "multiprocessing.synchronize.Event") -> None:
    from filelock import FileLock

    with FileLock(lock):
        is_held.set()
        done.wait(60)


def test_an_index_that_is_held_too_long_is_left_alone_and_done_without(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    everything(root)
    write_run(root, 9)
    whole = everything(root, keep=False)
    before = rows(root)
    write_run(root, 10)
    ways = multiprocessing.get_context("spawn")
    is_held, done = ways.Event(), ways.Event()
    holder = ways.Process(target=held, args=(str(root / LOCK), is_held, done))
    holder.start()
    try:
        assert is_held.wait(60)
        monkeypatch.setattr(history, "WAIT_S", 0.1)
        assert len(past_runs(root)) == len(whole[0]) + 1
        assert rows(root) == before
    finally:
        done.set()
        holder.join()
