"""Sparklines and their series of numbers, and facts that flow into rows."""

import io

import pytest
from rich.console import Console

from harness.progress.widgets import LEVELS, MOST, Series, Sparkline, flow, line, spark


def test_the_lowest_number_is_the_lowest_bar_and_the_highest_the_highest() -> None:
    assert spark([float(n) for n in range(8)], 8) == LEVELS
    assert spark([3.0, 1.0, 2.0], 10) == "█▁▅"


def test_more_numbers_than_columns_are_averaged() -> None:
    assert spark([0.0, 0.0, 7.0, 7.0], 2) == "▁█"
    assert len(spark([float(n % 7) for n in range(10_000)], 33)) == 33


@pytest.mark.parametrize("values", [[], [2.0], [2.0, 2.0]])
def test_numbers_that_are_all_the_same_are_flat(values: list[float]) -> None:
    assert spark(values, 10) == "▁" * len(values)


def test_a_terminal_without_blocks_gets_plain_characters() -> None:
    out = io.TextIOWrapper(io.BytesIO(), encoding="ascii")
    Console(file=out, width=20, force_terminal=True, color_system=None).print(Sparkline([1.0, 2.0], 10))
    out.seek(0)
    assert out.read().strip() == "_#"


def test_facts_fill_a_row_and_go_on_in_the_next() -> None:
    rows = [row.plain for row in flow(["one", "", "two", "three"], 11)]
    assert rows == ["one · two", "three"]


def test_a_line_is_one_row_without_markup() -> None:
    assert line("[bold]a\nb\x1b[0m").plain == "[bold]a b⟨U+001B⟩[0m"


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
