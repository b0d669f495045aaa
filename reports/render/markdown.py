"""Render the report as Markdown. Untrusted text is either entity-escaped or in a fence longer than its own.

Emphasis, headings and links come only from this module: text of a model cannot become one.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from itertools import groupby, starmap
from typing import Any

from harness.formatting import markdown_table
from harness.sanitize import shown
from reports import number_format, sentences, wording
from reports.model import (
    Answer,
    Block,
    Cell,
    Curve,
    Exchange,
    Facts,
    Headline,
    Intervals,
    Passage,
    ReportModel,
    Section,
    Table,
    Text,
)

SPECIAL = re.compile(r"[&<>|`@*_\[\]!\\#~$]|:(?=//|[\w+-]+:)")
LEADING = re.compile(r"^(\s*\d{0,9})([-+=]+|[.)])(?=\s|$)")
ADDRESS = re.compile(r"\b(w)(ww\.)|\b(h)(ttps?:)|\b(f)(tp:)", re.IGNORECASE)


def render(model: ReportModel) -> str:
    """Render the whole report."""
    head = f"**{wording.outcome(model.outcome)}: {wording.decision(model)}**"
    lines = [f"# {escape(model.title)}", "", f"{head} · run {escape(model.run_id)}", ""]
    lines += [f"- {escape(name)}: {escape(text)}" for name, text in model.context]
    lines += [""] if model.context else []
    for section in model.sections:
        lines += _section(section)
    lines += ["---", "", f"Run {escape(model.run_id)}. Content: {escape(model.seal)}"]
    return "\n".join(lines) + "\n"


def escape(text: str) -> str:
    """Escape text to one plain line: hidden characters shown, markup characters as entities, line breaks as spaces."""
    line = " ".join(shown(text).split())
    safe = SPECIAL.sub(lambda m: _entity(m[0]), line)
    safe = LEADING.sub(lambda m: m[1] + "".join(map(_entity, m[2])), safe)
    return ADDRESS.sub(lambda m: "".join(_entity(p) if len(p) == 1 else p for p in m.groups(default="")), safe)


def fence(text: str) -> list[str]:
    """Put text in a fence longer than any run of backticks in it."""
    body = shown(text)
    longest = max((len(run) for run in re.findall(r"`+", body)), default=0)
    bar = "`" * max(3, longest + 1)
    return [f"{bar}text", *body.split("\n"), bar]


def _entity(character: str) -> str:
    return f"&#{ord(character)};"


def _section(section: Section) -> list[str]:
    lines = [f"## {escape(section.title)}", ""]
    if section.lead:
        lines += [escape(section.lead), ""]
    for block in section.blocks:
        lines += [*BLOCKS[type(block)](block), ""]
    return lines


def _text(block: Text) -> list[str]:
    return [f"> {escape(block.text)}"] if block.tone == "caution" else [escape(block.text)]


def _passage(block: Passage) -> list[str]:
    note = [escape(block.note), ""] if block.note and block.note not in block.text else []
    return [f"**{escape(block.caption)}**", "", *note, *fence(block.text)]


def _headline(block: Headline) -> list[str]:
    return [
        f"### {wording.outcome(block.outcome)}: {escape(block.suite)}",
        "",
        f"**{escape(block.sentence)}**",
        "",
        *([f"{escape(block.size)}.", ""] if block.size else []),
        escape(block.reason),
        "",
        *(f"- {escape(cell.text)}: {escape(cell.note)}" for cell in block.unmet),
        *([""] if block.unmet else []),
        f"Aim: {escape(block.objective)}",
    ]


def _facts(block: Facts) -> list[str]:
    rows = [[Cell(text=name), cell] for name, cell in block.pairs]
    return _rows(block.caption, ["", ""], rows, [])


def _table(block: Table) -> list[str]:
    lines = _rows(block.caption, block.columns, block.rows, block.numeric)
    return [*lines, "", escape(block.note)] if block.note else lines


def _rows(caption: str, columns: list[str], rows: list[list[Cell]], numeric: list[int]) -> list[str]:
    lines = [f"**{escape(caption)}**", ""]
    if not rows:
        return [*lines, "Nothing to show."]
    return lines + markdown_table(list(map(escape, columns)), (map(_cell, row) for row in rows), numeric)


def _cell(cell: Cell) -> str:
    text = escape(cell.text)
    note = escape("; ".join(cell.note.split("\n")))
    return f"{text} ({note})" if note and text else text or note


def _intervals(block: Intervals) -> list[str]:
    return [f"Plot: {escape(block.title)}. The numbers are in the table: {escape(block.twin)}."]


def _exchange(block: Exchange) -> list[str]:
    lines = [
        f"### {sentences.KINDS[block.kind].name}: {escape(block.case_id)}",
        "",
        f"{escape(block.source)}. {escape(block.why)}.",
        "",
        f"{escape(block.asked)} ({escape(block.excerpt_note)}), untrusted text:",
        "",
        *fence(block.excerpt),
        "",
        "Expected:",
        "",
        *fence(block.expected),
    ]
    for answer in block.answers:
        lines += ["", *_answer(answer)]
    return lines


def _answer(answer: Answer) -> list[str]:
    head = f"{escape(answer.variant)} answered"
    lines = [f"{head} ({escape(answer.status)}), untrusted text:" if answer.status else f"{head}, untrusted text:", ""]
    lines += fence("".join(piece.text for piece in answer.pieces))
    runs = ((change, "".join(p.text for p in pieces)) for change, pieces in groupby(answer.pieces, lambda p: p.change))
    changed = [(change, text.strip()) for change, text in runs if change != "same" and text.strip()]
    if changed:
        lines += ["", "Only in this answer:", "", *fence("\n".join(starmap(_change, changed)))]
    return [*lines, "", *(f"- {escape(finding)}" for finding in answer.findings)] if answer.findings else lines


def _change(change: str, text: str) -> str:
    return f"[{number_format.MINUS if change == 'removed' else '+'} {text} ]"


BLOCKS: dict[type[Block], Callable[[Any], list[str]]] = {
    Text: _text,
    Passage: _passage,
    Headline: _headline,
    Facts: _facts,
    Table: _table,
    Intervals: _intervals,
    Curve: lambda block: _table(block.twin),
    Exchange: _exchange,
}
