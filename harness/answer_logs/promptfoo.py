"""Read answers from the results that promptfoo writes with `--output results.json`."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from msgspec import Struct, field

from harness.answer_logs.logged import LoggedAnswer, json_document, texts_in
from harness.files import digest

EXPECTED = "Expected the JSON that `promptfoo eval --output results.json` writes"


class _Prompt(Struct):
    raw: str


class _Provider(Struct):
    id: str
    label: str | None = None


class _Response(Struct):
    output: Any = None
    error: Any = None


class _Test(Struct):
    description: str | None = None
    metadata: dict[str, Any] = field(default_factory=dict)


class _Result(Struct, rename="camel"):
    prompt: _Prompt
    provider: _Provider
    vars: dict[str, Any]
    test_case: _Test
    prompt_idx: int = 0
    response: _Response | None = None
    error: str | None = None


class _Results(Struct):
    results: list[_Result]


class _File(Struct):
    results: _Results


def answers(path: Path) -> Iterator[LoggedAnswer]:
    """Yield the answer of each provider to each test; the test's metadata `id`, variable `id` or description names it.

    An output that is no text is its JSON. Errors of assertions are no errors of the answer. Results of one test and
    prompt, as `--repeat` makes them, are repeats in their order.
    """
    seen = Counter[str]()
    for number, result in enumerate(json_document(path, _File, EXPECTED).results.results, 1):
        response = result.response or _Response()
        output, has_answer = response.output, response.output is not None and not response.error
        test = result.test_case
        named_by = (test.metadata.get("id"), result.vars.get("id"), test.description)
        ids = tuple(str(name) for name in named_by if name is not None)
        model = result.provider.label or result.provider.id
        seen[(asked := digest([model, result.prompt_idx, result.prompt.raw, ids, result.vars]))] += 1
        yield LoggedAnswer(
            where=f"result {number}",
            text=output if isinstance(output, str) else json.dumps(output, ensure_ascii=False),
            ids=ids,
            prompts=tuple(texts_in([result.prompt.raw, result.vars])),
            model=model,
            repeat=seen[asked],
            error="" if has_answer else result.error or str(response.error or "promptfoo gives no reason"),
        )
