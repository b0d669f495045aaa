"""Read answers from the files that lm-evaluation-harness writes with `--log_samples`."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from msgspec import Struct

from harness.answer_logs.logged import LoggedAnswer, json_lines, texts_in
from harness.errors import UserError
from harness.files import shown_path

EXPECTED = "Expected samples_TASK_TIME.jsonl of a task that generates text (output_type generate_until)"


class _Sample(Struct):
    doc: dict[str, Any]
    arguments: dict[str, dict[str, Any]]
    resps: list[list[Any]]
    filter: str = ""


def answers(path: Path) -> Iterator[LoggedAnswer]:
    """Yield the unfiltered answers to each document; its field `id`, if any, names the case.

    Of a task with several filters, the lines repeat: those of the first filter are read.
    """
    first = None
    for where, sample in json_lines(path, _Sample, EXPECTED):
        first = sample.filter if first is None else first
        if sample.filter != first:
            continue
        for repeat, text in enumerate(sample.resps[0] if sample.resps else (), 1):
            if len(sample.resps) > 1 or not isinstance(text, str):
                raise UserError(f"{shown_path(path)}: {where}: has log probabilities, no text. {EXPECTED}")
            yield LoggedAnswer(
                where=where,
                text=text,
                ids=(str(sample.doc["id"]),) if "id" in sample.doc else (),
                prompts=tuple(texts_in([sample.doc, [one.get("arg_0") for one in sample.arguments.values()]])),
                repeat=repeat,
            )
