"""A suite with every kind of metric and comparative gate in its own folder, and answers of scripted models."""

import random
from pathlib import Path

from harness.baseline.accept import Acceptance
from tests.support.mini import NAMES, right, rows, write_suite

CASES = rows(60)
TEST = '''"""Mini: clauses are found."""

from harness import Metric, Score, Suite
from harness.scoring.legal import clauses
from harness.scoring.base import scorer

LIKENESS = Metric(name="likeness", scorer="likeness", numerator="", kind="mean", worst=0.0, best=1.0)


@scorer(metrics=[LIKENESS], name="likeness")
def likeness(case, completion):
    if "boom" in completion.text:
        raise ValueError(completion.text)
    if "?" in completion.text:
        return Score(name="likeness", value=None, reason=f"cannot read {completion.text!r}")
    return Score(name="likeness", value=(len(completion.text) % 7) / 7)


suite = Suite(
    scorers=[clauses.among(["holdover", "assignment", "as is"]), likeness], slices=["instrument"], max_tokens=8
)


@suite.case
def test_finds_every_clause(record):
    assert record.scores.clauses.missing == []
'''
LEVEL = """[objective]
text = "Find the clauses."

[[gate]]
metric = "clause_recall"
rule = "at_least"
value = 0.2
"""
GATES = (
    LEVEL
    + """
[[gate]]
metric = "clause_exact_set"
rule = "improves"

[[gate]]
metric = "clause_macro_f1"
rule = "no_worse"
margin = 0.05

[[gate]]
metric = "false_alarm_rate"
rule = "reduces"
ratio = 0.9

[[gate]]
metric = "likeness"
rule = "improves"
slice = "instrument"
"""
)
SAID = Acceptance(reason="the model in production", accepted_at="2026-01-02T03:04:05Z", although="a first baseline")


def answers(share: float, seed: int) -> dict[str, str]:
    """Right answers to about `share` of the cases, and wrong ones of several kinds to the others."""
    rng = random.Random(seed)
    wrong = ["none", *NAMES, "due on sale", "the tenant's own words"]
    return {name: text if rng.random() < share else rng.choice(wrong) for name, text in right(CASES).items()}


OLD, NEW = answers(0.5, 1), answers(0.95, 2)


def write(root: Path, gates: str = GATES, test: str = TEST, cases: list[dict[str, object]] | None = None) -> Path:
    return write_suite(root, CASES if cases is None else cases, test, gates)
