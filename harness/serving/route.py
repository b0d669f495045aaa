"""How a checkpoint is served: as it is, as LoRA beside its base, or merged. Starts nothing and writes nothing."""

from __future__ import annotations

import re
from pathlib import Path

from msgspec import Struct

from harness.engines import vllm_env
from harness.engines.base import LORA_CHOICES, Settings, common_dtype, pick_engine
from harness.engines.memory import kv_cache_bytes
from harness.engines.parallel import check_parallel
from harness.engines.preflight import Way, plan
from harness.errors import EngineFailed, UserError
from harness.merging import merged_path
from harness.prompts import Renderer
from harness.schema import CANDIDATE, Checkpoint

BASE = "base"
"""Name of the base model that a server of a LoRA adapter serves along with it."""
NAMES = re.compile(r"\w[\w.-]*", re.ASCII)


class Route(Struct, frozen=True, kw_only=True):
    """What vLLM's server is given, and why."""

    checkpoint: Checkpoint
    """What is deployed."""
    name: str
    """The model's name for those who ask it."""
    way: Way
    """`plain`, `lora` or `merged`."""
    reasons: list[str]
    """Why an adapter is merged."""
    folder: Path
    """Model folder that is loaded; where merged, the cached merge, which may not be made yet."""
    adapter: Path | None
    """Adapter that is served as LoRA."""
    max_lora_rank: int
    """Of the server, where it serves LoRA."""
    on_cpu: bool
    """Runs on the CPU."""
    dtype: str
    """Data type of the weights."""
    max_model_len: int
    """Longest prompt and answer together, in tokens."""
    kv_cache_bytes: int
    """Size of the KV cache, on each device."""
    tensor_parallel: int = 1
    """Devices that each layer is split over."""

    @property
    def says(self) -> str:
        """One sentence for people."""
        how = {
            "plain": "the weights as they are",
            "lora": f"LoRA beside its base, which is served too, as '{BASE}'",
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
    checkpoint: Checkpoint, name: str | None, lora: str, max_model_len: int | None, tensor_parallel: int = 1
) -> Route:
    """Choose the way with the engines' own rules. Names, lengths and adapters that cannot be are UserErrors."""
    pick_engine("vllm")
    if lora not in LORA_CHOICES:
        raise UserError(f"--lora {lora}: expected one of: {', '.join(LORA_CHOICES)}")
    on_cpu = vllm_env.on_cpu()
    check_parallel(tensor_parallel, [Path(checkpoint.path)], on_cpu)
    ways = plan({CANDIDATE: checkpoint}, lora, on_cpu)
    way = ways.ways[CANDIDATE]
    source = Path(checkpoint.path)
    length = _length(Renderer(source).max_positions, max_model_len)
    dtype = common_dtype({CANDIDATE: checkpoint}, Settings())
    try:
        cache = kv_cache_bytes(source, dtype, length, on_cpu, parallel=tensor_parallel)
    except EngineFailed as error:
        raise UserError(f"{error}, with --max-model-len") from None
    return Route(
        checkpoint=checkpoint,
        name=_name(checkpoint, name, way),
        way=way,
        reasons=ways.reasons.get(CANDIDATE, []),
        folder=merged_path(checkpoint) if way == "merged" else source,
        adapter=Path(checkpoint.adapter_path) if way == "lora" and checkpoint.adapter_path else None,
        max_lora_rank=ways.max_lora_rank,
        on_cpu=on_cpu,
        dtype=dtype,
        max_model_len=length,
        kv_cache_bytes=cache,
        tensor_parallel=tensor_parallel,
    )


def _length(most: int, wanted: int | None) -> int:
    if wanted is not None and wanted > most:
        raise UserError(f"--max-model-len {wanted:,}: the model reads {most:,} tokens. Ask for at most as many")
    return wanted or most


def _name(checkpoint: Checkpoint, given: str | None, way: Way) -> str:
    name = Path(checkpoint.name).name if given is None else given
    if not NAMES.fullmatch(name):
        raise UserError(f"--name {name!r}: expected letters, digits, '.', '_' and '-'. Give the model such a name")
    if way == "lora" and name == BASE:
        raise UserError(f"--name {BASE}: the adapter's base is served under that name. Choose another")
    return name
