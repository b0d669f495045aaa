"""Paired differences between runs: the project's own statistics on the cases that both runs answered."""

from __future__ import annotations

from pathlib import Path

import pytest
from msgspec import structs

from harness.schema import Metric
from reports import side_by_side
from reports.side_by_side import differences
from reports.side_by_side.columns import metrics_of
from reports.side_by_side.rows import Reader, SuiteRows
from tests.reports.side_by_side.conftest import MakeRun, answers, written
from tests.support.sample import METRICS, SUITE, make_suite


def read(runs: list[str]) -> tuple[list[side_by_side.columns.Column], SuiteRows]:
    columns, _ = side_by_side.open_columns(runs, Path("runs"))
    suite = SuiteRows(name=SUITE, metrics=metrics_of(columns, SUITE), rows={}, scores=[])
    Reader(columns).read({SUITE: suite})
    return columns, suite


def test_differences_use_the_cases_that_both_runs_answered(three: list[str]) -> None:
    recall, _ = differences.tables(*read(three), baseline=0)
    (_, _, own, *_), (_, _, second, counts, _), (_, _, third, *_) = recall.rows
    assert own.text == "baseline of this table"
    assert second.estimate is not None and second.estimate.value == pytest.approx(-1 / 4) and second.estimate.n == 4
    assert (second.text, counts.text) == ("−25.0 points", "0 better, 1 worse, 3 equal")
    assert third.estimate is not None and third.estimate.value == pytest.approx(-1 / 6) and third.estimate.n == 6


def test_p_values_are_adjusted_for_the_number_of_runs(make_run: MakeRun) -> None:
    wrong = tuple(range(12))
    runs = [make_run(1, answers(cases=16)), *(make_run(day, answers(wrong, cases=16)) for day in (2, 3))]
    recall, _ = differences.tables(*read(runs), baseline=0)
    # Twelve cases of one cluster each got worse and none better: McNemar's exact p is 2 / 2**12, times two runs.
    assert [row[4].text for row in recall.rows[1:]] == ["p < 0.001"] * 2
    runs = [make_run(4, answers(cases=16)), *(make_run(day, answers(tuple(range(6)), cases=16)) for day in (5, 6))]
    recall, _ = differences.tables(*read(runs), baseline=0)
    assert [row[4].text for row in recall.rows[1:]] == ["p = 0.062"] * 2
    # What no test confirms has no colour, as in a report.
    assert {(row[2].tone, row[2].note.splitlines()[-1]) for row in recall.rows[1:]} == {("plain", "no clear change")}


def test_values_of_two_scorer_versions_are_not_compared(make_run: MakeRun, tmp_path: Path) -> None:
    own = make_suite(scorers={"clauses": "1", "citations": "1"})
    newer = structs.replace(own, scorers={"clauses": "2", "citations": "1"})
    runs = [make_run(1, answers(), suites=[own]), make_run(2, answers(), suites=[newer])]
    recall, fabrications = differences.tables(*read(runs), baseline=0)
    assert recall.rows[1][2].text == differences.OTHER_SCORER
    assert fabrications.rows[1][2].estimate is not None
    assert differences.OTHER_SCORER in written(runs, tmp_path)


def test_a_metric_without_a_direction_is_higher_or_lower_and_has_no_colour(make_run: MakeRun) -> None:
    named = Metric(name="clauses_named", scorer="clauses", numerator="tp", denominator="gold", neutral=True)
    suites = [make_suite(metrics=[*METRICS, named])]
    fewer = answers(tuple(range(12)), cases=16)
    runs = [make_run(1, answers(cases=16), suites=suites), make_run(2, fewer, suites=suites)]
    recall, _, neutral = differences.tables(*read(runs), baseline=0)
    assert [cell.text for cell in neutral.rows[1]][2:4] == ["−75.0 points", "0 higher, 12 lower, 4 equal"]
    assert (recall.rows[1][2].tone, neutral.rows[1][2].tone) == ("bad", "plain")
