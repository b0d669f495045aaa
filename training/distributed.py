"""The processes of one training: which one this is, and how they act as one. Knows nothing of what they compute.

A launcher (torchrun, accelerate launch) starts them. The first speaks and writes for all, and its exit code counts: the
others leave with 0, so that the launcher kills nobody who still writes. Loads torch only where there are several.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from datetime import timedelta
from typing import Any, NoReturn, TypeVar

from harness.errors import EXIT_OK, UserError
from training.config import Config, asked_tables

PATIENCE = timedelta(hours=1)
"""The others wait this long for the first, which may fetch a base and compare rows with every suite."""

T = TypeVar("T")


class ProcessGroup:
    """This process and the others of the same training; alone where no launcher started it."""

    def __init__(self) -> None:
        """Meet the others."""
        self.size = int(os.environ.get("WORLD_SIZE", "1"))
        self.number = int(os.environ.get("RANK", "0")) if self.size > 1 else 0
        if self.size > 1:
            _meet(self.size)

    @property
    def is_first(self) -> bool:
        """Whether this is the process that speaks and writes."""
        return self.number == 0

    def in_turn(self, act: Callable[[], T]) -> T:
        """What `act` gives here; the first process acts before the others.

        An error in one process ends all of them, and the first says it.
        """
        return self._agreed(act, act)

    def from_first(self, act: Callable[[], T]) -> T:
        """What `act` gives in the first process, in all of them; an error there ends all."""
        return self._agreed(act, None)

    def leave(self) -> NoReturn:
        """End a process that is not the first."""
        _part()
        raise SystemExit(EXIT_OK)

    def _agreed(self, first: Callable[[], T], others: Callable[[], T] | None) -> T:
        made, error = _tried(first) if self.is_first else (None, None)
        if self.size == 1:
            return _or_raise(made, error)
        told = self._gather((None if others else made, _said(error)))
        self._end_together(told, error)
        if others is None:
            return told[0][0]  # type: ignore[no-any-return]
        if not self.is_first:
            made, error = _tried(others)
        self._end_together(self._gather((None, _said(error))), error)
        return made  # type: ignore[return-value]

    def _gather(self, mine: tuple[Any, Any]) -> list[tuple[Any, Any]]:
        from accelerate.utils import gather_object

        found: list[tuple[Any, Any]] = gather_object([mine])
        return found

    def _end_together(self, told: list[tuple[Any, Any]], error: Exception | None) -> None:
        """Return where no process failed."""
        failed = [(number, said) for number, (_, said) in enumerate(told) if said]
        if not failed:
            return
        number, message = failed[0]
        if not self.is_first:
            self.leave()
        _part()
        if error is not None:
            raise error
        raise UserError(f"process {number} of {self.size}: {message}")


def accelerator() -> Any:
    """accelerate for the devices alone: number formats, steps and compiling are the configuration's."""
    from accelerate import Accelerator
    from accelerate.utils import GradientAccumulationPlugin

    once = GradientAccumulationPlugin(num_steps=1)
    return Accelerator(mixed_precision="no", dynamo_backend="no", gradient_accumulation_plugin=once)


def _tried(act: Callable[[], T]) -> tuple[T | None, Exception | None]:
    try:
        return act(), None
    except Exception as error:  # The others wait; they must be told before it goes on.
        return None, error


def _or_raise(made: T | None, error: Exception | None) -> T:
    if error is not None:
        raise error
    return made  # type: ignore[return-value]


def _said(error: Exception | None) -> str | None:
    """What travels between processes; an exception need not."""
    return None if error is None else str(error) or type(error).__name__


def _part() -> None:
    """Leave the process group: its threads, still at work when the interpreter goes, can abort the process."""
    import torch.distributed

    if torch.distributed.is_initialized():
        torch.distributed.destroy_process_group()


def _meet(size: int) -> None:
    """Join the process group. On processors accelerate joins only when told that there is nothing else."""
    import torch
    from accelerate import PartialState
    from accelerate.utils import parse_flag_from_env

    on_cpu = parse_flag_from_env("ACCELERATE_USE_CPU") or not torch.accelerator.is_available()
    joined = PartialState(cpu=on_cpu, timeout=PATIENCE)
    if joined.num_processes != size:
        raise UserError(
            f"the launcher started {size} processes and {joined.num_processes} met. Start them with torchrun or "
            "accelerate launch"
        )


def asked() -> bool:
    """Whether the launcher was told to shard."""
    return os.environ.get("ACCELERATE_USE_FSDP", "").lower() in ("1", "true")


def problems(config: Config) -> list[str]:
    """What of a configuration, of the launcher and of this machine does not go with FSDP."""
    if not asked():
        return []
    import torch

    found = []
    if not torch.accelerator.is_available():
        found.append("FSDP is asked for, and accelerate shards on accelerators alone. Leave it out on processors")
    if os.environ.get("FSDP_VERSION", "1") != "2":
        found.append("FSDP of version 1 is asked for. Add --fsdp_version 2 to accelerate launch")
    if config.model.quantise != "none" and config.model.quant_storage != "bfloat16":
        found.append(
            f"'model.quant_storage' is {config.model.quant_storage}; FSDP shares out 4-bit weights in the number "
            "format of the others. Set it to bfloat16"
        )
    found += [
        f"'{name}.suite' has the model answer while it trains, which takes all of its weights on each device; FSDP "
        f"keeps a part on each. Leave [{name}] out, or train without FSDP"
        for name, table in asked_tables(config).items()
        if table.suite
    ]
    return found


def whole(value: Any) -> Any:
    """The same with every tensor in it whole; all processes must ask at the same point."""
    if isinstance(value, Mapping):
        return {key: whole(part) for key, part in value.items()}
    return value.full_tensor() if hasattr(value, "full_tensor") else value


def like(tensor: Any, other: Any) -> Any:
    """The tensor, cut up as `other` is, where it is."""
    if not hasattr(other, "full_tensor") or hasattr(tensor, "full_tensor"):
        return tensor
    from torch.distributed.tensor import distribute_tensor

    return distribute_tensor(tensor.to(other.device), other.device_mesh, other.placements)


def optimizer_state(state: Mapping[str, Any], parameters: Sequence[Any]) -> dict[str, Any]:
    """A whole optimizer state, with what has the shape of its parameter cut up as the parameter is."""
    cut = {
        number: {
            key: like(value, parameters[number]) if getattr(value, "shape", None) == parameters[number].shape else value
            for key, value in entries.items()
        }
        for number, entries in state["state"].items()
    }
    return {**state, "state": cut}
