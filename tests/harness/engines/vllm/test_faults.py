"""vLLM's faults: processes that die, hang or run out of memory. By rule, with stand-ins."""

import multiprocessing
import os
import queue
import signal
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from contextlib import ExitStack
from pathlib import Path
from types import SimpleNamespace
from typing import Any, ClassVar

import pytest

from harness.checkpoints.resolve import resolve
from harness.engines import canary
from harness.engines.config import EngineConfig
from harness.engines.vllm import engine as vllm_engine
from harness.engines.vllm import environment, memory
from harness.engines.vllm.engine import VllmEngine
from harness.engines.vllm.memory import BatchLimits, OutOfMemory, is_out_of_memory
from harness.engines.vllm.model import VllmModel
from harness.engines.vllm.watchdog import ErrorLog, Watch, raised
from harness.errors import CanaryFailed, EngineFailed
from harness.schema import Completion, Request, Sampling
from harness.suites.prompts import Renderer
from tests.support.adapters import save_adapter

WAIT_S = 60.0
TRACEBACK = """EngineCore encountered a fatal error.
Traceback (most recent call last):
  File "core.py", line 1496, in run_engine_core
    engine_core.run_busy_loop()
  File "linear.py", line 3, in forward
    raise ValueError("x")
torch.OutOfMemoryError: CUDA out of memory. Tried to allocate 2.00 GiB. GPU 0 has a total capacity of 79.11 GiB
"""


class Core:
    """What a watch looks at of an engine in a process of its own."""

    def __init__(self, exitcode: int | None = None) -> None:
        self.outputs_queue: queue.Queue[Any] = queue.Queue()
        self.utility_results: dict[int, Future[Any]] = {}
        manager = SimpleNamespace(processes=[SimpleNamespace(exitcode=exitcode)])
        self.resources = SimpleNamespace(engine_dead=False, engine_manager=manager)

    def step(self) -> None:
        """Waits as vLLM does, but not for ever."""
        found = self.outputs_queue.get(timeout=WAIT_S)
        if isinstance(found, Exception):
            raise found


Watching = Callable[..., Watch]


@pytest.fixture
def watching() -> Iterator[Watching]:
    """Starts watches, which end after the test."""
    with ExitStack() as made:

        def start(core: object, patience_s: float, say: Callable[[str], None] = print) -> Watch:
            watch = Watch(core, patience_s, say)
            made.callback(watch.close)
            return watch

        yield start


def test_whoever_waits_for_a_killed_process_is_woken_and_told(watching: Watching) -> None:
    core = Core(exitcode=-9)
    watch = watching(core, 3600)
    threading.Timer(0.2, lambda: setattr(core.resources, "engine_dead", True)).start()
    with pytest.raises(RuntimeError, match=r"killed \(signal 9\)"), watch.waiting():
        core.step()
    assert watch.reason == "its process was killed (signal 9), manually or by the system" and not watch.silent


def test_whoever_waits_for_a_call_to_a_dead_process_is_woken_too(watching: Watching) -> None:
    core = Core(exitcode=1)
    core.utility_results[0] = call = Future()
    watch = watching(core, 3600)
    core.resources.engine_dead = True
    with pytest.raises(RuntimeError, match="ended with exit code 1"), watch.waiting():
        call.result(WAIT_S)


def test_a_silent_process_is_given_up_after_the_patience(watching: Watching) -> None:
    core = Core()
    watch = watching(core, 0.4)
    with pytest.raises(RuntimeError, match=r"no token for"), watch.waiting():
        core.step()
    assert watch.silent


@pytest.mark.slow
def test_tokens_and_the_callers_own_time_are_no_silence(watching: Watching) -> None:
    core = Core()
    watch = watching(core, 2.0)
    for turn in range(4):
        threading.Timer(0.6, core.outputs_queue.put, [None]).start()
        with watch.waiting():
            core.step()
            if turn % 2:
                watch.progress()
    time.sleep(2.5)
    with watch.waiting():
        pass
    assert watch.reason is None


def test_steps_in_this_process_that_bring_nothing_are_given_up(watching: Watching) -> None:
    watch = watching(object(), 0.3)
    with pytest.raises(TimeoutError, match="no token for"):
        for _ in range(100):
            with watch.waiting():
                time.sleep(0.05)
    assert watch.silent


def test_a_step_in_this_process_that_does_not_come_back_is_told(watching: Watching) -> None:
    said: list[str] = []
    watch = watching(object(), 0.3, said.append)
    with pytest.raises(TimeoutError), watch.waiting():
        time.sleep(1.0)
    assert len(said) == 1 and "cannot be stopped from here" in said[0]


MEMORY_ERRORS = [
    "CUDA out of memory. Tried to allocate 2.00 GiB", "torch.OutOfMemoryError", "MemoryError", "std::bad_alloc",
    "[enforce fail at alloc_cpu.cpp:127] err == 0. DefaultCPUAllocator: can't allocate memory: you tried to allocate "
    "1125899906842624 bytes. Error code 12 (Cannot allocate memory)",
    "No available memory for the cache blocks. Try increasing `gpu_memory_utilization`",
    "CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling `cublasCreate(handle)`",
]  # fmt: skip
OTHER_ERRORS = [
    "EngineCore encountered an issue. See stack trace (above) for the root cause.", "LoRA rank 64 is greater than 16",
    "To serve at least one request with the model's max seq len (4096), 2.0 GiB KV cache is needed, which is larger "
    "than the available KV cache memory (1.0 GiB).",
]  # fmt: skip


def test_what_a_smaller_batch_helps_is_told_from_what_it_does_not() -> None:
    assert [text for text in MEMORY_ERRORS if not is_out_of_memory(text)] == []
    assert [text for text in OTHER_ERRORS if is_out_of_memory(text)] == []


def test_the_systems_own_count_of_kills_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(memory, "KILLS", tmp_path / "vmstat")
    assert memory.killed_for_memory() == 0
    (tmp_path / "vmstat").write_text("pgfault 12\noom_kill 3\ndrop_slab 0\n")
    assert memory.killed_for_memory() == 3


def test_halving_goes_down_to_one_request_and_keeps_arguments_valid() -> None:
    limits, seen = BatchLimits(requests=1024, tokens=16384, kv_cache_bytes=1 << 34), []
    while limits is not None:
        seen.append(limits)
        limits = limits.halved()  # type: ignore[assignment]
    assert [s.requests for s in seen] == [1024, 512, 256, 128, 64, 32, 16, 8, 4, 2, 1]
    assert all(s.tokens >= s.requests and s.tokens >= 256 for s in seen) and seen[-1].tokens == 256
    assert seen[-1].kv_cache_bytes == 1 << 24
    assert BatchLimits(requests=2, tokens=64, kv_cache_bytes=8).halved() == BatchLimits(
        requests=1, tokens=64, kv_cache_bytes=4
    )


def test_limits_only_lower_what_was_asked_and_leave_room_for_the_longest_request() -> None:
    limits = BatchLimits(requests=32, tokens=1024, kv_cache_bytes=100)
    lora = {"max_num_seqs": 64, "max_num_batched_tokens": 512, "kv_cache_memory_bytes": 1000, "model": "/m"}
    assert limits.lower(lora, least_kv_cache_bytes=10) == lora | {"max_num_seqs": 32, "kv_cache_memory_bytes": 100}
    assert limits.lower(lora, least_kv_cache_bytes=400)["kv_cache_memory_bytes"] == 400


def test_the_log_gives_the_exception_of_the_last_fatal_error_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    log = ErrorLog()
    monkeypatch.setattr(log, "_file", tmp_path / "errors.log")
    assert log.fatal() == "" and raised("") is None
    (tmp_path / "errors.log").write_text(
        "Failed to compile grammar\nTraceback (most recent\nMemoryError: of a grammar\n"
    )
    assert log.fatal() == ""
    with (tmp_path / "errors.log").open("a") as file:
        file.write(TRACEBACK)
    assert "of a grammar" not in log.fatal()
    assert str(raised(log.fatal())).startswith("torch.OutOfMemoryError: CUDA out of memory. Tried to allocate 2.00 GiB")


class StandIn:
    """In VllmModel's place: answers, and runs out of memory where its plan says so."""

    plan: ClassVar[list[int | None]] = []
    """For each load, answers before memory runs out; -1 while it starts, None never."""
    asked: ClassVar[list[list[str]]] = []
    """Keys that each load was asked."""
    proven: ClassVar[list[int]] = []
    """Places of the loads that the canary was asked of."""
    started: ClassVar[list[dict[str, Any]]] = []
    """Arguments of each load."""

    def __init__(self, arguments: dict[str, Any], adapters: Any, name: str, settings: EngineConfig) -> None:
        self.started.append(arguments)
        self.broken = self.structured = False
        self.cached_tokens = 0
        self.renderer = Renderer(arguments["model"])
        self.batch_limits = memory.requested_limits(arguments)
        self.most = self.plan[len(self.started) - 1]
        self.asked.append([])
        if self.most == -1:
            raise OutOfMemory("MemoryError: no room for the weights")

    def answer(self, requests: list[Request], max_model_len: int) -> Iterator[Completion]:
        for done, request in enumerate(requests):
            if self.most is not None and not request.key.startswith("canary") and done >= self.most:
                self.broken = True
                raise OutOfMemory("torch.OutOfMemoryError: CUDA out of memory")
            if request.key.startswith("canary"):
                self.proven.append(len(self.started))
            else:
                self.asked[-1].append(request.key)
            yield Completion(
                key=request.key, text="x", finish_reason="stop", prompt_tokens=1, output_tokens=1, logprobs=(-1.0,),
                output_ids=(3,),
            )  # fmt: skip

    def device_bytes(self) -> int:
        return 1 << 40

    def reset(self) -> None:
        pass

    def close(self) -> None:
        pass


@pytest.fixture
def short(tiny_model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """Asks five questions of an engine whose loads run out of memory as planned; gives answers and what was said."""
    monkeypatch.setenv("TUNEGATE_CACHE", str(tmp_path))
    monkeypatch.setenv(environment.IN_PROCESS, "1")
    monkeypatch.setattr(vllm_engine, "VllmModel", StandIn)
    monkeypatch.setattr(StandIn, "asked", [])
    monkeypatch.setattr(StandIn, "started", [])
    monkeypatch.setattr(StandIn, "proven", [])

    def ask(plan: list[int | None], batch: int) -> tuple[list[str], list[str], list[str]]:
        """Keys answered, what each load was asked, and what was said."""
        monkeypatch.setattr(StandIn, "plan", plan)
        said: list[str] = []
        found: list[str] = []
        base = {"baseline": resolve(str(tiny_model))}
        settings = EngineConfig(dtype="float32", kv_cache_bytes=1 << 24, batch=batch, say=said.append)
        engine = VllmEngine(base, 64, settings, on_cpu=True)
        asked = [
            Request(key=f"k{i}", ids=(i + 1,), sampling=Sampling(max_tokens=4), variant="baseline") for i in range(5)
        ]
        try:
            for completion in engine.generate(asked):
                found.append(completion.key)
        except EngineFailed as error:
            said.append(f"EngineFailed: {error}")
        return found, ["".join(keys) for keys in StandIn.asked], said

    yield ask


def test_out_of_memory_halves_the_batch_and_asks_only_what_is_not_answered(short: Any) -> None:
    found, asked, said = short([2, 1, None], batch=8)
    assert found == ["k0", "k1", "k2", "k3", "k4"] and asked == ["k0k1", "k2", "k3k4"]
    assert [s["max_num_seqs"] for s in StandIn.started] == [8, 4, 2] and set(StandIn.proven) == {1, 2, 3}
    assert [s["kv_cache_memory_bytes"] for s in StandIn.started] == [1 << 24, 1 << 23, 1 << 22]
    halved = [line for line in said if "ran out of memory" in line]
    assert len(halved) == 2 and "with 8 requests at once (torch.OutOfMemoryError" in halved[0]
    assert " for 4; finished answers" in halved[0] and " for 2; finished answers" in halved[1]


def test_out_of_memory_while_it_starts_halves_the_batch_too(short: Any) -> None:
    found, _, said = short([-1, None], batch=8)
    assert len(found) == 5 and [s["max_num_seqs"] for s in StandIn.started] == [8, 4]
    assert any("no room for the weights" in line for line in said)


def test_out_of_memory_with_one_request_at_a_time_says_what_to_do(short: Any) -> None:
    found, asked, said = short([1, 0], batch=2)
    assert found == ["k0"] and asked == ["k0", ""]
    assert said[-1].startswith("EngineFailed: vllm ran out of memory with one request at a time: torch.OutOfMemory")
    assert "a smaller model or a larger device; finished answers are kept" in said[-1]


def test_canary_rows_of_an_earlier_run_do_not_replace_the_canary_of_an_adapter(
    short: Any, tiny_model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """They are those of the base alone, for models that are compared with it. The stand-in applies no adapter."""
    monkeypatch.setattr(StandIn, "plan", [None])
    adapter = resolve(str(save_adapter(tiny_model, tmp_path / "a0")))
    settings = EngineConfig(dtype="float32", kv_cache_bytes=1 << 24, lora="force")
    engine = VllmEngine({"baseline": resolve(str(tiny_model)), "tuned": adapter}, 64, settings, on_cpu=True)
    (unit,) = engine.served.units
    engine.served.references[unit.key] = canary.Reference(rows=[], noise=0.0)
    request = Request(key="k0", ids=(1,), sampling=Sampling(max_tokens=4), variant="tuned")
    with pytest.raises(CanaryFailed, match=r"'tuned' .* answers exactly like its base model"):
        list(engine.generate([request]))


class Abandoned:
    """vLLM's engine core client, whose shutdown kills a process that takes too long, and does not wait for its end."""

    def __init__(self) -> None:
        self.process = multiprocessing.get_context("fork").Process(target=time.sleep, args=(600,), name="EngineCore")
        self.process.start()

    def shutdown(self, timeout: float) -> None:
        os.kill(self.process.pid or 0, signal.SIGKILL)

    def state(self) -> str:
        """Its letter in /proc, or "gone" where it is there no more."""
        try:
            return Path(f"/proc/{self.process.pid}/stat").read_text().rpartition(")")[2].split()[0]
        except FileNotFoundError:
            return "gone"


def loaded(core: Abandoned) -> VllmModel:
    """A model as it is once loaded, for its end alone."""
    model = object.__new__(VllmModel)
    model._llm = SimpleNamespace(llm_engine=SimpleNamespace(engine_core=core))
    model._watch = Watch(core, 3600, print)
    return model


def test_a_closed_model_leaves_no_defunct_process() -> None:
    core = Abandoned()
    assert core.state() in "RS"
    loaded(core).close()
    assert core.state() == "gone"


def test_a_process_that_was_killed_before_is_reaped_by_closing() -> None:
    core = Abandoned()
    os.kill(core.process.pid or 0, signal.SIGKILL)
    end = time.monotonic() + WAIT_S
    while core.state() != "Z" and time.monotonic() < end:
        time.sleep(0.01)
    core.shutdown = lambda timeout: None  # type: ignore[method-assign]
    loaded(core).close()
    assert core.state() == "gone"
