"""The fact scorer against people's labels: summaries, claims and answers that are held to a source.

Positive is a statement that people found wrong, or that its source does not bear out. A detector is positive on a
statement where it finds at least one fabricated fact. Folds and intervals keep the statements on one source together.
FaithBench is for checking (CC BY-NC-SA 4.0): nothing of the scorer is chosen by it.
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
from validity_known_truth import SIZES, novelty

from harness.schema import Case, Completion, Span
from harness.scoring.grounding import facts

DRAWS, SEED = 2000, 1
FOLDS = 5
STEPS = 20
"""Thresholds of the novelty rival, evenly spaced."""
MEASURES = ("balanced accuracy", "precision", "recall")
FAMILIES = facts.TYPES
NUMBER = re.compile(r"\d+(?:[.,]\d+)*")
SENTENCE_END = re.compile(r"(?<=[.!?])\s+|\n+")
LETTERS = re.compile(r"[A-Za-z]+")


class Labelled(NamedTuple):
    """A statement with its source and people's verdict on it."""

    source: str
    statement: str
    cluster: str
    """The source's name; statements on one source share it."""
    positive: bool
    """People found it wrong, or not borne out by the source."""


class LabelledSet(NamedTuple):
    """Where a labelled set is stored, and how one of its rows is read."""

    title: str
    file: str
    """Rows of statements, below TUNEGATE_DATA."""
    statement: str
    """Field of the statement."""
    is_wrong: Callable[[dict[str, Any]], bool]
    is_used: Callable[[dict[str, Any]], bool] = lambda row: True
    cluster: str = "doc_id"
    """Field that names the source."""
    documents: str | None = None
    """Rows of sources by `doc_id`; None where each statement's row holds its `source`."""


class Row(NamedTuple):
    """What one detector did on one set, or the difference between two."""

    detector: str
    values: dict[str, tuple[float, float, float]]
    """Value, lower and upper bound by measure."""
    flagged: int | None
    """Statements called positive; None for a difference."""


Detector = Callable[[Labelled], bool]


def _is_marked(row: dict[str, Any]) -> bool:
    """Whether the worst label of a FaithBench summary is Questionable or Unwanted."""
    return any(label.startswith(("Unwanted", "Questionable")) for note in row["annotations"] for label in note["label"])


SETS = {
    "frank": LabelledSet(
        "FRANK validation (tuning set)",
        "frank/summaries.jsonl",
        statement="summary",
        is_wrong=lambda row: row["Factuality"] < 1,
        is_used=lambda row: row["split"] == "valid",
        cluster="source_id",
    ),
    "faithbench": LabelledSet(
        "FaithBench (never tuned on)",
        "faithbench/samples.jsonl",
        statement="summary",
        is_wrong=_is_marked,
        cluster="source",
    ),
    "summedits": LabelledSet(
        "SummEdits",
        "summedits/items.jsonl",
        statement="summary",
        is_wrong=lambda row: row["label"] == 0,
        documents="summedits/docs.jsonl",
    ),
    "wice": LabelledSet(
        "WiCE",
        "wice/claims.jsonl",
        statement="claim",
        is_wrong=lambda row: row["label"] != "supported",
        documents="wice/docs.jsonl",
    ),
    "begin": LabelledSet(
        "BEGIN",
        "begin/items.jsonl",
        statement="response",
        is_wrong=lambda row: row["label"] == "Not fully attributable",
        is_used=lambda row: row["label"] != "Generic",
        documents="begin/docs.jsonl",
    ),
}


def load(name: str, data: Path) -> list[Labelled]:
    """Read the statements of one of SETS; a source that is stored in pieces is all of them, a piece a line."""
    each = SETS[name]
    sources = {row["doc_id"]: row["text"] for row in _rows(data / each.documents)} if each.documents else {}
    used = [row for row in _rows(data / each.file) if each.is_used(row)]
    found = [sources[row["doc_id"]] if each.documents else row["source"] for row in used]
    texts = [text if isinstance(text, str) else "\n".join(text) for text in found]
    return [
        Labelled(text, row[each.statement], row[each.cluster], each.is_wrong(row))
        for text, row in zip(texts, used, strict=True)
    ]


def corpora(data: Path) -> dict[str, str]:
    """Return the corpus of each of FRANK's sources."""
    return {row["source_id"]: row["dataset"] for row in _rows(data / SETS["frank"].file)}


def _rows(file: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in file.read_text("utf-8").splitlines()]


@lru_cache(maxsize=4096)
def found(item: Labelled) -> tuple[Span, ...]:
    """The fabricated facts that the scorer finds in a statement."""
    case = Case(id="validity", input={"document": item.source}, expected=[], cluster=item.cluster)
    completion = Completion(key="validity", text=item.statement, finish_reason="stop", prompt_tokens=0, output_tokens=0)
    return tuple(span for span in facts.judge(case, completion) if facts.is_fabricated(span))


def family(span: Span) -> str:
    """Which of FAMILIES a finding belongs to."""
    return facts.TYPE_OF_KIND.get(span.kind, "name")


def scorer(item: Labelled, families: Sequence[str] = FAMILIES, least: int = 1) -> bool:
    """Whether the fact scorer finds at least `least` fabricated facts of these families."""
    return sum(family(span) in families for span in found(item)) >= least


def untuned_rule(item: Labelled) -> bool:
    """Whether a number, or a capitalised word inside a sentence, is absent from the source. Written once, not tuned."""
    if set(NUMBER.findall(item.statement)) - set(NUMBER.findall(item.source)):
        return True
    sentences = SENTENCE_END.split(item.statement.strip())
    names = {word.lower() for s in sentences for word in LETTERS.findall(s)[1:] if word[0].isupper() and len(word) > 1}
    return bool(names - set(LETTERS.findall(item.source.lower())))


def fold(item: Labelled) -> int:
    """The fold of a source, by the hash of its name."""
    return int(hashlib.sha256(f"fold {item.cluster}".encode()).hexdigest(), 16) % FOLDS


def is_novel(item: Labelled, size: int, least: float) -> bool:
    """Whether the source lacks at least this share of the statement's runs of `size` words."""
    return novelty(item.statement, item.source, size) >= least


def novelties() -> list[tuple[str, Detector]]:
    """Lengths of runs and thresholds of the novelty rival, to choose from."""
    steps = [(size, step / STEPS) for size in SIZES for step in range(1, STEPS + 1)]
    return [(f"runs of {size}, >= {least:.2f}", partial(is_novel, size=size, least=least)) for size, least in steps]


def choices() -> list[tuple[str, Detector]]:
    """What might be chosen on a tuning set: which families count, and how many findings make a statement positive."""
    subsets = [subset for size in range(1, 5) for subset in combinations(FAMILIES, size)]
    named = [(" + ".join(s), s, least) for s in subsets for least in (1, 2)]
    return [(f"{name}, >= {least}", partial(scorer, families=s, least=least)) for name, s, least in named]


def cross_validated(items: list[Labelled], options: list[tuple[str, Detector]]) -> tuple[list[bool], list[str]]:
    """Each item judged by the option that is best on the other folds; and the choice of each fold."""
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
