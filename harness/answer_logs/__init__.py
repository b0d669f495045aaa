"""Answers in the logs of other tools: one file per tool and one line in FORMATS."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

from harness.answer_logs import deepeval, inspect_eval, jsonl, lm_eval, openai_batch, promptfoo
from harness.answer_logs.logged import LoggedAnswer

Reader = Callable[[Path], Iterator[LoggedAnswer]]
"""Yields the answers of a log, one in memory at a time. Raises UserError for another file, or one that ends early."""

FORMATS: dict[str, Reader] = {
    "lm-eval": lm_eval.answers,
    "inspect": inspect_eval.answers,
    "promptfoo": promptfoo.answers,
    "deepeval": deepeval.answers,
    "openai-batch": openai_batch.answers,
    "jsonl": jsonl.answers,
}
