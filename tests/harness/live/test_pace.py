"""Rates over the last minutes, and the time that is left."""

import pytest

from harness.progress.widgets import MOST, WINDOW_S, ProgressRate, Series


def test_the_wait_for_the_first_answer_is_no_part_of_the_rate() -> None:
    pace = ProgressRate()
    for second in range(60):
        pace.mark(float(second), 0, 0)
    pace.mark(61.0, 20, 400)
    assert pace.per_s == (pytest.approx(10), pytest.approx(200))
    assert pace.left(100) == pytest.approx(10)


def test_nothing_is_foretold_before_there_is_a_rate() -> None:
    pace = ProgressRate()
    assert pace.left(5) is None
    pace.mark(0.0, 0, 0)
    assert (pace.per_s, pace.left(5)) == ((0.0, 0.0), None)


def test_a_rate_forgets_what_is_long_past() -> None:
    pace = ProgressRate()
    for second in range(1000):
        pace.mark(float(second), 10 * second, 0)
    done = 9990
    for second in range(1000, 1000 + int(2 * WINDOW_S)):
        done += 1
        pace.mark(float(second), done, 0)
    assert pace.per_s[0] == pytest.approx(1, rel=0.05)


def test_a_silent_engine_slows_the_rate_down() -> None:
    pace = ProgressRate()
    pace.mark(0.0, 0, 0)
    pace.mark(1.0, 10, 0)
    pace.mark(100.0, 10, 0)
    assert pace.per_s[0] == pytest.approx(0.1)


def test_a_series_of_any_length_stays_short_and_keeps_its_shape() -> None:
    series = Series()
    for value in range(100_000):
        series.add(float(value))
    assert MOST // 2 <= len(series.means) <= MOST
    assert series.means == sorted(series.means)
    assert series.last == 99_999
    assert sum(series.means) / len(series.means) == pytest.approx(50_000, rel=0.01)


def test_a_short_series_is_kept_as_it_is() -> None:
    series = Series()
    for value in (3.0, 1.0, 2.0):
        series.add(value)
    assert series.means == [3.0, 1.0, 2.0]
