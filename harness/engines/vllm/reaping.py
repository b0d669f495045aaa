"""Waits for vLLM's own processes once they have ended, so that none stays defunct while the session goes on.

vLLM kills a process that takes too long to end, and does not wait for it.
"""

from __future__ import annotations

import multiprocessing

NAMED = "EngineCore"
"""How vLLM's names of its processes begin."""
END_S = 10.0
"""Longest wait for a process that was killed; one that holds much memory takes a while."""


def reap() -> None:
    """Return once the engines' processes are gone. All of them have ended, or were told to."""
    for process in multiprocessing.active_children():  # Asking for them reaps those that have ended.
        if process.name.startswith(NAMED):
            process.join(END_S)
