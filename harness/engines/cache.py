"""Completion cache: one SQLite database per checkpoint, engine and version, so that resuming a run is reading it.

    cache_dir()/answers/<digest>-<engine>-<version>/completions.sqlite
                                                    in-use  what it holds, as JSON; locked while a process uses it

Errors are never cached. `harness.engines.cache_eviction` removes whole folders that no process uses.
"""

from __future__ import annotations

import errno
import os
import re
import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, suppress
from pathlib import Path

import msgspec
from msgspec import Struct

from harness.checkpoints.resolve import cache_dir, refuse_changed
from harness.engines.base import Engine, in_order
from harness.errors import NOT_JSON, UserError
from harness.files import digest, hold
from harness.schema import Checkpoint, Completion, Request

LAYOUT = 2
DATABASE, LOCK = "completions.sqlite", "in-use"
READ_ONLY = (errno.EACCES, errno.EPERM, errno.EROFS)
"""Errors of a folder or disk that may only be read."""
WAIT_S = 60.0
"""Longest wait for another process that writes."""


class Header(Struct, frozen=True, kw_only=True):
    """What a database holds completions of."""

    checkpoint: str
    """Content digest of the checkpoint."""
    engine: str
    """Engine name."""
    version: str
    """Engine version."""


class CacheFile:
    """Completions of one checkpoint by one engine version. Several processes may read and write at once.

    Raises UserError where the database cannot be read or written.
    """

    def __init__(self, folder: Path, header: Header) -> None:
        self.folder = folder
        self.path = folder / DATABASE
        try:
            self._lock = _lock(folder, header)
        except OSError as error:
            raise _refused(folder, error) from None
        try:
            self._database = self._open()
        except sqlite3.Error as error:
            os.close(self._lock)
            raise _unreadable(self.path, error) from None

    def _open(self) -> sqlite3.Connection:
        if not os.access(self.folder, os.W_OK):  # A shared, read-only cache can still be read.
            address = f"{self.path.resolve().as_uri()}?mode=ro"
            with suppress(sqlite3.OperationalError):  # A disk without locks, or a log that an older version left.
                database = sqlite3.connect(address, timeout=WAIT_S, uri=True)
                database.execute("SELECT 1 FROM completions LIMIT 1")
                return database  # Its owner may add answers meanwhile.
            return sqlite3.connect(f"{address}&immutable=1", uri=True)
        database = sqlite3.connect(self.path, timeout=WAIT_S, isolation_level=None, check_same_thread=False)
        # Not WAL, which fails between hosts that share a folder. A process of an older version may use it still.
        with suppress(sqlite3.OperationalError):
            database.execute("PRAGMA journal_mode = TRUNCATE")
        database.execute("PRAGMA synchronous = NORMAL")
        database.execute("BEGIN IMMEDIATE")
        (layout,) = database.execute("PRAGMA user_version").fetchone()
        if layout == 0:
            database.execute("CREATE TABLE completions (key TEXT PRIMARY KEY, json BLOB NOT NULL) WITHOUT ROWID")
            database.execute(f"PRAGMA user_version = {LAYOUT}")
        elif layout != LAYOUT:
            raise sqlite3.DatabaseError(f"layout {layout}, expected {LAYOUT}")
        database.execute("COMMIT")
        return database

    def get(self, key: str) -> Completion | None:
        """The cached completion of this key, or None."""
        try:
            row = self._database.execute("SELECT json FROM completions WHERE key = ?", (key,)).fetchone()
            return msgspec.json.decode(row[0], type=Completion) if row else None
        except (sqlite3.Error, *NOT_JSON) as error:
            raise _unreadable(self.path, error) from None

    def add(self, completion: Completion) -> None:
        """Store one completion. It survives the end of this process once this returns."""
        row = (completion.key, msgspec.json.encode(completion))
        try:
            self._database.execute("INSERT OR REPLACE INTO completions VALUES (?, ?)", row)
        except sqlite3.Error as error:
            raise _refused(self.path, error) from None

    def close(self) -> None:
        self._database.close()
        os.close(self._lock)


def _lock(folder: Path, header: Header) -> int:
    """Mark the folder as used until the returned handle is closed; create it if it does not exist."""
    lock = folder / LOCK
    while True:
        try:
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)  # Answers are not masked here.
            if not lock.exists():
                lock.write_bytes(msgspec.json.encode(header))
            os.utime(lock)
        except OSError as error:
            if error.errno not in READ_ONLY or not lock.exists():  # A read-only folder that exists can be used.
                raise
        try:
            return hold(lock)
        except FileNotFoundError:
            if not os.access(folder.parent, os.W_OK):
                raise


def _refused(path: Path, error: OSError | sqlite3.Error) -> UserError:
    return UserError(
        f"{path}: completions cannot be cached: {getattr(error, 'strerror', None) or error}. Free space or make the "
        "folder writable (TUNEGATE_CACHE names another), then re-run; finished answers are kept"
    )


def _unreadable(path: Path, error: Exception) -> UserError:
    return UserError(
        f"{path}: not a completion cache of this version ({error}). Move its folder away to query the model again, or "
        "set TUNEGATE_CACHE to another folder"
    )


def answers_dir() -> Path:
    """Return the folder of all cached completions."""
    return cache_dir() / "answers"


def header_of(folder: Path) -> Header:
    """Read what a cache folder has completions of. Raises OSError or msgspec.MsgspecError."""
    return msgspec.json.decode((folder / LOCK).read_bytes(), type=Header)


def count_completions(folder: Path) -> int:
    """Count the completions in a cache folder. Raises sqlite3.Error."""
    with closing(sqlite3.connect(folder / DATABASE, timeout=WAIT_S)) as database:
        (count,) = database.execute("SELECT COUNT(*) FROM completions").fetchone()
    return int(count)


class AnswerCache:
    """Completions of the variants whose weights are known by content; those of other variants are never cached.

    A database is opened when its variant is first looked up.
    """

    def __init__(self, engine: Engine, checkpoints: Mapping[str, Checkpoint], root: Path | None = None) -> None:
        self.engine = engine
        self.checkpoints = {v: checkpoint for v, checkpoint in checkpoints.items() if checkpoint.is_known_by_content}
        self.root = root or answers_dir()
        self._files: dict[Path, CacheFile] = {}
        self._loaded: set[str] = set()
        """Variants that have answered, so that their weights are loaded."""

    def _file(self, variant: str) -> CacheFile:
        content, engine = self.checkpoints[variant].digest, self.engine
        version = re.sub(r"[^\w.+-]", "_", engine.version)
        folder = self.root / f"{digest(content)[:24]}-{engine.name}-{version}"
        if folder not in self._files:
            header = Header(checkpoint=content, engine=engine.name, version=engine.version)
            self._files[folder] = CacheFile(folder, header)
        return self._files[folder]

    def get(self, request: Request) -> Completion | None:
        """Return the cached completion of exactly this request, or None."""
        return self._file(request.variant).get(request.key) if request.variant in self.checkpoints else None

    def add(self, request: Request, completion: Completion) -> None:
        """Store a completion; a failed one is not stored, so that it is requested again.

        Raises UserError where the weights changed before the variant's first completion, and the engine may have loaded
        other ones.
        """
        if completion.finish_reason != "error" and request.variant in self.checkpoints:
            if request.variant not in self._loaded:
                refuse_changed(self.checkpoints[request.variant])
                self._loaded.add(request.variant)
            self._file(request.variant).add(completion)

    def hold(self) -> None:
        """Keep the databases of all variants from being evicted until the cache is closed."""
        for variant in self.checkpoints:
            self._file(variant)

    def close(self) -> None:
        """Close all databases; they are opened again when a variant is looked up again."""
        for file in self._files.values():
            file.close()
        self._files.clear()


def answered(
    engine: Engine, requests: Sequence[Request], cache: AnswerCache | None
) -> Iterator[tuple[Completion, bool]]:
    """Yield one completion per distinct key and whether it was cached; the engine generates those that were not.

    Each new completion is stored before it is yielded. The engine is not used when nothing is missing.
    """
    missing: dict[str, Request] = {}
    for request in in_order(requests):
        cached = cache.get(request) if cache else None
        if cached is None:
            missing[request.key] = request
        else:
            yield cached, True
    for completion in engine.generate(list(missing.values())) if missing else ():
        if cache:
            cache.add(missing[completion.key], completion)
        yield completion, False
