"""Keeps the errors that vLLM's own processes log, because their exceptions do not cross over. Knows no engine.

The caller only hears that an engine died; why is in the log. Where the user configures vLLM's logging, nothing is kept.
"""

from __future__ import annotations

import atexit
import functools
import json
import os
import re
import tempfile
from pathlib import Path
from typing import Any

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
