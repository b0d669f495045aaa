"""Append scores to a sealed run: from newer scorers, judges and people. Nothing is overwritten.

runs/<run>/later/<utc>-<kind>-<8 hex>.jsonl          one batch of events
                 <same name>.jsonl.sha256            its seal
                 <same name>.json                    description of the batch
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Literal

import msgspec
from filelock import FileLock, Timeout
from msgspec import Struct

from harness.errors import NOT_JSON, UserError
from harness.files import digest, file_sha256, write_atomic
from harness.runs import redaction
from harness.runs.folder import SEAL, RunData, now
from harness.schema import Record, RecordKey, Score, ScoreEvent, Scores

FOLDER = "later"
TIME = "%Y%m%dT%H%M%S%fZ"
OF_RUN = "run_seal"
"""Key of a batch's description: the digest of the seal of the run whose answers it is about."""


class Batch(Struct, frozen=True, kw_only=True):
    """Score events that were written together."""

    path: Path
    """Its .jsonl file."""
    events: list[ScoreEvent]
    """In the order in which they were written."""
    about: dict[str, Any]
    """Description of the batch: judge, rubric, canaries, counts."""


def key_of(event: ScoreEvent) -> RecordKey:
    """Return the key of the record that an event scores."""
    return event.suite, event.case_id, event.variant, event.repeat


def finding(
    suite: str, record: Record, kind: Literal["judge", "human"], score: Score, author: str, rubric: str
) -> ScoreEvent:
    """Return the event of a judgement, made now; it replaces the author's earlier one of the same name."""
    return ScoreEvent(
        suite=suite,
        case_id=record.case.id,
        variant=record.variant,
        repeat=record.repeat,
        kind=kind,
        score=score,
        author=author,
        rubric=rubric,
        at=now(),
        supersedes=True,
    )


def refuse_masked(people: Sequence[str], option: str = "--reviewer") -> None:
    """Raise UserError for a name that would be masked: two people whose names are of one length would be one."""
    redactor = redaction.default_redactor()
    redaction.refuse(
        ((f"name {number} of {option}", redactor.kinds(name)) for number, name in enumerate(people, 1)),
        "Findings are told apart by this name, so it is not masked: use a pseudonym",
    )


UNCHANGED = "Free space or ask for access; the run is as it was"


@contextmanager
def alone(run: Path, say: Callable[[str], None]) -> Iterator[None]:
    """Let one process at a time add a batch of what differs from earlier ones. Raises UserError where none can."""
    lock = FileLock(run / FOLDER / ".lock")
    try:
        (run / FOLDER).mkdir(exist_ok=True)
        try:
            held = lock.acquire(blocking=False)
        except Timeout:
            say(f"{run}: another `tunegate rescore` scores it now. Waiting until that has finished")
            held = lock.acquire()
    except OSError as error:
        raise UserError(f"{run / FOLDER}: cannot be written ({error.strerror}). {UNCHANGED}") from None
    with held:
        yield


def append(run: Path, kind: str, events: Sequence[ScoreEvent], about: Mapping[str, Any]) -> Path:
    """Write one batch and its seal, secrets masked, and return the .jsonl file. UserError if the disk refuses."""
    times = [
        datetime.strptime(path.name.split("-")[0] + "+0000", f"{TIME}%z")
        for path in (run / FOLDER).glob("[0-9]*T*Z-*.jsonl")
    ]
    # After all others, also where the clock of another machine is ahead or this one was set back: the last one counts.
    time = max([datetime.now(UTC), *(time + timedelta(microseconds=1) for time in times)])
    name = f"{time:{TIME}}-{kind}-{secrets.token_hex(4)}.jsonl"
    path = run / FOLDER / name
    redactor = redaction.default_redactor()
    data = b"".join(line + b"\n" for event in events for line in redactor.mask([msgspec.json.encode(event)]))
    (masked,) = redactor.mask([msgspec.json.encode(dict(about))])
    counted = msgspec.json.decode(masked) | ({"redacted": redactor.counts} if redactor.counts else {})
    if (run / SEAL).is_file():
        counted[OF_RUN] = file_sha256(run / SEAL)
    write_atomic(
        path.with_suffix(".json"), msgspec.json.format(msgspec.json.encode(counted), indent=1), UNCHANGED, parents=True
    )
    write_atomic(Path(f"{path}.sha256"), f"{digest(data)}  {name}\n", UNCHANGED)
    write_atomic(path, data, UNCHANGED)
    return path


def batches(run: Path) -> list[Batch]:
    """Read every batch of a run, oldest first. Raises UserError for one that was changed, or is of another run."""
    return [_read(path) for path in sorted((run / FOLDER).glob("*.jsonl"))]


def _read(path: Path) -> Batch:
    try:
        data = path.read_bytes()
        sealed = Path(f"{path}.sha256").read_text("utf-8").split()[:1]
        if sealed != [digest(data)]:
            raise UserError(
                f"{path}: differs from its seal. It was changed after it was written; remove it or restore it"
            )
        events = msgspec.json.Decoder(ScoreEvent).decode_lines(data)
        about = msgspec.json.decode(path.with_suffix(".json").read_bytes(), type=dict[str, Any])
    except (OSError, *NOT_JSON) as error:
        raise UserError(f"{path}: cannot be read: {error}. Remove the batch, or restore it") from None
    seal = path.parent.parent / SEAL
    if OF_RUN in about and seal.is_file() and about[OF_RUN] != file_sha256(seal):
        raise UserError(
            f"{path}: is about the answers of another run, since it names another seal. Remove it from {FOLDER}/ with "
            "its .json and .sha256"
        )
    return Batch(path=path, events=events, about=about)


def latest(events: Iterable[ScoreEvent]) -> list[ScoreEvent]:
    """Drop events that a later one of the same kind, scorer and author supersedes."""
    current: dict[tuple[object, ...], list[ScoreEvent]] = {}
    for event in events:
        author = event.author if event.kind == "human" else ""
        slot = current.setdefault((key_of(event), event.kind, event.score.name, author), [])
        if event.supersedes:
            slot.clear()
        slot.append(event)
    return [event for slot in current.values() for event in slot]


def with_later(run: RunData) -> RunData:
    """Return the run with the scores of later scorers and judges in its records; people's stay in their events.

    A judge adds scores and replaces none: gates judge what a scorer of the suite counted, whatever the judge's rubric
    is called.
    """
    code, judged = _later(run.path, "code"), _later(run.path, "judge")
    if not code and not judged:
        return run
    records = []
    for suite, record in run.answers():
        key = (suite, record.case.id, record.variant, record.repeat)
        scores = Scores(record.scores | judged.get(key, {}) | record.scores | code.get(key, {}))
        records.append(msgspec.structs.replace(record, scores=scores))
    return msgspec.structs.replace(run, records=records)


def scored_again(path: Path, answers: Iterable[tuple[str, Record]]) -> int:
    """Count the scores of a run's answers, each with its suite, that later scorers gave another value, or added."""
    later = _later(path, "code")
    return sum(
        record.text_kept and record.scores.get(name) != score  # An accepted baseline has another run's scores.
        for suite, record in (answers if later else ())
        for name, score in later.get((suite, record.case.id, record.variant, record.repeat), {}).items()
    )


def _later(path: Path, kind: str) -> dict[RecordKey, dict[str, Score]]:
    """Return the last scores of this kind that were appended to a run, by record and name."""
    later: dict[RecordKey, dict[str, Score]] = {}
    for event in latest(event for batch in batches(path) for event in batch.events):
        if event.kind == kind:
            later.setdefault(key_of(event), {})[event.score.name] = event.score
    return later
