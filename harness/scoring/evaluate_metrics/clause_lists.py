"""`evaluate` metric: exact sets, recall, precision and F1 of lists of clauses."""

from typing import Any

import evaluate

from harness.scoring.evaluate_metrics import info
from harness.scoring.legal.clause_list_parser import key

DESCRIPTION = """Compares lists of clause types with the expected types. Two spellings of one name are equal (case,
punctuation, '&' for 'and'), a name counts once per list, and a name that is not expected is a false positive."""
INPUTS = """
Args:
    predictions: a list of clause types for each text.
    references: the list of expected clause types for each text; may be empty.
Returns:
    exact_set: share of texts with exactly the right set of names.
    recall, precision, f1: micro, over all names together; None if there is nothing to count.
    tp, fp, fn: the counts behind them.
"""


class ClauseLists(evaluate.Metric):  # type: ignore[misc]
    """Micro recall, precision and F1, and the share of exact sets."""

    def _info(self) -> Any:
        return info(DESCRIPTION, INPUTS, predictions=list, references=list)

    def _compute(self, predictions: list[list[str]], references: list[list[str]]) -> dict[str, float | int | None]:
        pairs = [
            ({key(name) for name in named}, {key(name) for name in there})
            for named, there in zip(predictions, references, strict=True)
        ]
        tp = sum(len(named & there) for named, there in pairs)
        fp = sum(len(named - there) for named, there in pairs)
        fn = sum(len(there - named) for named, there in pairs)
        return {
            "exact_set": sum(named == there for named, there in pairs) / len(pairs) if pairs else None,
            "recall": tp / (tp + fn) if tp + fn else None,
            "precision": tp / (tp + fp) if tp + fp else None,
            "f1": 2 * tp / (2 * tp + fp + fn) if tp + fp + fn else None,
            "tp": tp,
            "fp": fp,
            "fn": fn,
        }
