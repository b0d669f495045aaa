"""The data of a side-by-side page: every value by its formatted text, every source and answer once, in bounded size.

It is plain JSON. Compressed it would hold twice as much, but a search for secrets could not read it.
"""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from typing import Any

from harness import sanitize
from harness.schema import Metric
from harness.stats.estimates import falls_short
from reports import number_format, wording
from reports.cases.exchange import status
from reports.cases.read import shown_input
from reports.number_format import Unit
from reports.side_by_side.columns import Column
from reports.side_by_side.differences import unit
from reports.side_by_side.rows import SIGNS, Answer, Reader, Row, SuiteRows, in_order

MOST_ROWS = 5_000
"""Most cases of a page, the most changed ones; suites share them by their size, as they share the room for texts."""
SOURCE = 2_000
"""Code points of a source that are shown."""
MOST_BYTES = 8_000_000
"""Size of a page: texts take what the rest of it leaves."""
SOURCES_SHARE = 0.65
"""Most of the room that sources take before answers."""
LEFT_OUT = "The page has no room for this text; the report of the run shows it."
UNESCAPED = str.maketrans({"<": "\\u003c", ">": "\\u003e", "&": "\\u0026"})


class Texts:
    """Texts by number, each once, as long as there is room for them."""

    def __init__(self) -> None:
        self.room = 0
        """Bytes that the next texts may take."""
        self.listed: list[str] = [LEFT_OUT, ""]
        self.left_out = 0
        self._numbers: dict[str, int] = {text: number for number, text in enumerate(self.listed)}

    def add(self, text: str) -> int:
        """Return the number of a text; 0 where it does not fit."""
        shown = sanitize.shown(text)
        if shown not in self._numbers:
            size = len(encoded(shown).encode()) + 2
            if size > self.room:
                self.left_out += 1
                return 0
            self.room -= size
            self._numbers[shown] = len(self.listed)
            self.listed.append(shown)
        return self._numbers[shown]


class Values:
    """The distinct values of one metric."""

    def __init__(self, metric: Metric, unit: Unit, versions: Sequence[str | None]) -> None:
        """`versions` are those of the metric's scorer by column."""
        self.listed: list[tuple[float, str, int, int]] = []
        """Number, text, whether it is the best one (1), falls short (0), or neither is known (-1), and a number that
        only values of one version of the scorer share."""
        self._metric, self._unit, self._versions = metric, unit, versions
        self._numbers: dict[tuple[float, int], int] = {}

    def add(self, value: float | None, column: int) -> int:
        """Return the number of a value; -1 for none."""
        if value is None:
            return -1
        key = value, self._versions.index(self._versions[column])
        if key not in self._numbers:
            self._numbers[key] = len(self.listed)
            is_best = (
                -1 if self._metric.unbounded or not self._metric.better else int(not falls_short(value, self._metric))
            )
            self.listed.append((value, number_format.quantity(value, self._unit), is_best, key[1]))
        return self._numbers[key]


def encoded(value: Any) -> str:
    """Encode as JSON that can stand in a script element: nothing in it is mark-up."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"), allow_nan=False).translate(UNESCAPED)


class PageData:
    """What the script of a page reads; the texts have room for what `rest` bytes of the page and the values leave."""

    def __init__(self, reader: Reader, suites: Sequence[SuiteRows], baseline: int, rest: int) -> None:
        self.reader, self.baseline = reader, baseline
        self.texts = Texts()
        total = sum(len(suite.rows) for suite in suites)
        shares = [len(suite.rows) / total for suite in suites]
        kept = [
            in_order(suite, baseline)[: math.ceil(MOST_ROWS * share)]
            for suite, share in zip(suites, shares, strict=True)
        ]
        shown = sum(map(len, kept))
        self.rows_left_out = total - shown
        most_texts = 2 + len(suites) * len(reader.columns) + shown * (2 + 2 * len(reader.columns))
        self._unset = 10 ** len(str(most_texts)) - 1
        self.suites = [self._suite(suite, rows) for suite, rows in zip(suites, kept, strict=True)]
        room = max(0, MOST_BYTES - rest - len(self.as_json().encode()))
        for place, (suite, rows, share) in enumerate(zip(suites, kept, shares, strict=True)):
            self._add_texts(self.suites[place], suite.name, rows, room * share)

    def as_json(self) -> str:
        """Encode it, one text per line."""
        columns = [_column(column) for column in self.reader.columns]
        parts = {"baseline": self.baseline, "columns": columns, "suites": self.suites}
        texts = ",\n".join(map(encoded, self.texts.listed))
        return f'{encoded(parts)[:-1]},\n"texts":[{texts}]}}'

    def _suite(self, suite: SuiteRows, rows: Sequence[Row]) -> dict[str, Any]:
        """Return a suite with its rows; every text has the longest number there can be, so that its room is known."""
        columns = self.reader.columns
        units = [unit(columns, suite, metric) for metric in suite.metrics]
        values = [
            Values(metric, of, [column.scorer_version(suite.name, metric) for column in columns])
            for metric, of in zip(suite.metrics, units, strict=True)
        ]
        slices = {text: number for number, text in enumerate(sorted({s for row in rows for s in row.slices}))}
        cases = [
            [
                sanitize.shown(row.id),
                sanitize.shown(row.cluster),
                [slices[text] for text in row.slices],
                self._unset,
                self._unset,
                [self._cell(answer, values, column) for column, answer in enumerate(row.answers)],
            ]
            for row in rows
        ]
        metrics = [
            {
                "title": wording.title(metric.name),
                "sign": SIGNS[metric.better],
                "share": of == "share",
                "values": known.listed,
            }
            for metric, of, known in zip(suite.metrics, units, values, strict=True)
        ]
        named = {"name": sanitize.shown(suite.name), "slices": [sanitize.shown(text) for text in slices]}
        return {**named, "metrics": metrics, "cases": cases, "prompts": [self._unset] * len(columns)}

    def _cell(self, answer: Answer | None, values: Sequence[Values], column: int) -> list[int] | int:
        """Return an answer with its values by their numbers; 0 for none."""
        if answer is None:
            return 0
        return [self._unset, self._unset, *(known.add(answer.value(at), column) for at, known in enumerate(values))]

    def _add_texts(self, into: dict[str, Any], suite: str, rows: Sequence[Row], room: float) -> None:
        """Number the texts of a suite: prompts and sources first, then answers, while there is room."""
        infos = [column.suite(suite) for column in self.reader.columns]
        self.texts.room += int(room * SOURCES_SHARE)
        into["prompts"] = [self.texts.add(info.prompt if info else "") for info in infos]
        for case, row in zip(into["cases"], rows, strict=True):
            case[3:5] = self._first(row)
        self.texts.room += int(room * (1 - SOURCES_SHARE))
        for case, row in zip(into["cases"], rows, strict=True):
            for place, answer in enumerate(row.answers):
                if answer is not None:
                    record = self.reader.record(place, answer)
                    case[5][place][:2] = self.texts.add(record.completion.answer), self.texts.add(status(record))

    def _first(self, row: Row) -> tuple[int, int]:
        """Return the numbers of a case's source and expected answer."""
        place, answer = next((place, answer) for place, answer in enumerate(row.answers) if answer)
        case = self.reader.record(place, answer).case
        given = shown_input(case.input)
        cut = f" […] ({wording.excerpt(SOURCE, len(given))})" if len(given) > SOURCE else ""
        return self.texts.add(given[:SOURCE] + cut), self.texts.add("\n".join(case.expected))


def _column(column: Column) -> dict[str, str]:
    started = number_format.moment(column.run.manifest.started)
    return {"letter": column.letter, "model": sanitize.shown(column.model), "started": started}
