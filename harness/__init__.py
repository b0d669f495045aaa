"""tunegate's core: evaluation, comparison and gating of language models. Importing it is light."""

from harness.errors import Unavailable, UserError
from harness.schema import Case, Completion, Metric, Record, Score, Span
from harness.suites.suite import Suite

__version__ = "0.1.0"
__all__ = ["Case", "Completion", "Metric", "Record", "Score", "Span", "Suite", "Unavailable", "UserError"]
