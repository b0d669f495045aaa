"""The cases of legal/clauses_long and what stands in them, for the tests of the suite."""

from pathlib import Path

from evalsuites.legal.clauses.drafting.bank import INSTRUMENTS
from evalsuites.legal.clauses_long import bank, cases
from harness.schema import Case

SUITE = Path(cases.__file__).parent
CASES = cases.build()
BANKS = {"train": bank.load("train"), "eval": bank.load("eval")}
KEYS = {shown: key for key, shown in INSTRUMENTS.items()}


def asked(case: Case) -> list[str]:
    return case.input["clause_types"].split("; ")


def near_misses(case: Case) -> list[str]:
    return [name for name in case.input["near_misses"].split("; ") if name]


def right(case: Case) -> str:
    return "; ".join(case.expected) or "none"
