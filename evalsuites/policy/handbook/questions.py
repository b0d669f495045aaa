"""Make one question about a handbook with its right answer: one function per kind.

Questions with an answer and tempting ones without share their wordings: a true claim and a false one are asked about in
the same words, and so are an id that exists and one that does not. The question alone does not reveal the answer.
"""

import random
from collections.abc import Callable
from typing import NamedTuple

from evalsuites.policy.handbook.bank import Bank
from evalsuites.policy.handbook.handbooks import Guideline, Handbook, shown

SILENT = "The handbook does not say."
"""The right answer where there is none."""


class Question(NamedTuple):
    """A question, the guideline it is about, and the parts of its right answer; none where there is no answer."""

    text: str
    about: Guideline
    parts: list[str]


class Draw(NamedTuple):
    """What a question is drawn from."""

    book: Handbook
    bank: Bank
    rng: random.Random

    def plain(self) -> Guideline:
        """A guideline with one value for all roles."""
        return self.rng.choice([g for g in self.book.guidelines if "" in g.values])

    def of_roles(self) -> Guideline:
        """A guideline that gives two roles a value each."""
        return self.rng.choice([g for g in self.book.guidelines if "" not in g.values])

    def frame(self, kind: str, **filled: str) -> str:
        return self.rng.choice(self.bank.frames[kind]).format(**filled)


def _cited(about: Guideline) -> str:
    return f"Guideline {about.id}"


def _asked(question: str) -> str:
    """A question as the second half of a sentence."""
    return question[0].lower() + question[1:]


def _claim(about: Guideline, value: str | None = None, department: str | None = None) -> str:
    """What a guideline says of its value or of its department, as a clause."""
    if department is not None:
        return f"the {department} {about.topic.acts}"
    return about.topic.states.format(value=value)


def value(draw: Draw) -> Question:
    about = draw.plain()
    text = draw.frame("value", ask=about.topic.ask, asked=_asked(about.topic.ask), id=about.id)
    return Question(text, about, [_cited(about), about.values[""]])


def department(draw: Draw) -> Question:
    about = draw.plain()
    return Question(draw.frame("department", acts=about.topic.acts), about, [_cited(about), about.department])


def guideline(draw: Draw) -> Question:
    about = draw.plain()
    claim = draw.rng.choice([_claim(about, value=about.values[""]), _claim(about, department=about.department)])
    return Question(draw.frame("guideline", claim=claim), about, [_cited(about)])


def value_and_department(draw: Draw) -> Question:
    about = draw.plain()
    text = draw.frame("both", ask=about.topic.ask, acts=about.topic.acts)
    return Question(text, about, [_cited(about), about.values[""], about.department])


def role(draw: Draw) -> Question:
    about = draw.of_roles()
    asked = draw.rng.choice(list(about.values))
    return Question(about.topic.ask_role.format(role=asked), about, [_cited(about), about.values[asked]])


def near_topic(draw: Draw) -> Question:
    """Something about the topic that no guideline settles."""
    about = draw.plain()
    ask = draw.rng.choice(about.topic.absent)
    return Question(draw.frame("value", ask=ask, asked=_asked(ask), id=about.id), about, [])


def wrong_premise(draw: Draw) -> Question:
    """Which guideline makes a claim that no guideline makes: too large a value, or the wrong department."""
    about = draw.plain()
    true = about.values[""]
    written = {v for g in draw.book.guidelines for v in g.values.values()}
    pool = [shown(about.topic.unit, n) for n in sorted(draw.bank.values[about.topic.unit])]
    larger = [v for v in pool[pool.index(true) + 1 :] if v not in written]
    others = [name for name in draw.book.departments if name != about.department]
    claims = [_claim(about, department=draw.rng.choice(others))]
    claims += [_claim(about, value=draw.rng.choice(larger))] if larger else []
    return Question(draw.frame("guideline", claim=draw.rng.choice(claims)), about, [])


def no_such_guideline(draw: Draw) -> Question:
    about = draw.plain()
    frame = next(frame for frame in draw.bank.frames["value"] if "{id}" in frame)
    text = frame.format(asked=_asked(about.topic.ask), id=draw.rng.choice(draw.book.unused_ids))
    return Question(text, about, [])


def no_such_department(draw: Draw) -> Question:
    """A claim about a department that other companies have."""
    about = draw.plain()
    names = [name for group in draw.bank.departments.values() for name in group]
    ghost = draw.rng.choice([name for name in names if name not in draw.book.departments])
    return Question(draw.frame("guideline", claim=_claim(about, department=ghost)), about, [])


def uncovered_role(draw: Draw) -> Question:
    """The value of a role that the guideline leaves out."""
    about = draw.of_roles()
    asked = draw.rng.choice([name for name in draw.bank.roles["names"] if name not in about.values])
    return Question(about.topic.ask_role.format(role=asked), about, [])


Kind = Callable[[Draw], Question]
ANSWERABLE: list[Kind] = [value, department, guideline, value_and_department, role]
UNANSWERABLE: list[Kind] = [near_topic, wrong_premise, no_such_guideline, no_such_department, uncovered_role]


def in_a_sentence(expected: list[str]) -> str:
    """The right answer as a person writes it."""
    if expected == [SILENT]:
        return SILENT
    cited, *stated = expected
    said = ", ".join(part if part[0] in "$0123456789" else f"the {part}" for part in stated)
    return f"{said[0].upper()}{said[1:]} ({cited})." if said else f"{cited}."
