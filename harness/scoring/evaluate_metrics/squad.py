"""`evaluate` metric: exact match and F1 of words as SQuAD 1.1 defines them, on plain texts."""

import re
import string
from collections import Counter
from typing import Any

import evaluate

from harness.scoring.evaluate_metrics import info

DESCRIPTION = """Exact match and F1 of words between a short answer and its accepted answers, in lower case, without
punctuation and articles, as the evaluation script of SQuAD 1.1 defines them (Rajpurkar et al. 2016). Takes texts,
while the metric `squad` on the Hub takes records with ids, and returns shares instead of percent."""
INPUTS = """
Args:
    predictions: the answers.
    references: the list of accepted answers for each; the one with the highest score counts.
Returns:
    exact_match, f1: means from 0 to 1.
"""
ARTICLES = re.compile(r"\b(a|an|the)\b")
PUNCTUATION = frozenset(string.punctuation)


class Squad(evaluate.Metric):  # type: ignore[misc]
    """Exact match and F1 of words."""

    def _info(self) -> Any:
        return info(DESCRIPTION, INPUTS, predictions=str, references=list)

    def _compute(self, predictions: list[str], references: list[list[str]]) -> dict[str, float]:
        accepted = [[_words(text) for text in texts] for texts in references]
        pairs = list(zip(map(_words, predictions), accepted, strict=True))
        return {
            "exact_match": sum(float(words in texts) for words, texts in pairs) / len(pairs),
            "f1": sum(max(_f1(words, text) for text in texts) for words, texts in pairs) / len(pairs),
        }


def _words(text: str) -> list[str]:
    plain = "".join(character for character in text.lower() if character not in PUNCTUATION)
    return ARTICLES.sub(" ", plain).split()


def _f1(words: list[str], accepted: list[str]) -> float:
    shared = (Counter(words) & Counter(accepted)).total()
    return 2 * shared / (len(words) + len(accepted)) if shared else 0.0
