"""The answer cache: every completion is kept as it arrives, so that resuming is reading. Starts no engine.

One append-only file per checkpoint content, engine and version, below `cache_dir()/answers`. The first line is a
header; every other line is one Completion. Errors are never kept. Nothing is rewritten;
`harness.engines.cache_eviction` may drop whole files, of which none is in use. An answer brings the line break before
it, not after: what a crash cut ends there, whoever writes next.
"""

from __future__ import annotations

import os
import re
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from hashlib import blake2b
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec
from msgspec import Struct

from harness.checkpoints.resolve import cache_dir
from harness.engines.base import Engine, in_order
from harness.errors import NOT_JSON, UserError
from harness.files import digest, hold
from harness.schema import Checkpoint, Completion, Request

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


MOST_NEW = 100_000
"""Places beside the sorted ones; beyond, they are sorted in."""


class Places:
    """Places by key; of a key that is added twice both, the later one first."""

    def __init__(self) -> None:
        self._new: list[tuple[int, int]] = []
        self._new_of: dict[int, list[int]] = {}
        self._codes: NDArray[np.int64] | None = None
        self._at: NDArray[np.int64] | None = None

    def __len__(self) -> int:
        return len(self._new) + (0 if self._codes is None else len(self._codes))

    def add(self, key: str, place: int) -> None:
        """The answer to this key begins at this byte."""
        code = _code(key)
        self._new.append((code, place))
        self._new_of.setdefault(code, []).append(place)
        if len(self._new) >= MOST_NEW:
            self._sort_in()

    def of(self, key: str) -> list[int]:
        """Where the answer to this key may begin."""
        code = _code(key)
        found = self._new_of.get(code, [])[::-1]
        if self._codes is not None and self._at is not None:
            first, last = self._codes.searchsorted(code, "left"), self._codes.searchsorted(code, "right")
            found += self._at[first:last][::-1].tolist()
        return found

    def _sort_in(self) -> None:
        import numpy as np

        new = np.array(self._new, dtype=np.int64).reshape(-1, 2)
        codes, at = new[np.argsort(new[:, 0], kind="stable")].T
        if self._codes is not None and self._at is not None:
            where = self._codes.searchsorted(codes, "right")
            codes, at = np.insert(self._codes, where, codes), np.insert(self._at, where, at)
        self._codes, self._at = np.ascontiguousarray(codes), np.ascontiguousarray(at)
        self._new, self._new_of = [], {}


def _code(key: str) -> int:
    return int.from_bytes(blake2b(key.encode(), digest_size=8).digest(), signed=True)


LAYOUT = 1
NEW = ".new-"
"""Begins the name of a file that is being made."""


class Header(Struct, frozen=True, kw_only=True):
    """First line of an answer file."""

    tunegate_answers: int
    """Version of this layout."""
    checkpoint: str
    """Content digest of the checkpoint that answered."""
    engine: str
    """Engine name."""
    version: str
    """Engine version."""


class AnswerFile:
    """Answers of one checkpoint by one engine version, in use until closed. Several processes may append at once.

    Memory holds where they lie, not what they say. A line cut by a crash is passed over: its answer is asked again.
    """

    def __init__(self, file: Path, header: Header) -> None:
        self.file = file
        self._places = Places()
        self._decoder = msgspec.json.Decoder(Completion)
        self._open_for_append: int | None = None
        try:
            self._held = _hold(file, header)
            self._opened = file.open("rb")
            self._read()
        except OSError as error:
            raise _refused(file, error) from None

    def _read(self) -> None:
        first = self._opened.readline().strip()
        try:
            found: object = msgspec.json.decode(first, type=Header).tunegate_answers
        except NOT_JSON:
            found = "no header of answers"
        if found != LAYOUT:
            raise UserError(
                f"{self.file}:1: layout {found}, expected {LAYOUT}. Another version of tunegate wrote it: use that "
                "version, move the file away to ask again, or set TUNEGATE_CACHE to another folder"
            )
        place = self._opened.tell()
        for line in self._opened:
            completion = self._decoded(line)
            if completion is not None:
                self._places.add(completion.key, place)
            place += len(line)

    def _decoded(self, line: bytes) -> Completion | None:
        try:
            return self._decoder.decode(line)
        except NOT_JSON:
            return None

    def get(self, key: str) -> Completion | None:
        """The kept answer to this key, or None."""
        for place in self._places.of(key):
            self._opened.seek(place)
            completion = self._decoded(self._opened.readline())
            if completion is not None and completion.key == key:
                return completion
        return None

    def add(self, completion: Completion) -> None:
        """Append one answer; it is on its way to the disk when this returns."""
        line = b"\n" + msgspec.json.encode(completion)
        try:
            if self._open_for_append is None:
                self._open_for_append = os.open(self.file, os.O_WRONLY | os.O_APPEND)
            written = os.write(self._open_for_append, line)
        except OSError as error:
            raise _refused(self.file, error) from None
        if written != len(line):
            raise UserError(f"{self.file}: the disk is full. Free space and run again; finished answers are kept")
        self._places.add(completion.key, os.lseek(self._open_for_append, 0, os.SEEK_CUR) - len(line) + 1)

    def close(self) -> None:
        os.close(self._held)
        self._opened.close()
        if self._open_for_append is not None:
            os.close(self._open_for_append)


def _refused(file: Path, error: OSError) -> UserError:
    return UserError(
        f"{file}: answers cannot be kept: {error.strerror or error}. Free space or make the folder writable "
        "(TUNEGATE_CACHE names another), then run again; finished answers are kept"
    )


def _hold(file: Path, header: Header) -> int:
    """Keep the file from being dropped, and say that it was used now; make it where it is not there."""
    while True:
        try:
            handle = hold(file)
        except FileNotFoundError:
            _create(file, header)
            continue
        with suppress(OSError):  # Where files may be read only, kept answers may be read all the same.
            os.utime(file)
        return handle


def _create(file: Path, header: Header) -> None:
    """Make the file with its header at once; a process that comes second finds it whole."""
    file.parent.mkdir(parents=True, exist_ok=True)
    handle, temporary = tempfile.mkstemp(dir=file.parent, prefix=NEW)
    try:
        with os.fdopen(handle, "wb") as opened:
            opened.write(msgspec.json.encode(header))
        os.link(temporary, file)
    except FileExistsError:
        return
    finally:
        Path(temporary).unlink(missing_ok=True)


def answers_dir() -> Path:
    """Folder of all answer files."""
    return cache_dir() / "answers"


class AnswerCache:
    """Answers of all variants of one engine. Files are read when a variant is first looked up."""

    def __init__(self, engine: Engine, checkpoints: Mapping[str, Checkpoint], root: Path | None = None) -> None:
        self.engine = engine
        self.checkpoints = checkpoints
        self.root = root or answers_dir()
        self._files: dict[Path, AnswerFile] = {}
        self._of: dict[str, AnswerFile] = {}

    def _file(self, variant: str) -> AnswerFile:
        if variant in self._of:
            return self._of[variant]
        content = self.checkpoints[variant].digest
        stretch = self.engine.facts(variant).get("stretch", "")
        header = Header(
            tunegate_answers=LAYOUT, checkpoint=content, engine=self.engine.name, version=self.engine.version
        )
        version = re.sub(r"[^\w.+-]", "_", self.engine.version)
        path = self.root / f"{digest(content + stretch)[:24]}-{self.engine.name}-{version}.jsonl"
        if path not in self._files:
            self._files[path] = AnswerFile(path, header)
        self._of[variant] = self._files[path]
        return self._of[variant]

    def get(self, request: Request) -> Completion | None:
        """The kept answer to exactly this request, or None."""
        return self._file(request.variant).get(request.key)

    def add(self, request: Request, completion: Completion) -> None:
        """Keep an answer; one that failed is not kept, so that it is asked again."""
        if completion.finish_reason != "error":
            self._file(request.variant).add(completion)

    def hold(self) -> None:
        """Take the files of all variants in use, until the cache is closed."""
        for variant in self.checkpoints:
            self._file(variant)

    def close(self) -> None:
        """Give the files free; they are read again when they are looked up again."""
        for file in self._files.values():
            file.close()
        self._files.clear()
        self._of.clear()


def answered(
    engine: Engine,
    requests: Sequence[Request],
    cache: AnswerCache | None,
    on_answer: Callable[[Completion, bool], None] | None = None,
) -> Iterator[Completion]:
    """Yield one completion per distinct key: kept ones first, then the missing ones as the engine finishes them.

    Each new answer is kept before it is handed on. `on_answer` is told every completion and whether it was kept.
    The engine is not touched when nothing is missing.
    """
    missing: list[Request] = []
    for request in in_order(requests):
        kept = cache.get(request) if cache else None
        if kept is None:
            missing.append(request)
            continue
        if on_answer:
            on_answer(kept, True)
        yield kept
    if not missing:
        return
    by_key = {request.key: request for request in missing}
    for completion in engine.generate(missing):
        if cache:
            cache.add(by_key[completion.key], completion)
        if on_answer:
            on_answer(completion, False)
        yield completion
