"""Validation data and results: rows, general text, and cases of a suite that the model answers during training.

Validation cases must not be test cases: a file with a case of the suite itself is refused, and so is a training row
with the prompt of a validation case.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from msgspec import Struct

from harness.errors import UserError, refuse_all
from harness.evaluation.plan import Job, SuiteJob, make_plan
from harness.evaluation.requests import PlannedRequest
from harness.files import digest
from harness.schema import CANDIDATE, Case, Checkpoint, Estimate, Metric
from harness.suites.cases import check_cases, load_cases
from harness.suites.discovery import find_suites
from harness.suites.prompts import Renderer, messages
from harness.suites.suite import Suite
from training.config import Config, ValidationQuestions, question_tables
from training.config_file import suggestion
from training.curation.checks.duplicates import key as folded_key
from training.data.rows import TrainingRow, Turn
from training.data.tokenize import Document


class Questions(Struct, frozen=True, kw_only=True):
    """Validation cases of one suite with their rendered prompts."""

    suite: Suite
    """Suite that scores the answers."""
    metric: Metric
    """Metric of the scores."""
    cases: list[Case]
    """The validation cases."""
    asks: list[PlannedRequest]
    """Their prompts, one per case and repeat."""
    renderer: Renderer
    """Decodes generated token IDs."""

    @property
    def facts(self) -> dict[str, Any]:
        """The facts that a run records."""
        return {
            "suite": self.suite.name,
            "metric": self.metric.name,
            "higher_is_better": self.metric.higher_is_better,
            "cases": self.asked,
        }

    @property
    def asked(self) -> int:
        """Number of cases that the model answers; its suite may leave out long ones."""
        return len({planned.case.id for planned in self.asks})

    @property
    def digest(self) -> str:
        """Digest of everything that determines the metric."""
        samples = [self.suite.samples] if self.suite.samples > 1 else []
        return digest([self.metric.name, self.suite.prompt_hash, self.suite.scorers_hash, self.cases, *samples])

    @property
    def rows(self) -> list[TrainingRow]:
        """The prompts as rows without an answer, for comparison with training rows."""
        return [
            TrainingRow(
                messages=[Turn(role=m["role"], content=m["content"]) for m in messages(self.suite.template, case)],  # type: ignore[arg-type]
                where=f"case '{case.id}'",
                document=case.cluster,
            )
            for case in self.cases
        ]


def load(config: Config, base: Checkpoint, renderer: Renderer) -> dict[str, Questions]:
    """Load the cases of every table of the configuration that names a suite.

    Raises UserError for unreadable cases, test cases of the suite, constrained answers, and an unknown metric.
    """
    tables = question_tables(config)
    return {name: _load(table, name, base, renderer) for name, table in tables.items() if table.suite}


def _load(settings: ValidationQuestions, table: str, base: Checkpoint, renderer: Renderer) -> Questions:
    suite = _only_suite(settings.suite, table)
    cases = check_cases([case for file in settings.cases for case in load_cases(Path(file))], ", ".join(settings.cases))
    refuse_all(_problems(suite, cases, table), f"{table}.cases: validation cases that cannot be used")
    job = Job(suites=[SuiteJob(suite=suite, cases=cases)], candidate=base.path)
    plan = make_plan(job, {CANDIDATE: renderer})
    metric = _metric(suite, settings.metric, table)
    return Questions(suite=suite, metric=metric, cases=cases, asks=list(plan.asks), renderer=renderer)


def answers(settings: ValidationQuestions, table: str) -> int:
    """Count the completions that one validation of a table generates, with those of cases that are left out as long."""
    return sum(len(load_cases(Path(file))) for file in settings.cases) * _only_suite(settings.suite, table).samples


def _only_suite(folder: str, table: str) -> Suite:
    suites = list(find_suites([folder]))
    if len(suites) != 1:
        names = ", ".join(suite.name for suite in suites) or "none"
        raise UserError(
            f"'{table}.suite' is {folder}, with {len(suites)} suites in it ({names}). Set it to the folder of one suite"
        )
    if suites[0].structure:
        raise UserError(
            f"'{table}.suite' is {suites[0].name}, which constrains its answers to choices or a JSON schema; answers "
            f"during training are not constrained, so its metric would mislead. Leave [{table}] out"
        )
    return suites[0]


def _metric(suite: Suite, name: str, table: str) -> Metric:
    metrics = {metric.name: metric for metric in suite.metrics}
    if name not in metrics:
        raise UserError(f"'{table}.metric' is '{name}', which {suite.name} does not have; {suggestion(name, metrics)}")
    return metrics[name]


def _problems(suite: Suite, cases: Sequence[Case], table: str) -> list[str]:
    tests = {_prompt_key(messages(suite.template, case)): case.id for case in suite.cases}
    problems = [
        f"case '{case.id}' is the test case '{tests[key]}' of {suite.name}; a test case must not select the adapter"
        for case in cases
        if (key := _prompt_key(messages(suite.template, case))) in tests
    ]
    for case in cases:
        for scorer in suite.scorers:
            check = getattr(scorer, "check", None)
            problems += [f"{table}: {problem}" for problem in (check(case) if check else ())]
    return problems


def cases_in_training(rows: Sequence[TrainingRow], questions: Questions) -> list[str]:
    """Return one problem for every validation case that is the prompt of an answer in a training row.

    The system message does not count, unless cases of the suite differ in nothing else.
    """
    prompts = {
        _prompt_key(prompt): row.where
        for row in rows
        for chat in ([row.chat, row.chat_in_context] if row.base_context else [row.chat])
        for turn, message in enumerate(chat)
        if message["role"] == "assistant"
        for prompt in (chat[:turn], chat[turn - 1 : turn])
    }
    cases = {row.where: (_prompt_key(row.chat), _prompt_key(row.chat[-1:])) for row in questions.rows}
    tests = (messages(questions.suite.template, case) for case in questions.suite.cases)
    own = Counter([*(user for _, user in cases.values()), *(_prompt_key(prompt[-1:]) for prompt in tests)])
    return [
        f"{where} has the prompt of the training row {prompts[key]}. Remove one of the two"
        for where, (whole, user) in cases.items()
        if (key := user if own[user] == 1 else whole) in prompts
    ]


def _prompt_key(prompt: Sequence[Mapping[str, str]]) -> bytes:
    """Return a key that prompts share if they differ in letter case, white space or compatibility forms alone."""
    return folded_key(*(message["content"] for message in prompt))


class ValidationSet(Struct, frozen=True, kw_only=True):
    """All data that no step learns from."""

    documents: Sequence[Document] = ()
    """Validation rows."""
    general: Sequence[Document] = ()
    """General text, to measure forgetting."""
    select: Questions | None = None
    """Cases whose metric selects the adapter."""
    forgetting: Questions | None = None
    """General cases, which do not affect the selection."""

    @property
    def chooses(self) -> bool:
        """Whether there is data to select an adapter by."""
        return bool(self.documents) or self.select is not None

    @property
    def is_empty(self) -> bool:
        """Whether there is nothing to measure."""
        return not (self.chooses or self.general or self.forgetting)


class Validation(Struct, frozen=True, kw_only=True):
    """The result of one validation."""

    validation_loss: float | None = None
    """Nats per answer token of the validation rows."""
    general_loss: float | None = None
    """Nats per token of the general text."""
    task: Estimate | None = None
    """The metric of `ValidationSet.select`."""
    general: Estimate | None = None
    """The metric of `ValidationSet.forgetting`."""

    @property
    def line(self) -> dict[str, Any]:
        """Fields of the training log, without those that were not measured."""
        fields: dict[str, Any] = {"validation_loss": self.validation_loss, "general_loss": self.general_loss}
        for name, estimate in (("task", self.task), ("general", self.general)):
            if estimate is not None:
                fields |= {f"{name}_metric": estimate.value, f"{name}_low": estimate.low, f"{name}_high": estimate.high}
        return {key: value for key, value in fields.items() if value is not None}


def is_better(now: Validation, best: Validation | None, metric: Metric | None) -> bool:
    """Whether `now` is better than an earlier best: by the metric, and for equal metrics by the validation loss.

    Without a metric, the loss alone decides. If both are equal, the earlier one stays the best.
    """
    if best is None:
        return True
    return _rank(now, metric) > _rank(best, metric)


def _rank(validation: Validation, metric: Metric | None) -> tuple[float, float]:
    """Return a key that is larger for a better validation."""
    lowest = float("-inf")
    loss = lowest if validation.validation_loss is None else -validation.validation_loss
    if metric is None:
        return loss, 0.0
    value = validation.task.value if validation.task else None
    return (lowest if value is None else value if metric.higher_is_better else -value), loss
