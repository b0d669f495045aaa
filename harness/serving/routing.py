"""Choose how a checkpoint is served: unchanged, as LoRA with its base, or merged; and check address, port and key."""

from __future__ import annotations

import errno
import ipaddress
import os
import re
import socket
from collections.abc import Mapping
from pathlib import Path

from msgspec import Struct

from harness.checkpoints.merge import merged_path
from harness.checkpoints.model_files import CheckpointFolder
from harness.engines.base import common_dtype, pick_engine
from harness.engines.config import LORA_CHOICES, EngineConfig
from harness.engines.vllm import environment as vllm_environment
from harness.engines.vllm.adapters import Way, plan
from harness.engines.vllm.memory import check_parallel, kv_cache_bytes
from harness.env import SERVE_KEY
from harness.errors import EngineFailed, UserError
from harness.schema import CANDIDATE, Checkpoint
from harness.serving.path_guard import OPEN
from harness.serving.platforms import Platform
from harness.suites.prompts import Renderer

BASE = "base"
"""Name of the base model that a server of a LoRA adapter serves too."""
NAMES = re.compile(r"\w[\w.-]*", re.ASCII)


class Route(Struct, frozen=True, kw_only=True):
    """The arguments of vLLM's server, and why."""

    checkpoint: Checkpoint
    """The deployed checkpoint."""
    name: str
    """The model's name for callers."""
    way: Way
    """`plain`, `lora` or `merged`."""
    reasons: list[str]
    """Why an adapter is merged."""
    folder: Path
    """Model folder that is loaded; where merged, the cached merge, which may not exist yet."""
    adapter: Path | None
    """Adapter that is served as LoRA."""
    max_lora_rank: int
    """Maximum LoRA rank of the server."""
    on_cpu: bool
    """Whether it runs on the CPU."""
    dtype: str
    """Data type of the weights."""
    max_model_len: int
    """Longest prompt and completion together, in tokens."""
    kv_cache_bytes: int
    """Size of the KV cache, on each device."""
    tensor_parallel: int = 1
    """Devices that each layer is split over."""
    end_ids: tuple[int, ...] = ()
    """Token ids that end an answer; empty where vLLM's server finds all of them in the model's folder."""

    @property
    def says(self) -> str:
        """One sentence for users."""
        how = {
            "plain": "the weights as they are",
            "lora": f"LoRA next to its base, which is served too, as '{BASE}'",
            "merged": f"merged into its base: {'; '.join(self.reasons)}",
        }
        where = "the CPU" if self.on_cpu else "the GPU"
        if self.tensor_parallel > 1:
            where = f"{self.tensor_parallel} {'CPU workers' if self.on_cpu else 'GPUs'}"
        return f"'{self.name}' on {where}, {how[self.way]}; {self.dtype}, up to {self.max_model_len:,} tokens"

    @property
    def served(self) -> dict[str, Path]:
        """By the names of the models, the folders that the server must say they are from."""
        if self.adapter is None:
            return {self.name: self.folder}
        return {BASE: self.folder, self.name: self.adapter}


def find_route(
    checkpoint: Checkpoint,
    name: str | None,
    lora: str,
    max_model_len: int | None,
    tensor_parallel: int = 1,
    dtype: str = "auto",
) -> Route:
    """Choose the route by the engines' own rules. Raises UserError for invalid names, lengths and adapters."""
    pick_engine("vllm")
    if lora not in LORA_CHOICES:
        raise UserError(f"--lora {lora}: expected one of: {', '.join(LORA_CHOICES)}")
    on_cpu = vllm_environment.on_cpu()
    model = CheckpointFolder(checkpoint.path)
    check_parallel(tensor_parallel, [model], on_cpu)
    ways = plan({CANDIDATE: checkpoint}, {CANDIDATE: model}, lora, on_cpu)
    way = ways.ways[CANDIDATE]
    length = _length(model, max_model_len)
    dtype = common_dtype({CANDIDATE: model}, EngineConfig(dtype=dtype))
    try:
        cache = kv_cache_bytes(model, dtype, length, on_cpu, parallel=tensor_parallel)
    except EngineFailed as error:
        raise UserError(f"{error}, with --max-model-len") from None
    return Route(
        checkpoint=checkpoint,
        name=_name(checkpoint, name, way),
        way=way,
        reasons=ways.reasons.get(CANDIDATE, []),
        folder=merged_path(checkpoint) if way == "merged" else model.path,
        adapter=Path(checkpoint.adapter_path) if way == "lora" and checkpoint.adapter_path else None,
        max_lora_rank=ways.max_lora_rank,
        on_cpu=on_cpu,
        dtype=dtype,
        max_model_len=length,
        kv_cache_bytes=cache,
        tensor_parallel=tensor_parallel,
        end_ids=_end_ids(Renderer.of(checkpoint), model),
    )


def _end_ids(renderer: Renderer, model: CheckpointFolder) -> tuple[int, ...]:
    """Return all ids that end an answer where vLLM's server lacks one, such as the end of a turn in a base's template.

    It stops at the tokenizer's end token, and those of generation_config.json or else of config.json.
    """
    stated = (model.generation_config or model.config).get("eos_token_id")
    found = {renderer.tokenizer.eos_token_id, *(stated if isinstance(stated, list) else [stated])}
    return () if found.issuperset(renderer.stop_ids) else renderer.stop_ids


def _length(model: CheckpointFolder, wanted: int | None) -> int:
    """Return the longest prompt and answer; by default with LongRoPE's short factors, as most evaluations."""
    most = Renderer(model).max_positions
    if wanted is not None and wanted > most:
        raise UserError(f"--max-model-len {wanted:,}: the model reads {most:,} tokens. Ask for at most as many")
    return wanted or model.short_positions or most


def _name(checkpoint: Checkpoint, given: str | None, way: Way) -> str:
    name = Path(checkpoint.name).name if given is None else given
    if not NAMES.fullmatch(name):
        raise UserError(f"--name {name!r}: expected letters, digits, '.', '_' and '-'. Give the model such a name")
    if way == "lora" and name == BASE:
        raise UserError(f"--name {BASE}: the adapter's base is served under that name. Choose another")
    return name


KEYS = (SERVE_KEY, "VLLM_API_KEY")
"""Environment variables that may hold the server's key; the first one found counts."""
LOOPBACK = "127.0.0.1"


class Access(Struct, frozen=True, kw_only=True):
    """How a server is reached."""

    host: str
    """Address that it listens on."""
    port: int
    """Port that it listens on."""
    key_from: str | None
    """Environment variable with the key; None where no key is needed."""
    platform: Platform | None = None
    """The cloud platform whose routes are served too."""

    @property
    def url(self) -> str:
        """Base URL on this machine; a wildcard address becomes the loopback one."""
        host = {"0.0.0.0": LOOPBACK, "::": "::1"}.get(self.host, self.host)
        return f"http://[{host}]:{self.port}" if ":" in host else f"http://{host}:{self.port}"

    @property
    def is_local(self) -> bool:
        """Whether only this machine can reach it."""
        return _is_loopback(self.host)

    @property
    def key(self) -> str | None:
        """The key, from the current environment."""
        return os.environ[self.key_from].strip() if self.key_from else None

    @property
    def warnings(self) -> list[str]:
        """One line for each thing that the key does not protect."""
        open_paths = f"{', '.join(OPEN)} answer without a key: keep the port from those who must not see them"
        trusted = self.platform.predict if self.platform and self.platform.is_trusted else None
        open_route = [f"{trusted} answers without a key: whoever reaches the port may use the model"] if trusted else []
        plain = "the key and all text travel as plain HTTP: put a proxy with TLS before other machines"
        return [open_paths, *open_route, *([] if self.is_local else [plain])]


def arrange(host: str, port: int, environment: Mapping[str, str], platform: Platform | None = None) -> Access:
    """Check host, port and key. Raises UserError for a public host without a key, or a port in use."""
    key_from = next((name for name in KEYS if environment.get(name, "").strip()), None)
    key = environment[key_from].strip() if key_from else ""
    if not (key.isascii() and key.isprintable() and " " not in key):
        raise UserError(f"{key_from}: holds characters that no HTTP header can carry. Set it to the key alone")
    if not _is_loopback(host) and key_from is None:
        raise UserError(
            f"--host {host}: other machines reach it, and no key is set. Set {KEYS[0]} to a long random text, or leave "
            f"--host out to listen on {LOOPBACK}"
        )
    _check_free(host, port)
    return Access(host=host, port=port, key_from=key_from, platform=platform)


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _check_free(host: str, port: int) -> None:
    try:
        family, kind, _, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        with socket.socket(family, kind) as own:
            own.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            own.bind(address)
    except (OSError, UnicodeError) as error:
        if getattr(error, "errno", 0) == errno.EADDRINUSE:
            raise UserError(
                f"--port {port}: something listens on {host}:{port} already. Stop it, or name another port"
            ) from None
        why = getattr(error, "strerror", None) or error
        raise UserError(
            f"--host {host} --port {port}: cannot listen there: {why}. Name an address of this machine and a port that "
            "you may use"
        ) from None
