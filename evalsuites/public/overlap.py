"""Runs of words that texts share: near-duplicates in one group, and texts of LegalBench out of training rows."""

import re
from collections import defaultdict
from collections.abc import Iterable

from evalsuites.public import data
from harness.errors import Unavailable
from harness.files import read_text
from harness.schema import Case

RUN = 13
"""Words (Brown et al. 2020, appendix C)."""


def unseen(cases: list[Case]) -> list[Case]:
    """Leave out cases whose document shares a run of words with a row of LegalBench, where that is on this machine.

    Its contract tasks are made of CUAD and ContractNLI.
    """
    try:
        tasks = data.data_folder("legalbench", ["tasks"], "LegalBench is not on this machine") / "tasks"
    except Unavailable:
        return cases
    tables = [file for name in ("train", "test") for file in tasks.glob(f"*/{name}.tsv")]
    shown = set().union(*(runs(read_text(file, "Take it from a copy of LegalBench"), RUN) for file in tables))
    return [case for case in cases if not runs(case.document, RUN) & shown]


def apart(cases: list[Case], tests: Iterable[Case]) -> list[Case]:
    """Leave out cases that share a run of words with a test case, and a third of the shorter one's runs of five."""
    shown = [test.document for test in tests]
    holders: dict[str, set[int]] = defaultdict(set)
    for number, document in enumerate(shown):
        for run in runs(document, RUN):
            holders[run].add(number)

    def is_apart(case: Case) -> bool:
        own = runs(case.document, 5)
        near = set().union(*(holders[run] for run in runs(case.document, RUN) & holders.keys()))
        others = [runs(shown[number], 5) for number in near]
        return all(3 * len(own & other) < min(len(own), len(other)) for other in others)

    return [case for case in cases if is_apart(case)]


def runs(text: str, size: int, word: str = r"[^\W\d_]+") -> set[str]:
    """Return every run of `size` words of a text, without case, punctuation and, by default, numbers."""
    words = re.findall(word, text.lower())
    return {" ".join(words[at : at + size]) for at in range(max(1, len(words) - size + 1))}


def linked(names: Iterable[str], pairs: Iterable[tuple[str, str]]) -> list[list[str]]:
    """Group the names that pairs link, directly or through others (single link); each list and all lists sorted."""
    group = {name: [name] for name in names}
    for first, second in pairs:
        if group[first] is not group[second]:
            joined = group[first] + group[second]
            group.update(dict.fromkeys(joined, joined))
    return sorted({id(together): sorted(together) for together in group.values()}.values())
