"""Have the checker of meaning judge a finished run's answers, sentence by sentence, and append its verdicts as events.

The verdict is on a rubric's scale: the best label if the source supports every sentence, the worst if it supports none.
"""

from __future__ import annotations

import math

from msgspec import structs

from harness.errors import UserError
from harness.judges.llm_judge import JUDGE, JudgeResult, labelled
from harness.judges.rubric import JudgeRubric
from harness.progress.progress import Progress
from harness.runs.folder import RunData, now
from harness.runs.score_events import append
from harness.schema import FLOOR, Record, Score, ScoreEvent
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
    answers = [
        (record, suite)
        for record, suite in zip(run.records, run.suite_of, strict=True)
        if record.variant != FLOOR and record.text_kept and not record.error
    ]
    events = []
    with progress.stage("judge (checker)", len(answers)) as stage:
        for record, suite in answers:
            events.append(_event(rubric, how.digest, suite, record, _verdict(rubric, scorer, record)))
            stage.advance()
    about = {
        "kind": JUDGE,
        "rubric": {"name": rubric.name, "question": rubric.question, "labels": list(rubric.labels)},
        "judge": {"name": NAME, "digest": how.digest, "scorer": scorer.version, "threshold": how.threshold},
    }
    scored = sum(event.score.value is not None for event in events)
    path = append(run.path, JUDGE, events, about)
    return JudgeResult(path=path, scored=scored, unscored=len(events) - scored, fooled=0, canaries=0)


def _verdict(rubric: JudgeRubric, scorer: Scorer, record: Record) -> Score:
    """The score of one answer by the rubric's label, with the checker's counts and spans."""
    name, found = f"judge_{rubric.name}", scorer(record.case, record.completion)
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


def _event(rubric: JudgeRubric, author: str, suite: str, record: Record, score: Score) -> ScoreEvent:
    return ScoreEvent(
        suite=suite,
        case_id=record.case.id,
        variant=record.variant,
        repeat=record.repeat,
        kind="judge",
        score=score,
        author=author,
        rubric=rubric.hash,
        at=now(),
        supersedes=True,
    )
