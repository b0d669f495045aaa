"""Which past runs are wanted: reads what a user asks for and picks. Knows no folder."""

from __future__ import annotations

import re
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from fnmatch import fnmatchcase
from typing import get_args, get_type_hints

from msgspec import Struct

from harness.errors import UserError
from harness.history.past import PastRun
from harness.schema import Manifest

KINDS: tuple[str, ...] = get_args(get_type_hints(Manifest)["kind"])
OUTCOMES = ("pass", "fail", "inconclusive", "skipped")
"""What all gates of a run together can come to."""
AGO = re.compile(r"(\d+)\s*([hdw])")
HOURS = {"h": 1, "d": 24, "w": 7 * 24}


class Wanted(Struct, frozen=True, kw_only=True):
    """What a run must be; what is empty is not asked."""

    suites: tuple[str, ...] = ()
    """Names of suites, `*` standing for anything; one of them is enough."""
    kind: str = ""
    """What was done."""
    checkpoint: str = ""
    """Part of the name of a model, or the beginning of its content digest."""
    since: str = ""
    """Earliest start, UTC time, ISO 8601."""
    outcome: str = ""
    """What all gates together came to."""

    def is_met(self, run: PastRun) -> bool:
        """The run is wanted. One that cannot be read is nothing that was asked for, but its time."""
        return (
            (not self.suites or any(fnmatchcase(s.name, name) for s in run.suites for name in self.suites))
            and self.kind in ("", run.kind)
            and run.started >= self.since
            and (not self.outcome or (run.kind == "eval" and run.outcome == self.outcome))
            and (not self.checkpoint or any(self._names(m.name, m.digest) for m in run.models.values()))
        )

    def _names(self, name: str, digest: str) -> bool:
        return self.checkpoint in name or digest.startswith(self.checkpoint)


def wanted(
    suites: Iterable[str] = (), kind: str = "", checkpoint: str = "", since: str = "", outcome: str = ""
) -> Wanted:
    """What a user asks for. A kind, an outcome or a time that does not exist is a UserError."""
    for option, said, known in (("--kind", kind, KINDS), ("--outcome", outcome, OUTCOMES)):
        if said and said not in known:
            raise UserError(f"{option} {said}: expected one of {', '.join(known)}")
    return Wanted(
        suites=tuple(_suite(name) for name in suites),
        kind=kind,
        checkpoint=checkpoint,
        since=_since(since, datetime.now(UTC)) if since else "",
        outcome=outcome,
    )


def _suite(name: str) -> str:
    """The name of a suite, where its folder may be given too."""
    return "/".join(part for part in name.split("/") if part not in ("", ".", "evalsuites"))


def _since(said: str, now: datetime) -> str:
    """A day, a time or so long ago, as UTC."""
    ago = AGO.fullmatch(said.strip())
    try:
        if ago:
            found = now - timedelta(hours=int(ago[1]) * HOURS[ago[2]])
        else:
            found = datetime.fromisoformat(said)
            found = found.astimezone(UTC) if found.tzinfo else found.replace(tzinfo=UTC)
    except (ValueError, OverflowError):
        raise UserError(
            f"--since {said}: not a time. Expected a day or a time in UTC, such as 2026-11-01 or 2026-11-01T08:30, or "
            "how long ago: 12h, 7d, 4w"
        ) from None
    return found.strftime("%Y-%m-%dT%H:%M:%SZ")
