"""Questions before a suite is written: each with a default, an example and an option, and how answers are parsed."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from msgspec import Struct

from harness.errors import UserError
from harness.formatting import count, plural, round_to_two_digits
from harness.gates.power import clusters_enough
from harness.scaffold.answer_kinds import kinds
from harness.schema import Case, Completion, Gate

COMPARED = {
    "better": "it must be better",
    "no_worse": "it must not be worse, by more than 2 of 100",
    "alone": "it is not compared",
}
INVENTS = {
    "never": "never: one is too many; needs 300 cases without any",
    "few": "in at most 5 of 100",
}
TYPES = {"text": "string", "number": "number", "yes/no": "boolean"}
"""Types of a field and their names in a JSON schema."""
LONGEST = 500
"""Characters of an answer, and of one label."""
LONGEST_LIST = 20_000
"""Characters of all labels together."""


class Field(Struct, frozen=True, kw_only=True):
    name: str
    """Key of the JSON object."""
    type: str
    """One of TYPES."""


def read_line(text: str, option: str, most: int = LONGEST) -> str:
    """Parse one line of printable text of at most `most` characters. Raises UserError."""
    line = " ".join(text.split())
    if not line or not line.isprintable():
        raise UserError(f"{option}: {line[:40]!r} is not a line of text, expected 1 to {most:,} printable characters")
    if len(line) > most:
        raise UserError(f"{option}: {_start(line)} has {len(line):,} characters, expected at most {most:,}. Shorten it")
    return line


def _start(text: str) -> str:
    return repr(text if len(text) <= 40 else f"{text[:39]}…")


def read_choice(text: str, names: Sequence[str], option: str) -> str:
    """Parse one of `names`, by name or by its number in the list. Raises UserError."""
    choice = text.strip().lower().replace("-", "_")
    if choice.isascii() and choice.isdigit() and 1 <= int(choice) <= len(names):
        return names[int(choice) - 1]
    if choice not in names:
        raise UserError(f"{option} {text.strip()!r}: expected one of {', '.join(names)}")
    return choice


def read_labels(text: str, kind: str) -> tuple[str, ...]:
    """Parse labels separated by ';', else by commas. Raises UserError where the scorer cannot tell them apart."""
    from harness.scoring import labels
    from harness.scoring.legal import clause_names, clauses

    parts = read_line(text, "--labels", LONGEST_LIST).split(";" if ";" in text else ",")
    labels_given = tuple(dict.fromkeys(part.strip() for part in parts))
    if len(labels_given) < 2 or "" in labels_given:
        raise UserError(f"--labels: found {list(labels_given)}, expected two or more. Separate them with ';'")
    for name in labels_given:
        read_line(name, "--labels")
    if kind == "list":
        named = clauses.among(labels_given)
        words = [name for name in labels_given if name.lower() in ("none", "nothing", "no")]
        if words:
            raise UserError(f"--labels: {words[0]!r} means in an answer that there is none. Leave it out")
        unread = [name for name in labels_given if not named(*_naming(name)).value]
        if unread and (n_words := len(clause_names.key(unread[0]).split())) > clause_names.MAX_WORDS:
            raise UserError(
                f"--labels: {_start(unread[0])} has {count(n_words, 'word')}, and an entry of a list is recognised in "
                f"an answer up to {clause_names.MAX_WORDS}. Shorten it"
            )
        if unread:
            raise UserError(
                f"--labels: {_start(unread[0])} is not recognised where an answer lists it: marks of lists and of "
                "HTML, such as '1.', 'a)' and '<b>', are left out there. Leave them out of the label"
            )
    else:
        labels.among(labels_given)
    return labels_given


def _naming(name: str) -> tuple[Case, Completion]:
    """Return a case that expects this name alone, and an answer that is this name."""
    case = Case(id="name", input={}, expected=[name], cluster="name")
    return case, Completion(key="", text=name, finish_reason="stop", prompt_tokens=0, output_tokens=0)


def read_fields(text: str) -> tuple[Field, ...]:
    """Parse fields as `name: type`, separated by ';'; a field without a type is text. Raises UserError."""
    fields = []
    for part in read_line(text, "--fields").split(";"):
        name, _, kind = (piece.strip() for piece in part.partition(":"))
        kind = kind.lower() or "text"
        if not name or kind not in TYPES:
            raise UserError(
                f"--fields: {part.strip()!r} is not a field, expected 'name: type' with one of {', '.join(TYPES)}"
            )
        fields.append(Field(name=name, type=kind))
    names = [f.name for f in fields]
    if len(set(names)) < len(names):
        raise UserError(f"--fields: {', '.join(names)} names a field twice. Name each once")
    return tuple(fields)


def read_tolerance(text: str) -> str:
    """Parse a tolerance such as `0`, `0.5` or `1%` into arguments of numeric.within. Raises UserError."""
    match = re.fullmatch(r"(\d{1,9}(?:\.\d{1,9})?)\s*(%?)", text.strip())
    if not match:
        raise UserError(f"--tolerance {text.strip()!r}: expected a number such as 0 or 0.5, or a share such as 1%")
    value = float(match[1])
    if not value:
        return ""
    return f"relative={value / 100:.12g}" if match[2] else f"absolute={value:.12g}"


def read_source(text: str) -> str:
    """Parse the noun for what one case comes from. Raises UserError."""
    word = " ".join(text.lower().split())
    if not re.fullmatch(r"[a-z]+(?:[ -][a-z]+)*", word) or len(word) > 30:
        raise UserError(f"--source {text.strip()!r}: expected a word in the singular, such as contract")
    return word


def read_bar(text: str) -> float:
    """Parse a required share from `90`, `90%` or `0.9`. Raises UserError."""
    match = re.fullmatch(r"(\d{1,3}(?:\.\d{1,6})?|\.\d{1,6})\s*(%?)", text.strip())
    value = float(match[1]) if match else 0.0
    share = value if match and not match[2] and value < 1 else value / 100
    if value == 1 and match and not match[2]:
        raise UserError("--bar 1: is that 1 or 100 of 100? Write 1% or 99%; no number of cases can show 100")
    if share == 1:
        raise UserError("--bar 100: no number of cases can show that a model is always right. Give 99 or less")
    if not 0 < share < 1:
        raise UserError(f"--bar {text.strip()!r}: expected how many of 100 must be right, such as 90")
    return round(share, 8)


Known = dict[str, Any]
"""Answers so far, by flag."""
Ask = Callable[[str, str], str]
"""Shows a question and its default, and returns the answer."""


def _always(known: Known) -> bool:
    return True


class WizardQuestion(Struct, frozen=True, kw_only=True):
    """One question."""

    flag: str
    """Option without its dashes."""
    asks: Callable[[Known], str]
    """The question, with an example; may have several lines."""
    default: Callable[[Known], str]
    """The default answer."""
    read: Callable[[str, Known], Any]
    """Parses the answer; raises UserError."""
    applies: Callable[[Known], bool] = _always
    """Whether it applies to the kind of answer."""
    follows: Callable[[Known], str] = lambda known: ""
    """A line shown right after the answer."""


def _listed(options: Mapping[str, str]) -> str:
    return "".join(f"\n  {n} {name}: {says}" for n, (name, says) in enumerate(options.items(), 1))


def _has_labels(known: Known) -> bool:
    return bool(known["kind"].labels)


def takes(gate: Gate, source: str) -> str:
    """Begin the sentence on how many cases a gate takes, in sources of cases."""
    enough = clusters_enough(gate)
    many = "more than 20,000" if enough is None else f"about {round_to_two_digits(enough):,}"
    return f"Needs {many} {plural(source)}"


def _takes_of_the_bar(known: Known) -> str:
    gate = Gate(metric=known["kind"].metric, rule="at_least", value=known["bar"])
    return f"{takes(gate, known['source'])} to show that, if the model makes half of the errors that this allows."


def objective_of(known: Known) -> str:
    """Write the objective in one sentence, from the answers."""
    compared = {"better": ", more often than the model in use", "no_worse": ", no less often than the model in use"}
    invents = {"never": ", and never make anything up", "few": ", and make something up in at most 5 of 100"}
    sentence = f"{known['kind'].aim}, right in at least {known['bar'] * 100:g} of 100"
    return f"{sentence}{compared.get(known['compared'], '')}{invents.get(known.get('invents', ''), '')}."


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
        asks=lambda known: f"How good must it be? How many of 100 times must it hold that {known['kind'].right}?",
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
    """Collect an answer to every question that applies: from options, the user, or the defaults.

    Raises one UserError for everything that is missing without a terminal (`ask` is None) and without `defaults`.
    """
    known: Known = {}
    missing: list[str] = []
    for question in QUESTIONS:
        text = given.get(question.flag)
        if "kind" in missing or not (question.flag == "kind" or question.applies(known)):
            if text is not None and "kind" not in missing:
                raise UserError(f"--{question.flag} does not apply to --kind {known['kind'].name}: leave it out")
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
            answer = question.read(ask(question.asks(known), question.default(known)), known)
        except UserError as error:
            say(str(error))
            continue
        if follows := question.follows(known | {question.flag: answer}):
            say(follows)
        return answer


def _unanswered(missing: list[str], given: Mapping[str, str | None]) -> str:
    if missing == ["kind"]:
        missing = [q.flag for q in QUESTIONS if q.applies is _always and given.get(q.flag) is None]
    flags = ", ".join(f"--{flag}" for flag in missing)
    return f"there is no terminal for questions, and these have no answer: {flags}. Give them, or --yes for defaults"
