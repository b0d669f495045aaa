"""The fact scorer against completions with known truth, next to rules that a team could write in an hour.

An error counts as caught only where a finding overlaps it. A faithful completion is a false alarm when it holds any
finding. Balanced accuracy asks whether a completion is told from a faithful one: those with an absent value or a wrong
join are positive, those whose errors are of meaning alone are left out. Intervals resample documents.
"""

import re
from collections import Counter
from collections.abc import Callable, Sequence
from functools import cache
from typing import Any, NamedTuple

import known_truth as truth
import numpy as np
from known_truth import CLASSES, Known

from harness.schema import Case, Completion
from harness.scoring.grounding import facts

DRAWS, SEED = 2000, 1
SCORER = "fact scorer"
NUMBER = re.compile(r"\d+(?:[.,]\d+)*")
WORD = re.compile(r"[a-z0-9$%.,'-]*[a-z0-9%]")
NAME = re.compile(r"(?<![.!?:*#\-|\"] )(?<!^)(?<!\n)\b[A-Z][a-z]{2,}")
SIZES = (1, 2, 3)
Range = tuple[int, int]
Detector = Callable[[Known], list[Range]]
"""Finds ranges of a completion that it holds to be wrong."""


class Interval(NamedTuple):
    """A share with its interval; NaN where it is not defined."""

    value: float
    low: float
    high: float


class Result(NamedTuple):
    """What one detector did on a set of completions."""

    detector: str
    recall: dict[str, Interval]
    """By class of error, or by type."""
    alarms: Interval
    """Share of faithful completions with a finding."""
    density: Interval
    """Findings per 100 words of faithful completions."""
    precision: Interval
    """Share of findings that overlap an error."""
    accuracy: Interval
    """Balanced accuracy by completion."""

    def measures(self) -> dict[str, Interval]:
        """Return the measures that are shares, by name."""
        recall = {f"recall, {kind}": value for kind, value in self.recall.items()}
        return {"balanced accuracy": self.accuracy, **recall} | {
            "faithful with a finding": self.alarms,
            "precision of findings": self.precision,
        }


@cache
def _documents(domain: str) -> dict[str, str]:
    return truth.DOCUMENTS[domain]()


@cache
def _domains() -> dict[str, str]:
    """Domain by document."""
    return {name: domain for domain in truth.DOCUMENTS for name in _documents(domain)}


def domain_of(known: Known) -> str:
    """Return the domain of a completion's document."""
    return _domains()[known.document]


def source_of(known: Known) -> str:
    """Return the document that a completion is about."""
    return _documents(domain_of(known))[known.document]


def load(part: str) -> list[Known]:
    """Return the completions of every domain of one part."""
    return [known for domain in sorted(truth.DOCUMENTS) for known in truth.load(domain, part)]


def fact_scorer(known: Known) -> list[Range]:
    """Find what the fabrication scorer calls fabricated."""
    inputs = {"document": source_of(known), "question": known.question}
    case = Case(id=known.id, input=inputs, expected=[], cluster=known.document)
    text = Completion(key="validity", text=known.text, finish_reason="stop", prompt_tokens=0, output_tokens=0)
    return [(span.start, span.end) for span in facts.judge(case, text) if facts.is_fabricated(span)]


def numbers(known: Known) -> list[Range]:
    """Find numbers that the document lacks."""
    there = {_plain(number) for number in NUMBER.findall(source_of(known))}
    return [match.span() for match in NUMBER.finditer(known.text) if _plain(match[0]) not in there]


def numbers_and_names(known: Known) -> list[Range]:
    """Find numbers, and capitalised words inside a sentence, that the document lacks."""
    there = set(re.findall(r"[a-z]+", source_of(known).lower()))
    names = [match.span() for match in NAME.finditer(known.text) if match[0].lower() not in there]
    return sorted([*numbers(known), *names])


def _plain(number: str) -> str:
    return number.replace(",", "").removesuffix(".00")


def novelty(text: str, source: str, size: int) -> float:
    """Return the share of the runs of `size` words of a text that its source lacks."""
    words, there = WORD.findall(text.lower()), _runs(source, size)
    runs = [tuple(words[at : at + size]) for at in range(len(words) - size + 1)]
    return sum(run not in there for run in runs) / max(1, len(runs))


@cache
def _runs(document: str, size: int) -> frozenset[tuple[str, ...]]:
    words = WORD.findall(document.lower())
    return frozenset(tuple(words[at : at + size]) for at in range(len(words) - size + 1))


def is_positive(known: Known) -> bool | None:
    """Whether a completion has an absent value or a wrong join; None where its errors are of meaning alone."""
    if known.is_faithful:
        return False
    return True if any(error.kind != "meaning" for error in known.errors) else None


def chosen_novelty(tuning: Sequence[Known]) -> tuple[int, float]:
    """Return the run length and the threshold with the best balanced accuracy on the tuning part."""
    judged = [known for known in tuning if is_positive(known) is not None]
    labels = np.array([is_positive(known) for known in judged], dtype=bool)
    best = (0.0, 1, 1.0)
    for size in SIZES:
        shares = np.array([novelty(known.text, source_of(known), size) for known in judged])
        for threshold in np.unique(shares):
            flagged = shares >= threshold
            accuracy = float(flagged[labels].mean() + (~flagged[~labels]).mean()) / 2
            best = max(best, (accuracy, size, float(threshold)))
    return best[1], best[2]


def detectors(tuning: Sequence[Known]) -> dict[str, Detector]:
    """Return the scorer and its rivals by name; the novelty of runs is chosen on the tuning part."""
    size, threshold = chosen_novelty(tuning)

    def novel(known: Known) -> list[Range]:
        return [(0, len(known.text))] if novelty(known.text, source_of(known), size) >= threshold else []

    return {
        SCORER: fact_scorer,
        "numbers that the document lacks": numbers,
        "numbers and names that it lacks": numbers_and_names,
        f"novelty of runs of {size} (at least {threshold:.2f})": novel,
        "fact scorer or novelty": lambda known: [*fact_scorer(known), *novel(known)],
    }


def judged(name: str, detector: Detector, known: Sequence[Known], by_type: bool = False) -> Result:
    """Measure one detector on completions; recall by class, or by type of error."""
    found = [detector(each) for each in known]
    whole = [
        any(end - start == len(each.text) for start, end in ranges) for each, ranges in zip(known, found, strict=True)
    ]
    kinds = sorted({error.type for each in known for error in each.errors}) if by_type else list(CLASSES)
    draw = Draw([each.document for each in known])
    recall = {}
    for kind in kinds:
        errors = [[e for e in each.errors if kind in (e.kind, e.type)] for each in known]
        caught = [
            sum(any(start < e.end and e.start < end for start, end in ranges) for e in listed)
            for listed, ranges in zip(errors, found, strict=True)
        ]
        recall[kind] = draw.share(caught, [len(listed) for listed in errors])
    faithful = [each.is_faithful for each in known]
    right = [
        sum(any(start < e.end and e.start < end for e in each.errors) for start, end in ranges)
        for each, ranges in zip(known, found, strict=True)
    ]
    flagged = [bool(ranges) for ranges in found]
    alarms = draw.share([a and b for a, b in zip(flagged, faithful, strict=True)], faithful)
    if any(whole):  # a verdict on the completion as a whole says nothing of places
        nothing = Interval(float("nan"), float("nan"), float("nan"))
        recall, density, precision = dict.fromkeys(kinds, nothing), nothing, nothing
    else:
        counts = [len(ranges) if is_right else 0 for ranges, is_right in zip(found, faithful, strict=True)]
        words = [len(each.text.split()) / 100 if each.is_faithful else 0 for each in known]
        density = draw.share(counts, words)
        precision = draw.share(right, [len(ranges) for ranges in found])
    positive = [is_positive(each) for each in known]
    accuracy = draw.balanced(flagged, [p is True for p in positive], [p is False for p in positive])
    return Result(name, recall, alarms, density, precision, accuracy)


class Draw:
    """Resamples documents and gives shares of sums with their intervals."""

    def __init__(self, documents: Sequence[str]) -> None:
        names = {name: number for number, name in enumerate(sorted(set(documents)))}
        self.member = np.array([names[document] for document in documents])
        self.size = len(names)
        self.drawn = np.random.default_rng(SEED).multinomial(self.size, [1 / self.size] * self.size, size=DRAWS)

    def _sums(self, values: Sequence[float]) -> Any:
        return np.bincount(self.member, np.asarray(values, dtype=float), self.size)

    def share(self, numerator: Sequence[float], denominator: Sequence[float]) -> Interval:
        top, bottom = self._sums(numerator), self._sums(denominator)
        with np.errstate(invalid="ignore", divide="ignore"):
            return interval(top.sum() / bottom.sum(), (self.drawn @ top) / (self.drawn @ bottom))

    def balanced(self, flagged: Sequence[bool], positive: Sequence[bool], negative: Sequence[bool]) -> Interval:
        hit, spared = (
            self._sums([f == wanted and there for f, there in zip(flagged, those, strict=True)])
            for wanted, those in ((True, positive), (False, negative))
        )
        p, n = self._sums(positive), self._sums(negative)
        with np.errstate(invalid="ignore", divide="ignore"):
            value = (hit.sum() / p.sum() + spared.sum() / n.sum()) / 2
            draws = ((self.drawn @ hit) / (self.drawn @ p) + (self.drawn @ spared) / (self.drawn @ n)) / 2
        return interval(value, draws)


def interval(value: float, draws: Any) -> Interval:
    if np.isnan(value) or np.isnan(draws).all():
        return Interval(float("nan"), float("nan"), float("nan"))
    low, high = np.nanpercentile(draws, [2.5, 97.5])
    return Interval(float(value), float(low), float(high))


def numbers_of(known: Sequence[Known]) -> str:
    """Say how many completions, documents and errors a set has."""
    kinds = Counter(error.kind for each in known for error in each.errors)
    faithful = sum(each.is_faithful for each in known)
    counted = ", ".join(f"{kinds[kind]} {kind}" for kind in CLASSES)
    documents = len({each.document for each in known})
    return f"{len(known)} completions over {documents} documents, {faithful} faithful; errors: {counted}."
