"""Store a review in one SQLite file: plan, reviewers, sessions and tasks.

Every method is one transaction over its own connection, flushed to disk before it returns: a killed server loses
nothing that it confirmed, and several reviewers and commands can work at the same time, also on hosts that share the
folder.
"""

from __future__ import annotations

import hashlib
import sqlite3
import time
from collections.abc import Iterable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import msgspec

from harness.errors import UserError
from harness.runs.folder import now
from reports.review.schema import Draft, Mode, Reviewer, ReviewPlan, Task

FOLDER = "review"
SCHEMA = """
CREATE TABLE plan (id INTEGER PRIMARY KEY CHECK (id = 1), json TEXT NOT NULL);
CREATE TABLE reviewers (name TEXT PRIMARY KEY, token_hash TEXT NOT NULL, json TEXT NOT NULL);
CREATE TABLE sessions (hash TEXT PRIMARY KEY, reviewer TEXT NOT NULL REFERENCES reviewers (name));
CREATE TABLE tasks (
    id TEXT PRIMARY KEY,
    reviewer TEXT NOT NULL REFERENCES reviewers (name),
    position INTEGER NOT NULL,
    json TEXT NOT NULL,
    UNIQUE (reviewer, position)
);
"""


class Conflict(Exception):
    """A concurrent change prevents this one; the message is for the reviewer."""


def state_file(run: Path, mode: Mode) -> Path:
    """Return the path of a run's review: next to its sealed files, which a review never changes."""
    return run / FOLDER / f"{mode}.sqlite"


def secret_hash(secret: str) -> str:
    """Hash a token or session ID; only the hash is stored."""
    return hashlib.sha256(secret.encode()).hexdigest()


class ReviewDatabase:
    """The SQLite file of one review. Every method raises UserError where the file cannot be used."""

    def __init__(self, path: Path) -> None:
        self.path = path

    @property
    def exists(self) -> bool:
        return self.path.exists()

    @contextmanager
    def _open(self, write: bool = False) -> Iterator[sqlite3.Connection]:
        try:
            db = sqlite3.connect(f"{self.path.resolve().as_uri()}?mode=rw", timeout=30, isolation_level=None, uri=True)
            try:
                db.execute("PRAGMA synchronous = FULL")
                db.execute("BEGIN IMMEDIATE" if write else "BEGIN")
                with db:
                    yield db
            finally:
                db.close()
        except sqlite3.Error as error:
            raise UserError(f"{self.path}: cannot be used ({error}). Free disk space, or restore the file") from None

    def create(self, plan: ReviewPlan, reviewers: Iterable[Reviewer], tasks: Iterable[Task]) -> None:
        """Create the file atomically."""
        part = self.path.with_name(f".{self.path.name}.part")
        try:
            part.parent.mkdir(exist_ok=True)
            part.unlink(missing_ok=True)
            with closing(sqlite3.connect(part, isolation_level=None)) as db:
                db.executescript(SCHEMA)
                db.execute("BEGIN")
                db.execute("INSERT INTO plan VALUES (1, ?)", [_json(plan)])
                _add(db, reviewers, tasks)
                db.execute("COMMIT")
            part.replace(self.path)
        except (OSError, sqlite3.Error) as error:
            raise UserError(
                f"{self.path}: cannot be written ({error}). Free disk space; the run is unchanged"
            ) from None

    def add(self, reviewers: Iterable[Reviewer], tasks: Iterable[Task]) -> None:
        """Add reviewers who decide differences, after the start."""
        with self._open(write=True) as db:
            _add(db, reviewers, tasks)

    def plan(self) -> ReviewPlan:
        with self._open() as db:
            return msgspec.json.decode(db.execute("SELECT json FROM plan").fetchone()[0], type=ReviewPlan)

    def reviewers(self) -> list[Reviewer]:
        """Return the reviewers in the order in which they were named."""
        with self._open() as db:
            rows = db.execute("SELECT json FROM reviewers ORDER BY rowid").fetchall()
        return [msgspec.json.decode(row[0], type=Reviewer) for row in rows]

    def reviewer(self, name: str) -> Reviewer:
        """Return a reviewer. Raises UserError for a name that is not in the plan."""
        with self._open() as db:
            return _reviewer(db, name)

    def change_reviewer(self, name: str, **changes: Any) -> None:
        with self._open(write=True) as db:
            _put_reviewer(db, msgspec.structs.replace(_reviewer(db, name), **changes))

    def by_token(self, token: str) -> Reviewer | None:
        """Return the reviewer with this link token, or None."""
        with self._open() as db:
            row = db.execute("SELECT json FROM reviewers WHERE token_hash = ?", [secret_hash(token)]).fetchone()
        return msgspec.json.decode(row[0], type=Reviewer) if row else None

    def start_session(self, session: str, reviewer: str) -> None:
        with self._open(write=True) as db:
            db.execute("INSERT INTO sessions VALUES (?, ?)", [secret_hash(session), reviewer])

    def end_sessions(self, reviewer: str) -> None:
        with self._open(write=True) as db:
            db.execute("DELETE FROM sessions WHERE reviewer = ?", [reviewer])

    def by_session(self, session: str) -> Reviewer | None:
        """Return the reviewer of a session, or None."""
        with self._open() as db:
            row = db.execute("SELECT reviewer FROM sessions WHERE hash = ?", [secret_hash(session)]).fetchone()
            return _reviewer(db, row[0]) if row else None

    def tasks(self, reviewer: str) -> list[Task]:
        """Return a reviewer's tasks in order."""
        with self._open() as db:
            rows = db.execute("SELECT json FROM tasks WHERE reviewer = ? ORDER BY position", [reviewer]).fetchall()
        return [msgspec.json.decode(row[0], type=Task) for row in rows]

    def open_task(self, task_id: str) -> None:
        """Start a task's clock when it is first shown."""
        with self._open(write=True) as db:
            task = _task(db, task_id)
            if task.opened_at is None and task.submitted_at is None:
                _put(db, task, opened_at=time.time())

    def save(
        self, reviewer: str, task_id: str, revision: int, draft: Draft, active_ms: int, submit: bool = False
    ) -> Task:
        """Save a draft; `submit` closes the task. Raises Conflict for a closed task or a newer draft of another tab."""
        with self._open(write=True) as db:
            task = _task(db, task_id)
            if task.reviewer != reviewer or task.submitted_at or _reviewer(db, reviewer).closed_at:
                raise Conflict("This item is closed. Reload the page to continue.")
            if task.revision != revision:
                raise Conflict("This item was changed in another window. Reload the page to continue.")
            opened = time.time() if task.opened_at is None else task.opened_at
            wall_ms = task.wall_ms + max(0, int((time.time() - opened) * 1000))
            closing: dict[str, Any] = {"wall_ms": wall_ms, "opened_at": None, "submitted_at": now()} if submit else {}
            active = max(task.active_ms, min(active_ms, wall_ms))
            return _put(db, task, draft=draft, revision=revision + 1, active_ms=active, **closing)

    def reopen(self, reviewer: str, task_id: str) -> None:
        """Reopen a submitted task. Raises Conflict where it can no longer be changed."""
        with self._open(write=True) as db:
            task = _task(db, task_id)
            if task.reviewer != reviewer or not task.submitted_at or _reviewer(db, reviewer).closed_at:
                raise Conflict("This item can no longer be changed.")
            _put(db, task, submitted_at=None, opened_at=time.time(), reopened=task.reopened + 1)

    def change_task(self, task_id: str, **changes: Any) -> None:
        with self._open(write=True) as db:
            _put(db, _task(db, task_id), **changes)

    def put_answers(self, name: str, tasks: Iterable[Task], is_final: bool = True, **changes: Any) -> None:
        """Store a packet's tasks; the final ones close the review for its reviewer.

        Raises UserError where it is closed already, also by a concurrent import.
        """
        with self._open(write=True) as db:
            reviewer = _reviewer(db, name)
            if reviewer.closed_at:
                raise UserError(f"{name}'s answers were imported on {reviewer.closed_at}, by another command")
            for task in tasks:
                _put(db, task)
            _put_reviewer(db, msgspec.structs.replace(reviewer, closed_at=now() if is_final else None, **changes))

    @contextmanager
    def recording(self, name: str) -> Iterator[tuple[Reviewer, list[str]]]:
        """Lock the file while a reviewer's events are written; the caller appends the batch's name to the list."""
        with self._open(write=True) as db:
            reviewer, written = _reviewer(db, name), list[str]()
            yield reviewer, written
            if written:
                closed = msgspec.structs.replace(reviewer, recorded=written[0], closed_at=reviewer.closed_at or now())
                _put_reviewer(db, closed)


def _json(value: Any) -> str:
    return msgspec.json.encode(value).decode()


def _add(db: sqlite3.Connection, reviewers: Iterable[Reviewer], tasks: Iterable[Task]) -> None:
    db.executemany("INSERT INTO reviewers VALUES (?, ?, ?)", [(r.name, r.token_hash, _json(r)) for r in reviewers])
    db.executemany("INSERT INTO tasks VALUES (?, ?, ?, ?)", [(t.id, t.reviewer, t.position, _json(t)) for t in tasks])


def _reviewer(db: sqlite3.Connection, name: str) -> Reviewer:
    row = db.execute("SELECT json FROM reviewers WHERE name = ?", [name]).fetchone()
    if row is None:
        known = ", ".join(row[0] for row in db.execute("SELECT name FROM reviewers ORDER BY rowid"))
        raise UserError(f"no reviewer '{name}' in this review. It is planned for {known}")
    return msgspec.json.decode(row[0], type=Reviewer)


def _task(db: sqlite3.Connection, task_id: str) -> Task:
    row = db.execute("SELECT json FROM tasks WHERE id = ?", [task_id]).fetchone()
    if row is None:
        raise Conflict("This item is not part of the review. Reload the page to continue.")
    return msgspec.json.decode(row[0], type=Task)


def _put(db: sqlite3.Connection, task: Task, **changes: Any) -> Task:
    changed = msgspec.structs.replace(task, **changes)
    db.execute("UPDATE tasks SET json = ? WHERE id = ?", [_json(changed), changed.id])
    return changed


def _put_reviewer(db: sqlite3.Connection, reviewer: Reviewer) -> None:
    db.execute(
        "UPDATE reviewers SET json = ?, token_hash = ? WHERE name = ?",
        [_json(reviewer), reviewer.token_hash, reviewer.name],
    )
