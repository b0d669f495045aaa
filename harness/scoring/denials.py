"""Tells a fact that an answer denies from one that it states. Knows no kind of fact.

A question may ask after a thing that is not there ("What does Guideline 9.9 say?"); the right answer repeats its name
to deny it ("There is no Guideline 9.9"). Such a fact is no claim: the question holds it, and the sentence says that it
is not there. Everything else that an answer writes is a claim, a question's own words included.
"""

import re

from harness.schema import Case, Span
from harness.scoring.normal import plain

DENIES = re.compile(
    r"\bno\s+(?:such|mention|reference|record|section|guideline|policy|department|provision|statement|information)\b"
    r"|\bthere\s+(?:is|are|was|were)\s+no\b|\bthere\s+(?:is|are)n[o']t\b"
    r"|\b(?:not|never|n[o']t)\s+(?:\w+\s+){0,2}?"
    r"(?:mention(?:ed|s)?|exist(?:s|ing)?|stated?|listed|included?|contain(?:ed|s)?|found|named?|in\s+the|cited?|cover(?:ed)?"
    r"|appear|address(?:ed)?|refer(?:red|s)?|have|specif(?:y|ied)|provided?|part\s+of|describe[ds]?|defined?)\b"
    r"|\b(?:lacks|without)\b",
    re.I,
)
SENTENCE = re.compile(r"[.!?](?:\s|$)|\n")
SPACE = re.compile(r"\s+")


def without_denied(case: Case, text: str, spans: list[Span], grounded: tuple[str, ...]) -> list[Span]:
    """The spans less those without ground that the question holds and the answer denies."""
    if all(span.verdict in grounded for span in spans):
        return spans
    asked = _folded(" ".join(value for name, value in case.input.items() if name != "document"))
    if not asked.strip():
        return spans
    return [
        span
        for span in spans
        if span.verdict in grounded or _folded(span.quote) not in asked or not denies(text, span.start, span.end)
    ]


def denies(text: str, start: int, end: int) -> bool:
    """Whether the sentence around a range says that something is not there."""
    first = 0
    for stop in SENTENCE.finditer(text, max(0, start - 400), start):
        first = stop.end()
    stop_after = SENTENCE.search(text, end)
    sentence = text[max(first, start - 400) : min(stop_after.end() if stop_after else len(text), end + 400)]
    return bool(DENIES.search(plain(sentence).replace("’", "'")))


def _folded(text: str) -> str:
    return SPACE.sub(" ", plain(text)).casefold()
