"""Score quotations of an answer: is the text in quotation marks verbatim in the source?

Quotation marks are straight, curly, low or guillemets; a quotation has four words or more. White space, kinds of dash
and quotation marks are ignored, and so are the case of its first letter and a comma or full stop before the closing
mark. `...` splits it into pieces that must follow each other, `[x]` matches anything short. A nested quotation is part
of the outer one; a mark without its partner is ignored. An answer in JSON quotes nothing. Paraphrases and who is quoted
are not checked.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from harness.schema import Case, Completion, Score, Span
from harness.scoring import json_answer
from harness.scoring.base import make_span, ratios, scorer, whole_length
from harness.scoring.grounding.claims import score_answer
from harness.scoring.text.normalize import normalise

MIN_WORDS = 4
MAX_SKIPPED = 80
"""Characters of the source that a bracket may match."""
GROUNDED = ("supported",)
MARK = re.compile('["“”„‟«»]')
WORD = re.compile(r"[^\W_]+(?:['’-][^\W_]+)*")
OPENERS = {"“": "”", "„": "”“", "‟": "”", "«": "»"}
BREAK = re.compile(r"\n[ \t\r]*\n")
QUOTES = "\"“”„‟«»'‘’‚‛`´"
DASH = r"\-\u2010-\u2015\u2212"
PART = re.compile(rf"(?P<separator>[\s{QUOTES}{DASH}]+)|\w+|.")
DASHES = re.compile(f"[{DASH}]")
ELLIPSIS = re.compile(r"\s*\[?\s*(?:\.\s*\.\s*\.(?:\s*\.)?|…)\s*\]?\s*")
BRACKET = re.compile(r"\[[^\[\]]{0,80}\]")
EDGE = re.compile(rf"^[\s{QUOTES}{DASH},.;:!?]+|[\s{QUOTES}{DASH},.;:!?]+$")
METRICS = ratios(
    "quotes",
    {},
    {
        "quote_fabrication_rate = fabricated / quotes": "Share of the quotations of four words or more that are not "
        "verbatim in the source."
    },
)


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


def judge_all(case: Case, completion: Completion) -> list[Span]:
    """Judge each quotation of an answer, in order."""
    text, whole = completion.text, whole_length(completion)
    normal = normalise(text)
    is_json = isinstance(json_answer.parse(text)[0], dict | list)
    spans = []
    for start, end in [] if is_json else quotes_in(normal.text):
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
    source = normalise(document)
    pieces = [piece for piece in ELLIPSIS.split(quotation) if WORD.search(BRACKET.sub(" ", piece))]
    first, at = -1, 0
    for number, piece in enumerate(pieces):
        match = _pattern(piece, free_capital=number == 0).search(source.text, at)
        if match is None:
            return None
        first, at = match.start() if number == 0 else first, match.end()
    return source.original(first, at) if pieces else None


def _pattern(piece: str, free_capital: bool) -> re.Pattern[str]:
    """A pattern of a piece in whole words; `[x]` in it matches any few characters."""
    parts = [_flexible(part) for part in BRACKET.split(piece) if EDGE.sub("", part)]
    if BRACKET.search(piece):
        return re.compile(f"{parts[0]}{''.join(f'(?>.{{0,{MAX_SKIPPED}}}?{part})' for part in parts[1:])}", re.S)
    plain = EDGE.sub("", piece)
    first = f"[{plain[0]}{plain[0].swapcase()}]" if free_capital and plain[0].isalpha() else re.escape(plain[0])
    before = r"(?<![^\W_].)" if plain[0].isalnum() else ""
    after = r"(?![^\W_])" if plain[-1].isalnum() else ""
    return re.compile(f"{first}{before}{parts[0].removeprefix(re.escape(plain[0]))}{after}", re.S)


def _flexible(text: str) -> str:
    """A pattern of a text that ignores quotation marks, kinds of dash and amounts of white space."""
    pattern = ""
    for part in PART.finditer(EDGE.sub("", text)):
        if part["separator"] is None:
            pattern += f"{re.escape(part[0])}[{QUOTES}]*"
        elif DASHES.search(part[0]):
            pattern += rf"[\s{QUOTES}]*[{DASH}][\s{QUOTES}{DASH}]*"
        elif re.search(r"\s", part[0]):
            pattern += rf"[\s{QUOTES}]+"
    return pattern.removesuffix(f"[{QUOTES}]*")


@scorer(metrics=METRICS, name="quotes")
def fabricated(case: Case, completion: Completion) -> Score:
    """Quotations that are not verbatim in the source. A failed completion counts as one."""
    return score_answer("quotes", case, completion, judge_all(case, completion), GROUNDED, GROUNDED)
