"""The Ray cluster: a local one, started and stopped here, or the one at RAY_ADDRESS."""

from __future__ import annotations

import logging
import os
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from msgspec import Struct

from harness.engines.base import engine_version, pick_engine
from harness.engines.ray import worker
from harness.engines.vllm import environment as vllm_environment
from harness.env import CACHE
from harness.errors import EngineFailed, UserError, how_to_install
from harness.threads import SPIN_COUNT, WAIT_POLICY

OLDEST = (2, 60)
"""Older ones drop adapters without a word (ray PR 62609), or have other rows."""
ADDRESS = "RAY_ADDRESS"
OBJECT_STORE_BYTES = 200_000_000
"""Of a local cluster: rows beyond it wait on the disk."""
SPARE_CPUS = 2
"""Of a local cluster, for what is not an engine."""
LOOK_S = 120.0
"""Longest wait for a look at the machines of a cluster."""
BIND = "VLLM_CPU_OMP_THREADS_BIND"
THREADS = "OMP_NUM_THREADS"
INVARIANT = "VLLM_BATCH_INVARIANT"


class Workers(Struct, frozen=True, kw_only=True):
    """What the machines that hold the engines have in common."""

    vllm: str
    """Version of vLLM."""
    on_cpu: bool
    """They have no GPU."""
    invariant: bool
    """Results do not depend on what else is in the batch."""
    engines: int
    """How many engines work at once."""
    device_bytes: int | None
    """Memory of the smallest GPU, or least free memory of a machine without one; None: that of this machine."""
    devices: list[str]
    """What they compute on."""


def refuse_old(version: str) -> None:
    """UserError for a ray that would give wrong answers."""
    found = tuple(int(part) for part in re.findall(r"\d+", version)[:2])
    if found < OLDEST:
        raise UserError(
            f"ray {version} is installed, expected {'.'.join(map(str, OLDEST))} or later: older versions drop adapters "
            f"silently. {how_to_install('ray')}"
        )


def environment(workers: Workers, cores: int | None) -> dict[str, str]:
    """Variables of the engines' processes. `cores` are shared by the engines; None leaves that to Ray."""
    found = vllm_environment.TELEMETRY_OFF | vllm_environment.AT_START
    found |= {name: os.environ.get(name, value) for name, value in vllm_environment.QUIET.items()}
    if workers.on_cpu:
        found |= {name: os.environ[name] for name in (WAIT_POLICY, SPIN_COUNT) if name in os.environ}
        found[BIND] = os.environ.get(BIND, "nobind")
        if cores:
            found[THREADS] = str(max(1, cores // workers.engines))
    elif workers.invariant:
        found[INVARIANT] = "1"
    return found


class Cluster:
    """A connection that is opened when it is first needed. `engines` None: one a GPU, or one without GPUs."""

    def __init__(self, engines: int | None, say: Callable[[str], None]) -> None:
        self.address = os.environ.get(ADDRESS)
        self.say = say
        self._opened = False
        self._seen: set[str] = set()
        if self.address and self.address.startswith("ray://"):
            raise UserError(
                f"{ADDRESS} {self.address}: Ray's client is not supported. Run tunegate on a machine of the cluster, "
                f"with {ADDRESS}=auto"
            )
        try:
            self.workers = self._there(engines) if self.address else self._here(engines)
        except BaseException:
            self.close()
            raise

    def _here(self, engines: int | None) -> Workers:
        """This machine; nothing is started."""
        pick_engine("vllm")
        on_cpu = vllm_environment.on_cpu()
        vllm_environment.prepare(on_cpu)
        gpus = 0
        if not on_cpu:
            import torch

            gpus = torch.cuda.device_count()
            if engines is not None and engines > gpus:
                raise UserError(f"--engines {engines}: this machine has {gpus} GPUs, and each engine takes one")
        return Workers(
            vllm=engine_version("vllm"),
            on_cpu=on_cpu,
            invariant=vllm_environment.batch_invariant(),
            engines=engines or gpus or 1,
            device_bytes=None,
            devices=["cpu" if on_cpu else "cuda"],
        )

    def _there(self, engines: int | None) -> Workers:
        """The machines of a running cluster."""
        self._connect({})
        import ray

        gpus = int(ray.cluster_resources().get("GPU", 0))
        seen = self._look([])
        without = [machine["host"] for machine in seen if not machine["vllm"]]
        if without:
            raise UserError(f"{', '.join(without)}: no vLLM there. Every worker needs ray and vLLM, not tunegate")
        versions = sorted({machine["vllm"] for machine in seen})
        if len(versions) > 1:
            raise UserError(f"the workers have vLLM {' and '.join(versions)}. Install one version on all of them")
        if engines is not None and 0 < gpus < engines:
            self.say(f"the Ray cluster has {gpus} GPUs now; further engines wait for more")
        return Workers(
            vllm=versions[0],
            on_cpu=not gpus,
            invariant=all(machine["invariant"] for machine in seen),
            engines=engines or gpus or 1,
            device_bytes=min(machine["memory_bytes"] for machine in seen),
            devices=sorted({machine["device"] for machine in seen}),
        )

    def open(self) -> None:
        """Start the local cluster, where no other is named."""
        if not self._opened:
            self.say(f"ray starts with {self.workers.engines} vLLM engines")
            # A worker that dies must not leave an engine behind that holds the device.
            os.environ.setdefault("RAY_process_group_cleanup_enabled", "1")
            cores = os.cpu_count() or 1
            self._connect({
                "address": "local",
                "num_cpus": max(cores, self.workers.engines + SPARE_CPUS),
                "include_dashboard": False,
                "object_store_memory": OBJECT_STORE_BYTES,
            })  # fmt: skip

    def engine_environment(self) -> dict[str, Any]:
        """Ray's runtime environment of the engines."""
        cores = None if self.address else os.cpu_count()
        return {"env_vars": environment(self.workers, cores)}

    def _connect(self, how: dict[str, Any]) -> None:
        os.environ.update(vllm_environment.TELEMETRY_OFF)
        # Else Ray warns on the terminal of every actor that may be restarted.
        os.environ.setdefault("RAY_BACKEND_LOG_LEVEL", "fatal")
        import ray
        import ray.cloudpickle
        import ray.data

        ray.cloudpickle.register_pickle_by_value(worker)
        # Ray prints pages of what befalls workers between the run's own lines, and has no switch for it.
        ray._private.worker.print_to_stdstream = self.tell
        try:
            with quiet():
                ray.init(**how, log_to_driver=False, logging_level=logging.ERROR)
        except Exception as error:  # Ray raises many kinds; a user needs one line of any.
            where = self.address or "on this machine"
            raise EngineFailed(f"ray cannot be reached or started ({where}): {first_line(error)}") from error
        self._opened = True
        context = ray.data.DataContext.get_current()
        context.enable_progress_bars = False
        context.print_on_execution_start = False
        for handler in logging.getLogger("ray.data").handlers:
            if isinstance(handler, logging.StreamHandler) and not isinstance(handler, logging.FileHandler):
                handler.setLevel(logging.CRITICAL)

    def tell(self, data: Mapping[str, Any], ignore_prefix: bool = False) -> None:
        """Say the first sentence of what Ray has to print; the rest is in its logs."""
        for message in data["lines"]:
            self.say(f"ray: {message.strip().partition('. ')[0][:200]}")

    def check_paths(self, paths: Sequence[Path]) -> None:
        """Every machine must have the folders under the same path; looked at once for each."""
        new = [path for path in map(str, paths) if path not in self._seen]
        if not self.address or not new:
            return
        lacking = [f"{m['host']} lacks {', '.join(m['lacks'])}" for m in self._look(new) if m["lacks"]]
        if lacking:
            raise UserError(
                f"{'; '.join(lacking)}. Models and adapters must have one path on every worker: keep them, and "
                f"{CACHE}, on storage that all of them mount"
            )
        self._seen.update(new)

    def _look(self, paths: Sequence[str]) -> list[dict[str, Any]]:
        """What the machines with GPUs, or all where none has any, say of themselves."""
        import ray
        from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

        alive = [node for node in ray.nodes() if node["Alive"]]
        with_gpu = [node for node in alive if node["Resources"].get("GPU")]
        look = ray.remote(worker.look)
        asked = [
            look.options(
                num_cpus=0,
                num_gpus=0.01 if with_gpu else 0,
                scheduling_strategy=NodeAffinitySchedulingStrategy(node["NodeID"], soft=False),
            ).remote(list(paths), bool(with_gpu))
            for node in with_gpu or alive
        ]
        try:
            found: list[dict[str, Any]] = ray.get(asked, timeout=LOOK_S)
        except ray.exceptions.RayError as error:
            raise EngineFailed(
                f"the Ray cluster at {self.address} does not answer within {LOOK_S:.0f} s: {first_line(error)}. Wait "
                "for a free GPU, or look at: ray status"
            ) from error
        return found

    def close(self) -> None:
        """Leave the cluster; a local one stops. Safe to call twice."""
        if self._opened:
            import ray

            ray.shutdown()
        self._opened = False


@contextmanager
def quiet() -> Iterator[None]:
    """Keep off the terminal what Ray and vLLM say of themselves, in Python and in C++; errors come as exceptions."""
    kept, before = os.dup(2), logging.root.manager.disable
    logging.disable(logging.CRITICAL)
    try:
        with Path(os.devnull).open("w") as nowhere:
            os.dup2(nowhere.fileno(), 2)
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)
        logging.disable(before)


def first_line(error: BaseException) -> str:
    """What went wrong first and says something, out of the worker's traceback where there is one."""
    told = [error]
    while isinstance(cause := getattr(told[-1], "cause", None) or told[-1].__cause__, BaseException):
        told.append(cause)
    said = next((one for one in reversed(told) if str(one).strip()), error)
    lines = [line.strip() for line in str(said).splitlines() if line.strip()]
    raised = [line for line in lines if re.match(r"[\w.]+(Error|Exception)\b", line)]
    return (raised[-1:] or lines or [type(said).__name__])[0].removeprefix("RuntimeError: ")[:300]
