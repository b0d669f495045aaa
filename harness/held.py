"""Marks files as in use, so that no other process drops them. Knows not what they hold.

The mark is an advisory lock (flock) on the open file: the system takes it back when the process ends, however it ends.
"""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path


def hold(file: Path) -> int:
    """Mark a file as in use until the handle that is returned is closed. FileNotFoundError where it is not there."""
    while True:
        handle = os.open(file, os.O_RDONLY)
        with suppress(OSError):  # A file system without locks; `claimed` never succeeds there.
            fcntl.flock(handle, fcntl.LOCK_SH)
        if _leads_to(file, handle):
            return handle
        os.close(handle)


@contextmanager
def claimed(file: Path) -> Iterator[bool]:
    """True while the file is this process's alone to drop; False where anyone holds it, or where that is not known."""
    try:
        handle = os.open(file, os.O_RDWR)
    except OSError:
        yield False
        return
    try:
        yield _locked(handle) and _leads_to(file, handle)
    finally:
        os.close(handle)


def _locked(handle: int) -> bool:
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True


def _leads_to(file: Path, handle: int) -> bool:
    """Is the open file still the one of this name? It may have been dropped while the lock was waited for."""
    try:
        return os.path.samestat(os.fstat(handle), file.stat())
    except FileNotFoundError:
        return False
