"""Where the results of a run go besides the run folder: trackers, and a notice to a webhook."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from msgspec import Struct

from harness.env import NOTIFY
from harness.errors import UserError
from harness.files import file_link
from harness.runs.project import trackers_of

if TYPE_CHECKING:
    from training.sweep.run import Sweep


class Delivery(Struct, frozen=True, kw_only=True):
    """What was asked for; the address is a secret."""

    track: list[str]
    """Names of trackers."""
    notify: str
    """Address of a webhook; empty for none."""


def delivery(track: str | None, notify: str | None, option: str = "--track") -> Delivery:
    """Read the options, else the project's key and the environment. `option` is the name of the one of trackers.

    Raises UserError, before anything runs, for an unknown tracker, a missing package and an address that is none.
    """
    names = trackers_of(Path.cwd()) if track is None else [name.strip() for name in track.split(",") if name.strip()]
    url = notify or os.environ.get(NOTIFY, "")
    if names:
        from harness.runs.trackers import checked

        names = checked(names, "tool.tunegate.track" if track is None else option)
    if url:
        from reports import notice

        notice.checked(url)
    return Delivery(track=names, notify=url)


def deliver(run: Path, to: Delivery, say: Callable[[str], None], remarks: Sequence[str] = ()) -> list[str]:
    """Send a finished run and its notice. A failure is one line and is returned by the name of its receiver.

    `remarks` say in the notice what the run's own verdicts do not: what was not run, and why the command failed.
    """
    failed: list[str] = []
    if to.track:
        from reports import tracking

        try:
            failed = tracking.send(run, to.track, say)
        except UserError as error:
            failed = list(to.track)
            say(f"not sent to {', '.join(to.track)}: {error}")
        if sent := [name for name in to.track if name not in failed]:
            say(f"sent to {', '.join(sent)}: {run.name}")
    if to.notify:
        from harness.runs.folder import load_results
        from reports import notice

        if problem := notice.send(load_results(run), to.notify, remarks):
            failed.append("webhook")
            say(f"the notice was not sent: {problem}. The run is kept")
    return failed


def report_link(run: Path) -> str:
    """Return the link to a run's report; empty where it has none."""
    from reports.cases.pages import REPORT

    report = run / "report" / REPORT
    return file_link(report) if report.is_file() else ""


def deliver_sweep(sweep: Sweep, to: Delivery, say: Callable[[str], None]) -> None:
    """Send the training runs that did not send themselves, and the test of the winner with its notice."""
    own = sweep.plan.config.records.trackers
    points = Delivery(track=[name for name in to.track if name not in own], notify="")
    for run in [row.run for row in sweep.table.rows if row.run]:
        deliver(sweep.root / run, points, say)
    if sweep.table.confirmed:
        confirmed = sweep.root / sweep.table.confirmed.run
        deliver(confirmed, to, say)
        if link := report_link(confirmed):
            say(link)
