"""Reads a run's answers one at a time and finds each of them again. Knows nothing of what a report says of them.

A report of any length goes through the run once, keeps a little of each answer and where it lies, and reads whole again
only the answers that it shows.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Protocol

import msgspec
from msgspec import Struct

from harness.schema import Record, ScoreEvent, Scores
from harness.store import RecordLine, RunData, stream

MOST_HELD = 64 * 2**20
"""Bytes of records.jsonl up to which a run is held in memory whole."""


class Place(Struct, frozen=True, gc=False):
    record: int
    """Where the answer is: its number in memory, or the byte in records.jsonl at which its line starts."""
    scores: int = 0
    """The byte in scores.jsonl at which its first score starts."""
    count: int = 0
    """How many scores it has."""


class Source(Protocol):
    """Answers in the order of the run, each with its suite and the place where `read` finds it again."""

    def __iter__(self) -> Iterator[tuple[Place, str, Record]]: ...

    def read(self, place: Place) -> Record: ...


class Held:
    """The answers of a run that is in memory."""

    def __init__(self, run: RunData) -> None:
        self.run = run

    def __iter__(self) -> Iterator[tuple[Place, str, Record]]:
        for number, (suite, record) in enumerate(zip(self.run.suite_of, self.run.records, strict=True)):
            yield Place(number), suite, record

    def read(self, place: Place) -> Record:
        return self.run.records[place.record]


class OnDisk:
    """The answers of a run folder."""

    def __init__(self, path: Path) -> None:
        self.path, self.records, self.scores = path, path / "records.jsonl", path / "scores.jsonl"

    def __iter__(self) -> Iterator[tuple[Place, str, Record]]:
        lines, scores = _starts(self.records), _starts(self.scores)
        for suite, record in stream(self.path):
            own = list(islice(scores, len(record.scores)))
            yield Place(next(lines), own[0] if own else 0, len(own)), suite, record

    def read(self, place: Place) -> Record:
        with self.records.open("rb") as file:
            file.seek(place.record)
            record = RECORD.decode(file.readline()).record
        scores = Scores()
        with self.scores.open("rb") as file:
            file.seek(place.scores)
            for line in islice(file, place.count):
                score = SCORE.decode(line).score
                scores[score.name] = score
        return msgspec.structs.replace(record, scores=scores)


RECORD = msgspec.json.Decoder(RecordLine)
SCORE = msgspec.json.Decoder(ScoreEvent)


def source_of(run: RunData) -> Source:
    """Memory where the run's answers are there, otherwise its folder."""
    return Held(run) if run.records else OnDisk(run.path)


def fits(path: Path) -> bool:
    """The answers of a run folder are few enough to be held."""
    records = path / "records.jsonl"
    return not records.exists() or records.stat().st_size <= MOST_HELD


def _starts(file: Path) -> Iterator[int]:
    """Where each line begins."""
    if not file.exists():
        return
    with file.open("rb") as lines:
        at = 0
        for line in lines:
            if line.strip():
                yield at
            at += len(line)
