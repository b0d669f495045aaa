"""What is asked before a suite is written: plain words, a default, an example, and the flag that answers it.

Knows how answers are read and what a wrong one is told; the terminal is the caller's.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from msgspec import Struct

from harness.errors import UserError
from harness.scaffold.answer_kinds import kinds

COMPARED = {
    "better": "it must be better",
    "no_worse": "it must not be worse, by more than 2 of 100",
    "alone": "it is not compared",
}
INVENTS = {
    "never": "never: one is too many, and 300 without any are asked for",
    "few": "in at most 5 of 100",
}
TYPES = {"text": "string", "number": "number", "yes/no": "boolean"}
"""Types of a field, by their names in a JSON schema."""
LONGEST = 500
"""Characters of an answer."""


class Field(Struct, frozen=True, kw_only=True):
    name: str
    """Key of the JSON object."""
    type: str
    """One of TYPES."""


def read_line(text: str, option: str) -> str:
    """One line of printable text."""
    line = " ".join(text.split())
    if not line or not line.isprintable() or len(line) > LONGEST:
        raise UserError(f"{option}: {line[:40]!r} is no line of text, expected 1 to {LONGEST} printable characters")
    return line


def read_choice(text: str, names: Sequence[str], option: str) -> str:
    """One of `names`, by name or by its number in the list."""
    said = text.strip().lower().replace("-", "_")
    if said.isascii() and said.isdigit() and 1 <= int(said) <= len(names):
        return names[int(said) - 1]
    if said not in names:
        raise UserError(f"{option} {text.strip()!r}: expected one of {', '.join(names)}")
    return said


def read_labels(text: str, kind: str) -> tuple[str, ...]:
    """Labels between ';', or between commas where there is none; refused where the scorer cannot tell them apart."""
    from harness.scoring import labels
    from harness.scoring.legal import clauses

    found = tuple(part.strip() for part in read_line(text, "--labels").split(";" if ";" in text else ","))
    if len(found) < 2 or "" in found:
        raise UserError(f"--labels: found {list(found)}, expected two or more. Separate them with ';'")
    if kind == "list":
        clauses.vocabulary_table(found, {})
        words = [name for name in found if name.lower() in ("none", "nothing", "no")]
        if words:
            raise UserError(f"--labels: {words[0]!r} is how an answer says that there is none. Leave it out")
    else:
        labels.label_table(found, {})
    return found


def read_fields(text: str) -> tuple[Field, ...]:
    """Fields as `name: type` between ';'; a field without a type is text."""
    found = []
    for part in read_line(text, "--fields").split(";"):
        name, _, kind = (piece.strip() for piece in part.partition(":"))
        kind = kind.lower() or "text"
        if not name or kind not in TYPES:
            raise UserError(
                f"--fields: {part.strip()!r} is no field, expected 'name: type' with one of {', '.join(TYPES)}"
            )
        found.append(Field(name=name, type=kind))
    names = [f.name for f in found]
    if len(set(names)) < len(names):
        raise UserError(f"--fields: {', '.join(names)} names a field twice. Name each once")
    return tuple(found)


def read_tolerance(text: str) -> str:
    """How far off a number may be, as arguments of numeric.within: `0`, `0.5` or `1%`."""
    found = re.fullmatch(r"(\d{1,9}(?:\.\d{1,9})?)\s*(%?)", text.strip())
    if not found:
        raise UserError(f"--tolerance {text.strip()!r}: expected a number such as 0 or 0.5, or a share such as 1%")
    value = float(found[1])
    if not value:
        return ""
    return f"relative={value / 100:.12g}" if found[2] else f"absolute={value:.12g}"


def read_source(text: str) -> str:
    """The word for what one case comes from."""
    word = " ".join(text.lower().split())
    if not re.fullmatch(r"[a-z]+(?:[ -][a-z]+)*", word) or len(word) > 30:
        raise UserError(f"--source {text.strip()!r}: expected a word in the singular, such as contract")
    return word


def read_bar(text: str) -> float:
    """A share that is asked for, of `90`, `90%` or `0.9`."""
    found = re.fullmatch(r"(\d{1,3}(?:\.\d{1,6})?|\.\d{1,6})\s*(%?)", text.strip())
    value = float(found[1]) if found else 0.0
    share = value if found and not found[2] and value < 1 else value / 100
    if value == 1 and found and not found[2]:
        raise UserError("--bar 1: is that 1 or 100 of 100? Write 1% or 99%, and mind that no number of cases shows 100")
    if share == 1:
        raise UserError("--bar 100: no number of cases can show that a model is always right. Ask for 99 or less")
    if not 0 < share < 1:
        raise UserError(f"--bar {text.strip()!r}: expected how many of 100 must be right, such as 90")
    return round(share, 8)


Known = dict[str, Any]
"""Answers so far, by flag."""
Ask = Callable[[str, str], str]
"""Shows a question and its default, and returns what the person wrote."""


def _always(known: Known) -> bool:
    return True


class WizardQuestion(Struct, frozen=True, kw_only=True):
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
    from harness.formatting import plural, round_to_two_digits
    from harness.gates.power import clusters_enough
    from harness.schema import Gate

    enough = clusters_enough(Gate(metric=known["kind"].metric, rule="at_least", value=known["bar"]))
    many = "more than 20,000" if enough is None else f"about {round_to_two_digits(enough):,}"
    sources = plural(known["source"])
    return f"To show that takes {many} {sources}, for a model that makes half of the errors that it allows."


def objective_of(known: Known) -> str:
    """The objective in one sentence, from the answers."""
    compared = {"better": ", more often than the model in use", "no_worse": ", no less often than the model in use"}
    invents = {"never": ", and never make anything up", "few": ", and make something up in at most 5 of 100"}
    said = f"{known['kind'].aim}, right in at least {known['bar'] * 100:g} of 100"
    return f"{said}{compared.get(known['compared'], '')}{invents.get(known.get('invents', ''), '')}."


QUESTIONS = [
    WizardQuestion(
        flag="kind",
        asks=lambda known: "What do you want from the model? " + _listed({k.name: k.says for k in kinds().values()}),
        default=lambda known: next(iter(kinds())),
        read=lambda text, known: kinds()[read_choice(text, list(kinds()), "--kind")],
    ),
    WizardQuestion(
        flag="labels",
        asks=lambda known: "Which ones are there? Separate them with ';', such as: urgent; normal; spam",
        default=lambda known: "; ".join(known["kind"].labels),
        read=lambda text, known: read_labels(text, known["kind"].name),
        applies=_has_labels,
    ),
    WizardQuestion(
        flag="fields",
        asks=lambda known: "Which fields, of which type (text, number, yes/no)? Such as: party: text; rent: number",
        default=lambda known: known["kind"].fields,
        read=lambda text, known: read_fields(text),
        applies=lambda known: bool(known["kind"].fields),
    ),
    WizardQuestion(
        flag="tolerance",
        asks=lambda known: "How far off may a number be and still be right? Such as: 0, 0.5 or 1%",
        default=lambda known: "0",
        read=lambda text, known: read_tolerance(text),
        applies=lambda known: known["kind"].has_tolerance,
    ),
    WizardQuestion(
        flag="instruction",
        asks=lambda known: "What would you tell a new colleague to do with each text?",
        default=lambda known: known["kind"].instruction,
        read=lambda text, known: read_line(text, "--instruction"),
    ),
    WizardQuestion(
        flag="source",
        asks=lambda known: (
            "What does one text come from? Texts from one such source share its quirks, and count as one.\n"
            "Such as: contract, customer, ticket"
        ),
        default=lambda known: "document",
        read=lambda text, known: read_source(text),
    ),
    WizardQuestion(
        flag="bar",
        asks=lambda known: "How good must it be: in how many of 100 must it hold that " + known["kind"].right + "?",
        default=lambda known: "90",
        read=lambda text, known: read_bar(text),
        follows=_takes_of_the_bar,
    ),
    WizardQuestion(
        flag="compared",
        asks=lambda known: "Compared with the model you use now?" + _listed(COMPARED),
        default=lambda known: "better",
        read=lambda text, known: read_choice(text, list(COMPARED), "--compared"),
    ),
    WizardQuestion(
        flag="invents",
        asks=lambda known: f"It can happen that {known['kind'].invented.says}. How often may it?" + _listed(INVENTS),
        default=lambda known: "never",
        read=lambda text, known: read_choice(text, list(INVENTS), "--invents"),
        applies=lambda known: known["kind"].invented is not None,
    ),
    WizardQuestion(
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


def _until_read(question: WizardQuestion, known: Known, ask: Ask, say: Callable[[str], None]) -> Any:
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
