"""Scores short answers against accepted ones, and whether an answer was given at all. Knows no source document."""

from __future__ import annotations

import re

from harness.schema import Case, Completion, Metric, Score, Span
from harness.scoring.base import scorer
from harness.scoring.text.normalize import normalise
from harness.scoring.text.refusals import refuses

TOKEN = re.compile(r"(?<![\w.])-?\d+(?:,\d{3})*(?:\.\d+)?|[^\W_]+(?:['’][^\W_]+)*")
ARTICLES = {"a", "an", "the"}
MATCHES = ("contains", "starts", "exact")


def _unknown_match(case: Case) -> list[str]:
    match = case.tags.get("match", MATCHES[0])
    return (
        [] if match in MATCHES else [f"case '{case.id}': tag match is {match!r}, expected one of {', '.join(MATCHES)}"]
    )


@scorer(
    metrics=[
        Metric(name="accuracy", scorer="answers", numerator="correct", says="Share of questions answered right."),
        Metric(
            name="complete_rate",
            scorer="answers",
            numerator="complete",
            says="Share of answers that are neither empty, failed nor cut at the token limit.",
        ),
    ],
    name="answers",
    check=_unknown_match,
)
def accepted(case: Case, completion: Completion) -> Score:
    """Right if the answer holds one of the case's expected answers as whole words.

    The tag `match` may ask for more: `exact` (it is one, leading articles aside) or `starts` (it opens with one). Case,
    punctuation and thousands separators do not matter. Where the case expects nothing, a refusal is right. An answer
    that is empty, failed or cut at the token limit is wrong.
    """
    complete = completion.finish_reason == "stop" and bool(completion.text.strip())
    hit = _hit(case, completion.text) if complete else None
    correct = hit is not None or (complete and not case.expected and refuses(completion.text))
    return Score(
        name="answers",
        value=float(correct),
        extracted={"accepted": [hit.quote] if hit else []},
        counts={"correct": int(correct), "complete": int(complete)},
        spans=[hit] if hit else [],
    )


@scorer(
    metrics=[
        Metric(name="answer_rate", scorer="given", numerator="answered", says="Share of questions not refused."),
        Metric(
            name="answer_words",
            scorer="given",
            numerator="words",
            unbounded=True,
            says="Words in an answer, on average.",
        ),
    ],
    name="given",
)
def given(case: Case, completion: Completion) -> Score:
    """Whether there is an answer that is no refusal, and its length in words. A failed completion gave none."""
    failed = completion.finish_reason == "error"
    answered = not failed and bool(completion.text.strip()) and not refuses(completion.text)
    words = 0 if failed else len(completion.text.split())
    return Score(name="given", value=float(answered), counts={"answered": int(answered), "words": words})


def _hit(case: Case, text: str) -> Span | None:
    """The first accepted answer that the text holds in the way the case asks for."""
    match = case.tags.get("match", MATCHES[0])
    normal = normalise(text)
    found = [(m.start(), m.end(), _form(m[0])) for m in TOKEN.finditer(normal.text)]
    lead = 0 if match == "contains" else next((i for i, f in enumerate(found) if f[2] not in ARTICLES), 0)
    for answer in case.expected:
        wanted = [_form(token) for token in TOKEN.findall(normalise(answer).text)]
        if match != "contains":
            wanted = wanted[1:] if wanted[1:] and wanted[0] in ARTICLES else wanted
        size = len(wanted)
        for at in range(lead, len(found) - size + 1 if match == "contains" else lead + 1):
            whole = match != "exact" or at + size == len(found)
            if size and whole and [form for _, _, form in found[at : at + size]] == wanted:
                start, end = normal.original(found[at][0], found[at + size - 1][1])
                return Span(start=start, end=end, quote=text[start:end], kind="answer", verdict="accepted")
    return None


def _form(token: str) -> str:
    return token.casefold().replace(",", "").replace("'", "").replace("’", "")
