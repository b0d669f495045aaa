"""`tunegate runs`, run as a user runs it: a table, filters, JSON, a page; a terminal is shown the newest runs."""

import json
import re
import subprocess
from pathlib import Path

import pytest

from tests.support.command import tunegate
from tests.support.pseudo_terminal import run_on_terminal
from tests.support.runs import SUITE, make_suite, name_of, write_run


def listed(folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    """Run the command in this process; standard output is no terminal."""
    return tunegate(folder, "runs", *words)


def names(text: str) -> list[str]:
    return re.findall(r"^2026\S+", text, re.MULTILINE)


@pytest.fixture
def project(tmp_path: Path) -> Path:
    root = tmp_path / "runs"
    write_run(root, 1, ("fail", "pass"))
    write_run(root, 2)
    write_run(root, 3, suites=[make_suite(name="policy/handbook")])
    write_run(root, 4, run_id=name_of(4, "train"), kind="train", suites=[])
    return tmp_path


def test_runs_are_listed_newest_last_and_nothing_is_written(project: Path) -> None:
    done = listed(project)
    assert (done.returncode, done.stderr) == (0, "")
    assert names(done.stdout) == [name_of(1), name_of(2), name_of(3), name_of(4, "train")]
    assert list((project / "runs").glob(".*")) == []


@pytest.mark.parametrize(
    ("words", "days"),
    [
        (["--suite", "policy/handbook"], [3]),
        (["--suite", "policy/handbook", "--suite", "legal/*"], [1, 2, 3]),
        (["--kind", "eval", "--outcome", "pass"], [2]),
        (["--checkpoint", "adapter-2"], [2]),
        (["--since", "2026-11-03"], [3, 4]),
        (["--limit", "2"], [3, 4]),
        (["--limit", "0"], [1, 2, 3, 4]),
        (["--kind", "eval", "--limit", "1"], [3]),
    ],
)
def test_filters_and_limit(project: Path, words: list[str], days: list[int]) -> None:
    done = listed(project, *words)
    assert done.returncode == 0
    assert [int(name[6:8]) for name in names(done.stdout)] == days


def test_what_a_limit_hides_is_said_beside_the_list(project: Path) -> None:
    done = listed(project, "--limit", "1")
    assert done.stderr == "1 of 4 runs; --limit 0 for all\n"
    assert "of 4 runs" not in done.stdout


def test_nothing_that_fits_and_nothing_at_all_are_two_answers(project: Path, tmp_path: Path) -> None:
    done = listed(project, "--suite", "legal/none")
    assert (done.returncode, done.stdout) == (0, f"no run in {project / 'runs'} matches (4 checked)\n")
    assert (
        listed(project, "--runs", "none").stdout
        == f"no runs in {project / 'none'}. Create one with: pytest evalsuites\n"
    )


def test_json_holds_the_same_runs(project: Path) -> None:
    found = json.loads(listed(project, "--json", "--kind", "eval").stdout)
    assert [run["name"] for run in found] == [name_of(1), name_of(2), name_of(3)]
    assert found[0]["suites"][0]["counts"] == {"fail": 1, "pass": 1} and found[0]["models"]["tuned"]["name"]
    assert json.loads(listed(project, "--json", "--suite", "none").stdout) == []


def test_a_broken_folder_stops_nothing(project: Path) -> None:
    (project / "runs" / name_of(2) / "run.json").write_bytes(b'{"run_id": "\xff')
    done = listed(project)
    assert done.returncode == 0 and len(names(done.stdout)) == 4
    assert "broken" in done.stdout and "cannot be read" in done.stdout and "Traceback" not in done.stderr


def test_a_page_is_written_beside_the_runs_or_where_it_is_wanted(project: Path) -> None:
    for words, file in (((), "runs/index.html"), (("out/history.html", "--suite", SUITE), "out/history.html")):
        done = listed(project, "--html", *words)
        assert done.stdout == f"written: {file}\n{(project / file).as_uri()}\n"
    beside, wanted = ((project / p).read_text("utf-8") for p in ("runs/index.html", "out/history.html"))
    assert "policy/handbook" in beside and "policy/handbook" not in wanted
    done = listed(project, "out.html")
    assert done.returncode == 4 and "`tunegate runs --html out.html`" in done.stderr


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--kind", "evil"], "--kind evil: expected one of eval"),
        (["--outcome", "good"], "--outcome good: expected one of pass"),
        (["--since", "monday"], "--since monday: not a time"),
    ],
)
def test_a_mistake_is_one_line(project: Path, words: list[str], said: str) -> None:
    done = listed(project, *words)
    assert done.returncode == 4 and done.stderr.startswith(f"tunegate: {said}")
    assert len(done.stderr.strip().splitlines()) == 1


def on_a_terminal(folder: Path, *words: str) -> str:
    """What the command writes where standard output is a terminal."""
    return run_on_terminal(("tunegate", "runs", *words), folder, columns=160).written


def test_a_terminal_is_shown_a_coloured_table_of_the_newest_fifty(tmp_path: Path) -> None:
    for day in range(1, 29):
        for hour in (1, 2):
            at = f"2026-11-{day:02d}T{hour:02d}:00:00Z"
            write_run(tmp_path / "runs", day, run_id=f"202611{day:02d}T0{hour}0000Z-eval-{day:08x}", started=at)
    text = on_a_terminal(tmp_path)
    found = re.findall(r"2026\d{4}T\d{6}Z-eval-[0-9a-f]{8}", text)
    assert len(found) == 50 and found[-1] == "20261128T020000Z-eval-0000001c"
    assert "\x1b[32mPASS" in text
    assert len(re.findall(r"Z-eval-", on_a_terminal(tmp_path, "--limit", "0"))) == 56
    assert len(names(listed(tmp_path).stdout)) == 56, "what is piped is whole"
