"""One pipeline of Ray Data LLM: rows through engines that hold one set of weights. Knows no variant, judges nothing."""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from harness.engines import ray_worker
from harness.engines.ray_cluster import first_line, quiet
from harness.engines.ray_rows import Shape
from harness.errors import EngineFailed

RESTARTS = 10
"""How often a worker's engine may come back, so that one that dies of its rows does not do so for ever."""
SILENCES = 12
"""Times the patience after which a pipeline without an answer is given up; engines of large models start slowly."""
BLOCKS_AHEAD = 64
"""Most finished batches that wait here to be read."""

Rows = list[dict[str, Any]]


def processor(
    folder: Path,
    arguments: Mapping[str, Any],
    shape: Shape,
    calls: Sequence[Rows],
    runtime_env: dict[str, Any],
    on_cpu: bool,
) -> Any:
    """Ray's processor with vLLM engines that answer the canary's `calls` first; `arguments` are those of vLLM's LLM."""
    with quiet():
        from ray.data.llm import build_processor, vLLMEngineProcessorConfig

    config = vLLMEngineProcessorConfig(
        model_source=str(folder),
        engine_kwargs={name: value for name, value in arguments.items() if name != "model"},
        # A pair, because a bare number means anything from one engine up to it.
        concurrency=(shape.engines, shape.engines),
        batch_size=shape.rows,
        max_concurrent_batches=shape.at_once,
        max_tasks_in_flight_per_actor=shape.dealt,
        should_continue_on_error=True,
        log_engine_metrics=False,
        chat_template_stage=False,
        tokenize_stage=False,
        detokenize_stage=False,
        # Without it each engine wants a GPU.
        placement_group_config={"bundles": [{"CPU": 1}]} if on_cpu else None,
        runtime_env=runtime_env,
    )
    with quiet():
        made = build_processor(config)
    ((name, stage),) = made.stages.items()
    changed = {
        "fn": ray_worker.proving(stage.fn, calls),
        "map_batches_kwargs": stage.map_batches_kwargs | {"max_restarts": RESTARTS},
    }
    made.stages[name] = stage.model_copy(update=changed)
    return made


def answered(processor: Any, tables: Iterable[Any], patience_s: float, say: Callable[[str], None]) -> Iterator[Rows]:
    """Yield the rows of each batch as soon as it is finished. EngineFailed when the pipeline stops, or stays silent."""
    import ray

    dataset = processor(ray.data.from_arrow_refs([ray.put(table) for table in tables]))
    arrived: queue.Queue[Any] = queue.Queue(BLOCKS_AHEAD)
    left = threading.Event()

    def read() -> None:
        end: BaseException | None = None
        try:
            for block in dataset.iter_batches(prefetch_batches=0, batch_size=None, batch_format="pyarrow"):
                arrived.put(block.to_pylist())
                if left.is_set():
                    return
        except Exception as error:  # Whatever Ray raises is told where the answers are read.
            end = error
        arrived.put(end)

    threading.Thread(target=read, name="tunegate-ray", daemon=True).start()
    try:
        while True:
            found = _next(arrived, patience_s, say)
            if found is None:
                return
            if isinstance(found, BaseException):
                raise EngineFailed(
                    f"ray stopped: {first_line(found)}. Finished answers are kept; run again to ask the rest. Logs of "
                    "this machine's workers are in /tmp/ray/session_latest/logs"
                ) from found
            yield found
    finally:
        left.set()
        while not arrived.empty():
            arrived.get_nowait()


def _next(arrived: queue.Queue[Any], patience_s: float, say: Callable[[str], None]) -> Any:
    """What arrives next; says each time that nothing came for so long, and gives up at last."""
    start = time.monotonic()
    for _ in range(SILENCES):
        try:
            return arrived.get(timeout=patience_s)
        except queue.Empty:
            say(f"ray: no answer for {time.monotonic() - start:.0f} s")
    raise EngineFailed(
        f"ray gave no answer for {time.monotonic() - start:.0f} s. Look for devices that are missing or taken, with "
        "`ray status` on a cluster, then run again; finished answers are kept"
    )
