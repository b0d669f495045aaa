"""Keep texts of LegalBench out of training rows: its contract tasks are made of CUAD and ContractNLI."""

import re

from evalsuites.public import data
from harness.errors import Unavailable
from harness.files import read_text
from harness.schema import Case

RUN = 13
"""Words (Brown et al. 2020, appendix C)."""


def unseen(cases: list[Case]) -> list[Case]:
    """Leave out cases whose document shares a run of words with a row of LegalBench, where that is on this machine."""
    try:
        tasks = data.data_folder("legalbench", ["tasks"], "LegalBench is not on this machine") / "tasks"
    except Unavailable:
        return cases
    tables = [file for name in ("train", "test") for file in tasks.glob(f"*/{name}.tsv")]
    shown = set().union(*(runs(read_text(file, "Take it from a copy of LegalBench"), RUN) for file in tables))
    return [case for case in cases if not runs(case.document, RUN) & shown]


def runs(text: str, size: int) -> set[str]:
    """Return every run of `size` words of a text, without case, punctuation and numbers."""
    words = re.findall(r"[^\W\d_]+", text.lower())
    return {" ".join(words[at : at + size]) for at in range(max(1, len(words) - size + 1))}
