"""`evaluate` metric: the fabrication rate of checkable facts."""

from typing import Any

import evaluate

from harness.schema import Case, Completion
from harness.scoring.evaluate_metrics import info
from harness.scoring.grounding.facts import is_fabricated, judge

DESCRIPTION = """Citations, figures, names and quotations of a text that its source does not support. Precise on
numbers and blind to most other claims, so it is not a hallucination rate; shorter answers and refusals lower it."""
INPUTS = """
Args:
    predictions: the texts.
    sources: the source of each text.
Returns:
    fabrication_rate: unsupported facts over checkable facts; None if no text states one.
    fabrication_response_rate: share of texts with at least one.
    claims, fabricated: the counts behind them.
    claims_per_answer: checkable facts per text.
"""


class CheckableFacts(evaluate.Metric):  # type: ignore[misc]
    """Rates of checkable facts that a source does not support."""

    def _info(self) -> Any:
        return info(DESCRIPTION, INPUTS, predictions=str, sources=str)

    def _compute(self, predictions: list[str], sources: list[str]) -> dict[str, float | int | None]:
        judged = []
        for text, source in zip(predictions, sources, strict=True):
            case = Case(id="text", input={"document": source}, expected=[], cluster="text")
            answer = Completion(key="", text=text, finish_reason="stop", prompt_tokens=0, output_tokens=0)
            judged.append([is_fabricated(span) for span in judge(case, answer)])
        claims, fabricated = sum(len(facts) for facts in judged), sum(sum(facts) for facts in judged)
        texts = len(judged)
        return {
            "fabrication_rate": fabricated / claims if claims else None,
            "fabrication_response_rate": sum(any(facts) for facts in judged) / texts if texts else None,
            "claims_per_answer": claims / texts if texts else None,
            "claims": claims,
            "fabricated": fabricated,
        }
