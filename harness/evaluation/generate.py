"""Get every completion of a run, score it and append it to the run folder."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from contextlib import closing
from itertools import islice
from typing import Any

from harness.errors import own_code
from harness.evaluation.imported import ImportedAnswers
from harness.evaluation.plan import Job, RunPlan
from harness.evaluation.requests import PlannedRequest, RequestQueue, longest
from harness.files import digest
from harness.progress import tracing
from harness.progress.progress import Progress
from harness.runs.folder import RunFolder, now
from harness.schema import CANDIDATE, FLOOR, Case, Checkpoint, Completion, Record
from harness.suites.suite import Suite

FLUSH_EVERY = 256
"""Records per write; their completions are in the cache already."""
ANSWERS = "answers"
"""Name of the stage of a run."""


def answer(
    job: Job,
    checkpoints: dict[str, Checkpoint],
    questions: RequestQueue | Sequence[PlannedRequest],
    folder: RunFolder,
    progress: Progress,
) -> dict[str, Any]:
    """Get every completion from cache or engine, score it, append it to the run folder; return the engine's record."""
    from harness.engines.dispatch import Dispatcher

    if job.imported:
        broker: Dispatcher | ImportedAnswers = ImportedAnswers(job.imported)
    else:
        broker = Dispatcher(job.engine, checkpoints, max_model_len=longest(questions), say=progress.say)
    suites = [part.suite for part in job.suites]
    waiting: list[tuple[str, Record]] = []
    start = time.monotonic()
    tokens = {"prompt_tokens": 0, "output_tokens": 0}
    truncated = dict.fromkeys(checkpoints, 0)
    with (
        progress.stage(f"{ANSWERS} ({broker.says})", len(questions)) as stage,
        closing(tracing.SuiteSpans("generation")) as spans,
    ):
        for question, completion in broker.answers(questions):
            suite = suites[question.suite]
            arrived = time.perf_counter()
            record = make_record(suite, question, completion)
            spans.add(
                suite.name,
                checkpoints[question.variant].name,
                answers=1,
                cached=int(broker.was_cached),
                prompt_tokens=completion.prompt_tokens,
                output_tokens=completion.output_tokens,
                scoring_s=time.perf_counter() - arrived,
            )
            waiting.append((suite.name, record))
            tokens["prompt_tokens"] += completion.prompt_tokens
            tokens["output_tokens"] += completion.output_tokens
            truncated[question.variant] += completion.finish_reason == "length"
            stage.answered(completion, broker.was_cached)
            if len(waiting) >= FLUSH_EVERY:
                _flush(folder, waiting)
        _flush(folder, waiting)
    counted = {} if job.imported else tokens
    return broker.describe() | counted | {"truncated": truncated, "wall_s": round(time.monotonic() - start, 1)}


def _flush(folder: RunFolder, waiting: list[tuple[str, Record]]) -> None:
    for suite in dict.fromkeys(name for name, _ in waiting):
        folder.append_records(suite, [record for name, record in waiting if name == suite])
    waiting.clear()


def make_record(suite: Suite, question: PlannedRequest, completion: Completion) -> Record:
    """Score one completion and join it with its case."""
    return _record(suite, question.case, question.variant, question.repeat, digest(question.ids), completion)


def _record(suite: Suite, case: Case, variant: str, repeat: int, prompt_hash: str, completion: Completion) -> Record:
    return Record(
        case=case,
        variant=variant,
        repeat=repeat,
        input_hash=digest(case.input),
        prompt_hash=prompt_hash,
        expected_hash=digest(case.expected),
        completion=completion,
        scores=suite.score(case, completion),
        started_at=now(),
    )


def floor_records(job: Job, plan: RunPlan, folder: RunFolder) -> None:
    """Make the records of the rule-based variant that every model must beat, on the cases that the model could read."""
    for part in job.suites:
        floor = part.suite.floor
        if floor is not None:
            out = set(plan.left_out[CANDIDATE].get(part.suite.name, ()))
            records = (_floor_record(part.suite, case, floor) for case in part.cases if case.id not in out)
            while some := list(islice(records, FLUSH_EVERY)):
                folder.append_records(part.suite.name, some)


def _floor_record(suite: Suite, case: Case, floor: Callable[[Case], str]) -> Record:
    with own_code(f"{suite.name}: its floor has no answer to case '{case.id}'", suite.folder):
        text = floor(case)
        if not isinstance(text, str):
            raise TypeError(f"it returned {text!r}, expected text")
    completion = Completion(
        key=digest([suite.name, case.id, text]), text=text, finish_reason="stop", prompt_tokens=0, output_tokens=0
    )
    return _record(suite, case, FLOOR, 1, "", completion)
