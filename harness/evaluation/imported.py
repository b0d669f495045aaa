"""Make the job of a run whose answers other tools generated, and read them in place of an engine's."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from harness.answer_logs.answer_log import AnswerLog
from harness.errors import UserError
from harness.evaluation.plan import Job, SuiteJob
from harness.evaluation.requests import PlannedRequest
from harness.formatting import count
from harness.schema import CANDIDATE, Completion
from harness.suites.suite import Suite


def imported_job(suite: Suite, logs: Mapping[str, AnswerLog], bars: Path | None) -> Job:
    """Make the job of the cases that every log answers. Raises UserError where there are none.

    `logs` are by variant. Gates judge only a log that answers every case.
    """
    repeats = {variant: log.repeats for variant, log in logs.items()}
    if len(set(repeats.values())) > 1:
        found = " and ".join(f"{count(n, 'answer')} ({variant})" for variant, n in repeats.items())
        raise UserError(f"{suite.name}: the logs have {found} per case. Import logs with as many answers each")
    n = repeats[CANDIDATE]
    cases = [case for case in suite.cases if all(log.has(case.id, n) for log in logs.values())]
    if not cases:
        raise UserError(f"{suite.name}: no case has {count(n, 'answer')} in every log. Import logs of the same cases")
    return Job(
        suites=[SuiteJob(suite=suite, cases=cases)],
        candidate=logs[CANDIDATE].model.name,
        repeats=n,
        bars=bars,
        imported=logs,
    )


class ImportedAnswers:
    """Answers from logs; they look like an engine's dispatcher to a run."""

    was_cached = False

    def __init__(self, logs: Mapping[str, AnswerLog]) -> None:
        self._logs = logs

    @property
    def says(self) -> str:
        """Where the answers come from, for users."""
        return f"imported from {self._logs[CANDIDATE].tool}"

    def answers(self, questions: Iterable[PlannedRequest]) -> Iterator[tuple[PlannedRequest, Completion]]:
        """Yield every question with its answer."""
        for question in questions:
            yield question, self._logs[question.variant].completion(question.case.id, question.repeat)

    def describe(self) -> dict[str, Any]:
        """Return what the run's manifest records."""
        return {"name": self.says, "logs_sha256": {variant: log.sha256 for variant, log in self._logs.items()}}
