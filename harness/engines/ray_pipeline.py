"""One pipeline of Ray Data LLM: rows through engines that hold one set of weights. Knows no variant, judges nothing."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from harness.engines import ray_worker
from harness.engines.ray_cluster import first_line, quiet
from harness.engines.ray_rows import Shape
from harness.errors import EngineFailed, UserError

RESTARTS = 10
"""How often a worker's engine may come back, so that one that dies of its rows does not do so for ever."""
SILENCES = 12
"""Times the patience after which a pipeline without an answer is given up; engines of large models start slowly."""

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
        import ray
        from ray.data.llm import build_processor, vLLMEngineProcessorConfig

    # An engine may find its device still taken by the one before; then it starts once more.
    ray.data.DataContext.get_current().max_consecutive_actor_init_deaths = shape.engines
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
    blocks = iter(dataset.iter_batches(prefetch_batches=0, batch_size=None, batch_format="pyarrow"))
    try:
        for block in waited_for(blocks, patience_s, say):
            yield block.to_pylist()
    except UserError:
        raise
    except Exception as error:  # Ray raises many kinds, and the worker's own; a user needs one line of any.
        raise EngineFailed(
            f"ray stopped: {first_line(error)}. Finished answers are kept; run again to ask the rest. Logs of this "
            "machine's workers are in /tmp/ray/session_latest/logs"
        ) from error
    finally:
        blocks.close()


def waited_for(blocks: Iterator[Any], patience_s: float, say: Callable[[str], None]) -> Iterator[Any]:
    """What comes, while a thread says how long nothing came, and interrupts a wait of SILENCES times the patience.

    Ray's own wait has no end. Only a wait in the main thread can be interrupted.
    """
    waits_here = threading.current_thread() is threading.main_thread()
    came, ended, gave_up = threading.Event(), threading.Event(), threading.Event()

    def watch() -> None:
        silent_s = 0.0
        while not ended.is_set():
            silent_s = 0.0 if came.wait(patience_s) else silent_s + patience_s
            if silent_s >= SILENCES * patience_s and waits_here:
                gave_up.set()
                signal.pthread_kill(threading.main_thread().ident or 0, signal.SIGINT)
                return
            if silent_s:
                say(f"ray: no answer for {silent_s:.0f} s")
            came.clear()

    watcher = threading.Thread(target=watch, name="tunegate-ray", daemon=True)
    watcher.start()
    try:
        for block in blocks:
            came.set()
            yield block
    except KeyboardInterrupt:
        if not gave_up.is_set():
            raise
        raise EngineFailed(
            f"ray gave no answer for {SILENCES * patience_s:.0f} s. Look for devices that are missing or taken, with "
            "`ray status` on a cluster, then run again; finished answers are kept"
        ) from None
    finally:
        ended.set()
        came.set()
