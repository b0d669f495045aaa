"""Scorers: one file a family. A scorer is a pure function of a case and a completion; it knows no other record."""

from harness.scoring import (
    answers,
    base,
    citations,
    clauses,
    facts,
    figures,
    json_answers,
    labels,
    names,
    numeric,
    options,
    quotes,
    registry,
    voice,
)
from harness.scoring.base import scorer

__all__ = [
    "answers",
    "base",
    "citations",
    "clauses",
    "facts",
    "figures",
    "json_answers",
    "labels",
    "names",
    "numeric",
    "options",
    "quotes",
    "registry",
    "scorer",
    "voice",
]
