"""Running estimates of what has been answered so far, for at most a hundredth of the time. Knows no terminal.

They are made as the run's own are at the end, so that the last of them is the run's own. They decide nothing: who
stops a run at a number that pleases has chosen the number.
"""

from __future__ import annotations

import time
from collections.abc import Iterable
from typing import TYPE_CHECKING

from harness.schema import Estimate, Metric, Record
from harness.stats.columns import Incoming
from harness.stats.estimates import estimate
from harness.stats.observations import Reading

if TYPE_CHECKING:
    from harness.progress import Share

EVERY_S = 2.0
SHARE_OF_TIME = 0.01
"""Most processor time that estimates may take; where they would take more, they come less often."""


class Level:
    """One variant's answers to one suite, and what they say of one metric."""

    def __init__(self, metric: Metric) -> None:
        self.metric = metric
        self.answers = 0
        self.estimate: Estimate | None = None
        self._incoming: Incoming | None = Incoming()
        self._estimated = 0

    def add(self, record: Record) -> None:
        """One answer more."""
        self.answers += 1
        if self._incoming is not None:
            self._incoming.add(record)

    def refresh(self) -> None:
        """Estimate again, if there are new answers."""
        if self._incoming is not None and self._estimated < self.answers:
            found = Reading(self._incoming.columns()).observed(self.metric, "candidate")
            self.estimate = estimate(found, self.metric)
            self._estimated = self.answers

    def finish(self) -> None:
        """Estimate for the last time and let the answers go."""
        self.refresh()
        self._incoming = None


class Running:
    """The levels of all that is asked, by suite and variant."""

    def __init__(self, shares: Iterable[Share]) -> None:
        self.levels = {(share.suite, share.variant): Level(share.metric) for share in shares}
        self._due = 0.0

    def refresh(self, now: float) -> None:
        """Estimate again where it is due."""
        if now < self._due:
            return
        begun = time.thread_time()
        for level in self.levels.values():
            level.refresh()
        self._due = now + max(EVERY_S, (time.thread_time() - begun) / SHARE_OF_TIME)

    def finish(self) -> None:
        """Estimate for the last time and let the answers go."""
        for level in self.levels.values():
            level.finish()
