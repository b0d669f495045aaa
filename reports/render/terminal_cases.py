"""Cases for a terminal: one in full, or those that a run got wrong."""

from __future__ import annotations

import re
import textwrap
from collections.abc import Iterator, Sequence
from itertools import islice

import msgspec

from harness.runs import redaction
from harness.runs.folder import RunData
from harness.sanitize import shown
from harness.schema import Record, Score, SuiteInfo
from harness.suites.prompts import recorded_messages
from reports import number_format, wording
from reports.assemble import gather
from reports.cases.read import shown_input

MISSES = 3
"""Misses that are shown without `-rm`."""
CUT = 3000
"""Characters of a text of a selected case that are shown without `-v`."""
MISS_CUT = 400
"""The same of a miss."""


def misses(run: RunData, shows_all: bool, is_verbose: bool, width: int) -> Iterator[str]:
    """Yield the cases that the tuned model got wrong by the primary metric, regressions first, each as one text.

    A large run yields none: its report has them.
    """
    if run.is_large:
        return
    evidence = gather(run)
    count = sum(evidence.joint(suite.name).wrong for suite in evidence.suites)
    wrong = (case for case in evidence.index.cases() if case.wrong)
    if count:
        yield heading(count, shows_all, "wrong answer")
    for case in wrong if shows_all else islice(wrong, MISSES):
        answers = [answer for answer in (case.baseline, case.tuned) if answer]
        records = [evidence.source.read(answer.number) for answer in answers]
        cut = None if is_verbose else MISS_CUT
        yield wrapped(f"{case.suite.name} {case.tuned.case.id}: wrong\n{case_text(case.suite, records, cut)}", width)


def heading(count: int, shows_all: bool, noun: str = "miss") -> str:
    """Say how many misses there are, and how to see all."""
    if shows_all or count <= MISSES:
        return f"{wording.plural(noun)}:"
    return f"first {MISSES} of {wording.count(count, noun)} (-rm shows all):"


def case_text(suite: SuiteInfo, records: Sequence[Record], cut: int | None) -> str:
    """Return prompt, expected answer, answers and scores of one case, from the records of its variants.

    Texts of more than `cut` characters lose their middle. Secrets are masked and hidden characters are shown by name.
    """
    case = records[0].case
    chat = recorded_messages(suite.prompt, case)
    asked = "\n\n".join(m["content"] if len(chat) == 1 else f"{m['role']}: {m['content']}" for m in chat)
    label = "prompt" if chat else "input (the prompt is not known)"
    parts = [
        (label, _masked(asked or shown_input(case.input))),
        ("expected", "; ".join(case.expected) or "(nothing)"),
    ]
    for record in records:
        whose = f"{record.variant} " if len(records) > 1 else ""
        parts.append((f"{whose}answer", _answer(record)))
        parts += [(f"{whose}scores", "; ".join(map(_score, record.scores.values())))] if record.scores else []
    return "\n".join(line for label, text in parts for line in _labelled(label, _cut(text, cut)))


def wrapped(text: str, width: int) -> str:
    """Wrap long lines between words, with the indentation of each line."""
    return "\n".join(part for line in text.split("\n") for part in _wrapped_line(line, width))


def _wrapped_line(line: str, width: int) -> list[str]:
    indent = line[: len(line) - len(line.lstrip())]
    is_short = len(line) <= width
    return [line] if is_short else textwrap.wrap(line, width, subsequent_indent=indent, break_on_hyphens=False)


def _masked(text: str) -> str:
    return msgspec.json.decode(redaction.default_redactor().mask([msgspec.json.encode(text)])[0], type=str)


def _answer(record: Record) -> str:
    if record.error:
        return f"(engine error: {record.error})"
    if not record.text_kept:
        return "(not stored: an accepted baseline keeps scores only)"
    cut = " (truncated at max_tokens)" if record.completion.finish_reason == "length" else ""
    return (record.completion.answer or "(empty)") + cut


def _score(score: Score) -> str:
    value = number_format.number(score.value) if score.value is not None else f"none, {score.reason}"
    lists = ((wording.findings_of(key, score.extracted), texts) for key, texts in score.extracted.items())
    findings = (f"{name}: {', '.join(texts)}" for name, texts in lists if texts)
    return ", ".join([f"{wording.title(score.name)} {value}", *findings])


def _cut(text: str, most: int | None) -> str:
    if most is None or len(text) <= most:
        return text
    half = most // 2
    head, tail = re.sub(r"\s\S{0,40}\Z", "", text[: half + 1]), re.sub(r"\A\S{0,40}\s", "", text[-half - 1 :])
    left_out = number_format.number(len(text) - len(head) - len(tail))
    return f"{head}\n[{left_out} characters left out; -v shows them]\n{tail}"


def _labelled(label: str, text: str) -> list[str]:
    """Format `label: text`, or an indented block below the label where the text has several lines."""
    split = shown(text).strip("\n").split("\n")
    return (
        [f"  {label}:", *(f"    {line}".rstrip() for line in split)] if len(split) > 1 else [f"  {label}: {split[0]}"]
    )
