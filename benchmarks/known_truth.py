"""Completions with known truth: written by hand over the suites' documents, faithful or with marked errors.

`benchmarks/completions/DOMAIN-PART.jsonl` holds them; PART is `tuning`, `derived` or `frozen`, apart by document.
Whoever works on a scorer reads the first two only, and sees counts of the frozen one. Those of `derived` work out as
many values as their writers could think of. `digests.json` has the SHA-256 of every file.
"""

import hashlib
import json
import re
from collections.abc import Callable
from functools import cache
from pathlib import Path

import msgspec

from evalsuites.finance.report import sheets
from evalsuites.legal.instruments.documents import SPLITS, instruments
from evalsuites.policy.handbook import handbooks

FOLDER = Path(__file__).parent / "completions"
PARTS = ("tuning", "derived", "frozen")
CLASSES = ("absent", "join", "meaning")
"""A value that is nowhere; a value joined to the wrong party, period, row, section or item; another meaning."""
TASKS = ("summary", "answer", "report")
FORMS = ("prose", "bullets", "table", "json", "markdown")


class Error(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A wrong passage: its type, such as `join-party`, and its range in the text."""

    type: str
    start: int
    end: int

    @property
    def kind(self) -> str:
        """Its class."""
        return self.type.partition("-")[0]


class Known(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One completion; without errors it is faithful."""

    id: str
    document: str
    """Id of its document."""
    task: str
    form: str
    question: str
    """What an answer answers; empty for the other tasks."""
    text: str
    errors: tuple[Error, ...]

    @property
    def is_faithful(self) -> bool:
        return not self.errors


def load(domain: str, part: str) -> list[Known]:
    """Read the completions of one domain and part. Raises OSError without the file."""
    return msgspec.json.Decoder(Known).decode_lines((FOLDER / f"{domain}-{part}.jsonl").read_bytes())


def digests() -> dict[str, str]:
    """Return the SHA-256 of every file, by name."""
    return {file.name: hashlib.sha256(file.read_bytes()).hexdigest() for file in sorted(FOLDER.glob("*.jsonl"))}


def committed_digests() -> dict[str, str]:
    """Return the digests that are committed."""
    return json.loads((FOLDER / "digests.json").read_text("utf-8"))


@cache
def _legal() -> dict[str, str]:
    return {each.id: each.text for split in SPLITS for each in instruments(split)}


@cache
def _finance() -> dict[str, str]:
    return {each.id: each.text for split in sheets.SPLITS for each in sheets.sheets(split)}


@cache
def _policy() -> dict[str, str]:
    return {each.id: each.text for split in handbooks.SPLITS for each in handbooks.handbooks(split)}


DOCUMENTS: dict[str, Callable[[], dict[str, str]]] = {"finance": _finance, "legal": _legal, "policy": _policy}
"""The documents of each domain by id."""


def has_new_value(text: str, document: str) -> bool:
    """Whether a completion has a number, or a capitalised word inside a sentence, that its document lacks.

    The naive rule that a set of completions must not be solved by.
    """
    numbers = {_plain(number) for number in re.findall(r"\d[\d,.]*", document)}
    words = {word.lower() for word in re.findall(r"[A-Za-z]+", document)}
    names = re.findall(r"(?<![.!?:*#-] )(?<!^)(?<!\n)\b[A-Z][a-z]{2,}", text)
    return any(_plain(number) not in numbers for number in re.findall(r"\d[\d,.]*", text)) or any(
        name.lower() not in words for name in names
    )


def _plain(number: str) -> str:
    return number.replace(",", "").rstrip(".").removesuffix(".00")
