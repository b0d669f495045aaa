"""The view of a terminal: stages of work, drawn while they go on. Knows no engine and no verdict."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from harness.live.evaluation import Evaluation
    from harness.live.screen import Screen
    from harness.progress import Share, Stage


class Live:
    """A view (`harness.progress.View`) on the terminal of this descriptor."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        self._picture: Evaluation | None = None
        self._screen: Screen | None = None

    def say(self, text: str) -> None:
        if self._screen is None:
            print(text, file=sys.stderr, flush=True)
        else:
            self._screen.say(text)

    @contextmanager
    def work(self, *names: str) -> Iterator[None]:
        from harness.live.evaluation import Evaluation
        from harness.live.screen import Screen

        self._picture = Evaluation(names)
        try:
            with Screen(self._descriptor, self._picture.draw) as self._screen:
                yield
        finally:
            self._picture = self._screen = None

    @contextmanager
    def stage(self, name: str, total: int | None, unit: str, shares: Sequence[Share]) -> Iterator[Stage]:
        from harness.live.evaluation import LiveStage

        with ExitStack() as opened:
            if self._picture is None:
                opened.enter_context(self.work(name))
            assert self._picture is not None
            stage = LiveStage(name, total, unit, shares)
            self._picture.begin(stage)
            try:
                yield stage
            finally:
                stage.is_over = True
                if total is not None:
                    self.say(stage.summary)
