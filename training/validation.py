"""Questions that a model in training answers: cases of a suite, rendered and scored as the suite does. Loads no weight.

Validation cases are no test cases: a file that holds one of the suite's own is refused, and so is a training row that
asks what a validation case asks.
"""

from __future__ import annotations

import difflib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from msgspec import Struct

from harness.errors import UserError, refuse_all
from harness.evaluation.plan import Job, PlannedRequest, SuiteJob, make_plan
from harness.files import digest
from harness.schema import CANDIDATE, Case, Checkpoint, Estimate, Metric
from harness.suites.cases import check_cases, load_cases
from harness.suites.discovery import find_suites
from harness.suites.prompts import Renderer, messages
from harness.suites.suite import Suite
from training.config import ValidationQuestions
from training.data.rows import TrainingRow, Turn
from training.data.tokenize import Document


class Questions(Struct, frozen=True, kw_only=True):
    """Cases of one suite, ready to be answered."""

    suite: Suite
    """Scores the answers."""
    metric: Metric
    """What is read from the scores."""
    cases: list[Case]
    """The validation cases."""
    asks: list[PlannedRequest]
    """Their prompts, one a case and repeat."""
    renderer: Renderer
    """Turns generated ids into text."""

    @property
    def facts(self) -> dict[str, Any]:
        """What a run records of them."""
        return {
            "suite": self.suite.name,
            "metric": self.metric.name,
            "higher_is_better": self.metric.higher_is_better,
            "cases": len(self.cases),
        }

    @property
    def digest(self) -> str:
        """Of all that decides what a right answer is."""
        return digest([self.metric.name, self.suite.prompt_hash, self.suite.scorers_hash, self.cases])

    @property
    def rows(self) -> list[TrainingRow]:
        """The prompts as rows without an answer, to look for them elsewhere."""
        return [
            TrainingRow(
                messages=[Turn(role=m["role"], content=m["content"]) for m in messages(self.suite.template, case)],  # type: ignore[arg-type]
                where=f"case '{case.id}'",
                document=case.cluster,
            )
            for case in self.cases
        ]


def load(asked: ValidationQuestions, table: str, base: Checkpoint, renderer: Renderer) -> Questions | None:
    """Read the cases that a table of the configuration names; None where it names no suite."""
    if not asked.suite:
        return None
    suite = _only_suite(asked.suite, table)
    cases = check_cases([case for file in asked.cases for case in load_cases(Path(file))], ", ".join(asked.cases))
    refuse_all(_problems(suite, cases, table), f"{table}.cases: validation cases that cannot be used")
    job = Job(suites=[SuiteJob(suite=suite, cases=cases)], candidate=base.path)
    plan = make_plan(job, {CANDIDATE: renderer})
    metric = _metric(suite, asked.metric, table)
    return Questions(suite=suite, metric=metric, cases=cases, asks=list(plan.asks), renderer=renderer)


def _only_suite(folder: str, table: str) -> Suite:
    found = list(find_suites([folder]))
    if len(found) != 1:
        names = ", ".join(suite.name for suite in found) or "none"
        raise UserError(f"'{table}.suite' is {folder}, with {len(found)} suites in it ({names}). Name one's folder")
    return found[0]


def _metric(suite: Suite, name: str, table: str) -> Metric:
    known = {metric.name: metric for metric in suite.metrics}
    if name not in known:
        near = difflib.get_close_matches(name, known, n=1)
        said = f"did you mean '{near[0]}'?" if near else f"it has: {', '.join(known)}"
        raise UserError(f"'{table}.metric' is '{name}', which {suite.name} does not have; {said}")
    return known[name]


def _problems(suite: Suite, cases: Sequence[Case], table: str) -> list[str]:
    tests = {digest(case.input): case.id for case in suite.cases}
    problems = [
        f"case '{case.id}' is the test case '{tests[key]}' of {suite.name}; a test that chooses is no test any more"
        for case in cases
        if (key := digest(case.input)) in tests
    ]
    for case in cases:
        for scorer in suite.scorers:
            check = getattr(scorer, "check", None)
            problems += [f"{table}: {said}" for said in (check(case) if check else ())]
    return problems


def asked_in_training(rows: Sequence[TrainingRow], questions: Questions) -> list[str]:
    """One problem for every validation case whose prompt is that of a training row."""
    prompts = {digest(row.chat[:-1]): row.where for row in rows}
    return [
        f"{asked.where} asks what the training row {prompts[key]} answers. Take it out of one of the two"
        for asked in questions.rows
        if (key := digest(asked.chat)) in prompts
    ]


class ValidationSet(Struct, frozen=True, kw_only=True):
    """What no step learns from."""

    documents: Sequence[Document] = ()
    """Validation rows."""
    general: Sequence[Document] = ()
    """General text, to see what tuning makes the model forget."""
    select: Questions | None = None
    """Cases whose metric chooses the adapter."""
    forgetting: Questions | None = None
    """General cases; they choose nothing."""

    @property
    def chooses(self) -> bool:
        """Whether anything here tells one step's adapter from another's."""
        return bool(self.documents) or self.select is not None

    @property
    def is_empty(self) -> bool:
        """Nothing to measure."""
        return not (self.chooses or self.general or self.forgetting)


class Validation(Struct, frozen=True, kw_only=True):
    """One measurement. Losses in nats: by answer token of the validation rows, by token of the general text."""

    validation_loss: float | None = None
    general_loss: float | None = None
    task: Estimate | None = None
    """The metric of `Held.select`."""
    general: Estimate | None = None
    """The metric of `Held.forgetting`."""

    @property
    def line(self) -> dict[str, Any]:
        """Fields of the training log; what was not measured is left out."""
        found: dict[str, Any] = {"validation_loss": self.validation_loss, "general_loss": self.general_loss}
        for name, level in (("task", self.task), ("general", self.general)):
            if level is not None:
                found |= {f"{name}_metric": level.value, f"{name}_low": level.low, f"{name}_high": level.high}
        return {key: value for key, value in found.items() if value is not None}


def is_better(now: Validation, best: Validation | None, metric: Metric | None) -> bool:
    """Whether `now` is chosen over an earlier best: by the metric, and by the validation loss where it is the same.

    Without a metric the loss alone chooses. A tie in everything goes to the earlier one.
    """
    if best is None:
        return True
    return _rank(now, metric) > _rank(best, metric)


def _rank(found: Validation, metric: Metric | None) -> tuple[float, float]:
    """Larger is better."""
    lowest = float("-inf")
    loss = lowest if found.validation_loss is None else -found.validation_loss
    if metric is None:
        return loss, 0.0
    value = found.task.value if found.task else None
    return (lowest if value is None else value if metric.higher_is_better else -value), loss
