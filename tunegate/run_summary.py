"""The terminal's summary of a run: estimates, verdicts and the run folder; or one case in full."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from pathlib import Path

import msgspec

from harness.errors import UserError
from harness.runs import redaction
from harness.runs.folder import RunData, load_run
from harness.sanitize import shown
from harness.schema import Record, Score
from harness.suites.prompts import messages
from harness.suites.suite import Suite

CUT = 3000
"""Characters of a text of a case that are shown without `-v`."""

Gates = Collection[tuple[str, str]]
"""Gates as (suite, id)."""


def lines(run_path: str | Path, width: int = 100, gates: Gates | None = None) -> list[str]:
    """Return plain lines for a terminal of `width` columns, or the reason where the run cannot be read.

    With `gates`, only these and the estimates of their suites are shown; an empty collection shows estimates only.
    """
    try:
        run = load_run(Path(run_path), even_large=False)
    except UserError as error:
        return [str(error)]
    return [*lines_of(run, width, gates), f"run folder: {run.path}"]


def lines_of(run: RunData, width: int = 100, gates: Gates | None = None) -> list[str]:
    """Return plain lines on a loaded run."""
    from reports.render import terminal

    return terminal.summary_lines(run, width, gates)


def case_text(suite: Suite, records: Sequence[Record], whole: bool) -> str:
    """Return prompt, expected answer, answers and scores of one case, from the records of its variants.

    Long texts lose their middle unless `whole`. Secrets are masked and hidden characters are shown by name.
    """
    case = records[0].case
    chat = messages(suite.template, case)
    prompt = _masked("\n\n".join(m["content"] if len(chat) == 1 else f"{m['role']}: {m['content']}" for m in chat))
    parts = [("prompt", prompt), ("expected", "; ".join(case.expected) or "(nothing)")]
    for record in records:
        parts.append((f"{record.variant} answers", _answer(record)))
        parts += [(f"{record.variant} scores", "; ".join(map(_score, record.scores.values())))] if record.scores else []
    return "\n".join(line for label, text in parts for line in _labelled(label, text if whole else _cut(text)))


def _masked(text: str) -> str:
    return msgspec.json.decode(redaction.default_redactor().mask([msgspec.json.encode(text)])[0], type=str)


def _answer(record: Record) -> str:
    if record.error:
        return f"(engine error: {record.error})"
    if not record.text_kept:
        return "(not stored: an accepted baseline keeps scores only)"
    cut = " (truncated at max_tokens)" if record.completion.finish_reason == "length" else ""
    return (record.completion.text or "(empty)") + cut


def _score(score: Score) -> str:
    value = f"{score.value:.3g}" if score.value is not None else f"none, {score.reason}"
    findings = (f"{name}: {', '.join(texts)}" for name, texts in score.extracted.items() if texts)
    return ", ".join([f"{score.name} {value}", *findings])


def _cut(text: str) -> str:
    half = CUT // 2
    if len(text) <= CUT:
        return text
    return f"{text[:half]}\n[{len(text) - 2 * half:,} characters left out; -v shows them]\n{text[-half:]}"


def _labelled(label: str, text: str) -> list[str]:
    """Format `label: text`, or an indented block below the label where the text has several lines."""
    split = shown(text).strip("\n").split("\n")
    return (
        [f"  {label}:", *(f"    {line}".rstrip() for line in split)] if len(split) > 1 else [f"  {label}: {split[0]}"]
    )
