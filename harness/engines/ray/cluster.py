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
"""Older versions drop adapters silently (ray PR 62609), or have other rows."""
ADDRESS = "RAY_ADDRESS"
OBJECT_STORE_BYTES = 200_000_000
"""Size of a local cluster's object store; further rows are spilled to disk."""
SPARE_CPUS = 2
"""CPUs of a local cluster for processes that are not engines."""
LOOK_S = 120.0
"""Longest wait for the machines of a cluster to describe themselves, in seconds."""
BIND = "VLLM_CPU_OMP_THREADS_BIND"
THREADS = "OMP_NUM_THREADS"
INVARIANT = "VLLM_BATCH_INVARIANT"


class Workers(Struct, frozen=True, kw_only=True):
    """Properties of the machines that run the engines."""

    vllm: str
    """Version of vLLM."""
    on_cpu: bool
    """Whether they have no GPU."""
    invariant: bool
    """Whether results do not depend on the rest of the batch."""
    engines: int
    """Number of engines."""
    device_bytes: int | None
    """Memory of the smallest GPU, or the least free memory of a machine without GPUs; None: of this machine."""
    devices: list[str]
    """Names of their devices."""


def refuse_old(version: str) -> None:
    """Raise UserError for a version of ray that gives wrong answers."""
    installed = tuple(int(part) for part in re.findall(r"\d+", version)[:2])
    if installed < OLDEST:
        raise UserError(
            f"ray {version} is installed, expected {'.'.join(map(str, OLDEST))} or later: older versions drop adapters "
            f"silently. {how_to_install('ray')}"
        )


def environment(workers: Workers, cores: int | None) -> dict[str, str]:
    """Return the environment of the engines' processes. The engines share `cores`; None leaves that to Ray."""
    variables = vllm_environment.TELEMETRY_OFF | vllm_environment.AT_START
    variables |= {name: os.environ.get(name, value) for name, value in vllm_environment.QUIET.items()}
    if workers.on_cpu:
        variables |= {name: os.environ[name] for name in (WAIT_POLICY, SPIN_COUNT) if name in os.environ}
        variables[BIND] = os.environ.get(BIND, "nobind")
        if cores:
            variables[THREADS] = str(max(1, cores // workers.engines))
    elif workers.invariant:
        variables[INVARIANT] = "1"
    return variables


class Cluster:
    """A connection that is opened when first needed. `engines` None: one per GPU, or one without GPUs."""

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
            self.workers = self._cluster_workers(engines) if self.address else self._local_workers(engines)
        except BaseException:
            self.close()
            raise

    def _local_workers(self, engines: int | None) -> Workers:
        """Describe this machine without starting Ray. Raises UserError for more engines than GPUs."""
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

    def _cluster_workers(self, engines: int | None) -> Workers:
        """Connect to a running cluster and describe its machines. Raises UserError if their versions do not fit."""
        self._connect({})
        import ray

        gpus = int(ray.cluster_resources().get("GPU", 0))
        seen = self._query_machines([])
        without = [machine["host"] for machine in seen if not machine["vllm"]]
        if without:
            raise UserError(
                f"{', '.join(without)}: vLLM is not installed. Every worker needs ray and vLLM, but not tunegate"
            )
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
        """Start the local cluster, unless RAY_ADDRESS names one."""
        if not self._opened:
            self.say(f"ray is starting {self.workers.engines} vLLM engines")
            # A worker that dies must not leave an engine that occupies the device.
            os.environ.setdefault("RAY_process_group_cleanup_enabled", "1")
            cores = os.cpu_count() or 1
            self._connect({
                "address": "local",
                "num_cpus": max(cores, self.workers.engines + SPARE_CPUS),
                "include_dashboard": False,
                "object_store_memory": OBJECT_STORE_BYTES,
            })  # fmt: skip

    def engine_environment(self) -> dict[str, Any]:
        """Return Ray's runtime environment for the engines."""
        cores = None if self.address else os.cpu_count()
        return {"env_vars": environment(self.workers, cores)}

    def _connect(self, options: dict[str, Any]) -> None:
        os.environ.update(vllm_environment.TELEMETRY_OFF)
        # Otherwise Ray warns on the terminal about every actor that may be restarted.
        os.environ.setdefault("RAY_BACKEND_LOG_LEVEL", "fatal")
        import ray
        import ray.cloudpickle
        import ray.data

        ray.cloudpickle.register_pickle_by_value(worker)
        # Ray prints long reports about workers between the run's own lines, and has no option to stop it.
        ray._private.worker.print_to_stdstream = self.report_output
        try:
            with quiet():
                ray.init(**options, log_to_driver=False, logging_level=logging.ERROR)
        except Exception as error:  # Ray raises many types; the user gets one line.
            where = self.address or "on this machine"
            raise EngineFailed(f"ray cannot be reached or started ({where}): {first_line(error)}") from error
        self._opened = True
        context = ray.data.DataContext.get_current()
        context.enable_progress_bars = False
        context.print_on_execution_start = False
        for handler in logging.getLogger("ray.data").handlers:
            if isinstance(handler, logging.StreamHandler) and not isinstance(handler, logging.FileHandler):
                handler.setLevel(logging.CRITICAL)

    def report_output(self, data: Mapping[str, Any], ignore_prefix: bool = False) -> None:
        """Report the first sentence of Ray's output; the rest is in its logs."""
        for message in data["lines"]:
            self.say(f"ray: {message.strip().partition('. ')[0][:200]}")

    def check_paths(self, paths: Sequence[Path]) -> None:
        """Check, once per path, that every machine has the folders with the same weights as here. Raises UserError."""
        new = [path for path in map(str, paths) if path not in self._seen]
        if not self.address or not new:
            return
        machines = self._query_machines(new)
        here = {path: worker.sampled(Path(path)) for path in new}
        wrong = [f"{m['host']} lacks {', '.join(m['lacks'])}" for m in machines if m["lacks"]]
        wrong += [
            f"{m['host']} has other weights in {path} than this machine"
            for m in machines
            for path in new
            if path not in m["lacks"] and m["weights"][path] != here[path]
        ]
        if wrong:
            raise UserError(
                f"{'; '.join(wrong)}. Models and adapters must have one path on every worker: put them, and "
                f"{CACHE}, on storage that all of them mount"
            )
        self._seen.update(new)

    def _query_machines(self, paths: Sequence[str]) -> list[dict[str, Any]]:
        """Return what the machines with GPUs, or all if none has any, report about themselves. Raises EngineFailed."""
        import ray
        from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

        alive = [node for node in ray.nodes() if node["Alive"]]
        with_gpu = [node for node in alive if node["Resources"].get("GPU")]
        look = ray.remote(worker.look)
        queries = [
            look.options(
                num_cpus=0,
                num_gpus=0.01 if with_gpu else 0,
                scheduling_strategy=NodeAffinitySchedulingStrategy(node["NodeID"], soft=False),
            ).remote(list(paths), bool(with_gpu))
            for node in with_gpu or alive
        ]
        try:
            machines: list[dict[str, Any]] = ray.get(queries, timeout=LOOK_S)
        except ray.exceptions.RayError as error:
            raise EngineFailed(
                f"the Ray cluster at {self.address} does not answer within {LOOK_S:.0f} s: {first_line(error)}. Wait "
                "for a free GPU, or check: ray status"
            ) from error
        return machines

    def close(self) -> None:
        """Disconnect from the cluster; a local one stops. Safe to call twice."""
        if self._opened:
            import ray

            ray.shutdown()
        self._opened = False


@contextmanager
def quiet() -> Iterator[None]:
    """Silence the output of Ray and vLLM, from Python and C++; errors are raised as exceptions."""
    stderr, before = os.dup(2), logging.root.manager.disable
    logging.disable(logging.CRITICAL)
    try:
        with Path(os.devnull).open("w") as nowhere:
            os.dup2(nowhere.fileno(), 2)
        yield
    finally:
        os.dup2(stderr, 2)
        os.close(stderr)
        logging.disable(before)


def first_line(error: BaseException) -> str:
    """Return the first cause with a message, in one line; from the worker's traceback if there is one."""
    chain = [error]
    while isinstance(cause := getattr(chain[-1], "cause", None) or chain[-1].__cause__, BaseException):
        chain.append(cause)
    cause_shown = next((one for one in reversed(chain) if str(one).strip()), error)
    lines = [line.strip() for line in str(cause_shown).splitlines() if line.strip()]
    raised = [line for line in lines if re.match(r"[\w.]+(Error|Exception)\b", line)]
    return (raised[-1:] or lines or [type(cause_shown).__name__])[0].removeprefix("RuntimeError: ")[:300]
