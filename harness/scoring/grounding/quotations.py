"""Score quotations of an answer: is the text in quotation marks verbatim in the source?

Quotation marks are straight, curly, low or guillemets; a quotation has four words or more. White space, kinds of dash
and quotation marks are ignored, and so are the case of its first letter and a comma or full stop before the closing
mark. `...` splits it into pieces that must follow each other, `[x]` matches anything short. A nested quotation is part
of the outer one; a mark without its partner is ignored. An answer in JSON quotes nothing. Paraphrases and who is quoted
are not checked.
"""

from __future__ import annotations

import json
import re
from bisect import bisect_right
from collections.abc import Iterator
from typing import NamedTuple

from harness.schema import Case, Completion, Metric, Score, Span
from harness.scoring.base import DocumentCache, make_span, scorer, whole_length
from harness.scoring.grounding.claims import failed_score, score_claims
from harness.scoring.text.normalize import normalise
from harness.scoring.text.phrases import whole_words
from harness.scoring.text.refusals import without_denied

MIN_WORDS = 4
MAX_SKIPPED = 80
"""Characters of the source that a bracket may match."""
MAX_PLACES = 200
"""Places of its first part at which a quotation with brackets is tried."""
GROUNDED = ("supported",)
MARK = re.compile('["“”„‟«»]')
WORD = re.compile(r"[^\W_]+(?:['’-][^\W_]+)*")
OPENERS = {"“": "”", "„": "”“", "‟": "”", "«": "»"}
BREAK = re.compile(r"\n[ \t\r]*\n")
QUOTES = "\"“”„‟«»'‘’‚‛`´"
DASH = r"\-\u2010-\u2015\u2212"
CHANGED = re.compile(
    rf"[{QUOTES}{DASH}\s](?:(?<=[{QUOTES}])[{QUOTES}]*|(?<=[{DASH}])[{DASH}]*\s*"
    rf"|(?<=\s)(?:\s*[{DASH}]+\s*|(?<=[^\S ])\s*|(?<= )\s+))"
)
"""Marks, dashes with the white space around them, and white space that is more than one blank."""
DASHES = re.compile(f"[{DASH}]")
ELLIPSIS = re.compile(r"\s*\[?\s*(?:\.\s*\.\s*\.(?:\s*\.)?|…)\s*\]?\s*")
BRACKET = re.compile(r"\[[^\[\]]{0,80}\]")
EDGE = " ,.;:!?"
FENCE = re.compile(r"^```\w*\n|\n?```$")
METRICS = [
    Metric(
        name="quote_fabrication_rate",
        scorer="quotes",
        numerator="fabricated",
        denominator="quotes",
        higher_is_better=False,
        says="Share of the quotations of four words or more that are not verbatim in the source.",
    ),
]


class Comparable(NamedTuple):
    """A text as quotations are compared, with the offsets where it differs from its normal form."""

    text: str
    starts: list[int]
    """Offsets in `text` after each change."""
    originals: list[int]
    """The same offsets in the normal form."""

    def origin(self, at: int) -> int:
        """Return the offset in the normal form for the offset `at` of the text."""
        change = bisect_right(self.starts, at) - 1
        return self.originals[change] + at - self.starts[change]


def _comparable(text: str) -> Comparable:
    pieces, starts, originals, at, size = [], [0], [0], 0, 0
    for match in CHANGED.finditer(text):
        written = match[0]
        instead = "-" if DASHES.search(written) else " " if written.isspace() or _separates(text, match) else ""
        if instead == written:
            continue
        pieces += [text[at : match.start()], instead]
        size += match.start() - at + len(instead)
        at = match.end()
        starts.append(size)
        originals.append(at)
    pieces.append(text[at:])
    return Comparable("".join(pieces), starts, originals)


def _separates(text: str, mark: re.Match[str]) -> bool:
    """Whether quotation marks, not an apostrophe, separate two characters that would otherwise join into a word."""
    before, after = text[mark.start() - 1 : mark.start()], text[mark.end() : mark.end() + 1]
    return before.isalnum() and after.isalnum() and bool(MARK.search(mark[0]))


@DocumentCache
def comparable(document: str) -> Comparable:
    """Make a source comparable, once."""
    return _comparable(normalise(document).text)


def quotes_in(text: str) -> Iterator[tuple[int, int]]:
    """Yield the ranges between outermost pairs of quotation marks in a normal form."""
    opened: list[tuple[str, int]] = []
    last = 0
    for mark in MARK.finditer(text):
        if opened and BREAK.search(text, last, mark.start()):
            opened = []
        last = mark.start()
        depths = range(len(opened) - 1, -1, -1)
        closes = next((d for d in depths if mark[0] in OPENERS.get(opened[d][0], opened[d][0])), None)
        if mark[0] == '"' and closes is not None and not _may_close(text, mark.start()):
            opened = [*opened[:closes], ('"', mark.end())]
        elif closes is not None:
            if closes == 0:
                yield opened[0][1], mark.start()
            opened = opened[:closes]
        elif mark[0] in OPENERS or (mark[0] == '"' and _may_open(text, mark.start())):
            opened.append((mark[0], mark.end()))


def _may_open(text: str, at: int) -> bool:
    before, after = text[at - 1 : at] if at else "", text[at + 1 : at + 2]
    return not (before.isalnum() or before in (".", ",")) and bool(after) and not after.isspace()


def _may_close(text: str, at: int) -> bool:
    return not text[at - 1 : at].isspace() or not text[at + 1 : at + 2].strip()


def judge(case: Case, completion: Completion) -> list[Span]:
    """Judge each quotation of an answer, without those that it denies; the spans exclude the marks."""
    return without_denied(case, completion.text, judge_all(case, completion), GROUNDED)


def is_json(text: str) -> bool:
    """Whether an answer is a JSON object or list, bare or in a code fence: its quotation marks quote nothing."""
    inner = FENCE.sub("", text.strip()).strip()
    if inner[:1] not in ("{", "["):
        return False
    try:
        json.loads(inner)
    except (ValueError, RecursionError):
        return False
    return True


def judge_all(case: Case, completion: Completion) -> list[Span]:
    """Judge each quotation of an answer, in order."""
    text, whole = completion.text, whole_length(completion)
    normal = normalise(text)
    spans = []
    for start, end in [] if is_json(text) else quotes_in(normal.text):
        inside = normal.text[start:end]
        if len(WORD.findall(BRACKET.sub(" ", inside))) < MIN_WORDS:
            continue
        first, last = normal.original(start, end)
        if last > whole:
            continue
        place = find(inside, case.document)
        verdict = "supported" if place else "ungrounded"
        reason = "verbatim in the source" if place else "not verbatim in the source"
        spans.append(make_span(text, first, last, "quote", verdict, reason, place, case.cluster))
    return spans


def find(quotation: str, document: str) -> tuple[int, int] | None:
    """Return the range of the source that a quotation repeats, from its first piece to its last, or None."""
    source = comparable(document)
    pieces = [piece.strip(EDGE) for piece in ELLIPSIS.split(quotation)]
    pieces = [piece for piece in (_comparable(piece).text.strip(EDGE) for piece in pieces) if WORD.search(piece)]
    at, first, last = 0, -1, -1
    for number, piece in enumerate(pieces):
        place = _place(source.text, piece, at, free_capital=number == 0)
        if place is None:
            return None
        first, at = (place[0] if first < 0 else first), place[1]
        last = at
    if last <= first:
        return None
    normal = normalise(document)
    return normal.original(source.origin(first), source.origin(last - 1) + 1)


def _place(source: str, piece: str, at: int, free_capital: bool) -> tuple[int, int] | None:
    """The first place of a piece; `[x]` in it matches any few characters."""
    if not BRACKET.search(piece):
        for form in (piece, piece[0].swapcase() + piece[1:]) if free_capital else (piece,):
            start = next(whole_words(source, form, at), None)
            if start is not None:
                return start, start + len(form)
        return None
    return _parted([part for part in BRACKET.split(piece) if part.strip()], source, at)


def _parted(parts: list[str], source: str, at: int) -> tuple[int, int] | None:
    """The first place where the parts follow each other with a few characters of any kind between them."""
    for _ in range(MAX_PLACES):
        first = source.find(parts[0], at) if parts else -1
        if first < 0:
            return None
        ends = {first + len(parts[0])}
        for part in parts[1:]:
            reach = len(part) + MAX_SKIPPED
            ends = {
                start + len(part)
                for end in ends
                for start in range(end, end + MAX_SKIPPED + 1)
                if source.startswith(part, start, end + reach)
            }
        if ends:
            return first, min(ends)
        at = first + 1
    return None


@scorer(metrics=METRICS, name="quotes")
def fabricated(case: Case, completion: Completion) -> Score:
    """Quotations that are not verbatim in the source. A failed completion counts as one."""
    if completion.finish_reason == "error":
        return failed_score("quotes", "quotes")
    return score_claims("quotes", "quotes", judge(case, completion), GROUNDED, GROUNDED)
