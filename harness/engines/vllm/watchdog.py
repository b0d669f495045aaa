"""Watch a vLLM engine while its output is awaited, so that a dead or silent engine becomes an error.

vLLM's wait for its engine process has no end: one that is killed leaves `step()` waiting for ever (0.32). So a thread
looks at a process of its own and wakes whoever waits for it. An engine that shares this process cannot be stopped from
within: steps that come back without a token are an error there too, a step that does not come back is only told.
"""

from __future__ import annotations

import atexit
import functools
import json
import multiprocessing
import os
import re
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import InvalidStateError
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

TICK_S = 1.0


class Watch:
    """One engine: since when it is silent, and why it was given up. `core` is vLLM's engine core client."""

    def __init__(self, core: Any, patience_s: float, say: Callable[[str], None]) -> None:
        self.reason: str | None = None
        self.silent = False
        self._own_process = hasattr(core, "outputs_queue")
        self._core: Any = core if self._own_process else None  # Else it holds the model, which must be freed.
        self._patience_s = patience_s
        self._say = say
        self._silent_s = 0.0
        self._since: float | None = None
        self._ended = threading.Event()
        threading.Thread(target=self._look, name="tunegate-watch", daemon=True).start()

    @contextmanager
    def waiting(self) -> Iterator[None]:
        """Wait for the engine inside; what the caller does in between is no silence of the engine's."""
        self._since = time.monotonic()
        try:
            yield
        finally:
            self._silent_s += time.monotonic() - self._since
            self._since = None
        if self._silent_s > self._patience_s:
            self._give_up_on_silence()
            raise TimeoutError(self.reason)

    def progress(self) -> None:
        """A token came, or a new wait begins."""
        self._silent_s = 0.0
        if self._since is not None:
            self._since = time.monotonic()

    def close(self) -> None:
        """End the thread."""
        self._ended.set()

    def _look(self) -> None:
        while not self._ended.wait(min(TICK_S, self._patience_s / 4)):
            since = self._since
            if since is None:
                continue
            if self._own_process and self._core.resources.engine_dead:
                self.reason = _how_it_ended(self._core.resources.engine_manager)
                return self._wake()
            if self._silent_s + time.monotonic() - since > self._patience_s:
                if self._own_process:
                    self._give_up_on_silence()
                    return self._wake()
                return self._say(
                    f"vllm has computed one step for {self._patience_s:.0f} s. It shares this process and cannot be "
                    "stopped from here: kill the process if it hangs; finished answers are kept"
                )

    def _give_up_on_silence(self) -> None:
        self.silent = True
        self.reason = f"no token came for {self._patience_s:.0f} s"

    def _wake(self) -> None:
        """Whoever waits for an output or a call gets an error in its place."""
        self._core.outputs_queue.put(RuntimeError(self.reason))
        for call in list(self._core.utility_results.values()):
            with suppress(InvalidStateError):
                call.set_exception(RuntimeError(self.reason))


def _how_it_ended(manager: Any) -> str:
    """What the exit codes of vLLM's processes say; -9 is a kill, which nobody but the system or a person does."""
    codes = [process.exitcode for process in manager.processes if process.exitcode is not None]
    if not codes:
        return "its process ended"
    if codes[0] < 0:
        return f"its process was killed (signal {-codes[0]}), by hand or by the system"
    return f"its process ended with exit code {codes[0]}"


FATAL = re.compile(r"^EngineCore (?:failed to start|encountered a fatal error)\.$", re.MULTILINE)
RAISED = re.compile(r"^(?:\w+\.)*\w*(?:Error|Exception|Exit|Interrupt)\b.*", re.MULTILINE)
THE_USERS_OWN = ("VLLM_LOGGING_CONFIG_PATH", "VLLM_CONFIGURE_LOGGING")


@functools.cache
def _folder() -> Path:
    """One folder for all engines of this process; it goes when the process ends, since loggers keep its file open."""
    folder = tempfile.TemporaryDirectory(prefix="tunegate-vllm-")
    atexit.register(folder.cleanup)
    return Path(folder.name)


class ErrorLog:
    """The errors of one engine's processes, from now on."""

    def __init__(self) -> None:
        self._kept = not any(name in os.environ for name in THE_USERS_OWN)
        self._file = _folder() / "errors.log"
        self._start = self._file.stat().st_size if self._file.exists() else 0

    def arguments(self) -> dict[str, Any]:
        """What vLLM's LLM takes to log errors to the file too; import vLLM first."""
        if not self._kept:
            return {}
        from vllm.config.logging import LoggingConfig

        settings = _folder() / "logging.json"
        settings.write_text(json.dumps(self._settings()), "utf-8")
        return {"logging_config": LoggingConfig(pylogging_config_file=str(settings))}

    def _settings(self) -> dict[str, Any]:
        """vLLM's own configuration, with one handler more."""
        from vllm import envs
        from vllm.logger import DEFAULT_LOGGING_CONFIG

        level, stream = envs.VLLM_LOGGING_LEVEL, envs.VLLM_LOGGING_STREAM
        shown = DEFAULT_LOGGING_CONFIG["handlers"]["vllm"] | {"level": level, "stream": stream}
        kept = {"class": "logging.FileHandler", "filename": str(self._file), "delay": True, "level": "ERROR"}
        settings: dict[str, Any] = DEFAULT_LOGGING_CONFIG
        return settings | {
            "handlers": {"vllm": shown, "kept": kept},
            "loggers": {
                "vllm": {
                    "handlers": ["vllm", "kept"],
                    "level": "ERROR" if level == "CRITICAL" else level,
                    "propagate": False,
                }
            },
        }

    def fatal(self) -> str:
        """The traceback of what ended the engine, or the empty string."""
        if not self._file.exists():
            return ""
        written = self._file.read_bytes()[self._start :].decode("utf-8", "replace")
        return "" if FATAL.search(written) is None else FATAL.split(written)[-1]


def raised(traceback: str) -> str | None:
    """The exception that a traceback ends with, as its first line; None where there is none."""
    found = RAISED.findall(traceback)
    return found[-1][:300] if found else None


ENGINE_PROCESS = "EngineCore"
"""How vLLM's names of its processes begin."""
REAP_S = 10.0
"""Longest wait for a process that was killed; one that holds much memory takes a while."""


def reap() -> None:
    """Wait for the engines' processes, all of which have ended or were told to, so that none stays defunct.

    vLLM kills a process that takes too long to end, and does not wait for it.
    """
    for process in multiprocessing.active_children():  # Asking for them reaps those that have ended.
        if process.name.startswith(ENGINE_PROCESS):
            process.join(REAP_S)
