"""One pipeline of Ray Data LLM: rows through engines with one set of weights."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from harness.engines.ray import worker
from harness.engines.ray.cluster import first_line, quiet
from harness.engines.ray.rows import Shape
from harness.errors import EngineFailed, UserError

RESTARTS = 10
"""How often a worker's engine may come back, so that one that dies of its rows does not do so for ever."""
SILENCES = 12
"""Times the patience after which a pipeline in which nothing moves is given up: large models load slowly, and rows come
back a batch at a time."""

Rows = list[dict[str, Any]]


def processor(
    folder: Path,
    arguments: Mapping[str, Any],
    shape: Shape,
    calls: Sequence[Rows],
    runtime_env: dict[str, Any],
    on_cpu: bool,
    patience_s: float,
) -> Any:
    """Ray's processor with vLLM engines that answer the canary's `calls` first; `arguments` are those of vLLM's LLM."""
    with quiet():
        import ray
        from ray.data.llm import build_processor, vLLMEngineProcessorConfig

    context = ray.data.DataContext.get_current()
    # An engine may find its device still taken by the one before; then it starts once more.
    context.max_consecutive_actor_init_deaths = shape.engines
    context.execution_no_progress_timeout_s = SILENCES * patience_s
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
        "fn": worker.proving(stage.fn, calls),
        "map_batches_kwargs": stage.map_batches_kwargs | {"max_restarts": RESTARTS},
    }
    made.stages[name] = stage.model_copy(update=changed)
    return made


def answered(processor: Any, tables: Iterable[Any]) -> Iterator[Rows]:
    """Yield the rows of each batch as soon as it is finished. EngineFailed when the pipeline stops, or stays silent."""
    import ray

    dataset = processor(ray.data.from_arrow_refs([ray.put(table) for table in tables]))
    blocks = iter(dataset.iter_batches(prefetch_batches=0, batch_size=None, batch_format="pyarrow"))
    try:
        for block in blocks:
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
