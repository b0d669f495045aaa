"""`evaluate` metric: ROUGE by the package `rouge-score`, without the Hub's script."""

from collections.abc import Sequence
from functools import cache
from typing import Any

import evaluate

from harness.scoring.evaluate_metrics import info

DESCRIPTION = """ROUGE (Lin 2004): n-grams and longest common subsequences that a text shares with its reference. Counts
words, not meaning: two good summaries of one text share only a part of their words."""
INPUTS = """
Args:
    predictions: the texts.
    references: the list of reference texts for each; the one with the highest score counts.
    rouge_types: which of rouge1, rouge2, ..., rougeL and rougeLsum to give.
    use_stemmer: reduce words to their Porter stems first.
Returns:
    for each type, its mean F measure from 0 to 1, as the metric `rouge` on the Hub computes it.
"""
TYPES = ("rouge1", "rouge2", "rougeL", "rougeLsum")


class Rouge(evaluate.Metric):  # type: ignore[misc]
    """Mean F measures of rouge-score."""

    def _info(self) -> Any:
        return info(DESCRIPTION, INPUTS, predictions=str, references=list)

    def _compute(
        self,
        predictions: list[str],
        references: list[list[str]],
        rouge_types: Sequence[str] = TYPES,
        use_stemmer: bool = False,
    ) -> dict[str, float]:
        scorer = _scorer(tuple(rouge_types), use_stemmer)
        scores = [scorer.score_multi(texts, text) for text, texts in zip(predictions, references, strict=True)]
        return {name: sum(one[name].fmeasure for one in scores) / len(scores) for name in rouge_types}


@cache
def _scorer(types: tuple[str, ...], use_stemmer: bool) -> Any:
    from rouge_score import rouge_scorer

    return rouge_scorer.RougeScorer(list(types), use_stemmer=use_stemmer)
