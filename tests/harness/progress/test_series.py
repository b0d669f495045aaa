"""A long series of numbers stays short."""

import pytest

from harness.progress.widgets import MOST, Series


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
