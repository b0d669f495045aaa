"""Build and run one pipeline of Ray Data LLM, whose engines have one set of weights."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from harness.engines.ray import worker
from harness.engines.ray.cluster import first_line, quiet
from harness.engines.ray.rows import Shape
from harness.errors import EngineFailed, UserError

RESTARTS = 10
"""How often a worker's engine may restart, so that one that its rows kill does not restart forever."""
SILENCES = 12
"""Factor on the patience before a pipeline without progress is given up: large models load slowly, and rows arrive one
batch at a time."""

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
    """Build Ray's processor. Its vLLM engines answer the canary's `calls` first; `arguments` are for vLLM's LLM."""
    with quiet():
        import ray
        from ray.data.llm import build_processor, vLLMEngineProcessorConfig

    context = ray.data.DataContext.get_current()
    # An engine may find its device still occupied by the previous one; then it is restarted.
    context.max_consecutive_actor_init_deaths = shape.engines
    context.execution_no_progress_timeout_s = SILENCES * patience_s
    config = vLLMEngineProcessorConfig(
        model_source=str(folder),
        engine_kwargs={name: value for name, value in arguments.items() if name != "model"},
        # A pair, because a single number means any number of engines up to it.
        concurrency=(shape.engines, shape.engines),
        batch_size=shape.rows,
        max_concurrent_batches=shape.concurrent_batches,
        max_tasks_in_flight_per_actor=shape.queued_batches,
        should_continue_on_error=True,
        log_engine_metrics=False,
        chat_template_stage=False,
        tokenize_stage=False,
        detokenize_stage=False,
        # Without it each engine needs a GPU.
        placement_group_config={"bundles": [{"CPU": 1}]} if on_cpu else None,
        runtime_env=runtime_env,
    )
    with quiet():
        ray_processor = build_processor(config)
    ((name, stage),) = ray_processor.stages.items()
    changed = {
        "fn": worker.proving(stage.fn, calls),
        "map_batches_kwargs": stage.map_batches_kwargs | {"max_restarts": RESTARTS},
    }
    ray_processor.stages[name] = stage.model_copy(update=changed)
    return ray_processor


def answered(processor: Any, tables: Iterable[Any]) -> Iterator[Rows]:
    """Yield the rows of each batch as soon as it is finished. Raises EngineFailed if the pipeline stops or hangs."""
    import ray

    dataset = processor(ray.data.from_arrow_refs([ray.put(table) for table in tables]))
    blocks = iter(dataset.iter_batches(prefetch_batches=0, batch_size=None, batch_format="pyarrow"))
    try:
        for block in blocks:
            yield block.to_pylist()
    except UserError:
        raise
    except Exception as error:  # Ray raises many types, and the worker's own; the user gets one line.
        raise EngineFailed(
            f"ray stopped: {first_line(error)}. Finished answers are kept; re-run to resume. Logs of this "
            "machine's workers are in /tmp/ray/session_latest/logs"
        ) from error
    finally:
        blocks.close()
