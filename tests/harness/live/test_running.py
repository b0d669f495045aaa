"""Running estimates: the run's own numbers, for a bounded share of the time."""

import time
from pathlib import Path

import pytest

from harness.progress.evaluation_view import EVERY_S, SHARE_OF_TIME, Running, RunningLevel, miss_of
from harness.progress.progress import StageShare
from harness.schema import Metric
from harness.stats.estimates import VariantScores, estimate, observations
from harness.stats.score_table import Incoming
from tests.harness.scored import ACCURACY, ERROR_RATE, FABRICATION, MACRO_F1, RECALL, record
from tests.harness.scored_run import make

RECORDS = [record(n, n % 3 != 0, claims=1 + n % 2, cluster=n // 2, repeat=r) for n in range(60) for r in (1, 2)]


def running(metric: Metric) -> Running:
    return Running([StageShare(suite="s", variant="tuned", total=120, metric=metric)])


@pytest.mark.parametrize("metric", [ACCURACY, ERROR_RATE, RECALL, FABRICATION, MACRO_F1])
def test_the_last_estimate_is_that_of_all_records_read_at_once(metric: Metric) -> None:
    found = running(metric)
    level = found.levels["s", "tuned"]
    for number, one in enumerate(RECORDS):
        level.add(one)
        found.refresh(EVERY_S * number)
    found.finish()
    assert level.estimate == estimate(observations(RECORDS, metric), metric)
    assert level.answers == len(RECORDS)


def test_the_last_estimate_is_the_runs_own(tmp_path: Path) -> None:
    made = make(tmp_path)
    metric = next(m for m in made.manifest.suites[0].metrics if m.name == "clause_recall")
    for variant in ("baseline", "tuned"):
        level = RunningLevel(metric)
        for one in made.by_variant("legal/mini")[variant]:
            level.add(one)
        level.finish()
        own = next(
            row.estimate
            for row in made.metrics.metrics
            if (row.metric, row.variant, row.slice) == ("clause_recall", variant, None)
        )
        assert level.estimate is not None and own.n == 20
        assert (level.estimate.value, level.estimate.n) == (own.value, own.n)
        assert (level.estimate.low, level.estimate.high) == (pytest.approx(own.low), pytest.approx(own.high))


def test_estimates_come_every_two_seconds_while_they_are_cheap(monkeypatch: pytest.MonkeyPatch) -> None:
    found, asked = running(ACCURACY), []
    monkeypatch.setattr(time, "thread_time", lambda: 0.0)
    monkeypatch.setattr(RunningLevel, "refresh", lambda level: asked.append(now))
    for tenth in range(100):
        now = tenth / 10
        found.refresh(now)
    assert asked == [0, 2, 4, 6, 8]


def test_estimates_that_cost_much_come_less_often(monkeypatch: pytest.MonkeyPatch) -> None:
    found, asked, spent = running(ACCURACY), [], [0.0]

    def costly(level: RunningLevel) -> None:
        asked.append(now)
        spent[0] += 0.5

    monkeypatch.setattr(time, "thread_time", lambda: spent[0])
    monkeypatch.setattr(RunningLevel, "refresh", costly)
    for now in range(1000):
        found.refresh(float(now))
    assert asked == [50 * n for n in range(20)]
    assert spent[0] <= SHARE_OF_TIME * 1000


def test_nothing_is_estimated_again_without_a_new_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    level = RunningLevel(ACCURACY)
    level.add(RECORDS[0])
    level.refresh()
    first = level.estimate
    level.refresh()
    assert first is not None and level.estimate is first


def test_records_may_come_in_while_a_reading_of_the_earlier_ones_is_in_use() -> None:
    incoming = Incoming()
    for one in RECORDS[:50]:
        incoming.add(one)
    reading = VariantScores(incoming.columns())
    for one in RECORDS[50:]:
        incoming.add(one)
    assert reading.observed(MACRO_F1, "candidate").records == 50
    assert VariantScores(incoming.columns()).observed(MACRO_F1, "candidate").records == len(RECORDS)


def test_only_what_falls_short_is_a_miss() -> None:
    assert miss_of(record(1, 1), ACCURACY) is None
    assert miss_of(record(1, None), ACCURACY) is None
    found = miss_of(record(1, 0, expected=["lien", "tax"]), ACCURACY)
    assert found is not None
    assert (found.variant, found.case_id, found.metric) == ("tuned", "case-1", "accuracy")
    assert (found.expected, found.got) == ("lien; tax", "nothing")


def test_an_engine_error_is_a_miss_that_says_so() -> None:
    found = miss_of(record(1, 1, error=True), ACCURACY)
    assert found is not None and found.got == "error: timed out"
