"""The fact scorer against people's labels on summaries: FRANK validation and FaithBench.

Positive is a summary in which people marked an error: FRANK Factuality below 1; FaithBench a worst label of
Questionable or Unwanted. A detector is positive on a summary where it finds at least one fabricated fact. Choices that
could be tuned are tuned on FRANK only, cross-validated by source. FaithBench is for checking (CC BY-NC-SA 4.0):
nothing here chooses anything by it.
"""

import hashlib
import json
import re
from collections.abc import Callable, Sequence
from functools import lru_cache, partial
from itertools import combinations
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from harness.schema import Case, Completion, Span
from harness.scoring.grounding import facts

DRAWS, SEED = 2000, 1
FOLDS = 5
MEASURES = ("balanced accuracy", "precision", "recall")
FIGURES = ("money", "percent", "date", "duration", "count")
FAMILIES = ("citation", "figure", "name", "quote")
NUMBER = re.compile(r"\d+(?:[.,]\d+)*")
SENTENCE_END = re.compile(r"(?<=[.!?])\s+|\n+")
LETTERS = re.compile(r"[A-Za-z]+")


class Labelled(NamedTuple):
    """A summary with its source and people's verdict on it."""

    source: str
    summary: str
    cluster: str
    group: str
    """Where the source comes from."""
    positive: bool
    """People marked an error."""


class Row(NamedTuple):
    """What one detector did on one set, or the difference between two."""

    detector: str
    values: dict[str, tuple[float, float, float]]
    """Value, lower and upper bound by measure."""
    flagged: int | None
    """Summaries called positive; None for a difference."""


Detector = Callable[[Labelled], bool]


def frank(data: Path) -> list[Labelled]:
    """FRANK validation: 671 summaries of 149 news articles."""
    rows = [json.loads(line) for line in (data / "frank" / "summaries.jsonl").read_text("utf-8").splitlines()]
    return [
        Labelled(row["source"], row["summary"], row["source_id"], row["dataset"], row["Factuality"] < 1)
        for row in rows
        if row["split"] == "valid"
    ]


def faithbench(data: Path) -> list[Labelled]:
    """The 330 FaithBench summaries of 33 passages that are not held for the last check."""
    rows = [json.loads(line) for line in (data / "faithbench" / "samples.jsonl").read_text("utf-8").splitlines()]
    return [Labelled(row["source"], row["summary"], row["source"], "faithbench", _faulty(row)) for row in rows]


def _faulty(row: dict[str, Any]) -> bool:
    labels = [label for note in row["annotations"] for label in note["label"]]
    return any(label.startswith(("Unwanted", "Questionable")) for label in labels)


@lru_cache(maxsize=4096)
def found(item: Labelled) -> tuple[Span, ...]:
    """The fabricated facts that the scorer finds in a summary."""
    case = Case(id="validity", input={"document": item.source}, expected=[], cluster=item.cluster)
    completion = Completion(key="validity", text=item.summary, finish_reason="stop", prompt_tokens=0, output_tokens=0)
    return tuple(span for span in facts.judge(case, completion) if facts.is_fabricated(span))


def family(span: Span) -> str:
    """Which of FAMILIES a finding belongs to."""
    if span.kind in FIGURES:
        return "figure"
    return span.kind if span.kind in ("citation", "quote") else "name"


def scorer(item: Labelled, families: Sequence[str] = FAMILIES, least: int = 1) -> bool:
    """Whether the fact scorer finds at least `least` fabricated facts of these families."""
    return sum(family(span) in families for span in found(item)) >= least


def untuned_rule(item: Labelled) -> bool:
    """Whether a number, or a capitalised word inside a sentence, is absent from the source. Written once, not tuned."""
    if set(NUMBER.findall(item.summary)) - set(NUMBER.findall(item.source)):
        return True
    sentences = SENTENCE_END.split(item.summary.strip())
    names = {word.lower() for s in sentences for word in LETTERS.findall(s)[1:] if word[0].isupper() and len(word) > 1}
    return bool(names - set(LETTERS.findall(item.source.lower())))


def fold(item: Labelled) -> int:
    """The fold of a source, by the hash of its name."""
    return int(hashlib.sha256(f"fold {item.cluster}".encode()).hexdigest(), 16) % FOLDS


def choices() -> list[tuple[str, Detector]]:
    """What might be chosen on a tuning set: which families count, and how many findings make a summary positive."""
    subsets = [subset for size in range(1, 5) for subset in combinations(FAMILIES, size)]
    named = [(" + ".join(s), s, least) for s in subsets for least in (1, 2)]
    return [(f"{name}, >= {least}", partial(scorer, families=s, least=least)) for name, s, least in named]


def cross_validated(items: list[Labelled]) -> tuple[list[bool], list[str]]:
    """Each item judged by the choice that is best on the other folds; and the choice of each fold."""
    options = choices()
    table = np.array([[detector(item) for item in items] for _, detector in options])
    truth, folds = np.array([i.positive for i in items]), np.array([fold(i) for i in items])
    answers, chosen = np.zeros(len(items), dtype=bool), []
    for number in range(FOLDS):
        inside = folds == number
        scores = [float(measured(counts(row[~inside], truth[~inside]).sum(0)[None])[0, 0]) for row in table]
        best = int(np.argmax(scores))
        answers[inside] = table[best, inside]
        chosen.append(options[best][0])
    return answers.tolist(), chosen


def counts(answers: Any, truth: Any) -> Any:
    """True positives, false positives, false negatives and true negatives, a row an item."""
    answers, truth = np.asarray(answers, dtype=bool), np.asarray(truth, dtype=bool)
    return np.stack([answers & truth, answers & ~truth, ~answers & truth, ~answers & ~truth], axis=1).astype(float)


def measured(totals: Any) -> Any:
    """MEASURES of rows of counts; NaN where one is not defined."""
    tp, fp, fn, tn = np.moveaxis(totals, -1, 0)
    with np.errstate(invalid="ignore", divide="ignore"):
        recall, specificity = tp / (tp + fn), tn / (tn + fp)
        return np.stack([(recall + specificity) / 2, tp / (tp + fp), recall], axis=-1)


def rows(items: list[Labelled], answers: dict[str, list[bool]], against: str) -> list[Row]:
    """A row a detector, and the paired difference of the first one to `against`; intervals clustered by source."""
    clusters = {name: number for number, name in enumerate(sorted({item.cluster for item in items}))}
    member = np.array([clusters[item.cluster] for item in items])
    drawn = np.random.default_rng(SEED).multinomial(len(clusters), [1 / len(clusters)] * len(clusters), size=DRAWS)
    made, draws = {}, {}
    for name, given in answers.items():
        table = counts(given, [item.positive for item in items])
        sums = np.stack([np.bincount(member, table[:, c], len(clusters)) for c in range(4)], axis=1)
        made[name], draws[name] = measured(sums.sum(0)[None])[0], measured(drawn @ sums)
    singles = [Row(name, _bounds(made[name], draws[name]), sum(answers[name])) for name in answers]
    first = next(iter(answers))
    difference = _bounds(made[first] - made[against], draws[first] - draws[against])
    return [*singles, Row(f"{first}, minus {against}", difference, None)]


def _bounds(values: Any, draws: Any) -> dict[str, tuple[float, float, float]]:
    low, high = np.nanpercentile(draws, [2.5, 97.5], axis=0)
    return {m: (float(values[i]), float(low[i]), float(high[i])) for i, m in enumerate(MEASURES)}
