"""Read a closed list of the names that a business knows, by kind, from TOML.

complete = ["department"]            # kinds of which every name is listed; a name of these that is not listed is
invented

[[name]]
kind = "department"
name = "Records Department"
aliases = ["Records Desk"]

Names are equal without case, punctuation, possessives and spellings of a company's form ("L.L.C.", "Incorporated").
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Any, NamedTuple

from harness.errors import refuse_all
from harness.files import read_toml
from harness.scoring.text.guideline_ids import CODE, canonical
from harness.scoring.text.guideline_ids import NUMBER as DOTTED_NUMBER
from harness.scoring.text.normalize import normalise

KINDS = ("party", "person", "department", "guideline", "court", "fund", "index", "name")
"""Kinds of names; `name` is any other."""
TOKEN = re.compile(
    r"(?P<possessive>(?<=\w)['’]s(?!\w))|\d+(?:[.,]\d+)+|[^\W\d_](?:\.[^\W\d_](?!\w))+|[^\W_]+(?:['’](?!s(?!\w))[^\W_]+)*|&"
)
SAME = {
    "incorporated": "inc",
    "corporation": "corp",
    "company": "co",
    "limited": "ltd",
    "&": "and",
    "bros": "brothers",
    "assoc": "associates",
    "dept": "department",
}
"""Words of a name with two spellings, and the spelling used to compare them."""
GUIDELINE_ID = re.compile(rf"{CODE}|{DOTTED_NUMBER}")
NUMBER = re.compile(r"(?<![\d.])0+(?=\d)")


class RegisteredName(NamedTuple):
    """One name of the list, with its aliases."""

    kind: str
    name: str
    aliases: tuple[str, ...]

    @property
    def forms(self) -> tuple[str, ...]:
        return (self.name, *self.aliases)


@dataclass(frozen=True)
class Registry:
    """Names by key, and the kinds of which every name is listed."""

    by_key: dict[str, RegisteredName]
    complete: frozenset[str]

    @cached_property
    def guideline_ids(self) -> frozenset[str]:
        """Ids of the guidelines listed, in canonical form."""
        listed = {entry for entry in self.by_key.values() if entry.kind == "guideline"}
        forms = [form for entry in listed for form in entry.forms]
        return frozenset(canonical(one) for form in forms for one in GUIDELINE_ID.findall(form))

    @cached_property
    def uses_codes(self) -> bool:
        """Whether it names guidelines by ids such as HR-07."""
        return any("-" in one for one in self.guideline_ids)

    def find(self, text: str) -> RegisteredName | None:
        """Return the entry that a text names."""
        return self.by_key.get(key(text))

    @property
    def config(self) -> dict[str, list[Any]]:
        """The part of the registry that changes a scorer's version."""
        return {"complete": sorted(self.complete), "names": sorted((k, *e[:2]) for k, e in self.by_key.items())}


def tokens(text: str) -> list[tuple[str, int, int]]:
    """List the words of a text as names are compared, with their ranges; leading zeros of a number are dropped."""
    words = []
    for match in TOKEN.finditer(text):
        if not match["possessive"]:
            word = match[0].lower()
            word = NUMBER.sub("", word) if word[0] == "0" else word if word[0].isdigit() else word.replace(".", "")
            words.append((SAME.get(word, word), match.start(), match.end()))
    return words


@lru_cache(maxsize=4096)
def key(name: str) -> str:
    """Return a key that is equal for spellings of one name."""
    words = [word for word, _, _ in tokens(normalise(name).text)]
    return " ".join(words[1:] if words[1:] and words[0] == "the" else words)


def load(path: str | Path) -> Registry:
    """Read a registry file. Raises one UserError with everything that is wrong in it."""
    path = Path(path)
    content = read_toml(path, "Name a TOML file of [[name]] tables")
    problems = [f"unknown key '{k}'; expected 'complete' and [[name]]" for k in sorted(content) if k not in EXPECTED]
    rows = content.get("name", [])
    if not isinstance(rows, list) or not rows:
        problems.append("it has no [[name]] table; expected at least one")
        rows = []
    entries = [entry for number, row in enumerate(rows, 1) if (entry := _entry(row, number, problems))]
    return _registry(entries, _complete(content.get("complete", []), problems), problems, path.name)


def of(entries: Sequence[RegisteredName], complete: Sequence[str] = ()) -> Registry:
    """Make a registry of entries, with the same checks as `load`."""
    problems: list[str] = []
    return _registry(entries, _complete(list(complete), problems), problems, "registry")


EXPECTED = ("complete", "name")
FIELDS = ("kind", "name", "aliases")


def _entry(row: Any, number: int, problems: list[str]) -> RegisteredName | None:
    where = f"name {number}"
    if not isinstance(row, dict):
        problems.append(f"{where}: expected a table of kind, name and aliases, found {row!r}")
        return None
    wrong = [f"{where}: unknown key '{k}'; expected {', '.join(FIELDS)}" for k in sorted(row) if k not in FIELDS]
    for field in ("kind", "name"):
        if not isinstance(row.get(field), str):
            wrong.append(f"{where}: '{field}' is {row.get(field)!r}, expected text")
    aliases = row.get("aliases", [])
    if not isinstance(aliases, list) or not all(isinstance(alias, str) for alias in aliases):
        wrong.append(f"{where}: 'aliases' is {aliases!r}, expected a list of texts")
    problems.extend(wrong)
    return None if wrong else RegisteredName(row["kind"], row["name"], tuple(aliases))


def _complete(kinds: Any, problems: list[str]) -> frozenset[str]:
    if not isinstance(kinds, list) or not all(isinstance(kind, str) for kind in kinds):
        problems.append(f"'complete' is {kinds!r}, expected a list of kinds")
        return frozenset()
    problems.extend(f"'complete' names {kind!r}, expected {', '.join(KINDS)}" for kind in kinds if kind not in KINDS)
    return frozenset(kinds)


def _registry(entries: Sequence[RegisteredName], complete: frozenset[str], problems: list[str], where: str) -> Registry:
    by_key: dict[str, RegisteredName] = {}
    for number, entry in enumerate(entries, 1):
        if entry.kind not in KINDS:
            problems.append(f"name {number}: kind is {entry.kind!r}, expected one of {', '.join(KINDS)}")
        for form in entry.forms:
            known = by_key.setdefault(key(form), entry)
            if not key(form):
                problems.append(f"name {number}: {form!r} has no letter and no digit")
            elif known is not entry:
                what = "is listed twice" if form == entry.name == known.name else "means two names"
                problems.append(f"name {number}: {form!r} {what}: {known.name!r} and {entry.name!r}")
    listed = {entry.kind for entry in entries}
    problems.extend(
        f"'complete' names {kind!r}, but no name of that kind is listed"
        for kind in sorted(complete - listed)
        if kind in KINDS
    )
    refuse_all([f"{where}: {problem}" for problem in problems], f"{where}: names that cannot be used")
    return Registry(by_key, complete)
