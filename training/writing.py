"""Writes what the loop tells into the run folder. Knows no model.

An error does not leave at once, since other processes of the training would wait for ever: nothing more is written, the
loop is asked to stop, which all processes do at the same point, and `check` raises it there.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from harness import store
from harness.errors import UserError
from training.checkpointing import State, save
from training.hooks import Hooks
from training.trackers import Trackers

LAST = "last"
"""Folder of the state of an unfinished run."""


class Writer:
    """The hooks of the process that writes; `error` is the first thing that could not be written."""

    def __init__(self, run: store.RunFolder, trackers: Trackers, asked_to_stop: Callable[[], bool]) -> None:
        self.run, self.trackers, self.asked_to_stop = run, trackers, asked_to_stop
        self.error: UserError | None = None

    def hooks(self, progress: Callable[[Any], None], at: Callable[[str], None]) -> Hooks:
        """As the loop takes them."""
        return Hooks(log=self._log, save=self._save, progress=progress, stop=self._stop, at=at)

    def check(self) -> None:
        """Raise what could not be written."""
        if self.error is not None:
            raise self.error

    def _log(self, row: dict[str, Any]) -> None:
        self._try(lambda: self.run.append_log(row))
        self.trackers.log(row)

    def _save(self, state: State) -> None:
        self._try(lambda: save(self.run.path / LAST, state))

    def _stop(self) -> bool:
        return self.error is not None or self.asked_to_stop()

    def _try(self, act: Callable[[], None]) -> None:
        """A state saved after a line was lost would leave a hole in the log for good: nothing follows an error."""
        if self.error is not None:
            return
        try:
            act()
        except UserError as error:
            self.error = error
