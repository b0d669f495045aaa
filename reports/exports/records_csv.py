"""Export a run's answers as CSV, one row per answer, with its value for each metric; no text can start a formula.

Spreadsheets treat a cell that starts with one of seven characters as a formula, or as the start of another cell. Such a
cell is prefixed with an apostrophe (OWASP, CSV injection), and so is one with blanks before such a character or with a
full-width form of it. Hidden characters are written as names. Numbers stay numbers.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from harness.errors import UserError
from harness.runs.folder import load_manifest, stream
from harness.sanitize import shown
from harness.schema import Manifest, Record, SuiteInfo
from harness.stats.estimates import case_value

STARTS = frozenset("=+-@\t\r\n＝＋－＠")
"""First characters that a spreadsheet may interpret."""
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
    """Yield the heading, then one row per answer in the order of the run, with one answer in memory.

    Raises UserError for a run of another kind than an evaluation.
    """
    manifest = load_manifest(run)
    if manifest.kind != "eval":
        raise UserError(f"{run}: a {manifest.kind} run, which has no answers. Name an evaluation")
    suites = {suite.name: suite for suite in manifest.suites}
    slices, metrics = columns(manifest)
    yield first_line(heading(slices, metrics))
    for suite, record in stream(run):
        yield line(values(suites[suite], record, slices, metrics))


def columns(manifest: Manifest) -> tuple[list[str], list[str]]:
    """Return the slices and metrics of all suites, each once, in order."""
    slices = dict.fromkeys(tag for suite in manifest.suites for tag in suite.slices)
    metrics = dict.fromkeys(metric.name for suite in manifest.suites for metric in suite.metrics)
    return list(slices), list(metrics)


def heading(slices: Sequence[str], metrics: Sequence[str]) -> list[str]:
    """Return the names of all columns, each once: a metric called like one of FIXED says that it is a metric."""
    named = (f"metric {name}" if name in FIXED else name for name in metrics)
    return [*FIXED, *(f"slice {tag}" for tag in slices), *named]


def values(suite: SuiteInfo, record: Record, slices: Sequence[str], metrics: Sequence[str]) -> list[Value]:
    """Return the cells of one answer; empty where the suite lacks the slice or metric, or nothing was scored."""
    case, completion = record.case, record.completion
    counted: Mapping[str, float | None] = {m.name: case_value(record, m) for m in suite.metrics}
    return [
        suite.name,
        case.id,
        case.cluster,
        record.variant,
        record.repeat,
        completion.finish_reason,
        completion.error or next((score.reason for score in record.scores.values() if score.failed), None),
        completion.prompt_tokens,
        completion.output_tokens,
        completion.latency_ms,
        "; ".join(case.expected),
        completion.answer,
        *(case.tags.get(tag) if tag in suite.slices else None for tag in slices),
        *(counted.get(name) for name in metrics),
    ]


def first_line(names: Sequence[str]) -> str:
    """Format the heading, after the mark without which Excel reads UTF-8 as another encoding."""
    return f"\ufeff{line(names)}"


def line(cells: Sequence[Value]) -> str:
    """Format one record of CSV (RFC 4180): text in quotes, numbers without."""
    out = io.StringIO()
    csv.writer(out, quoting=csv.QUOTE_NONNUMERIC).writerow([cell(value) for value in cells])
    return out.getvalue()


def cell(value: Value) -> str | int | float:
    """Return a number unchanged; make text inert for spreadsheets and name its hidden characters."""
    if isinstance(value, (int, float)):
        return value
    text = shown(value or "")
    first = text.lstrip()[:1]
    return f"'{text}" if text[:1] in STARTS or first in STARTS else text
