"""The page as a file: bounded, without mark-up from texts, and written by the command."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from reports.side_by_side import data as side_by_side_data
from tests.reports.side_by_side.conftest import RIGHT, MakeRun, answers, data_of, written
from tests.support.command import tunegate
from tests.support.hostile import ATTACKS
from tests.support.sample import make_record, with_text


def test_a_text_that_several_runs_share_is_there_once(three: list[str], tmp_path: Path) -> None:
    texts = data_of(written(three, tmp_path))["texts"]
    assert texts.count(RIGHT) == 1 and sum(text.startswith("Section 3.") for text in texts) == 1


def test_texts_beyond_the_room_are_left_out_and_counted(
    three: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(side_by_side_data, "ROOM", 400)
    page = written(three, tmp_path)
    data = data_of(page)
    assert sum(len(text) for text in data["texts"][1:]) < 400
    assert "of the cases with the smallest changes are not on this page" in page
    assert data["suites"][0]["cases"][0][0] == "lease-001" and data["suites"][0]["cases"][0][3] > 0


def test_the_least_changed_cases_are_left_out_and_counted(
    three: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(side_by_side_data, "MOST_ROWS", 2)
    page = written(three, tmp_path)
    assert [case[0] for case in data_of(page)["suites"][0]["cases"]] == ["lease-001", "lease-003"]
    assert "5 cases with the smallest changes are not on this page." in page


def test_no_text_is_mark_up_and_every_one_comes_back(make_run: MakeRun, tmp_path: Path) -> None:
    texts = [text for text in ATTACKS if "\ud800" not in text]
    records = [with_text(make_record(number, "tuned", ""), text) for number, text in enumerate(texts)]
    page = written([make_run(1, records), make_run(2, answers())], tmp_path)
    assert re.findall(r"<script[^>]*>", page) == ['<script id="data" type="application/json">', "<script>"]
    shown = data_of(page)["texts"]
    assert all(text in shown for text in texts if text.isprintable())
    assert "\u202e" not in page and "⟨U+202E⟩" in page


def test_the_command_writes_the_page_and_ends_with_its_link(three: list[str], tmp_path: Path) -> None:
    done = tunegate(tmp_path, "report", *three, "--side-by-side", "--out", "here")
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[-1] == (tmp_path / "here" / "side-by-side.html").as_uri()
    (Path(three[1]) / "metrics.json").unlink()
    done = tunegate(tmp_path, "report", *three, "--side-by-side")
    assert done.returncode == 6 and (Path(three[0]) / "report" / "side-by-side.html").is_file()
    done = tunegate(tmp_path, "report", *three, "--side-by-side", "--pdf")
    assert done.returncode == 4 and "Leave out --pdf" in done.stderr
