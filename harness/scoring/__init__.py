"""Scorers: one file a family. A scorer is a pure function of a case and a completion; it knows no other record."""

from harness.scoring import base, json_answer, labels, multiple_choice, numeric, short_answer
from harness.scoring.base import scorer
from harness.scoring.brand import voice
from harness.scoring.grounding import facts, figures, names, quotations, registry
from harness.scoring.legal import citations, clauses

__all__ = [
    "base",
    "citations",
    "clauses",
    "facts",
    "figures",
    "json_answer",
    "labels",
    "multiple_choice",
    "names",
    "numeric",
    "quotations",
    "registry",
    "scorer",
    "short_answer",
    "voice",
]
