"""Answers in the logs of other tools: one file per tool and one line in FORMATS."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from harness.answer_logs.logged import LoggedAnswer

FORMATS = {
    "lm-eval": "lm_eval",
    "inspect": "inspect_eval",
    "promptfoo": "promptfoo",
    "deepeval": "deepeval",
    "openai-batch": "openai_batch",
    "jsonl": "jsonl",
    "table": "table",
}
"""Modules by format. Each has a function `answers`."""


def answers(path: Path, form: str) -> Iterator[LoggedAnswer]:
    """Yield the answers of a log, one at a time. Raises UserError for another file, or one that ends early."""
    read: Callable[[Path], Iterator[LoggedAnswer]] = import_module(f"{__name__}.{FORMATS[form]}").answers
    return read(path)
