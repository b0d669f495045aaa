"""Read answers from the test runs that deepeval saves in DEEPEVAL_RESULTS_FOLDER."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from msgspec import Struct, field

from harness.answer_logs.logged import LoggedAnswer, json_document

EXPECTED = "Expected a test run of deepeval (test_run_TIME.json) with single-turn test cases"


class _Case(Struct, rename="camel"):
    input: str
    name: str = ""
    actual_output: str | None = None


class _Run(Struct, rename="camel"):
    test_cases: list[_Case]
    hyperparameters: dict[str, Any] | None = field(default=None)


def answers(path: Path) -> Iterator[LoggedAnswer]:
    """Yield the answer of each test case; the hyperparameter `model`, if logged, names the model."""
    run = json_document(path, _Run, EXPECTED)
    for number, case in enumerate(run.test_cases, 1):
        yield LoggedAnswer(
            where=f"test case {number}",
            text=case.actual_output or "",
            ids=(case.name,),
            prompts=(case.input,),
            model=str((run.hyperparameters or {}).get("model") or ""),
            error="" if case.actual_output is not None else "the test case has no actual output",
        )
