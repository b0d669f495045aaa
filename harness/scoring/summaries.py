"""Measures a summary in plain words: what it covers, how much it copies, how long and how hard it reads.

Knows no meaning. Coverage is ROUGE-1 recall (Lin 2004) on content words with light stemming, against one person's
summary, of which another good one shares a part only: compare it between models on the same cases, and read no level as
a share of "right". Copying and length stand beside it because copying the source covers it well. Words a sentence and
the share of words with more than six letters are the two parts of LIX (Björnsson 1968), which needs no syllables.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from functools import lru_cache

from harness.schema import Case, Completion, Metric, Score, SourceSpan, Span
from harness.scoring.base import DocumentCache, scorer
from harness.scoring.text.refusals import refuses

RUN = 6
"""Words in a row, found in the source, from which they count as copied."""
LONG = 6
"""Letters of the longest word that is not long."""
SHORTEST_STEM = 3
WORD = re.compile(r"[^\W_]+(?:['’][^\W_]+)*")
SENTENCE = re.compile(r"[^.!?\n]*[^\W_][^.!?\n]*")
ENDINGS = ("ies", "ied", "ing", "ed", "es", "ly", "s", "e", "y")
FUNCTION = frozenset(
    re.findall(
        r"\w+",
        """a about above after all also an and any are as at be because been before being both but by can
        could did do does each either else for from had has have he her here him his how i if in into is it
        its may me might more most must my no nor not of off on once only or other our out over own shall
        she should so some such than that the their them then there these they this those through to too
        under until up upon us was we were what when where which while who whom why will with within without
        would you your yours""",
    )
)
"""Words that carry no content of their own."""

METRICS = [
    Metric(
        name="reference_coverage",
        scorer="plain",
        numerator="covered",
        denominator="reference",
        says="Share of the content words of a person's summary that the answer also uses.",
    ),
    Metric(
        name="copied_share",
        scorer="plain",
        numerator="copied",
        denominator="words",
        higher_is_better=False,
        says=f"Share of the answer's words that stand in the source in the same run of {RUN} words or more.",
    ),
    Metric(
        name="length_share",
        scorer="plain",
        numerator="words",
        denominator="source_words",
        higher_is_better=False,
        unbounded=True,
        says="Words of the answers over words of the texts they summarise.",
    ),
    Metric(
        name="words_per_sentence",
        scorer="plain",
        numerator="words",
        denominator="sentences",
        higher_is_better=False,
        unbounded=True,
        says="Words in a sentence, on average: one half of how hard an answer is to read.",
    ),
    Metric(
        name="long_word_share",
        scorer="plain",
        numerator="long",
        denominator="words",
        higher_is_better=False,
        says=f"Share of words with more than {LONG} letters: the other half of how hard an answer is to read.",
    ),
]


def _no_reference(case: Case) -> list[str]:
    if case.expected and _reference(case.expected[0]):
        return []
    return [f"case '{case.id}' expects no summary with a content word; its first expected answer is the reference"]


@scorer(metrics=METRICS, name="plain", check=_no_reference)
def summary(case: Case, completion: Completion) -> Score:
    """Coverage of the first expected answer, copying and ease. A cut, failed or refusing answer covers nothing."""
    text = completion.text if completion.finish_reason != "error" else ""
    said = words_of(text)
    wanted = _reference(case.expected[0])
    whole = completion.finish_reason == "stop" and not refuses(text)
    uncovered = wanted - content(said) if whole else wanted
    of = sum(wanted.values())
    covered = of - sum(uncovered.values())
    runs = list(copied_runs(case.document, said))
    return Score(
        name="plain",
        value=covered / of,
        extracted={"uncovered": sorted(uncovered.elements())},
        counts={
            "covered": covered,
            "reference": of,
            "words": len(said),
            "copied": sum(last - first for first, last, _ in runs),
            "long": sum(len(word) > LONG for word in said),
            "sentences": len(SENTENCE.findall(text)),
            "source_words": len(_source(case.document)[0]),
        },
        spans=_spans(case, text, runs) if runs else [],
    )


def words_of(text: str) -> list[str]:
    """Words in lower case."""
    return [word.lower() for word in WORD.findall(text)]


def content(words: Sequence[str]) -> Counter[str]:
    """Stems of the content words, each as often as it occurs."""
    return Counter([stem(word) for word in words if word not in FUNCTION])


@lru_cache(maxsize=4096)
def _reference(summary: str) -> Counter[str]:
    return content(words_of(summary))


@lru_cache(maxsize=65536)
def stem(word: str) -> str:
    """A word without its first ending of ENDINGS that leaves three letters, so that `changes` and `changed` agree."""
    for ending in ENDINGS:
        if word.endswith(ending) and len(word) - len(ending) >= SHORTEST_STEM and not word.endswith("ss"):
            return word[: -len(ending)]
    return word


@DocumentCache
def _source(document: str) -> tuple[list[str], dict[tuple[str, ...], int]]:
    """Words of the source, and where each run of RUN words first stands."""
    words = words_of(document)
    places: dict[tuple[str, ...], int] = {}
    for at, run in enumerate(_runs(words)):
        places.setdefault(run, at)
    return words, places


def _runs(words: Sequence[str]) -> list[tuple[str, ...]]:
    return list(zip(*(words[at:] for at in range(RUN)), strict=False))


def copied_runs(document: str, said: Sequence[str]) -> Iterator[tuple[int, int, int]]:
    """First word, end and place in the source of each longest stretch that the source has in the same order."""
    source, places = _source(document)
    after = 0
    for at, run in enumerate(_runs(said)):
        place = places.get(run) if at >= after else None
        if place is not None:
            length = RUN
            while said[at + length : at + length + 1] == source[place + length : place + length + 1] != []:
                length += 1
            after = at + length
            yield at, after, place


def _spans(case: Case, text: str, runs: Sequence[tuple[int, int, int]]) -> list[Span]:
    places, sources = ([found.span() for found in WORD.finditer(whole)] for whole in (text, case.document))
    return [
        Span(
            start=places[first][0],
            end=places[last - 1][1],
            quote=text[places[first][0] : places[last - 1][1]],
            kind="copied",
            verdict="supported",
            reason="word for word from the source",
            source=SourceSpan(doc_id=case.cluster, start=sources[at][0], end=sources[at + last - first - 1][1]),
        )
        for first, last, at in runs
    ]
