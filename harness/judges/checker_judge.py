"""Have the checker of meaning judge a finished run's answers, sentence by sentence, and append its verdicts as events.

The verdict is on a rubric's scale: the best label if the source supports every sentence, the worst if it supports none.
"""

from __future__ import annotations

import math

from msgspec import structs

from harness.errors import UserError
from harness.judges.llm_judge import JudgeResult, judgeable, labelled, recorded
from harness.judges.rubric import JudgeRubric
from harness.progress.progress import Progress
from harness.runs.folder import RunData
from harness.runs.score_events import finding
from harness.schema import Record, Score
from harness.scoring import checker
from harness.scoring.base import Scorer

NAME = "checker"
"""What `--by` names it."""
SUPPORTED = JudgeRubric(
    name="supported", question="Does the source support every sentence of the answer?", labels=("no", "yes")
)
"""The rubric if none is given."""


def judge(run: RunData, rubric: JudgeRubric, progress: Progress) -> JudgeResult:
    """Judge every answer of the run and append the verdicts, with the sentences as spans. Raises UserError."""
    if rubric.compare:
        raise UserError(f"rubric '{rubric.name}' compares two answers, and the checker reads one. Give labels instead")
    folder = checker.named()
    if folder is None:
        raise UserError(f"--by {NAME}: no checker in {checker.installed()}. {checker.BUILD}")
    how, scorer = checker.read(folder), checker.of_folder(folder)
    answers, events = judgeable(run), []
    with progress.stage("judge (checker)", len(answers)) as stage:
        for suite, record in answers:
            score = _verdict(rubric, scorer, record)
            events.append(finding(suite, record, "judge", score, how.digest, rubric.hash))
            stage.advance()
    about = {"name": NAME, "digest": how.digest, "scorer": scorer.version, "threshold": how.threshold}
    return recorded(run, rubric, events, {"judge": about})


def _verdict(rubric: JudgeRubric, scorer: Scorer, record: Record) -> Score:
    """The score of one answer by the rubric's label, with the checker's counts and spans."""
    answer = structs.replace(record.completion, text=record.completion.answer)
    name, found = f"judge_{rubric.name}", scorer(record.case, answer)
    if found.value is None:
        return labelled(rubric, name, None, found.reason or "")
    unsupported = [f'"{quote}"' for quote in found.extracted.get("unsupported", [])]
    reason = f"not supported: {'; '.join(unsupported)}" if unsupported else ""
    score = labelled(rubric, name, label_of(found.value, rubric.labels), reason)
    return structs.replace(score, counts=found.counts, spans=found.spans)


def label_of(share: float, labels: tuple[str, ...]) -> str:
    """Return the label of a share of supported sentences; only all of them get the best."""
    last = len(labels) - 1
    return labels[last if share == 1 else min(last - 1, math.ceil(share * last))]
