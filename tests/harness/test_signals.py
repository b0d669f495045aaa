"""A request to end does what Ctrl-C does, unless it is ignored."""

import os
import signal
import threading
from collections.abc import Iterator

import pytest

from harness.signals import ENDINGS, interruptible


@pytest.fixture(params=ENDINGS)
def number(request: pytest.FixtureRequest) -> Iterator[signal.Signals]:
    """One of them, which is heard: whoever started the tests may have ignored it."""
    before = signal.signal(request.param, signal.SIG_DFL)
    yield request.param
    signal.signal(request.param, before)


def test_a_request_to_end_interrupts_and_the_handler_of_before_comes_back(number: signal.Signals) -> None:
    before = signal.getsignal(number)
    with pytest.raises(KeyboardInterrupt), interruptible():
        os.kill(os.getpid(), number)
    assert signal.getsignal(number) is before


def test_what_is_ignored_stays_ignored(number: signal.Signals) -> None:
    signal.signal(number, signal.SIG_IGN)
    with interruptible():
        os.kill(os.getpid(), number)
        assert signal.getsignal(number) is signal.SIG_IGN


def test_another_thread_changes_no_handler(number: signal.Signals) -> None:
    before, seen = signal.getsignal(number), []

    def run() -> None:
        with interruptible():
            seen.append(signal.getsignal(number))

    thread = threading.Thread(target=run)
    thread.start()
    thread.join()
    assert seen == [before]
