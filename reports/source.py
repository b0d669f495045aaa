"""Reads a run's answers one at a time and finds each of them again. Knows nothing of what a report says of them.

A report of any length goes through the run once, keeps a little of each answer and where it lies, and reads whole again
only the answers that it shows.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Protocol

import msgspec

from harness.schema import Record, ScoreEvent, Scores
from harness.store import RecordLine, RunData, stream

MOST_HELD = 64 * 2**20
"""Bytes of records.jsonl up to which a run is held in memory whole."""


class Source(Protocol):
    """Answers in the order of the run, each with its number and suite; `read` finds one that came by its number."""

    def __iter__(self) -> Iterator[tuple[int, str, Record]]: ...

    def read(self, number: int) -> Record: ...


class Held:
    """The answers of a run that is in memory."""

    def __init__(self, run: RunData) -> None:
        self.run = run

    def __iter__(self) -> Iterator[tuple[int, str, Record]]:
        for number, (suite, record) in enumerate(zip(self.run.suite_of, self.run.records, strict=True)):
            yield number, suite, record

    def read(self, number: int) -> Record:
        return self.run.records[number]


class OnDisk:
    """The answers of a run folder, of which memory holds where each begins: 16 bytes an answer."""

    def __init__(self, path: Path) -> None:
        self.path, self.records, self.scores = path, path / "records.jsonl", path / "scores.jsonl"
        self._record_ends, self._scores_end = array("Q", [0]), array("Q", [0])

    def __iter__(self) -> Iterator[tuple[int, str, Record]]:
        self._record_ends, self._scores_end = array("Q", [0]), array("Q", [0])
        lines, scores = _ends(self.records), _ends(self.scores)
        for number, (suite, record) in enumerate(stream(self.path)):
            self._record_ends.append(next(lines))
            self._scores_end.append(([self._scores_end[-1], *islice(scores, len(record.scores))])[-1])
            yield number, suite, record

    def read(self, number: int) -> Record:
        (line,) = _lines(self.records, self._record_ends, number)
        scores = Scores()
        for found in map(SCORE.decode, _lines(self.scores, self._scores_end, number)):
            scores[found.score.name] = found.score
        return msgspec.structs.replace(RECORD.decode(line).record, scores=scores)


RECORD = msgspec.json.Decoder(RecordLine)
SCORE = msgspec.json.Decoder(ScoreEvent)


def source_of(run: RunData) -> Source:
    """Memory where the run's answers are there, otherwise its folder."""
    return Held(run) if run.records else OnDisk(run.path)


def fits(path: Path) -> bool:
    """The answers of a run folder are few enough to be held."""
    records = path / "records.jsonl"
    return not records.exists() or records.stat().st_size <= MOST_HELD


def _ends(file: Path) -> Iterator[int]:
    """Where each line that holds something ends."""
    if not file.exists():
        return
    with file.open("rb") as lines:
        at = 0
        for line in lines:
            at += len(line)
            if line.strip():
                yield at


def _lines(file: Path, ends: array[int], number: int) -> list[bytes]:
    """The lines that belong to one answer."""
    if ends[number] == ends[number + 1]:
        return []
    with file.open("rb") as opened:
        opened.seek(ends[number])
        return [line for line in opened.read(ends[number + 1] - ends[number]).split(b"\n") if line.strip()]
