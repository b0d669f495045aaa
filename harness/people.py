"""People's labels on a run's answers: read from a file, appended as events, compared with a judge's.

A line is `{"suite": ..., "case_id": ..., "variant": ..., "label": ...}`, and may have `repeat` and `comment`. Knows no
engine and no review application.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import msgspec
from msgspec import Struct

from harness.errors import UserError, refuse_all
from harness.events import append, batches, key_of, latest
from harness.judging import labelled
from harness.rubric import Rubric
from harness.schema import Estimate, RecordKey, ScoreEvent
from harness.store import RunData, now


class Line(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One person's label of one answer."""

    suite: str
    """Suite name."""
    case_id: str
    """Case id."""
    variant: str
    """Whose answer."""
    label: str
    """One of the rubric's labels."""
    repeat: int = 1
    """Which of several answers."""
    comment: str = ""
    """Why."""


class Agreement(Struct, frozen=True, kw_only=True):
    """A judge against one person on the answers that both labelled."""

    reviewer: str
    """The person."""
    exact: Estimate
    """Share of equal labels."""
    kappa: float | None
    """Cohen's kappa, quadratic weights; None where it is not defined."""


def add_labels(run: RunData, rubric: Rubric, file: Path, reviewer: str) -> Path:
    """Append one person's labels. Every bad line is named in one UserError, and then nothing is written."""
    answered = [(r, s) for r, s in zip(run.records, run.suite_of, strict=True) if r.text_kept]
    known = {(s, r.case.id, r.variant, r.repeat) for r, s in answered}
    problems: list[str] = []
    events = [e for number, raw in _raw(file) for e in _event(number, raw, file, rubric, reviewer, known, problems)]
    if not events and not problems:
        problems.append(f"{file.name}: holds no label. Expected one JSON object a line")
    refuse_all(problems, f"{file}: labels that cannot be used")
    return append(run.path, "human", events, {"kind": "human", "rubric": rubric.name, "reviewer": reviewer})


def _raw(file: Path) -> Iterator[tuple[int, bytes]]:
    try:
        lines = file.read_bytes().splitlines()
    except OSError as error:
        raise UserError(f"{file}: cannot be read ({error.strerror}). Expected labels, one JSON object a line") from None
    return ((number, line) for number, line in enumerate(lines, 1) if line.strip())


def _event(
    number: int,
    raw: bytes,
    file: Path,
    rubric: Rubric,
    reviewer: str,
    known: set[RecordKey],
    problems: list[str],
) -> Iterator[ScoreEvent]:
    where = f"{file.name}:{number}"
    try:
        line = msgspec.json.decode(raw, type=Line)
    except msgspec.DecodeError as error:
        problems.append(f"{where}: {error}")
        return
    if line.label not in rubric.labels:
        problems.append(f"{where}: the label is {line.label!r}, expected one of {', '.join(rubric.labels)}")
    elif (line.suite, line.case_id, line.variant, line.repeat) not in known:
        problems.append(f"{where}: the run has no answer of '{line.variant}' to {line.suite} {line.case_id}")
    else:
        yield ScoreEvent(
            suite=line.suite,
            case_id=line.case_id,
            variant=line.variant,
            repeat=line.repeat,
            kind="human",
            score=labelled(rubric, f"human_{rubric.name}", line.label, line.comment),
            author=reviewer,
            rubric=rubric.hash,
            at=now(),
            supersedes=True,
        )


def agreement(run: RunData, rubric: Rubric) -> list[Agreement]:
    """The latest judge of a rubric against each person, on the answers that both labelled."""
    from harness.stats.agreement import exact_agreement, weighted_kappa

    events = [e for e in latest(e for b in batches(run.path) for e in b.events) if e.rubric == rubric.hash]
    clusters = {
        (s, r.case.id, r.variant, r.repeat): r.case.cluster for r, s in zip(run.records, run.suite_of, strict=True)
    }
    judged = {key_of(e): _label(e) for e in events if e.kind == "judge" and e.score.value is not None}
    found = []
    for reviewer in dict.fromkeys(e.author for e in events if e.kind == "human"):
        both = [(key_of(e), _label(e)) for e in events if e.author == reviewer and key_of(e) in judged]
        machine, person = [judged[key] for key, _ in both], [label for _, label in both]
        if both:
            exact = exact_agreement(machine, person, [clusters[key] for key, _ in both])
            kappa = weighted_kappa(machine, person, rubric.labels)
            found.append(Agreement(reviewer=reviewer, exact=exact, kappa=kappa))
    return found


def _label(event: ScoreEvent) -> str:
    (label,) = event.score.extracted["label"]
    return label


def said(found: Sequence[Agreement]) -> list[str]:
    """Agreement in words, a line each."""
    return [
        f"judge and {a.reviewer}: exact agreement {a.exact!r}, kappa "
        + (f"{a.kappa:.2f}" if a.kappa is not None else "not defined")
        for a in found
    ]
