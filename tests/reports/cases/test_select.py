"""Which cases regress: by the primary metric and the gated ones, never by an answer's length."""

import pytest

from harness.gates.rules import directed
from harness.schema import Metric
from reports.cases.read import AnswerSummary, CaseName
from reports.cases.select import Pair, choose
from tests.support.sample import make_suite

ACCURACY = Metric(name="accuracy", scorer="answers", numerator="right")
PARSED = Metric(name="parse_rate", scorer="answers", numerator="read")
WORDS = Metric(name="answer_words", scorer="given", numerator="words", unbounded=True)
GATED = [("accuracy", "at_least"), ("parse_rate", "at_least")]


def answer(*values: float | None) -> AnswerSummary:
    return AnswerSummary(case=CaseName(id="one", cluster="c"), number=0, values=values)


@pytest.mark.parametrize(
    ("before", "after", "rules", "kinds", "shift"),
    [
        ((0.0, 1.0, 90.0), (1.0, 1.0, 12.0), GATED, ("gain",), 1.0),
        ((1.0, 1.0, 12.0), (0.0, 1.0, 90.0), GATED, ("regression", "wrong"), -1.0),
        ((0.0, 1.0, 12.0), (1.0, 0.0, 12.0), GATED, ("regression", "gain"), 1.0),
        ((1.0, 1.0, 90.0), (1.0, 1.0, 12.0), GATED, ("unchanged",), 0.0),
        ((1.0, 1.0, 90.0), (1.0, 0.0, 90.0), GATED[:1], ("unchanged",), 0.0),
        ((None, 1.0, 90.0), (1.0, 1.0, 90.0), GATED, ("unchanged",), 0.0),
        ((1.0, 1.0, 90.0), (1.0, 1.0, 12.0), [*GATED, ("answer_words", "at_most")], ("gain",), 0.0),
        ((1.0, 1.0, 90.0), (1.0, 1.0, 12.0), [*GATED, ("answer_words", "at_least")], ("regression",), 0.0),
    ],
)
def test_a_case_regresses_where_the_primary_or_a_gated_metric_falls(
    before: tuple[float | None, ...],
    after: tuple[float | None, ...],
    rules: list[tuple[str, str]],
    kinds: tuple[str, ...],
    shift: float,
) -> None:
    suite = make_suite(metrics=directed([ACCURACY, PARSED, WORDS], rules))
    pair = Pair(baseline=answer(*before), tuned=answer(*after))
    (case,) = choose(suite, suite.metrics[0], {name for name, _ in rules}, [pair], [])
    assert (case.kinds, case.shift) == (kinds, shift)
