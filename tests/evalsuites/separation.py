"""Proves that training rows share nothing with a suite's cases: no run of eight words, no name."""

import re
from collections.abc import Iterable

from harness.schema import Case

RUN = 8


def texts(cases: Iterable[Case]) -> list[str]:
    return [text for case in cases for text in (*case.input.values(), *case.expected)]


def runs(text: str, shared: str = "") -> set[tuple[str, ...]]:
    """Runs of eight words, but for those of `shared` text, which both sides must have (a style guide, a statute)."""
    words = re.findall(r"[a-z0-9$%.'-]+", text.lower())
    found = {tuple(words[i : i + RUN]) for i in range(len(words) - RUN + 1)}
    return found - runs(shared) if shared else found


def shared_runs(cases: Iterable[Case], training: Iterable[Case], shared: str = "") -> set[tuple[str, ...]]:
    """Runs of eight words that occur on both sides."""
    suite = set().union(*(runs(text, shared) for text in texts(cases)))
    return suite & set().union(*(runs(text, shared) for text in texts(training)))


def names_in(cases: Iterable[Case], names: Iterable[str]) -> set[str]:
    """Which of these names occur in the cases, as whole words."""
    whole = "\n".join(texts(cases))
    return {name for name in names if re.search(rf"(?<!\w){re.escape(name)}(?!\w)", whole)}
