"""The processes of one training run, and sharded tensors.

A launcher (torchrun, accelerate launch) starts the processes. The first one prints and writes for all, and its exit
code counts: the others exit with 0, so that the launcher does not kill a process that still writes. torch is loaded
only if there are several.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from datetime import timedelta
from typing import Any, NoReturn, TypeVar

from harness.errors import EXIT_OK, UserError
from training.config import Config, question_tables

TIMEOUT = timedelta(hours=1)
"""Maximum wait for the first process, which may download a base and compare rows with every suite."""

T = TypeVar("T")


class ProcessGroup:
    """This process and the others of the same training run; a group of one without a launcher."""

    def __init__(self) -> None:
        """Join the others. Raises UserError where not all of them join."""
        self.size = int(os.environ.get("WORLD_SIZE", "1"))
        self.number = int(os.environ.get("RANK", "0")) if self.size > 1 else 0
        if self.size > 1:
            _init(self.size)

    @property
    def is_first(self) -> bool:
        """Whether this is the process that prints and writes."""
        return self.number == 0

    def run_first_then_rest(self, act: Callable[[], T]) -> T:
        """Run `act` in the first process, then in the others, and return this process's result.

        An error in one process ends all of them, and the first one raises it.
        """
        if self.size == 1:
            return act()
        result, error = None, None
        for is_first in (True, False):
            if self.is_first == is_first:
                result, error = _attempt(act)
            self._exchange(None, error)
        return result  # type: ignore[return-value]

    def broadcast(self, act: Callable[[], T]) -> T:
        """Run `act` in the first process only and return its result in all; an error there ends all."""
        if self.size == 1:
            return act()
        result, error = _attempt(act) if self.is_first else (None, None)
        return self._exchange(result, error)[0]  # type: ignore[no-any-return]

    def exit_worker(self) -> NoReturn:
        """End a process that is not the first."""
        _destroy()
        raise SystemExit(EXIT_OK)

    def _exchange(self, result: Any, error: Exception | None) -> list[Any]:
        """Return the results of all processes, or end all of them where one has an error."""
        message = None if error is None else str(error) or type(error).__name__  # An exception may not be picklable.
        gathered = self._gather((result, message))
        failed = [(number, text) for number, (_, text) in enumerate(gathered) if text]
        if not failed:
            return [value for value, _ in gathered]
        if not self.is_first:
            self.exit_worker()
        _destroy()
        if error is not None:
            raise error
        number, text = failed[0]
        raise UserError(f"process {number} of {self.size}: {text}")

    def _gather(self, pair: tuple[Any, Any]) -> list[tuple[Any, Any]]:
        from accelerate.utils import gather_object

        pairs: list[tuple[Any, Any]] = gather_object([pair])
        return pairs


def accelerator() -> Any:
    """Return accelerate's Accelerator for device placement; the configuration sets number formats and compiling."""
    from accelerate import Accelerator
    from accelerate.utils import GradientAccumulationPlugin

    once = GradientAccumulationPlugin(num_steps=1)
    return Accelerator(mixed_precision="no", dynamo_backend="no", gradient_accumulation_plugin=once)


def _attempt(act: Callable[[], Any]) -> tuple[Any, Exception | None]:
    try:
        return act(), None
    except Exception as error:  # The other processes wait for a message before this one raises it.
        return None, error


def _destroy() -> None:
    """Leave the process group: its threads can abort the process if they run while the interpreter exits."""
    import torch.distributed

    if torch.distributed.is_initialized():
        torch.distributed.destroy_process_group()


def _init(size: int) -> None:
    """Join the process group. On CPUs accelerate joins only with an explicit `cpu=True`."""
    import torch
    from accelerate import PartialState
    from accelerate.utils import parse_flag_from_env

    on_cpu = parse_flag_from_env("ACCELERATE_USE_CPU") or not torch.accelerator.is_available()
    joined = PartialState(cpu=on_cpu, timeout=TIMEOUT)
    if joined.num_processes != size:
        raise UserError(
            f"the launcher started {size} processes but {joined.num_processes} joined. Start them with torchrun or "
            "accelerate launch"
        )


def asked() -> bool:
    """Whether the launcher requests FSDP."""
    return os.environ.get("ACCELERATE_USE_FSDP", "").lower() in ("1", "true")


def problems(config: Config) -> list[str]:
    """Return the conflicts of a configuration, the launcher and this machine with FSDP."""
    if not asked():
        return []
    import torch

    conflicts = []
    if not torch.accelerator.is_available():
        conflicts.append("FSDP is requested, but accelerate shards only on accelerators. Do not use it on CPUs")
    if os.environ.get("FSDP_VERSION", "1") != "2":
        conflicts.append("FSDP version 1 is requested. Add --fsdp_version 2 to accelerate launch")
    if config.model.quantise != "none" and config.model.quant_storage != "bfloat16":
        conflicts.append(
            f"'model.quant_storage' is {config.model.quant_storage}; FSDP shards 4-bit weights in the number "
            "format of the others. Set it to bfloat16"
        )
    conflicts += [
        f"'{name}.suite' generates answers during training, which needs all weights on each device; FSDP "
        f"keeps only a shard. Remove [{name}], or train without FSDP"
        for name, table in question_tables(config).items()
        if table.suite
    ]
    return conflicts


def whole(value: Any) -> Any:
    """Gather every sharded tensor in a value; all processes must call it at the same point."""
    if isinstance(value, Mapping):
        return {key: whole(part) for key, part in value.items()}
    return value.full_tensor() if hasattr(value, "full_tensor") else value


def like(tensor: Any, other: Any) -> Any:
    """Shard a tensor like `other`, if that is sharded."""
    if not hasattr(other, "full_tensor") or hasattr(tensor, "full_tensor"):
        return tensor
    from torch.distributed.tensor import distribute_tensor

    return distribute_tensor(tensor.to(other.device), other.device_mesh, other.placements)


def optimizer_state(state: Mapping[str, Any], parameters: Sequence[Any]) -> dict[str, Any]:
    """Shard a gathered optimizer state: entries with the shape of their parameter are sharded like it."""
    sharded = {
        number: {
            key: like(value, parameters[number]) if getattr(value, "shape", None) == parameters[number].shape else value
            for key, value in entries.items()
        }
        for number, entries in state["state"].items()
    }
    return {**state, "state": sharded}
