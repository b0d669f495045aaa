"""Mask secrets before anything is written, and search for them again in what was written.

A user's own list is in redact.toml, in the working folder or the nearest one above, or in the file that TUNEGATE_REDACT
names:

    words = ["Example Holdings", "Jane Example"]     # masked in any case, as whole words

    [patterns]
    matter = 'M-\\d{6}'                              # Python regular expressions by name

Keys and tokens of known forms are always masked, as are the values of environment variables that hold secrets. Each
character becomes one block, so that offsets into a text stay valid; kinds are counted, values are not stored.
"""

from __future__ import annotations

import os
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from hashlib import blake2b
from html import unescape
from pathlib import Path
from secrets import token_bytes
from typing import Any
from unicodedata import normalize

import msgspec
from msgspec import structs

from harness.env import REDACT
from harness.errors import refuse_all
from harness.files import digest, read_toml
from harness.schema import ScoreEvent

FILE = "redact.toml"
BLOCK = "\N{FULL BLOCK}"
WORDS = "word"
"""Kind of the file's words."""
ENVIRONMENT = "environment"
"""Kind of values of environment variables."""
LABELS = ("expected", "extracted")
"""Fields whose texts are compared and counted: masking keeps equal ones equal and different ones different."""
PIECES = (*LABELS, "quote", "reason")
"""Fields whose texts may be parts of a secret in the same record; parts of PART characters or more are masked too."""
PART = 6
MOST = 5
"""Places that one message names."""
BEFORE, AFTER = r"(?:(?<!\w)|(?<=\W_)|(?<=\W__)|(?<=\A_)|(?<=\A__))", r"(?=_{0,2}(?!\w))"
"""Ends of a whole word, also where underscores are Markdown's emphasis around it and not a part of a name."""
OF_EVERY_RUN = (
    "20260131T094500Z-compare-0a1b2c3d", "2026-01-31T09:45:00Z", "2026-01-31", *(digest(n) for n in range(20)),
    "eval", "train", "merge", "serve", "running", "finished", "failed", "interrupted", "stop", "length", "error",
    "model", "adapter", "endpoint", "scripted", "accepted", "digest", "name", "baseline", "tuned", "ratio", "mean",
)  # fmt: skip
"""Names, times, digests and words like those by which every run is read, so that no pattern may match them."""

NAMED, IS = r"(?<![^\W_])", r"[\\\"']{0,2}\s{0,8}[:=]\s{0,8}[\\\"']{0,2}"
"""Start of a setting's name or of its last words, and what is between the name and its value."""
TYPED = rf"[^\s\"'\\<>,;{BLOCK}]"
"""A character of a password; no block, so that a masked one is not found again."""

FORMS: dict[str, tuple[tuple[str, ...], str]] = {
    "private key": (
        ("-----begin ",),
        r"-----BEGIN [A-Z ]*PRIVATE KEY-----[\s\S]*?(?:-----END [A-Z ]*PRIVATE KEY-----|\Z)",
    ),
    "api key": (
        ("sk-", "sk_", "rk-", "rk_", "pk-", "pk_"),
        r"\b(?:sk|rk|pk)[-_](?:ant-|proj-|svcacct-|live_|test_)?(?=[\w-]{0,512}\d)[\w-]{20,512}",
    ),
    "github token": (
        ("gho_", "ghp_", "ghr_", "ghs_", "ghu_", "github_pat_"),
        r"\b(?:gh[oprsu]_[A-Za-z0-9]{36,}|github_pat_\w{22,})",
    ),
    "gitlab token": (("glpat-",), r"\bglpat-[\w-]{20,}"),
    "hugging face token": (("hf_",), r"\bhf_[A-Za-z0-9]{30,}"),
    "aws key": (("akia", "asia"), r"\b(?:AKIA|ASIA)[A-Z0-9]{16}\b"),
    "google key": (("aiza",), r"\bAIza[\w-]{35}"),
    "slack token": (("xox",), r"\bxox[abeprs]-[A-Za-z0-9-]{10,}"),
    "json web token": (("eyj",), r"\beyJ[\w-]{10,512}\.eyJ[\w-]{10,4096}\.[\w-]{10,1024}"),
    "bearer token": (("bearer",), r"\b[Bb]earer\s{1,8}(?=\S{0,512}\d)[\w.~+/-]{16,4096}=*"),
    "password in a url": (("://",), r"(?<=://)[^\s/:@\"'\\]+:[^\s/@\"'\\]+(?=@)"),
    "assigned secret": (
        ("key", "token", "passw"),
        rf"(?i:{NAMED}(?:api|access|secret|auth)[_-]?(?:access[_-]?)?(?:key|token)){IS}"
        r"(?=\S{0,512}\d)[\w.~+/-]{12,4096}"
        rf"|(?i:{NAMED}pass(?:word|wd)){IS}(?={TYPED}{{0,512}}\d){TYPED}{{8,4096}}",
    ),
}
"""By kind of token: lower-case pieces, one of which every match contains, and its pattern. Most texts contain no piece,
and no pattern is tried on them. None matches a digest or a run's name, and all lengths are bounded, so that no text
takes long to search."""
SECRET_NAME = re.compile(r"(?i)(?:KEY|TOKEN|SECRET|PASSWORD|PASSWD)$")
SECRET_VALUE = re.compile(r"(?=.*\d)(?=.*[A-Za-z])[^\s/]\S{7,}")


ESCAPE = re.compile(r"\\(?:[bfnrt]|u[0-9a-f]{4})|(\\.)")


def _spaced(line: bytes) -> str:
    """Return JSON with white space for escaped line ends, before which a secret would have no word boundary."""
    return ESCAPE.sub(lambda escape: escape[1] or " ", line.decode())


class Redactor:
    """Masks secrets and counts them."""

    def __init__(self, own: Mapping[str, str] | None = None, environment: Mapping[str, str] | None = None) -> None:
        """`own`: a user's patterns by kind. Values of secret variables are taken from `environment`."""
        values = sorted({form for value in _values(environment or {}) for form in (value, _in_json(value))})
        forms = [(kind, *form) for kind, form in FORMS.items()]
        if values:
            forms.append((ENVIRONMENT, tuple(map(str.lower, values)), "|".join(map(re.escape, values[::-1]))))
        forms += [(kind, ("",), form) for kind, form in (own or {}).items()]
        self._forms = [(kind, marks, re.compile(form)) for kind, marks, form in forms]
        self._counts: Counter[str] = Counter()
        self._has_own = bool(own)
        self._salt = token_bytes(16)

    @property
    def counts(self) -> dict[str, int]:
        """Places masked, by kind."""
        return dict(+self._counts)

    def add(self, counts: Mapping[str, int]) -> None:
        """Add counts of what was masked before."""
        self._counts.update(counts)

    def mask(self, lines: Sequence[bytes]) -> list[bytes]:
        """Mask and count every secret in JSON texts that belong together, such as a record and its scores."""
        if not self._has_own and not any(self.kinds(_spaced(line)) for line in lines):
            return list(lines)
        values = [msgspec.json.decode(line) for line in lines]
        secrets = {secret for value in values for text in _texts(value) for secret in self._secrets(text)}
        return [msgspec.json.encode(self._masked(value, secrets)) for value in values] if secrets else list(lines)

    def evidence(self, event: ScoreEvent, line: bytes, text: str) -> bytes:
        """Return the masked line of an event with the quotes of the masked answer `text`, and findings accordingly.

        A quote may be a short part of a secret, such as four digits of an account number, or reach beyond one. Findings
        without a digit stay, since they may be labels, which metrics count by their text.
        """
        score, masked = event.score, msgspec.json.decode(line, type=ScoreEvent)
        spans = [structs.replace(span, quote=self._hidden(text[span.start : span.end])) for span in masked.score.spans]
        hidden = (old.quote for old, new in zip(score.spans, spans, strict=True) if old.quote != new.quote)
        parts = {quote for quote in hidden if any(map(str.isdigit, quote))}
        extracted = {
            name: [
                f"{BLOCK * len(old)} {self._alias(old)}" if old in parts else new
                for old, new in zip(score.extracted[name], found, strict=True)
            ]
            for name, found in masked.score.extracted.items()
        }
        shown = structs.replace(masked.score, spans=spans, extracted=extracted)
        return msgspec.json.encode(structs.replace(masked, score=shown))

    def _hidden(self, text: str) -> str:
        """Return a text with blocks for what is a secret by itself; it is not counted."""
        for _, form in self._possible(text):
            text = form.sub(lambda match: BLOCK * len(match[0]), text)
        return text

    def kinds(self, text: str) -> list[str]:
        """Return the kinds of secrets in a text."""
        return [kind for kind, form in self._possible(text) if form.search(text)]

    def kinds_in_json(self, line: bytes) -> list[str]:
        """Return the kinds of secrets in the texts of a JSON value, field names included."""
        if not self._has_own and not self.kinds(_spaced(line)):
            return []
        return list(
            dict.fromkeys(k for text in _texts(msgspec.json.decode(line), names=True) for k in self.kinds(text))
        )

    def _possible(self, text: str) -> list[tuple[str, re.Pattern[str]]]:
        """Return the patterns that may match in a text."""
        small = text.lower()
        return [(kind, form) for kind, marks, form in self._forms if any(mark in small for mark in marks)]

    def found_in(self, file: Path) -> Iterator[tuple[str, list[str]]]:
        """Yield each line of a JSON Lines file, or a whole JSON file, by its place, with the kinds of secrets in it."""
        if file.suffix == ".json":
            yield str(file), self.kinds_in_json(file.read_bytes())
            return
        with file.open("rb") as opened:
            for number, line in enumerate(opened, 1):
                if line.strip():
                    yield f"{file}:{number}", self.kinds_in_json(line)

    def _secrets(self, text: str) -> Iterator[str]:
        for _, form in self._possible(text):
            yield from (match[0] for match in form.finditer(text) if match[0])

    def _masked(self, value: Any, secrets: set[str], field: str = "") -> Any:
        """Return a masked value; `field` is the one of PIECES that the value is in."""
        if isinstance(value, str):
            masked = self._blocks(value, secrets if field else set())
            return f"{masked} {self._alias(value)}" if masked != value and field in LABELS else masked
        if isinstance(value, list):
            return [self._masked(one, secrets, field) for one in value]
        if isinstance(value, dict):
            return {key: self._masked(one, secrets, key if key in PIECES else field) for key, one in value.items()}
        return value

    def _alias(self, text: str) -> str:
        """Return a salted digest: the same for equal texts of one run, and no help in guessing the text."""
        return blake2b(text.encode(), digest_size=4, key=self._salt).hexdigest()

    def _blocks(self, text: str, secrets: set[str]) -> str:
        before = None
        while text != before:  # Text after a secret may match once the secret is blocks.
            before = text
            for kind, form in self._possible(text):
                text, count = form.subn(lambda match: BLOCK * len(match[0]), text)
                self._counts[kind] += count
        return BLOCK * len(text) if len(text) >= PART and any(text in secret for secret in secrets) else text


def refuse(findings: Iterable[tuple[str, Sequence[str]]], what_to_do: str) -> None:
    """Raise a UserError with the places and kinds of the secrets found, never the secrets."""
    problems = [f"{where}: holds what must be redacted ({', '.join(kinds)})" for where, kinds in findings if kinds]
    more = [f"and {len(problems) - MOST} more places"] if len(problems) > MOST else []
    refuse_all([f"{p}. {what_to_do}" for p in problems[:MOST]] + more, "what must be redacted was found")


def redact_files(files: Iterable[Path]) -> list[Path]:
    """Search finished files once more. One that contains a secret is deleted, and a UserError is raised."""
    redactor, findings, listed = default_redactor(), list[tuple[str, list[str]]](), list(files)
    for path in (path for path in listed if path.suffix != ".pdf"):  # A PDF shows what report.html does, compressed.
        if path.suffix in (".json", ".jsonl"):
            kinds = [kind for _, some in redactor.found_in(path) for kind in some]
        else:
            with path.open(encoding="utf-8", errors="replace") as lines:
                kinds = [kind for line in lines for text in {line, unescape(line)} for kind in redactor.kinds(text)]
        if kinds:
            path.unlink()
            findings.append((str(path), sorted(set(kinds))))
    refuse(findings, "The file was deleted. Run again: secrets are masked as a run is written")
    return listed


def _texts(value: Any, names: bool = False) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        yield from value if names else ()
        for one in value.values():
            yield from _texts(one, names)
    elif isinstance(value, list):
        for one in value:
            yield from _texts(one, names)


def _in_json(text: str) -> str:
    return msgspec.json.encode(text).decode()[1:-1]


def _values(environment: Mapping[str, str]) -> Iterator[str]:
    """Yield the values of variables that hold secrets, as far as their names and form show it."""
    for name, value in environment.items():
        if SECRET_NAME.search(name) and SECRET_VALUE.fullmatch(value.strip()):
            yield value.strip()


def default_redactor() -> Redactor:
    """Return the redactor of this process: from its environment and the user's file, where there is one."""
    named, here = os.environ.get(REDACT), Path.cwd()
    found = (folder / FILE for folder in (here, *here.parents) if (folder / FILE).is_file())
    path = Path(named) if named else next(found, None)
    return Redactor(load(path) if path else None, os.environ)


def load(path: Path) -> dict[str, str]:
    """Read a user's patterns by kind. Raises one UserError with everything that is wrong with the file."""
    content = read_toml(path, "Expected words and [patterns] to redact")
    words, patterns = content.pop("words", []), content.pop("patterns", {})
    problems = [f"unknown key '{key}'. Known: words, patterns" for key in content]
    own: dict[str, str] = {}
    if not isinstance(words, list) or not all(isinstance(word, str) and word.strip() for word in words):
        problems.append("'words' is not a list of texts")
    elif words:
        spelt = "|".join(form for word in words for form in _spellings(word))
        own[WORDS] = rf"(?i){BEFORE}(?:{spelt}){AFTER}"
        problems += [f"'words': {why}"] if (why := _fault(own[WORDS])) else []
    if not isinstance(patterns, dict):
        problems.append("'patterns' is not a table of regular expressions by name")
    else:
        problems += [f"pattern '{kind}': {why}" for kind, form in patterns.items() if (why := _fault(form))]
        problems += [f"pattern '{WORDS}': is the name of the words; choose another"] if WORDS in patterns else []
    refuse_all([f"{path}: {p}" for p in problems], f"{path}: a list of secrets that cannot be used")
    own.update(patterns)
    return own


def _spellings(word: str) -> Iterator[str]:
    """Yield patterns of a word with each accent in its letter or after it, and any space, apostrophe and hyphen."""
    plain = word.translate(str.maketrans("\u2019\u2010\u2011", "'--"))
    for form in ("NFC", "NFD"):
        spaced = r"\s+".join(map(re.escape, normalize(form, plain).split()))
        yield spaced.replace("'", "['\u2019]").replace(r"\-", "[-\u2010\u2011]")


def _fault(form: object) -> str | None:
    """Say why a regular expression cannot be used; None where it can."""
    if not isinstance(form, str):
        return "is not a text"
    try:
        compiled = re.compile(form)
    except (re.error, RecursionError, OverflowError) as error:
        return f"is not a regular expression: {error}"
    if compiled.search(""):
        return "matches the empty text, and so every text"
    hit = next(filter(None, map(compiled.search, OF_EVERY_RUN)), None)
    return hit and f"matches '{hit[0]}' in '{hit.string}'. Every run contains the like, and is read by it. Narrow it"
