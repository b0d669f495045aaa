"""Read answers from plain JSON lines."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from msgspec import Struct

from harness.answer_logs.logged import LoggedAnswer, Repeat, json_lines

EXPECTED = 'Expected one JSON object per line: "id" (or "prompt"), "answer" and, if wanted, "model", "repeat", "error"'


class _Line(Struct):
    answer: str | None = None
    id: str | int | None = None
    prompt: str | None = None
    model: str | None = None
    repeat: Repeat | None = None
    error: str | None = None

    def __post_init__(self) -> None:
        if self.answer is None and not self.error:
            raise ValueError("has neither `answer` nor `error`")


def answers(path: Path) -> Iterator[LoggedAnswer]:
    """Yield the answer of each line."""
    for where, line in json_lines(path, _Line, EXPECTED):
        yield LoggedAnswer(
            where=where,
            text=line.answer or "",
            ids=() if line.id is None else (str(line.id),),
            prompts=(line.prompt,) if line.prompt else (),
            model=line.model or "",
            repeat=line.repeat or 1,
            error=line.error or "",
        )
