"""Watch a vLLM engine while waiting for its output, so that a dead or silent engine becomes an error.

vLLM waits for its engine process without a timeout: if that is killed, `step()` never returns (0.32). So a thread
checks the process and wakes the waiting caller. An engine in this process cannot be stopped from within: steps that
return without a token become an error there too, but a step that does not return is only reported.
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

from harness.engines.vllm.environment import TRITON

TICK_S = 1.0


class Watch:
    """How long one engine has been silent, and why it was given up. `core` is vLLM's engine core client."""

    def __init__(self, core: Any, patience_s: float, say: Callable[[str], None]) -> None:
        self.reason: str | None = None
        self.silent = False
        self._own_process = hasattr(core, "outputs_queue")
        self._core: Any = core if self._own_process else None  # Otherwise it holds the model, which must be freed.
        self._patience_s = patience_s
        self._say = say
        self._silent_s = 0.0
        self._since: float | None = None
        self._ended = threading.Event()
        threading.Thread(target=self._look, name="tunegate-watch", daemon=True).start()

    @contextmanager
    def waiting(self) -> Iterator[None]:
        """Wait for the engine inside; only this time counts as silence. Raises TimeoutError after `patience_s`."""
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
        """Reset the silence: a token arrived, or a new wait begins."""
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
        self.reason = f"no token for {self._patience_s:.0f} s"

    def _wake(self) -> None:
        """Raise an error in every caller that waits for an output or a call."""
        self._core.outputs_queue.put(RuntimeError(self.reason))
        for call in list(self._core.utility_results.values()):
            with suppress(InvalidStateError):
                call.set_exception(RuntimeError(self.reason))


def _how_it_ended(manager: Any) -> str:
    """Describe how vLLM's processes ended, from their exit codes; -9 is a kill by the system or a person."""
    codes = [process.exitcode for process in manager.processes if process.exitcode is not None]
    if not codes:
        return "its process ended"
    if codes[0] < 0:
        return f"its process was killed (signal {-codes[0]}), manually or by the system"
    return f"its process ended with exit code {codes[0]}"


FATAL = re.compile(r"^EngineCore (?:failed to start|encountered a fatal error)\.$", re.MULTILINE)
RAISED = re.compile(r"^(?:\w+\.)*\w*(?:Error|Exception|Exit|Interrupt)\b.*", re.MULTILINE)
USER_LOGGING = ("VLLM_LOGGING_CONFIG_PATH", "VLLM_CONFIGURE_LOGGING")


@functools.cache
def _folder() -> Path:
    """Return the log folder of all engines of this process, deleted at exit, since loggers keep its file open."""
    folder = tempfile.TemporaryDirectory(prefix="tunegate-vllm-")
    atexit.register(folder.cleanup)
    return Path(folder.name)


class ErrorLog:
    """Errors that one engine's processes log from now on."""

    def __init__(self) -> None:
        self._is_captured = not any(name in os.environ for name in USER_LOGGING)
        self._file = _folder() / "errors.log"
        self._start = self._file.stat().st_size if self._file.exists() else 0

    def arguments(self) -> dict[str, Any]:
        """Return the arguments with which vLLM's LLM also logs errors to the file; import vLLM first."""
        if not self._is_captured:
            return {}
        from vllm.config.logging import LoggingConfig

        settings = _folder() / "logging.json"
        settings.write_text(json.dumps(self._settings()), "utf-8")
        return {"logging_config": LoggingConfig(pylogging_config_file=str(settings))}

    def _settings(self) -> dict[str, Any]:
        """Return vLLM's logging configuration with one more handler."""
        from vllm import envs
        from vllm.logger import DEFAULT_LOGGING_CONFIG

        level, stream = envs.VLLM_LOGGING_LEVEL, envs.VLLM_LOGGING_STREAM
        shown = DEFAULT_LOGGING_CONFIG["handlers"]["vllm"] | {"level": level, "stream": stream}
        to_file = {"class": "logging.FileHandler", "filename": str(self._file), "delay": True, "level": "ERROR"}
        settings: dict[str, Any] = DEFAULT_LOGGING_CONFIG
        return settings | {
            "handlers": {"vllm": shown, "file": to_file},
            "loggers": {
                "vllm": {
                    "handlers": ["vllm", "file"],
                    "level": "ERROR" if level == "CRITICAL" else level,
                    "propagate": False,
                },
                **{name: {"level": "ERROR"} for name in TRITON},
            },
        }

    def fatal(self) -> str:
        """Return the traceback of the error that ended the engine, or the empty string."""
        if not self._file.exists():
            return ""
        written = self._file.read_bytes()[self._start :].decode("utf-8", "replace")
        return "" if FATAL.search(written) is None else FATAL.split(written)[-1]


def raised(traceback: str) -> str | None:
    """Return the first line of the exception that a traceback ends with; None without one."""
    exceptions = RAISED.findall(traceback)
    return exceptions[-1][:300] if exceptions else None


ENGINE_PROCESS = "EngineCore"
"""Prefix of the names of vLLM's processes."""
REAP_S = 10.0
"""Longest wait for a killed process, in seconds; freeing much memory takes a while."""


def reap() -> None:
    """Wait for the engines' processes, all of which have ended or are ending, so that none stays defunct.

    vLLM kills a process that takes too long to end, and does not wait for it.
    """
    for process in multiprocessing.active_children():  # This call reaps those that have ended.
        if process.name.startswith(ENGINE_PROCESS):
            process.join(REAP_S)
