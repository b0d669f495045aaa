"""Which answer is wrong, which claim is new."""

import msgspec
import pytest

from harness.schema import Completion, Metric, Score
from reports.pairs import Pair, case_value, is_wrong, pair_up
from tests.reports.sample import METRICS, cite, make_record

RECALL, FABRICATION = METRICS
OLD = "See § 1 and § 2."
NEW = "See  § 2 and § 3."


def test_claims_are_new_gone_or_persisting() -> None:
    before = make_record(1, "baseline", OLD, spans=(cite(OLD, "§ 1"), cite(OLD, "§ 2")))
    after = make_record(1, "tuned", NEW, spans=(cite(NEW, "§ 2"), cite(NEW, "§ 3")))
    pair = Pair(baseline=before, tuned=after)
    assert [f.quote for f in pair.new] == ["§ 3"]
    assert [f.quote for f in pair.fixed] == ["§ 1"]
    assert [f.quote for f in pair.persisting] == ["§ 2"]


@pytest.mark.parametrize(
    ("verdict", "accused"),
    [
        ("invented", 1),
        ("ungrounded", 1),
        ("supported", 0),
        ("unreadable", 0),
        ("violation", 0),
        ("a word of my own", 0),
    ],
)
def test_only_an_ungrounded_claim_is_a_fabrication(verdict: str, accused: int) -> None:
    tuned = make_record(1, "tuned", NEW, spans=(cite(NEW, "§ 3", verdict),))
    assert len(Pair(baseline=make_record(1, "baseline", OLD), tuned=tuned).new) == accused


def test_pairs_join_by_case_and_input_and_leave_changed_inputs_out() -> None:
    baseline = [make_record(n, "baseline", "x") for n in (1, 2, 3)]
    tuned = [
        make_record(3, "tuned", "x"),
        make_record(1, "tuned", "x"),
        make_record(2, "tuned", "x", input_hash="other"),
    ]
    assert [p.case.id for p in pair_up(baseline, tuned)] == ["lease-003", "lease-001"]


def test_a_repeat_is_not_a_second_case() -> None:
    baseline = [make_record(1, "baseline", "x"), make_record(1, "baseline", "x", repeat=2)]
    tuned = [make_record(1, "tuned", "x"), make_record(1, "tuned", "x", repeat=2)]
    assert len(pair_up(baseline, tuned)) == 1


@pytest.mark.parametrize(("metric", "worst"), [(RECALL, 0.0), (FABRICATION, 1.0)])
def test_an_engine_error_is_the_worst_value(metric: Metric, worst: float) -> None:
    failed = Completion(
        key="k", text="", finish_reason="error", prompt_tokens=1, output_tokens=0, error="out of memory"
    )
    record = make_record(1, "tuned", "", completion=failed, scores={})
    assert case_value(record, metric) == worst
    assert is_wrong(record, metric) is True


def test_an_unscored_answer_is_neither_right_nor_wrong() -> None:
    record = make_record(1, "tuned", "x")
    unscored = Score(name="clauses", value=None, reason="no gold")
    assert is_wrong(msgspec.structs.replace(record, scores={"clauses": unscored}), RECALL) is None


def test_macro_f1_of_one_case_comes_from_its_label_lists() -> None:
    score = Score(name="clauses", value=0.0, extracted={"found": ["a", "b"], "missing": ["c"], "invented": ["d"]})
    record = msgspec.structs.replace(make_record(1, "tuned", "x"), scores={"clauses": score})
    f1 = case_value(record, Metric(name="f1", scorer="clauses", numerator="", kind="macro_f1"))
    assert f1 == pytest.approx(2 * 2 / (2 * 2 + 1 + 1))


def test_a_mean_is_the_score_itself_and_a_failed_scorer_its_worst_value() -> None:
    loss = Metric(name="loss", scorer="own", numerator="", kind="mean", worst=5.0, best=0.0, higher_is_better=False)
    record = make_record(1, "tuned", "x")
    scored = msgspec.structs.replace(record, scores={"own": Score(name="own", value=1.5)})
    failed = msgspec.structs.replace(
        record, scores={"own": Score(name="own", value=None, reason="raised", failed=True)}
    )
    perfect = msgspec.structs.replace(record, scores={"own": Score(name="own", value=0.0)})
    assert [case_value(r, loss) for r in (scored, failed, perfect)] == [1.5, 5.0, 0.0]
    assert [is_wrong(r, loss) for r in (scored, failed, perfect)] == [True, True, False]
