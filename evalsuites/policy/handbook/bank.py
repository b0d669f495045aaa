"""Load the parts of handbooks and questions, one TOML file per split."""

import tomllib
from functools import lru_cache
from pathlib import Path
from typing import Any

from msgspec import Struct, convert

BANKS = Path(__file__).with_name("banks")


class Topic(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What one guideline can regulate, and what can be asked about it."""

    title: str
    """Heading of the guideline."""
    unit: str
    """Pool of its value."""
    groups: list[str]
    """Groups of departments that may carry it out."""
    text: list[str]
    """Wordings with {value} and {dept}."""
    states: str
    """What it says of its value, as a clause."""
    acts: str
    """What its department does, as a verb phrase."""
    ask: str
    """Asks for the value."""
    absent: list[str]
    """Questions near the topic that no wording answers."""
    roles: str = ""
    """Wording that gives {role} {value} and {other} {rest}."""
    ask_role: str = ""
    """Asks for the value of one {role}."""
    dev: bool = False
    """Kept for the dev rows."""


class Bank(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Everything one split is made of."""

    stems: list[str]
    trades: list[str]
    headings: list[str]
    see_also: list[str]
    departments: dict[str, list[str]]
    values: dict[str, list[int]]
    roles: dict[str, list[str]]
    frames: dict[str, list[str]]
    topic: list[Topic]

    def names(self) -> list[str]:
        """Every department, company and role name."""
        departments = [name for group in self.departments.values() for name in group]
        return [*self.stems, *departments, *self.roles["names"]]

    def phrases(self) -> list[str]:
        """Every wording."""
        topics = [
            phrase
            for t in self.topic
            for phrase in (t.title, *t.text, t.roles, t.ask_role, t.states, t.acts, t.ask, *t.absent)
        ]
        frames = [frame for frames in self.frames.values() for frame in frames if frame != "{ask}"]
        return [phrase for phrase in (*self.headings, *self.see_also, *frames, *topics) if phrase]


@lru_cache(maxsize=2)
def load(split: str) -> Bank:
    """The bank of `eval` or `train`."""
    content: dict[str, Any] = tomllib.loads((BANKS / f"{split}.toml").read_text("utf-8"))
    return convert(content, Bank)
