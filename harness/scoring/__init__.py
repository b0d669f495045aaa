"""Scorers: one file a family. A scorer is a pure function of a case and a completion; it knows no other record."""

from harness.scoring import base, citations, clauses
from harness.scoring.base import scorer

__all__ = ["base", "citations", "clauses", "scorer"]
