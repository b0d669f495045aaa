"""Add people's labels of a run's answers as events, and compare them with a judge's.

A line is `{"suite": ..., "case_id": ..., "variant": ..., "label": ...}`, and may have `repeat` and `comment`.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import msgspec
from msgspec import Struct

from harness.errors import NOT_JSON, UserError, refuse_all
from harness.files import decode_line, read_text
from harness.judges.llm_judge import JUDGE, labelled
from harness.judges.rubric import SIDES, JudgeRubric
from harness.runs.folder import RunData, stream
from harness.runs.score_events import append, batches, finding, key_of, latest, refuse_masked
from harness.schema import BASELINE, CANDIDATE, Estimate, RecordKey, ScoreEvent


class LabelLine(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One person's label of one answer."""

    suite: str
    """Suite name."""
    case_id: str
    """Case id."""
    variant: str
    """Variant that answered."""
    label: str
    """One of the rubric's labels."""
    repeat: int | None = None
    """Number of the answer, where there are several."""
    comment: str | None = None
    """The reason, if one is given."""


LINE = msgspec.json.Decoder(LabelLine)
FIELDS = "A label has suite, case_id, variant, label and, if wanted, repeat and comment"


class Agreement(Struct, frozen=True, kw_only=True):
    """Agreement of a judge with one person, on the answers or pairs that both labelled."""

    reviewer: str
    """The person."""
    exact: Estimate
    """Share of equal labels."""
    kappa: Estimate
    """Cohen's kappa, quadratic weights."""


def add_labels(run: RunData, rubric: JudgeRubric, file: Path, reviewer: str) -> Path:
    """Append one person's labels.

    Raises UserError for a name that differs from another of the run in capitals alone, and one for all invalid lines;
    nothing is written then.
    """
    if not reviewer.strip():
        raise UserError("--reviewer is empty. Name the person who gave the labels, or use a pseudonym")
    refuse_masked([reviewer])
    known_people = {event.author for batch in batches(run.path) for event in batch.events if event.kind == "human"}
    if twin := next((one for one in known_people - {reviewer} if one.casefold() == reviewer.casefold()), None):
        raise UserError(
            f"--reviewer {reviewer}: this run has findings of {twin}, so one person would count as two. Write that name"
        )
    known = {(s, r.case.id, r.variant, r.repeat): r for s, r in run.answers() if r.text_kept}
    events, problems = list[ScoreEvent](), list[str]()
    seen: dict[RecordKey, int] = {}
    for number, raw in enumerate(read_text(file, "Expected labels, one JSON object per line").split("\n"), 1):
        if not raw.strip():
            continue
        where = f"{file.name}:{number}"
        try:
            line = decode_line(LINE.decode, raw.encode())
        except NOT_JSON as error:
            problems.append(f"{where}: {error}. {FIELDS}")
            continue
        key = (line.suite, line.case_id, line.variant, line.repeat or 1)
        record, first = known.get(key), seen.setdefault(key, number)
        if line.label not in rubric.labels:
            problems.append(f"{where}: the label is {line.label!r}, expected one of {', '.join(rubric.labels)}")
        elif record is None:
            problems.append(f"{where}: the run has no answer of '{line.variant}' to {line.suite} {line.case_id}")
        elif first != number:
            problems.append(f"{where}: labels the answer of line {first} again; `repeat` tells answers to a case apart")
        else:
            score = labelled(rubric, f"human_{rubric.name}", line.label, line.comment or "")
            events.append(finding(line.suite, record, "human", score, reviewer, rubric.hash))
    if not events and not problems:
        problems.append(f"{file.name}: has no label. Expected one JSON object per line")
    refuse_all(problems, f"{file}: labels that cannot be used")
    return append(run.path, "human", events, {"kind": "human", "rubric": rubric.name, "reviewer": reviewer})


def judged_by(run: Path) -> list[JudgeRubric]:
    """List the rubrics of a run's judges, each once."""
    rubrics: dict[str, JudgeRubric] = {}
    for batch in batches(run):
        if batch.about.get("kind") == JUDGE:
            rubric = msgspec.convert(batch.about["rubric"], JudgeRubric)
            rubric = msgspec.structs.replace(rubric, compare=rubric.labels == SIDES)
            rubrics[rubric.hash] = rubric
    return list(rubrics.values())


def agreement(run: RunData, rubric: JudgeRubric) -> list[Agreement]:
    """Compare the latest judge of a rubric with each person, on the answers that both labelled.

    A judge that compares answers is also compared with people's preferences, where "both bad" counts as a tie.
    """
    from harness.stats.agreement import exact_agreement, kappa

    events = latest(e for b in batches(run.path) for e in b.events)
    judged = {
        key_of(e): _label(e)
        for e in events
        if e.kind == "judge" and e.rubric == rubric.hash and e.score.value is not None
    }
    by_person: dict[str, dict[RecordKey, str]] = {}
    for event in events:
        label = _persons_label(event, rubric)
        if label is not None and key_of(event) in judged:
            by_person.setdefault(event.author, {})[key_of(event)] = label
    labelled_keys = {key for labels in by_person.values() for key in labels}
    keyed = (((s, r.case.id, r.variant, r.repeat), r) for s, r in stream(run.path)) if labelled_keys else ()
    clusters = {key: record.case.cluster for key, record in keyed if key in labelled_keys}
    order = WORST_FIRST if rubric.compare else rubric.labels
    agreements = []
    for reviewer, labels in by_person.items():
        machine, person = [judged[key] for key in labels], list(labels.values())
        sources = [clusters[key] for key in labels]
        exact, coefficient = exact_agreement(machine, person, sources), kappa(machine, person, order, sources)
        agreements.append(Agreement(reviewer=reviewer, exact=exact, kappa=coefficient))
    return agreements


WORST_FIRST = ("second", "tie", "first")
"""Labels of a comparison, from the worst for the tuned answer to the best."""
CHOICES = {CANDIDATE: "first", BASELINE: "second", "tie": "tie", "both_bad": "tie"}
"""A person's preference as the label of a comparison."""


def _persons_label(event: ScoreEvent, rubric: JudgeRubric) -> str | None:
    """Return a person's label on the judge's scale; None for any other event, such as a label by another rubric."""
    if event.kind != "human" or event.score.value is None:
        return None
    if event.rubric == rubric.hash:
        return _label(event)
    choice = event.score.extracted.get("choice") if event.score.name == "human_preference" else None
    return CHOICES[choice[0]] if rubric.compare and choice else None


def _label(event: ScoreEvent) -> str:
    (label,) = event.score.extracted["label"]
    return label


def describe(agreements: Sequence[Agreement]) -> list[str]:
    """Describe agreements, one line each."""
    return [f"judge and {a.reviewer}: exact agreement {a.exact!r}, kappa {a.kappa!r}" for a in agreements]
