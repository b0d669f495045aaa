"""Score the sentences cited as evidence, as ContractNLI does.

A prompt numbers the sentences of the document, `[1] ... [2] ...`, and an answer cites them by number. The case's tag
`evidence` has the right numbers, such as `2 3`. If it is missing or empty, no evidence is expected (ContractNLI: the
gold label is NotMentioned), and the case counts towards no metric: citing something there costs nothing, which the
source (`stanfordnlp/contract-nli-bert`, contract_nli/evaluation.py) calls optimistic.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from harness.schema import Case, Completion, Score
from harness.scoring.base import DocumentCache, make_span, ratios, scorer

CITED = re.compile(r"\[\s*(\d{1,3}(?:\s*,\s*\d{1,3})*)\s*\]")
NUMBER = re.compile(r"\d{1,3}")
SENTENCE = re.compile(r"\[(\d{1,3})\]\s*(.*?)\s*(?=\[\d{1,3}\]|\Z)", re.S)

METRICS = ratios(
    "evidence",
    {
        "evidence_recall = hits / gold": "Share of the deciding sentences that the answer cites, if there is one.",
        "evidence_precision = hits / cited": "Share of the sentences cited that decide, if there is one that does.",
    },
)


def _not_numbers(case: Case) -> list[str]:
    tag = case.tags.get("evidence", "")
    known = _sentences(case.document)
    unknown = [n for n in tag.replace(",", " ").split() if not n.isdecimal() or int(n) not in known]
    return [f"case '{case.id}': tag evidence is {tag!r}; its document has no sentence [{n}]" for n in unknown]


@scorer(metrics=METRICS, name="evidence", check=_not_numbers)
def cited(case: Case, completion: Completion) -> Score:
    """Compare the sentences cited with those that decide. A failed answer, or one cut at the limit, cites none."""
    gold = {int(number) for number in case.tags.get("evidence", "").replace(",", " ").split()}
    known = _sentences(case.document)
    whole = completion.finish_reason == "stop"
    citations = list(_cited(completion.text)) if whole else []
    numbers = dict.fromkeys(number for number, _, _ in citations)
    hits = [number for number in numbers if number in gold]
    return Score(
        name="evidence",
        value=float(list(numbers) == [] if not gold else set(numbers) == gold),
        extracted={
            "missed": [str(number) for number in sorted(gold - set(numbers))],
            "extra": [str(number) for number in numbers if number not in gold],
        },
        counts={"hits": len(hits), "gold": len(gold), "cited": len(numbers) if gold else 0},
        spans=[
            make_span(completion.text, start, end, "evidence", "found", "", known[number], case.cluster)
            if number in known
            else make_span(completion.text, start, end, "evidence", "invented", "there is no sentence of that number")
            for number, start, end in citations
            if number in gold or number not in known
        ],
    )


def _cited(text: str) -> Iterator[tuple[int, int, int]]:
    """Numbers in square brackets, each with its range."""
    for group in CITED.finditer(text):
        for number in NUMBER.finditer(text, *group.span(1)):
            yield int(number[0]), number.start(), number.end()


@DocumentCache
def _sentences(document: str) -> dict[int, tuple[int, int]]:
    """Range of each numbered sentence of the document, without its number."""
    return {int(match[1]): match.span(2) for match in SENTENCE.finditer(document)}
