"""List the cache folder with its sizes, and evict entries that can be created again.

Whole files and folders are evicted, the cheapest to create again first: leftovers of killed processes, then merged
models, then completions; of each kind the least recently used first. An entry in use is never evicted.
"""

from __future__ import annotations

import os
import re
import shutil
import sqlite3
import time
from collections.abc import Callable, Collection, Iterator
from contextlib import suppress
from datetime import datetime
from pathlib import Path
from typing import Literal

import msgspec
from msgspec import Struct

from harness.checkpoints.merge import FACTS, MAKING, merged_dir
from harness.checkpoints.resolve import cache_dir
from harness.engines.cache import LOCK, answers_dir, count_completions, header_of
from harness.env import CACHE_MAX
from harness.errors import UserError
from harness.files import claimed
from harness.formatting import format_bytes

DEFAULT = "20GB"
OFF = "off"
DROPPED = "dropped-"
"""Prefix of a merged folder that is being deleted."""
TEMPORARY = ("tmp", MAKING, DROPPED)
"""Prefixes of temporary files, which a killed process leaves behind."""
LEFT_AFTER_S = 24 * 3600.0
"""Temporary files older than this are deleted."""
POWERS = {"": 1, "k": 10**3, "m": 10**6, "g": 10**9, "t": 10**12}
SIZE = re.compile(r"(\d+(?:\.\d+)?) ?([kmgt]b?|b)|0", re.IGNORECASE)
"""A number alone is no size: of `5` in place of `5GB`, five bytes would evict everything."""

Kind = Literal["left over", "merged", "answers", "other"]
DROPPABLE: tuple[Kind, ...] = ("left over", "merged", "answers")
"""Kinds in the order of eviction, the cheapest to create again first."""


class CacheEntry(Struct, frozen=True, kw_only=True):
    """One entry of the cache folder, evicted as a whole."""

    kind: Kind
    """`other` is never evicted: models, digests, canaries, the cases of suites."""
    path: Path
    """File or folder."""
    what: str
    """Description: short digests, engine and version; or the name."""
    bytes: int
    """Size of the file, or of all files in the folder."""
    last_used: float
    """Seconds since 1970."""

    @property
    def lock(self) -> Path:
        """The file that is locked while the entry is in use; its time is that of the last use."""
        return self.path / {"merged": FACTS, "answers": LOCK}.get(self.kind, "") if self.path.is_dir() else self.path

    @property
    def says(self) -> str:
        """A short description for users."""
        return f"{self.kind} {self.what} ({format_bytes(self.bytes)})"


class Trimmed(Struct, frozen=True, kw_only=True):
    """What was evicted, or would be."""

    dropped: list[CacheEntry]
    """In the order of eviction."""
    refused: list[CacheEntry]
    """Entries that were next but are in use or cannot be deleted."""
    left: int
    """Bytes in the cache folder afterwards."""


def bound() -> int | None:
    """Return the limit of the cache folder in bytes, from TUNEGATE_CACHE_MAX; None for no limit. Raises UserError."""
    value = os.environ.get(CACHE_MAX) or DEFAULT
    return None if value.lower() == OFF else parse_bytes(value, CACHE_MAX, f", or '{OFF}'")


def parse_bytes(text: str, where: str, more: str = "") -> int:
    """Parse `5GB`, `500 MB` or `0` into bytes, in powers of 1000. Raises UserError that names `where` the text is."""
    match = SIZE.fullmatch(text.strip())
    if match is None:
        raise UserError(f"{where} {text}: not a size. Expected a number with a unit, such as 5GB or 500MB{more}")
    return int(float(match[1]) * POWERS[match[2].lower().removesuffix("b")]) if match[1] else 0


def entries() -> list[CacheEntry]:
    """List all entries of the cache folder: those that may be evicted in that order, then the rest."""
    root = cache_dir()
    places = (root, answers_dir(), merged_dir(), root / "models")
    listed = [entry for place in places for entry in _listed(place) if entry.path not in places]
    kinds = [*DROPPABLE, "other"]
    return sorted(listed, key=lambda e: (kinds.index(e.kind), e.last_used, e.path))


def table() -> list[str]:
    """Format the cache folder: one line per entry, then the total and the limit."""
    cached, most = entries(), bound()
    rows = [("kind", "what", "answers", "size", "last used", "")]
    for entry in cached:
        used = f"{datetime.fromtimestamp(entry.last_used):%Y-%m-%d %H:%M}"
        state = "in use" if is_used(entry) else ""
        rows.append((entry.kind, entry.what, _answers(entry), format_bytes(entry.bytes), used, state))
    a, b, c, d, *_ = (max(map(len, column)) for column in zip(*rows, strict=True))
    lines = [
        f"{kind:{a}}  {what:{b}}  {answers:>{c}}  {size:>{d}}  {used:16}  {state}".rstrip()
        for kind, what, answers, size, used, state in (rows if cached else [])
    ]
    total = format_bytes(sum(entry.bytes for entry in cached))
    bounded = f"of at most {format_bytes(most)}" if most is not None else "without a limit"
    return [*lines, f"{total} {bounded} ({CACHE_MAX}) in {cache_dir()}"]


def _answers(entry: CacheEntry) -> str:
    """Return the number of completions in a database; empty for other entries."""
    if entry.kind == "answers":
        with suppress(sqlite3.Error):
            return f"{count_completions(entry.path):,}"
    return ""


def is_used(entry: CacheEntry) -> bool:
    """Whether a process uses it now."""
    if entry.kind not in ("merged", "answers"):
        return False
    with claimed(entry.lock) as free:
        return not free


def trim(most: int, needed: Collection[Path] = (), dry_run: bool = False) -> Trimmed:
    """Evict entries until the cache folder has at most `most` bytes; never one in use or in `needed`."""
    cached = entries()
    left_bytes = sum(entry.bytes for entry in cached)
    dropped: list[CacheEntry] = []
    refused: list[CacheEntry] = []
    for entry in cached:
        if left_bytes <= most or entry.kind not in DROPPABLE:
            break
        if entry.path in needed or is_used(entry) or not (dry_run or _drop(entry)):
            refused.append(entry)
        else:
            dropped.append(entry)
            left_bytes -= entry.bytes
    return Trimmed(dropped=dropped, refused=refused, left=left_bytes)


def keep_within_bound(needed: Collection[Path], say: Callable[[str], None]) -> None:
    """Evict what exceeds the limit when a run starts, except what it needs, and report it in one line."""
    most = bound()
    dropped = trim(most, needed).dropped if most is not None else []
    if most is not None and dropped:
        kinds = [entry.kind for entry in dropped]
        counts = ", ".join(f"{kind}: {kinds.count(kind)}" for kind in DROPPABLE if kind in kinds)
        size = format_bytes(sum(entry.bytes for entry in dropped))
        limit = f"{format_bytes(most)} ({CACHE_MAX})"
        say(f"the cache was over {limit}: evicted {size} of least recently used entries ({counts})")


def _drop(entry: CacheEntry) -> bool:
    """Delete one entry; False where it is in use now, or the system refuses."""
    try:
        if entry.kind == "left over":
            _remove(entry.path)
            return True
        with claimed(entry.lock) as free:
            if not free:
                return False
            renamed = entry.path.rename(entry.path.with_name(f"{DROPPED}{os.getpid()}-{entry.path.name}"))
        _remove(renamed)
    except OSError:
        return False
    return True


def _remove(path: Path) -> None:
    if path.is_dir():
        shutil.rmtree(path)
    else:
        path.unlink()


def _listed(folder: Path) -> Iterator[CacheEntry]:
    with suppress(PermissionError):  # Of a cache that users share, each sees their own answers.
        for path in folder.iterdir() if folder.is_dir() else ():
            if path.suffix != ".lock":
                with suppress(FileNotFoundError, PermissionError):  # Another process deleted its temporary file.
                    yield _entry(path, folder)


def _entry(path: Path, folder: Path) -> CacheEntry:
    stats = [file.lstat() for file in _files(path)]
    latest = max((s.st_mtime for s in stats), default=path.lstat().st_mtime)
    kind = _kind(path, folder, latest)
    entry = CacheEntry(
        kind=kind, path=path, what=_what(path, kind), bytes=sum(s.st_size for s in stats), last_used=latest
    )
    return (
        msgspec.structs.replace(entry, last_used=entry.lock.stat().st_mtime) if kind in ("merged", "answers") else entry
    )


def _what(path: Path, kind: Kind) -> str:
    if kind == "answers":
        with suppress(OSError, msgspec.MsgspecError):
            header = header_of(path)
            return f"{header.checkpoint[:12]} {header.engine} {header.version}"
    if kind == "merged":
        base, adapter = path.name.split("-")[:2]
        return f"{base[:12]} with {adapter[:12]}"
    return path.name


def _kind(path: Path, folder: Path, latest: float) -> Kind:
    if path.name.startswith(TEMPORARY):
        return "left over" if time.time() - latest > LEFT_AFTER_S else "other"
    if folder == answers_dir() and (path / LOCK).is_file():
        return "answers"
    return "merged" if folder == merged_dir() and (path / FACTS).is_file() else "other"


def _files(path: Path) -> Iterator[Path]:
    """Yield the file itself, or every file below a folder; links are not followed."""
    if not path.is_dir() or path.is_symlink():
        yield path
        return
    for folder, _, names in os.walk(path):
        yield from (Path(folder) / name for name in names)
