"""A naive Bayes classifier of clause types by the words of a text, trained on training rows: what words alone tell."""

import re
from collections import Counter
from collections.abc import Iterable, Sequence

import numpy as np

from harness.schema import Case

FEWEST = 3
"""Training texts that a word must be in."""


def words_of(text: str) -> set[str]:
    """Return the different words of a text in lower case."""
    return set(re.findall(r"[a-z]{2,}", text.lower()))


class BagOfWords:
    """One Bernoulli naive Bayes model a clause type, with add-one smoothing.

    Source: Manning, Raghavan and Schütze, Introduction to Information Retrieval (2008), section 13.3.
    """

    def __init__(self, rows: Iterable[tuple[Case, str]]) -> None:
        texts = [(words_of(case.document), case.expected, _asked(case)) for case, _ in rows]
        counts = Counter(word for words, _, _ in texts for word in words)
        self.place = {word: at for at, word in enumerate(w for w, n in counts.items() if n >= FEWEST)}
        holds = np.zeros((len(texts), len(self.place)))
        for row, (words, _, _) in enumerate(texts):
            holds[row, [self.place[word] for word in words if word in self.place]] = 1
        self.weights: dict[str, tuple[float, np.ndarray]] = {}
        for name in sorted({name for _, _, asked in texts for name in asked}):
            asked = np.array([name in listed for _, _, listed in texts])
            there = np.array([name in expected for _, expected, _ in texts])
            self.weights[name] = _fit(holds[asked & there], holds[asked & ~there])

    def log_odds(self, text: str, name: str) -> float:
        """Return the log odds that a text has a clause of a type."""
        base, weights = self.weights[name]
        return base + float(sum(weights[self.place[word]] for word in words_of(text) if word in self.place))

    def answer(self, case: Case) -> str:
        """Return the types asked about that are more likely than not, in the format of `legal/clauses`."""
        named = [name for name in _asked(case) if name in self.weights and self.log_odds(case.document, name) > 0]
        return "; ".join(named) or "none"


def _asked(case: Case) -> Sequence[str]:
    return case.input["clause_types"].split("; ")


def _fit(there: np.ndarray, absent: np.ndarray) -> tuple[float, np.ndarray]:
    """Log odds of a text without any known word, and what each word adds; arrays have a row a text, a column a word."""
    logs = []
    for holds in (there, absent):
        share = (holds.sum(axis=0) + 1) / (len(holds) + 2)
        logs.append((np.log(share) - np.log1p(-share), float(np.log1p(-share).sum())))
    base = logs[0][1] - logs[1][1] + float(np.log((len(there) + 1) / (len(absent) + 1)))
    return base, logs[0][0] - logs[1][0]
