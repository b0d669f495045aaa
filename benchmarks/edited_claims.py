"""Measures whether anything but meaning tells the edited statements of training from their controls.

    python benchmarks/edited_claims.py [--rows 9000] [--seed 0] [--sources instruments handbooks sheets]

Two classifiers that cannot read meaning are fitted, out of fold by document: one by the words of the statement, one by
its overlap with the source. On balanced pairs both stay near 50% balanced accuracy.
"""

import argparse
import re
import sys
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).parent.parent))

from benchmarks.claim_edits.overlap import overlap
from benchmarks.claim_edits.pairs import edited_pairs
from benchmarks.claim_edits.sources import SOURCES
from evalsuites.general.claims.pairs import SUPPORTED, Pair

FOLDS = 5
FEWEST = 10
"""Statements that a word must be in."""


def words_of(pairs: Sequence[Pair]) -> np.ndarray:
    """Which words each statement has: (pairs, words)."""
    said = [set(re.findall(r"[a-z]+|\d[\d.,]*|[$%]", pair.sentence.lower())) for pair in pairs]
    counts = Counter(word for words in said for word in words)
    place = {word: at for at, word in enumerate(sorted(word for word, n in counts.items() if n >= FEWEST))}
    holds = np.zeros((len(pairs), len(place)), dtype=np.float32)
    for row, words in enumerate(said):
        holds[row, [place[word] for word in words if word in place]] = 1
    return holds


def overlaps_of(pairs: Sequence[Pair]) -> np.ndarray:
    """Measures of overlap with their squares and products, and the length of each statement: (pairs, measures)."""
    measured = np.array(
        [[*overlap(p.source, p.sentence), len(p.sentence.split()) / 40] for p in pairs], dtype=np.float32
    )
    products = [measured[:, a] * measured[:, b] for a in range(measured.shape[1]) for b in range(a + 1)]
    return np.column_stack([measured, *products])


def out_of_fold(measures: np.ndarray, pairs: Sequence[Pair], penalty: float) -> np.ndarray:
    """Return which pairs a logistic regression that has not seen their document takes for supported."""
    labels = np.array([pair.label == SUPPORTED for pair in pairs], dtype=np.float32)
    documents = sorted({pair.document for pair in pairs})
    order = np.random.default_rng(0).permutation(len(documents))
    fold_of = {document: order[n] % FOLDS for n, document in enumerate(documents)}
    folds = np.array([fold_of[pair.document] for pair in pairs])
    said = np.zeros(len(pairs), dtype=bool)
    for fold in range(FOLDS):
        kept = folds != fold
        mean, spread = measures[kept].mean(axis=0), measures[kept].std(axis=0) + 1e-6
        scaled = (measures - mean) / spread
        weights = fit(np.column_stack([np.ones(kept.sum(), dtype=np.float32), scaled[kept]]), labels[kept], penalty)
        said[~kept] = weights[0] + scaled[~kept] @ weights[1:] > 0
    return said


def fit(rows: np.ndarray, labels: np.ndarray, penalty: float, steps: int = 100) -> np.ndarray:
    """Fit a logistic regression with an L2 penalty on the mean loss, by Nesterov's accelerated gradient."""
    top = np.random.default_rng(0).normal(size=rows.shape[1]).astype(rows.dtype)
    for _ in range(20):  # power iteration for the largest curvature
        top = rows.T @ (rows @ top)
        top /= np.linalg.norm(top)
    rate = 4 / (1.1 * float(np.linalg.norm(rows.T @ (rows @ top))) / len(rows) + 4 * penalty)
    weights = ahead = np.zeros(rows.shape[1], dtype=rows.dtype)
    pace = 1.0
    for _ in range(steps):
        error = 1 / (1 + np.exp(-rows @ ahead)) - labels
        stepped = ahead - rate * (rows.T @ error / len(rows) + penalty * ahead)
        faster = (1 + (1 + 4 * pace**2) ** 0.5) / 2
        ahead, weights, pace = stepped + (pace - 1) / faster * (stepped - weights), stepped, faster
    return weights


def balanced_accuracy(said: np.ndarray, pairs: Sequence[Pair]) -> float:
    """Mean of the shares that were told right of each label."""
    truth = np.array([pair.label == SUPPORTED for pair in pairs])
    return float((said[truth].mean() + (~said[~truth]).mean()) / 2)


def measure(pairs: Sequence[Pair]) -> dict[str, np.ndarray]:
    """Return what each classifier says of each pair."""
    return {
        "words": out_of_fold(words_of(pairs), pairs, 0.01),
        "overlap": out_of_fold(overlaps_of(pairs), pairs, 0.001),
    }


def kind_of(pairs: Sequence[Pair]) -> list[str]:
    """The kind of error of each pair; that of a control is its error's."""
    kinds = {pair.id[:-2]: pair.kind for pair in pairs if pair.label != SUPPORTED}
    return [kinds[pair.id[:-2]] for pair in pairs]


def main() -> None:
    parser = argparse.ArgumentParser(description="Measure the balance of edited statements and their controls.")
    parser.add_argument("--rows", type=int, default=9000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--sources", nargs="+", choices=tuple(SOURCES), default=tuple(SOURCES))
    args = parser.parse_args()
    report(edited_pairs(args.rows, args.seed, lambda _: True, args.sources))


def report(pairs: Sequence[Pair]) -> None:
    """Print how many pairs there are and what the classifiers tell, by source and kind."""
    said = measure(pairs)
    print(f"{len(pairs)} pairs of {len({pair.document for pair in pairs})} documents")
    print(f"controls: {dict(Counter(pair.kind for pair in pairs if pair.label == SUPPORTED))}")
    print(f"{'':24} pairs  words  overlap")
    groups = {"all": ["all"] * len(pairs), "source": [pair.origin for pair in pairs], "kind": kind_of(pairs)}
    for name, group in groups.items():
        for value in sorted(set(group)):
            rows = [n for n, each in enumerate(group) if each == value]
            part = [pairs[n] for n in rows]
            told = "  ".join(f"{balanced_accuracy(each[rows], part):.3f}" for each in said.values())
            print(f"{value if name != 'all' else 'all':24} {len(part):5}  {told}")


if __name__ == "__main__":
    main()
