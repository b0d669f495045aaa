"""What is asked before a suite is written: plain words, a default, an example, and the flag that answers it.

Knows how answers are read and what a wrong one is told; the terminal is the caller's.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from msgspec import Struct

from harness.errors import UserError
from harness.starting.kinds import kinds
from harness.starting.reading import (
    COMPARED,
    INVENTS,
    read_bar,
    read_choice,
    read_fields,
    read_labels,
    read_line,
    read_source,
    read_tolerance,
)

Known = dict[str, Any]
"""Answers so far, by flag."""
Ask = Callable[[str, str], str]
"""Shows a question and its default, and returns what the person wrote."""


def _always(known: Known) -> bool:
    return True


class Question(Struct, frozen=True, kw_only=True):
    """One thing to ask."""

    flag: str
    """Option without its dashes."""
    asks: Callable[[Known], str]
    """The question, with an example; may have several lines."""
    default: Callable[[Known], str]
    """What is taken where nobody says otherwise."""
    read: Callable[[str, Known], Any]
    """The answer; UserError where it cannot be one."""
    applies: Callable[[Known], bool] = _always
    """Whether it has a meaning for the kind of answer."""
    follows: Callable[[Known], str] = lambda known: ""
    """What is said at once of the answer."""


def _listed(options: Mapping[str, str]) -> str:
    return "".join(f"\n  {n} {name}: {says}" for n, (name, says) in enumerate(options.items(), 1))


def _has_labels(known: Known) -> bool:
    return bool(known["kind"].labels)


def _takes_of_the_bar(known: Known) -> str:
    from harness.power.enough import contracts_enough
    from harness.schema import Gate
    from harness.stats.wording import rough

    enough = contracts_enough(Gate(metric=known["kind"].metric, rule="at_least", value=known["bar"]))
    many = "more than 20,000" if enough is None else f"about {rough(enough):,}"
    return f"To show that takes {many} {known['source']}s, for a model that makes half of the errors that it allows."


def objective_of(known: Known) -> str:
    """The objective in one sentence, from the answers."""
    compared = {"better": ", more often than the model in use", "no_worse": ", no less often than the model in use"}
    invents = {"never": ", and never make anything up", "few": ", and make something up in at most 5 of 100"}
    said = f"{known['kind'].aim}, right in at least {known['bar'] * 100:g} of 100"
    return f"{said}{compared.get(known['compared'], '')}{invents.get(known.get('invents', ''), '')}."


QUESTIONS = [
    Question(
        flag="kind",
        asks=lambda known: "What do you want from the model? " + _listed({k.name: k.says for k in kinds().values()}),
        default=lambda known: next(iter(kinds())),
        read=lambda text, known: kinds()[read_choice(text, list(kinds()), "--kind")],
    ),
    Question(
        flag="labels",
        asks=lambda known: "Which ones are there? Separate them with ';', such as: urgent; normal; spam",
        default=lambda known: "; ".join(known["kind"].labels),
        read=lambda text, known: read_labels(text, known["kind"].name),
        applies=_has_labels,
    ),
    Question(
        flag="fields",
        asks=lambda known: "Which fields, of which type (text, number, yes/no)? Such as: party: text; rent: number",
        default=lambda known: known["kind"].fields,
        read=lambda text, known: read_fields(text),
        applies=lambda known: bool(known["kind"].fields),
    ),
    Question(
        flag="tolerance",
        asks=lambda known: "How far off may a number be and still be right? Such as: 0, 0.5 or 1%",
        default=lambda known: "0",
        read=lambda text, known: read_tolerance(text),
        applies=lambda known: known["kind"].has_tolerance,
    ),
    Question(
        flag="instruction",
        asks=lambda known: "What would you tell a new colleague to do with each text?",
        default=lambda known: known["kind"].instruction,
        read=lambda text, known: read_line(text, "--instruction"),
    ),
    Question(
        flag="source",
        asks=lambda known: (
            "What does one text come from? Texts from one such source share its quirks, and count as one.\n"
            "Such as: contract, customer, ticket"
        ),
        default=lambda known: "document",
        read=lambda text, known: read_source(text),
    ),
    Question(
        flag="bar",
        asks=lambda known: "How good must it be: in how many of 100 must it hold that " + known["kind"].right + "?",
        default=lambda known: "90",
        read=lambda text, known: read_bar(text),
        follows=_takes_of_the_bar,
    ),
    Question(
        flag="compared",
        asks=lambda known: "Compared with the model you use now?" + _listed(COMPARED),
        default=lambda known: "better",
        read=lambda text, known: read_choice(text, list(COMPARED), "--compared"),
    ),
    Question(
        flag="invents",
        asks=lambda known: f"It can happen that {known['kind'].invented.says}. How often may it?" + _listed(INVENTS),
        default=lambda known: "never",
        read=lambda text, known: read_choice(text, list(INVENTS), "--invents"),
        applies=lambda known: known["kind"].invented is not None,
    ),
    Question(
        flag="objective",
        asks=lambda known: "The aim in one sentence, as you would say it to your board",
        default=objective_of,
        read=lambda text, known: read_line(text, "--objective"),
    ),
]


def answers(given: Mapping[str, str | None], ask: Ask | None, say: Callable[[str], None], defaults: bool) -> Known:
    """An answer to every question that applies: as given, as asked for, or by default.

    Without a terminal (`ask` is None) and without `defaults`, what is missing is named in one UserError.
    """
    known: Known = {}
    missing: list[str] = []
    for question in QUESTIONS:
        text = given.get(question.flag)
        if "kind" in missing or not (question.flag == "kind" or question.applies(known)):
            if text is not None and "kind" not in missing:
                raise UserError(f"--{question.flag} has no meaning for --kind {known['kind'].name}: leave it out")
            continue
        if text is not None:
            known[question.flag] = question.read(text, known)
        elif ask is not None and not defaults:
            known[question.flag] = _until_read(question, known, ask, say)
        elif defaults:
            known[question.flag] = question.read(question.default(known), known)
        else:
            missing.append(question.flag)
    if missing:
        raise UserError(_unanswered(missing, given))
    return known


def _until_read(question: Question, known: Known, ask: Ask, say: Callable[[str], None]) -> Any:
    while True:
        try:
            found = question.read(ask(question.asks(known), question.default(known)), known)
        except UserError as error:
            say(str(error))
            continue
        if follows := question.follows(known | {question.flag: found}):
            say(follows)
        return found


def _unanswered(missing: list[str], given: Mapping[str, str | None]) -> str:
    if missing == ["kind"]:
        missing = [q.flag for q in QUESTIONS if q.applies is _always and given.get(q.flag) is None]
    flags = ", ".join(f"--{flag}" for flag in missing)
    return f"there is no terminal to ask on, and these have no answer: {flags}. Give them, or --yes for defaults"
