"""Decides whether kept answers of a server may be read again, though its weights are not known. Asks no server.

Answers belong to a stretch: the time in which the canary's answers stayed the same. A run takes up the stretch of an
interrupted one, so that nothing is asked twice; a finished stretch is taken up only where that is asked for. Another
answer to the canary, as after a training, begins a new one.
"""

from __future__ import annotations

import os
import secrets
from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path

import msgspec
from msgspec import Struct, structs

from harness.checkpoints import cache_dir
from harness.digest import digest
from harness.engines.canary import MAX_TOKENS, TEXTS, Reference, widest
from harness.errors import UserError
from harness.schema import Checkpoint

SLACK = 3.0
"""Times the noise of repeated calls: the largest of a few draws, against which one more draw is held."""
ALIKE = 0.01
"""Difference of log probabilities that says nothing, whatever the noise was: an adapter's rows are rounded by the batch
they are in, which repeated calls may not show (0.0015 with the embedded model on a CPU)."""
OPEN_FOR = timedelta(hours=72)
"""An interrupted run older than this is not gone on with."""


class Stretch(Struct, frozen=True, kw_only=True):
    """Answers that one model of a server gave without a change that the canary could see."""

    id: str
    """Part of each request's key: name of the file, then random digits."""
    started: datetime
    """UTC."""
    finished: bool
    """The last run that used it came to its end."""
    reference: Reference
    """The canary's answers at its beginning."""


def take_up(
    checkpoint: Checkpoint, facts: Mapping[str, str], now: Reference, reuse: bool, say: Callable[[str], None]
) -> Stretch:
    """The stretch that a run's answers belong to: an earlier one that may go on, or a new one; kept on the disk.

    `facts` tell servers apart, `now` is what the canary was answered just now. `reuse` allows finished stretches.
    """
    name = digest([checkpoint.digest, dict(facts), TEXTS, MAX_TOKENS])[:16]
    kept = _load(name)
    if kept is not None and (reuse or not kept.finished):
        what = f"'{checkpoint.name}': the {'' if kept.finished else 'interrupted '}run of {kept.started:%Y-%m-%d %H:%M}"
        if not same(kept.reference, now):
            say(f"{what} UTC is not gone on with, because the canary is answered otherwise now")
        elif not reuse and datetime.now(UTC) - kept.started > OPEN_FOR:
            say(f"{what} UTC is not gone on with, because it is older than {OPEN_FOR / timedelta(hours=1):.0f} hours")
        else:
            say(f"{what} UTC is gone on with: the canary is answered as it was then. --no-answer-cache asks again")
            return _save(name, structs.replace(kept, finished=False))
    return _save(name, begin(name, now))


def begin(name: str, now: Reference) -> Stretch:
    """A stretch of its own, on no disk."""
    random = secrets.token_hex(4)
    return Stretch(id=f"{name}-{random}", started=datetime.now(UTC), finished=False, reference=now)


def same(then: Reference, now: Reference) -> bool:
    """Both are answers of one set of weights, as far as log probabilities can tell."""
    return widest(then.rows, now.rows) <= max(SLACK * max(then.noise, now.noise), ALIKE)


def finish(ids: Iterable[str]) -> None:
    """The run that used these stretches is sealed: the next one asks anew."""
    for one in ids:
        name = one.partition("-")[0]
        kept = _load(name)
        if kept is not None and kept.id == one:
            _save(name, structs.replace(kept, finished=True))


def _file(name: str) -> Path:
    return cache_dir() / "stretches" / f"{name}.json"


def _load(name: str) -> Stretch | None:
    try:
        return msgspec.json.decode(_file(name).read_bytes(), type=Stretch)
    except (OSError, msgspec.MsgspecError):
        return None


def _save(name: str, stretch: Stretch) -> Stretch:
    file = _file(name)
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        temporary = file.with_suffix(f".{os.getpid()}.new")
        temporary.write_bytes(msgspec.json.encode(stretch))
        temporary.replace(file)
    except OSError as error:
        raise UserError(
            f"{file}: cannot be written: {error.strerror or error}. Free space or make the folder writable "
            "(TUNEGATE_CACHE names another), then run again; finished answers are kept"
        ) from None
    return stretch
