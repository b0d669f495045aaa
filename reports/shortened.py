"""A report cut to what paper can hold: few cases, no endless text, each cut said openly. Knows no file format."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import groupby
from typing import Any

import msgspec

from reports import case_words, words
from reports.model import Answer, Block, Cell, Exchange, Facts, Kind, Piece, ReportModel, Table, Text

MOST_CASES: dict[Kind, int] = {"regression": 5, "gain": 3, "fabrication": 3, "error": 3, "wrong": 3, "unchanged": 1}
"""Most cases of a kind that follow each other."""
MOST_CHARACTERS = 3000
"""Longest text in code points; the pieces of an answer count together."""
MOST_FINDINGS = 12
"""Most findings that one answer names."""


def shortened(model: ReportModel) -> ReportModel:
    """The same sections, tables and numbers; cases, findings and text beyond the limits are left to report.html."""
    sections = [msgspec.structs.replace(s, blocks=list(_blocks(s.blocks))) for s in model.sections]
    made: ReportModel = _cut(msgspec.structs.replace(model, sections=sections))
    return made


def _blocks(blocks: Iterable[Block]) -> Iterator[Block]:
    """Blocks in order; of cases of one kind in a row the first few, then a sentence on the others."""
    for kind, group in groupby(blocks, key=lambda block: block.kind if isinstance(block, Exchange) else None):
        if kind is None:
            yield from map(_plain, group)
            continue
        cases = list(group)
        yield from cases[: MOST_CASES[kind]]
        if left := cases[MOST_CASES[kind] :]:
            yield Text(text=words.left_out(len(left), case_words.NOUNS[kind]), tone="muted")


def _plain(block: Block) -> Block:
    """Facts as a table of two columns: a list of terms has no place in the structure of a tagged PDF."""
    if not isinstance(block, Facts):
        return block
    rows = [[Cell(text=name), cell] for name, cell in block.pairs]
    return Table(caption=block.caption, columns=["What", "Value"], rows=rows)


def _cut(part: Any) -> Any:
    """Any part of a model with its long texts cut."""
    if isinstance(part, str):
        over = len(part) > MOST_CHARACTERS
        return part[:MOST_CHARACTERS] + words.cut(MOST_CHARACTERS, len(part)) if over else part
    if isinstance(part, (list, tuple)):
        return type(part)(map(_cut, part))
    if isinstance(part, Answer):
        part = msgspec.structs.replace(part, pieces=list(_pieces(part.pieces)), findings=_findings(part.findings))
    if isinstance(part, msgspec.Struct):
        return msgspec.structs.replace(part, **{name: _cut(getattr(part, name)) for name in part.__struct_fields__})
    return part


def _pieces(pieces: list[Piece]) -> Iterator[Piece]:
    """Pieces until their texts together reach the limit; the last one says how much is shown."""
    whole, room = sum(len(piece.text) for piece in pieces), MOST_CHARACTERS
    for piece in pieces:
        yield msgspec.structs.replace(piece, text=piece.text[:room])
        room -= len(piece.text)
        if room < 0:
            yield Piece(text=words.cut(MOST_CHARACTERS, whole))
            return


def _findings(findings: list[str]) -> list[str]:
    left = len(findings) - MOST_FINDINGS
    return findings if left <= 0 else [*findings[:MOST_FINDINGS], words.left_out(left, "finding")]
