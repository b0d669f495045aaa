"""Which claim is new, and which answers belong together."""

import pytest

from reports.pairs import Pair, pair_up
from tests.reports.sample import cite, make_record

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
