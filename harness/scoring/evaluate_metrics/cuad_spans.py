"""`evaluate` metric: quoted clauses by CUAD's rule, with a curve if the caller gives confidences."""

from collections.abc import Sequence
from typing import Any

import evaluate

from harness.scoring.evaluate_metrics import info
from harness.scoring.legal.cuad import PARTIES, aupr, count, curve, f_score, in_all, precision_at_recall

DESCRIPTION = """Quoted clauses against labelled ones: two strings match if the sets of their words share half of
their union, words split at single spaces, as in evaluate.py of TheAtticusProject/cuad at commit 67faa0e. Different
from the metric `cuad` on the Hub, which takes lists of answers by threshold."""
INPUTS = """
Args:
    predictions: the list of quoted strings for each question.
    references: the list of labelled strings for each question; empty if there is no such clause.
    questions: an id for each question, optional; with 'Parties' in it, a quoted string that contains the label also
    matches. confidences: a list of confidences for each question's predictions, optional; the curve needs them.
Returns:
    precision, recall, f1, f2: at one operating point, micro over questions; None if there is nothing to count.
    tp, fp, fn: the counts behind them.
    aupr, precision_at_80_recall, precision_at_90_recall: with confidences only.
"""


class CuadSpans(evaluate.Metric):  # type: ignore[misc]
    """Precision, recall, F1 and F2 of quoted strings, and the curve if there are confidences."""

    def _info(self) -> Any:
        return info(DESCRIPTION, INPUTS, predictions=list, references=list)

    def _compute(
        self,
        predictions: list[list[str]],
        references: list[list[str]],
        questions: Sequence[str] | None = None,
        confidences: Sequence[Sequence[float]] | None = None,
    ) -> dict[str, float | int | None]:
        names = [str(at) for at in range(len(predictions))] if questions is None else list(questions)
        if len({*names}) != len(predictions):
            raise ValueError(f"{len(predictions)} questions have {len({*names})} different ids; each needs its own")
        quoted = [list(dict.fromkeys(text for text in texts if text)) for texts in predictions]
        counts = [
            count(gold, texts, PARTIES in name) for name, texts, gold in zip(names, quoted, references, strict=True)
        ]
        total = in_all(counts)
        results: dict[str, float | int | None] = {
            "precision": total.precision,
            "recall": total.recall,
            "f1": f_score(total),
            "f2": f_score(total, 2.0),
            **total._asdict(),
        }
        if confidences is not None:
            scored = [list(zip(texts, sure, strict=True)) for texts, sure in zip(predictions, confidences, strict=True)]
            points = curve(dict(zip(names, references, strict=True)), dict(zip(names, scored, strict=True)))
            results["aupr"] = aupr(points)
            results["precision_at_80_recall"] = precision_at_recall(points, 0.8)[0]
            results["precision_at_90_recall"] = precision_at_recall(points, 0.9)[0]
        return results
