"""The page as a file: bounded, without mark-up from texts, and written by the command."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from reports.side_by_side import data as side_by_side_data
from reports.side_by_side import page as side_by_side_page
from tests.reports.side_by_side.conftest import RIGHT, MakeRun, answers, data_of, written
from tests.support.command import tunegate
from tests.support.hostile import ATTACKS
from tests.support.sample import make_record, make_suite, with_text


def test_a_text_that_several_runs_share_is_there_once(three: list[str], tmp_path: Path) -> None:
    texts = data_of(written(three, tmp_path))["texts"]
    assert texts.count(RIGHT) == 1 and sum(text.startswith("Section 3.") for text in texts) == 1


def test_texts_beyond_the_room_are_left_out_and_counted(
    three: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = written(three, tmp_path)
    assert "are not on this page" not in whole
    most = len(whole.encode()) - 20
    monkeypatch.setattr(side_by_side_data, "MOST_BYTES", most)
    monkeypatch.setattr(side_by_side_page, "NOTES_SIZE", 200)
    page = written(three, tmp_path)
    data = data_of(page)
    assert most - 1_000 < len(page.encode()) <= most
    assert re.search(
        r"(1 text of the cases with the smallest changes is|texts of .* changes are) not on this page", page
    )
    assert data["suites"][0]["cases"][0][0] == "lease-001" and data["suites"][0]["cases"][0][3] > 0


def test_many_runs_leave_less_room_for_texts(
    make_run: MakeRun, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    runs = [
        make_run(day, [with_text(r, f"{r.case.id} on day {day}. {'word ' * 100}") for r in answers()])
        for day in range(1, 8)
    ]
    whole = written(runs, tmp_path)
    most = len(whole.encode()) - 5_000
    monkeypatch.setattr(side_by_side_data, "MOST_BYTES", most)
    assert most - 2_500 < len(written(runs, tmp_path).encode()) <= most


def test_the_prompt_template_of_each_run_is_there_once(make_run: MakeRun, tmp_path: Path) -> None:
    suites = [[make_suite(prompt=prompt)] for prompt in ("Name it: {{ document }}", "Name it: {{ document }}", "")]
    data = data_of(written([make_run(day, answers(), suites=s) for day, s in enumerate(suites, 1)], tmp_path))
    prompts = data["suites"][0]["prompts"]
    assert [data["texts"][number] for number in prompts] == ["Name it: {{ document }}"] * 2 + [""]
    assert prompts[0] == prompts[1]


def test_the_least_changed_cases_are_left_out_and_counted(
    three: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(side_by_side_data, "MOST_ROWS", 2)
    page = written(three, tmp_path)
    assert [case[0] for case in data_of(page)["suites"][0]["cases"]] == ["lease-001", "lease-003"]
    assert "5 cases with the smallest changes are not on this page." in page
    monkeypatch.setattr(side_by_side_data, "MOST_ROWS", 6)
    assert "1 case with the smallest changes is not on this page." in written(three, tmp_path)


def test_the_outcome_of_the_gates_is_that_of_the_tuned_model(make_run: MakeRun, tmp_path: Path) -> None:
    """A baseline had been shown with FAIL."""
    run = make_run(1, [*answers(), *(make_record(number, "baseline", "none") for number in range(6))])
    tuned, baseline = re.findall(r'<tr id="run-[AB]".*?</tr>', written([run, f"{run}:baseline"], tmp_path), re.DOTALL)
    assert "FAIL" in tuned and "gates judge" not in tuned
    assert "FAIL" not in baseline and "gates judge the tuned model" in baseline


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
    done = tunegate(tmp_path, "report", *three, "--side-by-side", "--out", "sbs.html")
    assert done.stdout.splitlines()[-1] == (tmp_path / "sbs.html").as_uri() and (tmp_path / "sbs.html").is_file()
    done = tunegate(tmp_path, "report", three[0], "--out", "whole.html")
    assert "tunegate: --out whole.html: expected a folder" in done.stderr and not (tmp_path / "whole.html").exists()
    (Path(three[1]) / "metrics.json").unlink()
    done = tunegate(tmp_path, "report", *three, "--side-by-side")
    assert done.returncode == 6 and (Path(three[0]) / "report" / "side-by-side.html").is_file()
    done = tunegate(tmp_path, "report", *three, "--side-by-side", "--pdf")
    assert done.returncode == 4 and "Leave out --pdf" in done.stderr
