"""Read a client's style guide, `style.toml`: terms required and banned, exact names, and what the tone allows.

A guide is data that a client replaces by their own. Forms are listed, never stemmed: what is not in the file is not
judged. One message names every mistake in a file.

    client = "Ambleworth"
    glossary = ["crema"]                 # words that are never typos, slang or shouting
    slang = ["deffo"]                    # more slang than the built-in list has
    trust_source_spelling = false        # true: a word of the source document is never a typo

    [tone]                               # true allows it, false makes each one a violation; state all but exclamations
    contractions = true
    emoji = false
    repeated_marks = false               # "!!", "?!"
    exclamations = false                 # "!"; allowed unless forbidden
    all_caps = false                     # a word of four capitals or more
    lists = false                        # bullets, or two labelled lines and more
    slang = false
    typos = false
    grammar_slips = false

    [[banned]]
    id = "customer"
    terms = ["customer", "customers", "customer's", "customers'"]
    use = ["partner", "partners", "partner's", "partners'"]    # one for each term, one for all, or none
    why = "We serve partners."

    [[name]]
    exact = "TideFlask"
    wrong = ["Tidal Flask"]              # other spellings; always wrong are another case, space, hyphen or dots

    [[required]]
    id = "thanks"
    any_of = ["thank you", "thanks"]
    when = { kind = ["support_reply"] }  # case tags that it applies to; without: every case
    why = "A reply thanks the partner."
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from itertools import product
from pathlib import Path
from typing import Annotated, Any, cast

from msgspec import Meta, Struct, field

from harness.errors import refuse_all
from harness.files import read_toml, struct_of
from harness.scoring.text.phrases import Phrases, key

JOINTS = re.compile(r"[ -]|(?<=[a-z])(?=[A-Z\d])|(?<=[A-Z])(?=[A-Z][a-z])")
"""Between the parts of a name: "Tide" and "Flask"."""
Term = Annotated[str, Meta(pattern=r"(?s)^(?=.*\w)\S(?:.*\S)?$")]
Terms = Annotated[tuple[Term, ...], Meta(min_length=1)]
Tags = Annotated[dict[str, Terms], Meta(min_length=1)]
EXPECTED: dict[Any, str] = {
    bool: "true or false",
    Term: "text with a letter or digit and no space around it",
    Terms: "a list of terms, each with a letter or digit and no space around it; [tone] has the rules for marks",
    Tags: "tags with their values, such as { kind = ['reply'] }",
}
"""What is written for a key, by the type of its field."""


class Tone(Struct, frozen=True, kw_only=True):
    """What the voice allows."""

    contractions: bool
    emoji: bool
    repeated_marks: bool
    all_caps: bool
    lists: bool
    slang: bool
    typos: bool
    grammar_slips: bool
    exclamations: bool = True


SWITCHES = Tone.__struct_fields__


class Banned(Struct, frozen=True, kw_only=True):
    """Terms that may not be written."""

    id: Term
    terms: Terms
    use: Terms = ()
    """What to write instead: one for each term, one for all, or none."""
    why: Term = ""

    def replacement(self, term: str) -> str:
        """Return what to write instead of one of the terms, or the empty string."""
        if len(self.use) <= 1:
            return "".join(self.use)
        return self.use[[key(t) for t in self.terms].index(key(term))]


class FixedName(Struct, frozen=True, kw_only=True):
    """A name with one spelling."""

    exact: Term
    wrong: Terms = ()

    def forms(self) -> dict[str, str]:
        """Return the forms that a text may have, with what to write: in the plural, joined in other ways, with dots."""
        *parts, last = JOINTS.split(self.exact, maxsplit=3)
        forms = ["".join(each) + last for each in product(*((part, f"{part}-", f"{part} ") for part in parts))]
        forms += [".".join(self.exact)] if self.exact.isalpha() and self.exact.isupper() else []
        plurals = {f"{form}s": f"{self.exact}s" for form in (*forms, self.exact) if not self.exact.endswith("s")}
        return plurals | dict.fromkeys(forms, self.exact)


class Required(Struct, frozen=True, kw_only=True):
    """Terms of which one must be written."""

    id: Term
    any_of: Terms
    when: Tags = {}
    why: Term = ""

    def applies(self, tags: Mapping[str, str]) -> bool:
        """Whether the rule applies to a case with these tags."""
        return all(tags.get(tag) in values for tag, values in self.when.items())


class StyleGuide(Struct, frozen=True, kw_only=True):
    """A checked style guide."""

    client: Term
    tone: Tone
    banned: tuple[Banned, ...] = ()
    names: tuple[FixedName, ...] = field(default=(), name="name")
    required: tuple[Required, ...] = ()
    glossary: Terms = ()
    slang: Terms = ()
    trust_source_spelling: bool = True


def load(path: str | Path) -> StyleGuide:
    """Read a style guide. Raises one UserError with everything that is wrong in it."""
    path = Path(path)
    return parse(read_toml(path, "Expected a style guide"), path.name)


def parse(content: Mapping[str, Any], name: str = "style.toml") -> StyleGuide:
    """Make a style guide from the content of a TOML file called `name`. Raises UserError as `load` does."""
    problems: list[str] = []
    parts: dict[str, Any] = {"tone": struct_of(Tone, content.get("tone", {}), "[tone]", problems, EXPECTED)}
    for kind, made in (("banned", Banned), ("name", FixedName), ("required", Required)):
        tables = content.get(kind, [])
        if isinstance(tables, list):
            numbered = enumerate(tables, 1)
            parts[kind] = tuple(struct_of(made, each, f"[[{kind}]] {n}", problems, EXPECTED) for n, each in numbered)
        else:
            problems.append(f"'{kind}' is not a list of tables. Write [[{kind}]] and its keys below it")
    guide = struct_of(StyleGuide, {**content, **parts}, "style guide", problems, EXPECTED)
    problems = problems or (conflicts(guide) if guide else [])
    refuse_all([f"{name}: {p}" for p in problems], f"{name}: a style guide that cannot be used")
    return cast(StyleGuide, guide)


def conflicts(guide: StyleGuide) -> list[str]:
    """List what a guide states twice, or both requires and bans."""
    owners = [(f"banned '{r.id}'", t) for r in guide.banned for t in r.terms]
    spellings = [(f"name '{n.exact}'", t) for n in guide.names for t in (n.exact, *n.wrong)]
    problems = _repeated(
        "id", [(f"'{i}'", i) for i in [*(b.id for b in guide.banned), *(r.id for r in guide.required)]]
    )
    problems += _repeated("term", owners) + _repeated("spelling", spellings)
    problems += _repeated("word", [("glossary", w) for w in guide.glossary])
    problems += _repeated("word", [("slang", w) for w in guide.slang])
    for group in guide.required:
        problems += _repeated("term", [(f"required '{group.id}'", t) for t in group.any_of])
    required = [(f"required '{r.id}'", t) for r in guide.required for t in r.any_of]
    required += [(f"name '{n.exact}'", n.exact) for n in guide.names] + [("the glossary", w) for w in guide.glossary]
    required += [(f"the replacement in banned '{r.id}'", t) for r in guide.banned for t in r.use]
    banned = Phrases({term: owner for owner, term in owners})
    for where, term in required:
        problems += [f"'{term}' is in {where} and banned by {hit.value}. Keep one" for hit in banned.find(key(term))]
    slang = {key(w) for w in guide.slang}
    problems += [f"'{w}' is both slang and in the glossary. Keep one" for w in guide.glossary if key(w) in slang]
    for rule in guide.banned:
        if len(rule.use) not in (0, 1, len(rule.terms)):
            problems.append(
                f"banned '{rule.id}': {len(rule.use)} replacements for {len(rule.terms)} terms. "
                "Give one for each, one for all, or none"
            )
    return problems


def _repeated(what: str, owned: Sequence[tuple[str, str]]) -> list[str]:
    """A problem for each text that occurs twice, ignoring letter case and white space."""
    first: dict[str, str] = {}
    problems = []
    for owner, text in owned:
        if key(text) in first:
            owners = " and ".join(dict.fromkeys([first[key(text)], owner]))
            problems.append(f"the {what} '{text}' is stated twice, in {owners}. State it once")
        first.setdefault(key(text), owner)
    return problems
