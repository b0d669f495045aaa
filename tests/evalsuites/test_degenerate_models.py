"""Models that know nothing pass no suite, and a model that is always right passes every bar it can be held to.

Asked of every suite, without an engine: a rule gives the answers, the suite's own scorers and gates judge them.
"""

from collections.abc import Callable
from pathlib import Path

import pytest

import evalsuites
from harness.schema import BASELINE, CANDIDATE, Case, Record
from harness.scoring.grounding.claims import BORNE_OUT, FABRICATED, OTHER
from harness.suites.suite import Suite
from tests.evalsuites.judging import always, answered, available, records, right, verdicts

FOLDER = Path(evalsuites.__path__[0])
NAMES = sorted("/".join(path.parts[-3:-1]) for path in FOLDER.rglob("gates.toml"))
LONGEST = 4000
"""Characters of a source that are copied: more than any answer may hold."""
MOST, LONG = 15, 1000
"""Answers of the suite that a model which answers everything strings together, and their characters."""

Rule = Callable[[Suite], Callable[[Case], str]]


def everything(suite: Suite) -> Callable[[Case], str]:
    return always("; ".join(sorted({answer for other in suite.cases for answer in other.expected})[:MOST])[:LONG])


def copied(case: Case) -> str:
    return (case.document or "\n".join(case.input.values()))[:LONGEST]


RULES: dict[str, Rule] = {
    "always yes": lambda suite: always("Yes."),
    "always no": lambda suite: always("No."),
    "always none": lambda suite: always("none"),
    "always declines": lambda suite: always("The document does not say."),
    "refuses": lambda suite: always("I'm sorry, but I cannot help with that."),
    "empty": lambda suite: always(""),
    "everything": everything,
    "copies the source": lambda suite: copied,
    "keywords": lambda suite: suite.floor or pytest.skip("the suite has no keyword floor"),
}
every_suite = pytest.mark.parametrize("name", NAMES)


@pytest.mark.slow
@pytest.mark.parametrize("rule", RULES)
@every_suite
def test_a_model_that_knows_nothing_fails(name: str, rule: str) -> None:
    """Absolute gates, and `no_worse` against right answers: what a model is held to whatever the baseline is."""
    suite = available(name)
    given = {CANDIDATE: answered(suite, RULES[rule](suite)), BASELINE: records(name, right(name))}
    found = verdicts(suite, given, ("at_least", "at_most", "never", "no_worse"))
    assert any(verdict.outcome == "fail" for verdict in found), [v.reason for v in found]


@every_suite
def test_a_model_that_is_always_right_passes_every_bar(name: str) -> None:
    found = verdicts(available(name), {CANDIDATE: records(name, right(name))}, ("at_least", "at_most", "never"))
    if not found:
        pytest.skip("the suite holds a model to no bar of its own")
    assert [(v.gate, v.reason) for v in found if v.outcome != "pass"] == []


@every_suite
def test_every_verdict_on_a_span_has_a_standing(name: str) -> None:
    suite = available(name)
    some = suite.cases[:: max(1, len(suite.cases) // 20)]
    made: list[Record] = []
    for answering in (right(name), copied, always(right(name)(suite.cases[-1]))):
        made += answered(suite, answering, some)
    seen = {span.verdict for record in made for score in record.scores.values() for span in score.spans}
    assert seen <= BORNE_OUT | FABRICATED | OTHER
    assert seen & BORNE_OUT or not seen
