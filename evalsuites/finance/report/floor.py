"""Keyword floor: the lines that share most words with the question, without regard to period, scale or sign.

It copies the label of each line and the first figure on it, as a search for the question's words would.
"""

import re

from harness.schema import Case

MOST = 3
"""Lines used."""
WORD = re.compile(r"[a-z]{3,}")
FIGURE = re.compile(r"\$?\(?\d[\d,]*(?:\.\d+)?\)?%?")
COMMON = frozenset(
    WORD.findall(
        "the and for that with from was were are what how did does has have had its our your this about between over "
        "much many give please tell compare report write paragraph fund quarter year period end"
    )
)


def first_row(case: Case) -> str:
    """Write a sentence from each of the lines that share most words with the question, of any period."""
    question = _words(case.input["question"])
    lines = [line for line in case.document.splitlines() if FIGURE.search(line) and _words(line)]
    nearest = sorted(lines, key=lambda line: -len(question & _words(line)) / len(_words(line)) ** 0.5)[:MOST]
    return " ".join(f"{_label(line)} was {match[0]}." for line in nearest if (match := FIGURE.search(line)))


def _label(line: str) -> str:
    """The words of a line before its first figure, eight at most."""
    found = FIGURE.search(line)
    words = re.findall(r"[A-Za-z][\w'-]*", line[: found.start()] if found else line)
    return " ".join(words[-8:]) or "It"


def _words(text: str) -> set[str]:
    return set(WORD.findall(text.lower())) - COMMON
