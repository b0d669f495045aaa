"""Past runs from an index that is only a cache of their folders. Knows no page and no wording.

    runs/.index.sqlite   one row a run folder and one a level of a metric; made anew wherever it does not fit
    runs/.index.lock     held while the index is used

A folder is read again when its seal or a sealed file is another file than before. Where no index can be kept,
everything is read from the folders. Whether a process still writes a run is never kept: it is looked up each time.
"""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Callable, Collection, Iterator
from contextlib import closing
from itertools import islice
from pathlib import Path
from typing import TypeVar

import msgspec
from filelock import FileLock

from harness.history.past import RUN_NAME, Level, PastRun, read
from harness.store import SEAL, SEALED, is_being_written

INDEX = ".index.sqlite"
LOCK = ".index.lock"
LAYOUT = 2
"""Version of the index. One of another layout is made anew."""
WAIT_S = 60.0
"""Longest wait for another process; then everything is read from the folders."""
AT_ONCE = 200
"""Folders a transaction: what a process that is killed has to read again."""
LOOKED_AT = (SEAL, *SEALED)
TABLES = f"""
BEGIN;
CREATE TABLE runs (name TEXT PRIMARY KEY, stamp TEXT NOT NULL, entry BLOB NOT NULL);
CREATE TABLE levels (
    run TEXT NOT NULL, suite TEXT NOT NULL, metric TEXT NOT NULL, value REAL NOT NULL, low REAL, high REAL,
    n INTEGER NOT NULL, clusters INTEGER NOT NULL, is_share INTEGER NOT NULL, higher_is_better INTEGER NOT NULL,
    PRIMARY KEY (suite, metric, run)
) WITHOUT ROWID;
CREATE INDEX levels_by_run ON levels (run);
PRAGMA user_version = {LAYOUT};
COMMIT;
"""
LEVELS = """
SELECT run, suite, metric, value, low, high, n, clusters, is_share, higher_is_better FROM levels
WHERE suite IN (SELECT value FROM json_each(?)) ORDER BY suite, metric, run
"""
FIELDS = Level.__struct_fields__

T = TypeVar("T")


def past_runs(root: Path, *, rebuild: bool = False, keep: bool = True) -> list[PastRun]:
    """Every run folder below `root`, oldest first. Without `keep`, no index is made where there is none."""

    def ask(index: sqlite3.Connection) -> list[PastRun]:
        rows = index.execute("SELECT entry FROM runs").fetchall()
        return [msgspec.json.decode(entry, type=PastRun) for (entry,) in rows]

    found = [_now(root, run) for run in _asked(root, ask, rebuild, keep)]
    return sorted(found, key=lambda run: (run.started, run.name))


def _now(root: Path, run: PastRun) -> PastRun:
    """The run as it is now: one that was running when it was read may have been killed since."""
    if run.status != "running" or is_being_written(root / run.name):
        return run
    return msgspec.structs.replace(run, status="interrupted")


def levels(root: Path, suites: Collection[str], *, keep: bool = True) -> list[Level]:
    """Levels of these suites in every run below `root`, by suite, metric and name of the run."""
    names = msgspec.json.encode(sorted(suites)).decode()

    def ask(index: sqlite3.Connection) -> list[Level]:
        rows = index.execute(LEVELS, (names,))
        return [msgspec.convert(dict(zip(FIELDS, row, strict=True)), Level, strict=False) for row in rows]

    return _asked(root, ask, False, keep)


def _asked(root: Path, ask: Callable[[sqlite3.Connection], T], rebuild: bool, keep: bool) -> T:
    """An answer of the index, which is brought up to date first."""
    file = root / INDEX
    if root.is_dir() and (keep or file.exists()):
        for anew in (rebuild, True):
            try:
                with FileLock(root / LOCK, timeout=WAIT_S):
                    return _answer(file, root, ask, anew)
            except (sqlite3.Error, msgspec.MsgspecError, UnicodeDecodeError):
                continue
            except OSError:
                break
    return _answer(None, root, ask, False)


def _answer(file: Path | None, root: Path, ask: Callable[[sqlite3.Connection], T], anew: bool) -> T:
    if file and anew:
        for old in (file, file.with_name(f"{file.name}-journal")):
            old.unlink(missing_ok=True)
    with closing(sqlite3.connect(file or ":memory:", timeout=WAIT_S)) as index:
        version = index.execute("PRAGMA user_version").fetchone()[0]
        if version == 0:
            index.executescript(TABLES)
        elif version != LAYOUT:
            raise sqlite3.DatabaseError(f"layout {version}")
        _update(index, root)
        return ask(index)


def _update(index: sqlite3.Connection, root: Path) -> None:
    """Make the index say what the folders say."""
    known: dict[str, str] = dict(index.execute("SELECT name, stamp FROM runs"))
    here = list(_folders(root))
    with index:
        for name in known.keys() - {name for name, _, _ in here}:
            _forget(index, name)
    changed = (found for found in here if known.get(found[0]) != found[2])
    while some := list(islice(changed, AT_ONCE)):
        with index:
            for name, folder, stamp in some:
                _forget(index, name)
                _add(index, name, folder, stamp)


def _forget(index: sqlite3.Connection, name: str) -> None:
    index.execute("DELETE FROM runs WHERE name = ?", (name,))
    index.execute("DELETE FROM levels WHERE run = ?", (name,))


def _add(index: sqlite3.Connection, name: str, folder: Path, stamp: str) -> None:
    run, found = read(folder, name)
    index.execute("INSERT INTO runs VALUES (?, ?, ?)", (run.name, stamp, msgspec.json.encode(run)))
    index.executemany("INSERT INTO levels VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)", map(msgspec.structs.astuple, found))


def _folders(root: Path) -> Iterator[tuple[str, Path, str]]:
    """Every folder that is a run, or has a run's name: its name, where it is, and a stamp of what is read of it.

    Bytes of a name that are no text are written out.
    """
    if not root.is_dir():
        return
    with os.scandir(root) as entries:
        for entry in entries:
            if not entry.is_dir():
                continue
            stamps = [_stamp(f"{entry.path}/{name}") for name in LOOKED_AT]
            if stamps[LOOKED_AT.index("run.json")] or RUN_NAME.fullmatch(entry.name):
                name = os.fsencode(entry.name).decode(errors="backslashreplace")
                yield name, Path(entry.path), " ".join(stamps)


def _stamp(file: str) -> str:
    try:
        seen = os.stat(file)  # noqa: PTH116 - making 20,000 paths takes longer than looking at their files
    except OSError:
        return ""
    return f"{seen.st_ino}-{seen.st_size}-{seen.st_mtime_ns}"
