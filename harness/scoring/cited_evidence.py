"""Scores the sentences cited as evidence, as ContractNLI does. Knows no label of an answer.

A prompt numbers the sentences of the document, `[1] ... [2] ...`, and an answer cites them by number. The case's tag
`evidence` holds the right numbers, such as `2 3`. Where it is missing or empty nothing is asked (ContractNLI: the gold
label is NotMentioned), and the case counts towards no metric: an answer that cites something there costs nothing, which
the source (`stanfordnlp/contract-nli-bert`, contract_nli/evaluation.py) calls optimistic.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from harness.schema import Case, Completion, Metric, Score, SourceSpan, Span
from harness.scoring.base import DocumentCache, scorer

CITED = re.compile(r"\[\s*(\d{1,3}(?:\s*,\s*\d{1,3})*)\s*\]")
NUMBER = re.compile(r"\d{1,3}")
SENTENCE = re.compile(r"\[(\d{1,3})\]\s*(.*?)\s*(?=\[\d{1,3}\]|\Z)", re.S)

METRICS = [
    Metric(
        name="evidence_recall",
        scorer="evidence",
        numerator="hits",
        denominator="gold",
        says="Share of the deciding sentences that the answer cites, where there is one.",
    ),
    Metric(
        name="evidence_precision",
        scorer="evidence",
        numerator="hits",
        denominator="cited",
        says="Share of the sentences cited which decide, where there is one that does.",
    ),
]


def _not_numbers(case: Case) -> list[str]:
    tag = case.tags.get("evidence", "")
    known = _sentences(case.document)
    strange = [n for n in tag.replace(",", " ").split() if not n.isdecimal() or int(n) not in known]
    return [f"case '{case.id}': tag evidence is {tag!r}; {n} is no numbered sentence of its document" for n in strange]


@scorer(metrics=METRICS, name="evidence", check=_not_numbers)
def cited(case: Case, completion: Completion) -> Score:
    """Sentences cited, against those that decide; cited in an answer that failed or was cut at the limit is none."""
    gold = _gold(case)
    known = _sentences(case.document)
    whole = completion.finish_reason == "stop"
    found = list(_cited(completion.text)) if whole else []
    numbers = dict.fromkeys(number for number, _, _ in found)
    hits = [number for number in numbers if number in gold]
    asked = int(bool(gold))
    return Score(
        name="evidence",
        value=float(list(numbers) == [] if not gold else set(numbers) == gold),
        extracted={
            "missed": [str(number) for number in sorted(gold - set(numbers))],
            "extra": [str(number) for number in numbers if number not in gold],
        },
        counts={"hits": len(hits), "gold": len(gold), "cited": asked * len(numbers)},
        spans=[
            _span(case, completion.text, start, end, known.get(number))
            for number, start, end in found
            if number in gold or number not in known
        ],
    )


def _gold(case: Case) -> set[int]:
    return {int(number) for number in case.tags.get("evidence", "").replace(",", " ").split()}


def _cited(text: str) -> Iterator[tuple[int, int, int]]:
    """Numbers in square brackets, and where each stands."""
    for group in CITED.finditer(text):
        for number in NUMBER.finditer(text, *group.span(1)):
            yield int(number[0]), number.start(), number.end()


@DocumentCache
def _sentences(document: str) -> dict[int, tuple[int, int]]:
    """Range of each numbered sentence of the document, without its number."""
    return {int(found[1]): found.span(2) for found in SENTENCE.finditer(document)}


def _span(case: Case, text: str, start: int, end: int, place: tuple[int, int] | None) -> Span:
    source = SourceSpan(doc_id=case.cluster, start=place[0], end=place[1]) if place else None
    return Span(
        start=start,
        end=end,
        quote=text[start:end],
        kind="evidence",
        verdict="found" if place else "invented",
        reason="" if place else "there is no sentence of that number",
        source=source,
    )
