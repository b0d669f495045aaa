"""Scorers for investment reports."""

from harness.scoring.finance import report

__all__ = ["report"]
