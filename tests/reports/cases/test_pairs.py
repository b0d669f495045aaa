"""Which claim is new, and which answers belong together."""

import pytest
from msgspec import structs

from harness.errors import UserError
from harness.schema import Record
from reports.cases import index as index_module
from reports.cases.index import CaseIndex
from reports.cases.read import AnswerSummary, Tally, brief, read
from reports.cases.select import Pair, choose
from tests.support.sample import METRICS, cite, make_record, make_suite

OLD = "See § 1 and § 2."
NEW = "See  § 2 and § 3."


def short(record: Record) -> AnswerSummary:
    """A record as pairs hold it."""
    return brief(record, METRICS)


def test_claims_are_new_gone_or_persisting() -> None:
    before = short(make_record(1, "baseline", OLD, spans=(cite(OLD, "§ 1"), cite(OLD, "§ 2"))))
    after = short(make_record(1, "tuned", NEW, spans=(cite(NEW, "§ 2"), cite(NEW, "§ 3"))))
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
    assert len(Pair(baseline=short(make_record(1, "baseline", OLD)), tuned=short(tuned)).new) == accused


def looked_through(*records: Record) -> tuple[CaseIndex, dict[str, Tally]]:
    """What a report keeps of these answers."""
    suite, tallies = make_suite(), dict[str, dict[str, Tally]]({make_suite().name: {}})
    index = CaseIndex([suite])
    index.add(read(((n, suite.name, record) for n, record in enumerate(records)), [suite], tallies))
    return index, tallies[suite.name]


def test_pairs_join_by_case_and_input_and_leave_changed_inputs_out() -> None:
    baseline = [make_record(n, "baseline", "x") for n in (1, 2, 3)]
    tuned = [
        make_record(3, "tuned", "x"),
        make_record(1, "tuned", "x"),
        make_record(2, "tuned", "x", input_hash="other"),
    ]
    index, _ = looked_through(*baseline, *tuned)
    assert [p.case.id for p in index.pairs(make_suite().name)] == ["lease-003", "lease-001"]


def test_a_repeat_is_not_a_second_case() -> None:
    records = [make_record(1, variant, "x", repeat=repeat) for variant in ("baseline", "tuned") for repeat in (1, 2)]
    index, tallies = looked_through(*records)
    assert len(list(index.pairs(make_suite().name))) == len(list(index.tuned(make_suite().name))) == 1
    assert [(t.answers, t.firsts) for t in tallies.values()] == [(2, 1), (2, 1)]


def test_what_the_cases_of_a_suite_come_to() -> None:
    """Four contracts: missed before; missed by both; new, gone and kept claims; not measured for the baseline."""
    old, new = (cite(OLD, "§ 1"), cite(OLD, "§ 2")), (cite(NEW, "§ 2"), cite(NEW, "§ 3"))
    silent = make_record(4, "baseline", "x", found=False)
    silent.scores["clauses"] = structs.replace(silent.scores["clauses"], value=None, reason="no judge")
    index, _ = looked_through(
        make_record(1, "baseline", "x", found=False), make_record(1, "tuned", "x"),
        make_record(2, "baseline", "x", found=False), make_record(2, "tuned", "x", found=False),
        make_record(3, "baseline", OLD, spans=old), make_record(3, "tuned", NEW, spans=new),
        silent, make_record(4, "tuned", "x", found=False),
    )  # fmt: skip
    suite = make_suite()
    index.show(choose(suite, METRICS[0], (), index.pairs(suite.name), index.tuned(suite.name)))
    joint = index.joint(suite.name)
    assert (joint.cases, joint.pairs, joint.contracts, joint.both_texts) == (4, 4, 4, True)
    assert (joint.measured, joint.measured_contracts, joint.wrong, joint.wrong_before) == (3, 3, 1, 2)
    found = [index.findings(suite.name, what).total() for what in ("tuned", "new", "fixed", "kept")]
    assert found == [2, 1, 1, 1]
    assert [case.tuned.case.id for case in index.sample(1)] == ["lease-001"]


def test_a_disk_without_room_for_the_cases_is_one_clear_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(index_module, "TABLES", f"pragma max_page_count = 6;{index_module.TABLES}")
    with pytest.raises(UserError, match=r"cannot be kept \(database or disk is full\)\. Free space, or set TMPDIR"):
        looked_through(*(make_record(n, "tuned", "x" * 4000) for n in range(500)))
