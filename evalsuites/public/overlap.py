"""Runs of words that texts share: near-duplicates in one group, and what suites ask about out of training rows."""

import json
import re
from collections import defaultdict
from collections.abc import Iterable, Sequence

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


def apart(cases: list[Case], tested: Sequence[str]) -> list[Case]:
    """Leave out cases that share a run of words with a tested text, and a third of the shorter one's runs of five."""
    holders: dict[str, set[int]] = defaultdict(set)
    for number, text in enumerate(tested):
        for run in runs(text, RUN):
            holders[run].add(number)
    pieces = [runs(text, 5) for text in tested]

    def is_apart(case: Case) -> bool:
        own = runs(case.document, 5)
        near = set().union(*(holders[run] for run in runs(case.document, RUN) & holders.keys()))
        return all(3 * len(own & pieces[number]) < min(len(own), len(pieces[number])) for number in near)

    return [case for case in cases if is_apart(case)]


def agreements() -> list[str]:
    """Return the texts of ContractNLI's agreements, which `public/contractnli` asks about; none without its data."""
    try:
        folder = data.data_folder("contractnli", ["dev.json"], "ContractNLI is not on this machine")
    except Unavailable:
        return []
    text = read_text(folder / "dev.json", "Take it from a copy of ContractNLI")
    return [document["text"] for document in json.loads(text)["documents"]]


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
