"""Scorers for questions about a handbook of numbered guidelines."""

from harness.scoring.policy import guidelines

__all__ = ["guidelines"]
