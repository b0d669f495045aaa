"""`evaluate` metric: exact sets, recall, precision and F1 of lists of clauses."""

from typing import Any

import evaluate

from harness.scoring.evaluate_metrics import info
from harness.scoring.legal.clause_names import key
from harness.scoring.legal.cuad import SpanCounts, f_score, in_all

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
        total = in_all(SpanCounts(len(n & there), len(n - there), len(there - n)) for n, there in pairs)
        return {
            "exact_set": sum(named == there for named, there in pairs) / len(pairs) if pairs else None,
            "recall": total.recall,
            "precision": total.precision,
            "f1": f_score(total),
            **total._asdict(),
        }
