"""A run's answers as CSV, a line an answer, with what each counts for each metric. Text in it can start no formula.

A spreadsheet takes a cell that starts with one of seven characters for a formula, or for the start of another cell.
Such a cell gets an apostrophe before it (OWASP, CSV injection), and so does one with blanks before such a character or
with a wide form of it. Hidden characters are written out. Numbers are numbers.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from harness.runs.folder import load_manifest, stream
from harness.sanitize import shown
from harness.schema import Manifest, Record, SuiteInfo
from harness.stats.estimates import case_value

STARTS = frozenset("=+-@\t\r\n＝＋－＠")
"""A spreadsheet may act on a cell that starts so."""
FIXED = (
    "suite",
    "case_id",
    "cluster",
    "variant",
    "repeat",
    "finish_reason",
    "error",
    "prompt_tokens",
    "output_tokens",
    "latency_ms",
    "expected",
    "answer",
)
"""Columns of every export; slices and metrics of the run's suites follow."""

Value = str | int | float | None


def write(run: Path, dataset: str = "") -> Iterator[str]:
    """The heading, then a line an answer in the order of the run; holds one answer at a time."""
    manifest = load_manifest(run)
    suites = {suite.name: suite for suite in manifest.suites}
    slices, metrics = columns(manifest)
    yield line([*FIXED, *(f"slice {tag}" for tag in slices), *metrics])
    for suite, record in stream(run):
        yield line(values(suites[suite], record, slices, metrics))


def columns(manifest: Manifest) -> tuple[list[str], list[str]]:
    """Slices and metrics of all suites, each once, in their order."""
    slices = dict.fromkeys(tag for suite in manifest.suites for tag in suite.slices)
    metrics = dict.fromkeys(metric.name for suite in manifest.suites for metric in suite.metrics)
    return list(slices), list(metrics)


def values(suite: SuiteInfo, record: Record, slices: Sequence[str], metrics: Sequence[str]) -> list[Value]:
    """One answer. A cell is empty where the suite lacks the slice or metric, or where nothing was scored."""
    case, completion = record.case, record.completion
    counted: Mapping[str, float | None] = {m.name: case_value(record, m) for m in suite.metrics}
    return [
        suite.name,
        case.id,
        case.cluster,
        record.variant,
        record.repeat,
        completion.finish_reason,
        completion.error,
        completion.prompt_tokens,
        completion.output_tokens,
        completion.latency_ms,
        "; ".join(case.expected),
        completion.text,
        *(case.tags.get(tag) if tag in suite.slices else None for tag in slices),
        *(counted.get(name) for name in metrics),
    ]


def line(cells: Sequence[Value]) -> str:
    """One record of CSV (RFC 4180): text in quotes, numbers without."""
    out = io.StringIO()
    csv.writer(out, quoting=csv.QUOTE_NONNUMERIC).writerow([cell(value) for value in cells])
    return out.getvalue()


def cell(value: Value) -> str | int | float:
    """A number as it is; text that no spreadsheet acts on, with its hidden characters written out."""
    if isinstance(value, (int, float)):
        return value
    text = shown(value or "")
    first = text.lstrip()[:1]
    return f"'{text}" if text[:1] in STARTS or first in STARTS else text
