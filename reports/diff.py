"""Word difference of two answers, laid over the scorers' findings. Knows no view and cuts nothing."""

from __future__ import annotations

import re
from difflib import SequenceMatcher
from itertools import pairwise
from typing import Literal

from harness.schema import Record, Span
from reports.model import Piece, Tone
from reports.pairs import ACCEPTED, UNDECIDED

Change = Literal["same", "removed", "added"]
Stretch = tuple[int, int, Change]


def words(text: str) -> list[str]:
    """Words, runs of white space and single punctuation marks; joined they give the text back."""
    return re.findall(r"\w+|\s+|[^\w\s]", text)


def compare(baseline: str, tuned: str) -> tuple[list[Stretch], list[Stretch]]:
    """Stretches of either text in code points: what only one of them says is removed or added."""
    left, right = words(baseline), words(tuned)
    before: list[Stretch] = []
    after: list[Stretch] = []
    at_left = at_right = 0
    for tag, i1, i2, j1, j2 in SequenceMatcher(None, left, right, autojunk=False).get_opcodes():
        end_left = at_left + sum(map(len, left[i1:i2]))
        end_right = at_right + sum(map(len, right[j1:j2]))
        if end_left > at_left:
            before.append((at_left, end_left, "same" if tag == "equal" else "removed"))
        if end_right > at_right:
            after.append((at_right, end_right, "same" if tag == "equal" else "added"))
        at_left, at_right = end_left, end_right
    return before, after


def pieces(record: Record, stretches: list[Stretch]) -> list[Piece]:
    """Cut an answer wherever a change or a finding starts or ends."""
    text = record.completion.text
    spans = [s for score in record.scores.values() for s in score.spans if _points_into(s, text)]
    edges = {0, len(text)} | {e for a, b, _ in stretches for e in (a, b)} | {e for s in spans for e in (s.start, s.end)}
    marks = sorted(edges)
    return [
        _piece(
            text[a:b],
            next((c for x, y, c in stretches if x <= a < y), "same"),
            [s for s in spans if s.start <= a < s.end],
        )
        for a, b in pairwise(marks)
    ]


def finding(span: Span) -> str:
    """A span's verdict in words: `citation invented`."""
    return f"{span.kind} {span.verdict}"


def tone(spans: list[Span]) -> Tone:
    """The gravest verdict's tone."""
    verdicts = {span.verdict for span in spans}
    if verdicts - ACCEPTED - UNDECIDED:
        return "bad"
    return "caution" if verdicts & UNDECIDED else "good" if verdicts else "plain"


def _piece(text: str, change: Change, spans: list[Span]) -> Piece:
    found = "; ".join(dict.fromkeys(finding(span) for span in spans))
    return Piece(text=text, change=change, finding=found, tone=tone(spans))


def _points_into(span: Span, text: str) -> bool:
    return 0 <= span.start < span.end <= len(text) and text[span.start : span.end] == span.quote
