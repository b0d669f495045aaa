"""The practice items that every reviewer does first; they are not counted. Knows no run."""

from __future__ import annotations

import tomllib
from functools import lru_cache
from pathlib import Path

import msgspec
from msgspec import Struct

from reports.review.schema import Item, Key

SUITE = "practice"
VARIANTS = ("1", "2")


class Practice(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One invented case, and what a careful reader would say of it."""

    id: str
    """Short name."""
    task: str
    """What the answers are to do."""
    question: str
    """What was asked."""
    source: str
    """The source."""
    answers: list[str]
    """Two answers."""
    clauses: list[str]
    """Clauses that the case lists."""
    would_say: list[str]
    """What a careful reader would say of each answer."""
    preference: str
    """And of the two together."""

    @property
    def item(self) -> Item:
        """The case as reviewers see it."""
        return Item(
            key=Key(suite=SUITE, case_id=self.id),
            cluster=self.id,
            task=self.task,
            inputs=[("Question", self.question)],
            source=self.source.strip(),
            clauses=self.clauses,
            answers=dict(zip(VARIANTS, self.answers, strict=True)),
        )


@lru_cache(maxsize=1)
def practices() -> dict[str, Practice]:
    """Every practice item by its id."""
    found = tomllib.loads(Path(__file__).with_name("practice.toml").read_text("utf-8"))
    return {p.id: p for p in msgspec.convert(found["item"], list[Practice])}
