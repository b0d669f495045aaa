"""The cases of several runs, joined by ID and content: one row per case, one answer per column."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from msgspec import Struct, structs

from harness.schema import Better, Metric, Record, SuiteInfo
from harness.stats.estimates import case_value, falls_short
from harness.stats.observations import VariantScores, readings
from reports.cases.read import OnDisk, has_failed
from reports.side_by_side.columns import Column

SIGNS: dict[Better, int] = {"higher": 1, "lower": -1, "": 0}
Key = tuple[str, str, str]
"""ID, hash of the input, hash of the expected answer."""


class Answer(Struct, kw_only=True):
    """The answers of one column to one case."""

    number: int
    """Of the first one in its run, which the text is read by."""
    prompt: str
    """Hash of its prompt."""
    values: list[list[float]]
    """By metric, the values of all repeats that have one: a failed request or scorer gives none."""

    def value(self, metric: int) -> float | None:
        """Return the mean of the repeats; None where none has a value."""
        values = self.values[metric]
        return sum(values) / len(values) if values else None


class Row(Struct, kw_only=True):
    """One case."""

    id: str
    """Name in its suite."""
    cluster: str
    """The source that it comes from."""
    slices: list[str]
    """Slices that contain it, such as `instrument: lease`."""
    answers: list[Answer | None]
    """By column; None where the run has no answer to exactly this case."""

    def change(self, metric: Metric, place: int, baseline: int) -> float:
        """Return the largest change for the worse against a column, or else for the better; 0 without any."""
        before = self.answers[baseline]
        start = before.value(place) if before else None
        if start is None:
            return 0.0
        values = [answer.value(place) for answer in self.answers if answer]
        sign = SIGNS[metric.better]
        gains = [(value - start) * sign for value in values if value is not None]
        return min(gains) if min(gains) < 0 else max(gains)


class SuiteRows(Struct, kw_only=True):
    """One suite in all columns."""

    name: str
    """Suite name."""
    metrics: list[Metric]
    """Its metrics, the first one first in everything."""
    rows: dict[Key, Row]
    """Its cases."""
    scores: list[VariantScores | None]
    """What the statistics read, by column."""


class Reader:
    """Reads the runs once for values, and again for the texts that are shown."""

    def __init__(self, columns: Sequence[Column]) -> None:
        self.columns = columns
        self._sources: dict[Path, OnDisk] = {column.run.path: OnDisk(column.run.path) for column in columns}

    def record(self, column: int, answer: Answer) -> Record:
        """Read one answer whole."""
        return self._sources[self.columns[column].run.path].read(answer.number)

    def read(self, suites: dict[str, SuiteRows]) -> None:
        """Fill the suites with the rows and scores of all columns."""
        for place, column in enumerate(self.columns):
            found = readings(self._collected(place, column, suites))
            for name, suite in suites.items():
                suite.scores.append(found.get(name, {}).get(column.variant))

    def _collected(self, place: int, column: Column, suites: dict[str, SuiteRows]) -> Iterator[tuple[str, Record]]:
        """Put each answer of a column into its row and pass it on; its content hashes become one, for the join."""
        infos = {info.name: info for info in column.run.manifest.suites}
        for number, name, record in self._sources[column.run.path]:
            if record.variant == column.variant:
                self._put(suites[name], place, number, record, infos[name])
                yield name, structs.replace(record, input_hash=f"{record.input_hash} {record.expected_hash}")

    def _put(self, suite: SuiteRows, place: int, number: int, record: Record, info: SuiteInfo) -> None:
        key = (record.case.id, record.input_hash, record.expected_hash)
        row = suite.rows.get(key)
        if row is None:
            case = record.case
            slices = [f"{tag}: {case.tags[tag]}" for tag in info.slices if tag in case.tags]
            answers: list[Answer | None] = [None] * len(self.columns)
            row = suite.rows[key] = Row(id=case.id, cluster=case.cluster, slices=slices, answers=answers)
        answer = row.answers[place]
        if answer is None:
            values: list[list[float]] = [[] for _ in suite.metrics]
            answer = row.answers[place] = Answer(number=number, prompt=record.prompt_hash, values=values)
        own = {metric.name for metric in info.metrics}
        for metric, values_of in zip(suite.metrics, answer.values, strict=True):
            value = case_value(record, metric) if metric.name in own and not has_failed(record, metric) else None
            if value is not None:
                values_of.append(value)


def in_order(suite: SuiteRows, baseline: int) -> list[Row]:
    """Sort the rows of a suite: worst change of its first metric first, then gains, then answers that fall short."""
    metric = suite.metrics[0]

    def rank(row: Row) -> tuple[int, float, str]:
        change = row.change(metric, 0, baseline)
        if change:
            return (0 if change < 0 else 1), -abs(change), row.id
        is_short = any(falls_short(answer.value(0), metric) for answer in row.answers if answer)
        return (2 if is_short else 3), 0.0, row.id

    return sorted(suite.rows.values(), key=rank)
