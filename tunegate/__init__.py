"""Evaluate, compare, gate and train fine-tuned language models.

    from tunegate import Case, Suite, scorer

    result = tunegate.compare("smollm2-135m-instruct", "runs/20260101T000000Z-train-1a2b3c4d", ["evalsuites/legal"])
    for verdict in result.verdicts:
        print(verdict.suite, verdict.gate, verdict.outcome)

Importing this package loads no model library.
"""

from harness import Case, Completion, Metric, Record, Score, Span, Suite, Unavailable, UserError, __version__
from harness.scoring.base import scorer
from tunegate.api import compare, evaluate, train

__all__ = [
    "Case",
    "Completion",
    "Metric",
    "Record",
    "Score",
    "Span",
    "Suite",
    "Unavailable",
    "UserError",
    "__version__",
    "compare",
    "evaluate",
    "scorer",
    "train",
]
