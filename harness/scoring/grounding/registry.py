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
from typing import Any

from msgspec import Struct

from harness.errors import refuse_all
from harness.files import read_toml, struct_of
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


class RegisteredName(Struct, frozen=True):
    """One name of the list, with its aliases."""

    kind: str
    name: str
    aliases: tuple[str, ...] = ()

    @property
    def forms(self) -> tuple[str, ...]:
        return (self.name, *self.aliases)


class RegistryFile(Struct, frozen=True):
    """The content of a registry file."""

    name: tuple[RegisteredName, ...]
    complete: tuple[str, ...] = ()


EXPECTED = {str: "text", tuple[str, ...]: "a list of texts"}
"""What is written for a key, by the type of its field."""


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
        return {"complete": sorted(self.complete), "names": sorted((k, e.kind, e.name) for k, e in self.by_key.items())}


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
    problems: list[str] = []
    rows, complete = (value if isinstance(value := content.get(k), list) else [] for k in ("name", "complete"))
    names = [struct_of(RegisteredName, row, f"name {n}", problems, EXPECTED) for n, row in enumerate(rows, 1)]
    struct_of(RegistryFile, {**content, "name": names}, "registry", problems, EXPECTED)
    if not names:
        problems.append("it has no [[name]] table; expected at least one")
    return _registry(names, [kind for kind in complete if isinstance(kind, str)], problems, path.name)


def of(entries: Sequence[RegisteredName], complete: Sequence[str] = ()) -> Registry:
    """Make a registry of entries, with the same checks as `load`."""
    return _registry(entries, complete, [], "registry")


def _registry(
    entries: Sequence[RegisteredName | None], complete: Sequence[str], problems: list[str], where: str
) -> Registry:
    """Index the entries; None is one that cannot be read, whose problem is already listed."""
    by_key: dict[str, RegisteredName] = {}
    for number, entry in ((number, entry) for number, entry in enumerate(entries, 1) if entry):
        if entry.kind not in KINDS:
            problems.append(f"name {number}: kind is {entry.kind!r}, expected one of {', '.join(KINDS)}")
        for form in entry.forms:
            known = by_key.setdefault(key(form), entry)
            if not key(form):
                problems.append(f"name {number}: {form!r} has no letter and no digit")
            elif known is not entry:
                what = "is listed twice" if form == entry.name == known.name else "means two names"
                problems.append(f"name {number}: {form!r} {what}: {known.name!r} and {entry.name!r}")
    listed = {entry.kind for entry in entries if entry}
    for kind in sorted(set(complete) - listed):
        expected = "but no name of that kind is listed" if kind in KINDS else f"expected {', '.join(KINDS)}"
        problems.append(f"'complete' names {kind!r}, {expected}")
    refuse_all([f"{where}: {problem}" for problem in problems], f"{where}: names that cannot be used")
    return Registry(by_key, frozenset(complete))
