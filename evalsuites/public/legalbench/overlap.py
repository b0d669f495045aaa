"""Keep texts of LegalBench out of training rows: its contract tasks are made of CUAD and ContractNLI."""

from evalsuites.public.contractnli.cases import runs
from evalsuites.public.legalbench.tasks import load
from harness.errors import Unavailable
from harness.schema import Case

RUN = 13
"""Words (Brown et al. 2020, appendix C)."""


def unseen(cases: list[Case]) -> list[Case]:
    """Leave out cases whose document shares a run of words with a row of LegalBench, where that is on this machine."""
    try:
        rows = [row for task in load() for row in (*task.train, *task.test)]
    except Unavailable:
        return cases
    shown = set().union(*(runs(cell, RUN) for row in rows for cell in row.values()))
    return [case for case in cases if not runs(case.document, RUN) & shown]
