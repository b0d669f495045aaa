"""Which answer is wrong, and by how much."""

import msgspec
import pytest

from harness.schema import Completion, Metric, Score
from harness.stats.estimates import case_value, falls_short
from tests.support.sample import METRICS, make_record

RECALL, FABRICATION = METRICS


@pytest.mark.parametrize(("metric", "worst"), [(RECALL, 0.0), (FABRICATION, 1.0)])
def test_an_engine_error_is_the_worst_value(metric: Metric, worst: float) -> None:
    failed = Completion(
        key="k", text="", finish_reason="error", prompt_tokens=1, output_tokens=0, error="out of memory"
    )
    record = make_record(1, "tuned", "", completion=failed, scores={})
    assert case_value(record, metric) == worst
    assert falls_short(case_value(record, metric), metric) is True


def test_an_unscored_answer_is_neither_right_nor_wrong() -> None:
    record = make_record(1, "tuned", "x")
    unscored = Score(name="clauses", value=None, reason="no gold")
    value = case_value(msgspec.structs.replace(record, scores={"clauses": unscored}), RECALL)
    assert value is None and falls_short(value, RECALL) is None


@pytest.mark.parametrize(("kind", "value"), [("macro_f1", 2 * 2 / (2 * 2 + 1 + 1)), ("macro_recall", 2 / 3)])
def test_a_mean_over_labels_reads_the_lists_of_one_case(kind: str, value: float) -> None:
    score = Score(name="clauses", value=0.0, extracted={"found": ["a", "b"], "missing": ["c"], "invented": ["d"]})
    record = msgspec.structs.replace(make_record(1, "tuned", "x"), scores={"clauses": score})
    metric = Metric(name="mean", scorer="clauses", numerator="", kind=kind)  # type: ignore[arg-type]
    assert case_value(record, metric) == pytest.approx(value)


def test_a_mean_is_the_score_itself_and_a_failed_scorer_its_worst_value() -> None:
    loss = Metric(name="loss", scorer="own", numerator="", kind="mean", worst=5.0, best=0.0, higher_is_better=False)
    record = make_record(1, "tuned", "x")
    scored = msgspec.structs.replace(record, scores={"own": Score(name="own", value=1.5)})
    failed = msgspec.structs.replace(
        record, scores={"own": Score(name="own", value=None, reason="raised", failed=True)}
    )
    perfect = msgspec.structs.replace(record, scores={"own": Score(name="own", value=0.0)})
    assert [case_value(r, loss) for r in (scored, failed, perfect)] == [1.5, 5.0, 0.0]
    assert [falls_short(case_value(r, loss), loss) for r in (scored, failed, perfect)] == [True, True, False]
