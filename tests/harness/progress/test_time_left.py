"""The estimate of the time left: silent at first, smoothed later."""

import math

import pytest

from harness.progress.progress import Lines
from harness.progress.time_left import TimeLeft


@pytest.fixture
def now(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The time, which a test moves."""
    moment = [1000.0]
    monkeypatch.setattr("time.monotonic", lambda: moment[0])
    return moment


def test_nothing_is_said_in_the_first_half_minute_however_wrong_the_estimate(now: list[float]) -> None:
    left = TimeLeft()
    assert left.text(16_680.0) == ""
    now[0] += 29
    assert left.text(300.0) == ""
    now[0] += 1
    assert left.text(299.0) == "about 4 min 59 s left"


def test_work_that_began_before_its_first_estimate_is_not_silent_again(now: list[float]) -> None:
    left = TimeLeft(began=now[0])
    now[0] += 29
    assert left.text(600.0) == ""
    later = TimeLeft(began=now[0])
    now[0] += 300
    assert later.text(600.0) == "about 10 min 0 s left"


def test_a_jump_is_smoothed_and_a_steady_estimate_is_kept(now: list[float]) -> None:
    left = TimeLeft()
    left.update(100.0)
    now[0] += 29
    left.update(71.0)
    now[0] += 10
    assert left.update(61.0) == pytest.approx(61.0)
    now[0] += 30
    assert left.update(131.0) == pytest.approx(31.0 + 100.0 * (1 - math.exp(-1)))


def test_there_is_no_estimate_before_any_work_and_none_at_the_end(now: list[float]) -> None:
    left = TimeLeft()
    assert left.text(None) == ""
    left.update(40.0)
    now[0] += 31
    assert left.text(0.0) == ""


def test_plain_lines_show_the_time_left_of_new_work_only(now: list[float], capsys: pytest.CaptureFixture[str]) -> None:
    with Lines().stage("cases", 100, "cases") as stage:
        now[0] += 40  # loading
        for _ in range(5):
            stage.advance(10)
            now[0] += 10
    said = capsys.readouterr().err.splitlines()
    assert [line for line in said if "left" in line] == ["cases: 50/100 cases, 1 min 20 s, about 50 s left"]
