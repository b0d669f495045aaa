"""Score a summary by its words: what it covers, how much it copies, how long it is and how hard to read.

Coverage is ROUGE-1 recall (Lin 2004) on content words with light stemming, against one person's summary. Another good
summary shares only a part of its words: compare coverage between models on the same cases, and do not read it as a
share of "right". Copying and length are reported too, because a copy of the source has high coverage. Words per
sentence and the share of words with more than six letters are the two parts of LIX (Björnsson 1968), which needs no
syllables.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from functools import lru_cache

from harness.schema import Case, Completion, Score, Span
from harness.scoring.base import DocumentCache, make_span, ratios, scorer
from harness.scoring.text.phrases import word_list
from harness.scoring.text.refusals import refuses

RUN = 6
"""Fewest consecutive words of the source that count as copied."""
LONG = 6
"""A word with more letters is long."""
SHORTEST_STEM = 3
WORD = re.compile(r"[^\W_]+(?:['’][^\W_]+)*")
SENTENCE = re.compile(r"[^.!?\n]*[^\W_][^.!?\n]*")
ENDINGS = ("ies", "ied", "ing", "ed", "es", "ly", "s", "e", "y")
FUNCTION = word_list(
    """
    a about above after all also an and any are as at be because been before being both but by can could did do does
    each either else for from had has have he her here him his how i if in into is it its may me might more most must my
    no nor not of off on once only or other our out over own shall she should so some such than that the their them then
    there these they this those through to too under until up upon us was we were what when where which while who whom
    why will with within without would you your yours
    """
)
"""Words without content of their own."""

METRICS = ratios(
    "plain",
    {
        "reference_coverage = covered / reference": "Share of the content words of a person's summary that the answer "
        "also uses.",
    },
    fewer={
        "copied_share = copied / words": f"Share of the answer's words that are in the source in the same run of {RUN} "
        "words or more.",
        "length_share = words / source_words": "Words of the answers over words of the texts they summarise.",
        "words_per_sentence = words / sentences": "Words per sentence, on average: one half of how hard an answer is "
        "to read.",
        "long_word_share = long / words": f"Share of words with more than {LONG} letters: the other half of how hard "
        "an answer is to read.",
    },
    unbounded=["length_share", "words_per_sentence"],
)


def _no_reference(case: Case) -> list[str]:
    if case.expected and _reference(case.expected[0]):
        return []
    return [f"case '{case.id}' expects no summary with a content word; its first expected answer is the reference"]


@scorer(metrics=METRICS, name="plain", check=_no_reference)
def summary(case: Case, completion: Completion) -> Score:
    """Coverage of the first expected answer, copying and ease. A cut, failed or refusing answer covers nothing."""
    text = completion.text if completion.finish_reason != "error" else ""
    words = words_of(text)
    reference = _reference(case.expected[0])
    whole = completion.finish_reason == "stop" and not refuses(text)
    uncovered = reference - content(words) if whole else reference
    total = sum(reference.values())
    covered = total - sum(uncovered.values())
    runs = list(copied_runs(case.document, words))
    return Score(
        name="plain",
        value=covered / total,
        extracted={"uncovered": sorted(uncovered.elements())},
        counts={
            "covered": covered,
            "reference": total,
            "words": len(words),
            "copied": sum(last - first for first, last, _ in runs),
            "long": sum(len(word) > LONG for word in words),
            "sentences": len(SENTENCE.findall(text)),
            "source_words": len(_source(case.document)[0]),
        },
        spans=_spans(case, text, runs) if runs else [],
    )


def words_of(text: str) -> list[str]:
    """List the words of a text in lower case."""
    return [word.lower() for word in WORD.findall(text)]


def content(words: Sequence[str]) -> Counter[str]:
    """Count the stems of the content words."""
    return Counter([stem(word) for word in words if word not in FUNCTION])


@lru_cache(maxsize=4096)
def _reference(summary: str) -> Counter[str]:
    return content(words_of(summary))


@lru_cache(maxsize=65536)
def stem(word: str) -> str:
    """Remove the first of ENDINGS that leaves three letters or more, so that `changes` and `changed` are equal."""
    for ending in ENDINGS:
        if word.endswith(ending) and len(word) - len(ending) >= SHORTEST_STEM and not word.endswith("ss"):
            return word[: -len(ending)]
    return word


@DocumentCache
def _source(document: str) -> tuple[list[str], dict[tuple[str, ...], int]]:
    """Words of the source, and the first position of each run of RUN words."""
    words = words_of(document)
    places: dict[tuple[str, ...], int] = {}
    for at, run in enumerate(_runs(words)):
        places.setdefault(run, at)
    return words, places


def _runs(words: Sequence[str]) -> list[tuple[str, ...]]:
    return list(zip(*(words[at:] for at in range(RUN)), strict=False))


def copied_runs(document: str, words: Sequence[str]) -> Iterator[tuple[int, int, int]]:
    """Yield each longest run of words that the source has too: first word, end, and first word in the source."""
    source, places = _source(document)
    after = 0
    for at, run in enumerate(_runs(words)):
        place = places.get(run) if at >= after else None
        if place is not None:
            length = RUN
            while words[at + length : at + length + 1] == source[place + length : place + length + 1] != []:
                length += 1
            after = at + length
            yield at, after, place


def _spans(case: Case, text: str, runs: Sequence[tuple[int, int, int]]) -> list[Span]:
    places, sources = ([match.span() for match in WORD.finditer(whole)] for whole in (text, case.document))
    return [
        make_span(
            text,
            places[first][0],
            places[last - 1][1],
            "copied",
            "supported",
            "word for word from the source",
            (sources[at][0], sources[at + last - first - 1][1]),
            case.cluster,
        )
        for first, last, at in runs
    ]
