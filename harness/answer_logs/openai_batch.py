"""Read answers from the output file of OpenAI's Batch API."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from msgspec import Struct, field

from harness.answer_logs.logged import LoggedAnswer, json_lines

EXPECTED = "Expected the output file of a batch of chat completions or completions, whose `custom_id` names the case"


class _Message(Struct):
    content: str | None = None
    refusal: str | None = None


class _Choice(Struct):
    message: _Message = field(default_factory=_Message)
    text: str | None = None
    finish_reason: str | None = None


class _Body(Struct):
    model: str = ""
    choices: list[_Choice] = field(default_factory=list)
    error: Any = None


class _Response(Struct):
    body: _Body | None = None


class _Line(Struct):
    custom_id: str
    response: _Response | None
    error: Any = None


def answers(path: Path) -> Iterator[LoggedAnswer]:
    """Yield the choices of each line; a request that failed has its error."""
    for where, line in json_lines(path, _Line, EXPECTED):
        body = (line.response and line.response.body) or _Body()
        for repeat, choice in enumerate(body.choices or [_Choice()], 1):
            text = choice.message.content or choice.message.refusal or choice.text or ""
            failure = line.error or body.error or (None if body.choices else "the response has no choice")
            yield LoggedAnswer(
                where=where,
                text=text,
                ids=(line.custom_id,),
                model=body.model,
                repeat=repeat,
                is_cut=choice.finish_reason == "length",
                error=str(failure) if failure else "",
            )
