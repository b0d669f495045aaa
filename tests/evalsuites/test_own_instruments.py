"""A user's own instruments become cases of the legal suites, in the format of the shipped ones."""

import runpy
import sys
from pathlib import Path

import pytest

from evalsuites.legal.instruments.documents import FOLDER
from harness.suites.cases import load_cases
from tests.support.command import WITHOUT_CHARTS, tunegate

SUITES = FOLDER.parent
LABELS = """instrument = "commercial lease"
style = "plain language"
[[clauses]]
type = "holdover"
from = "If Tenant remains"
to = "a month."
"""


@pytest.fixture
def mine(tmp_path: Path) -> Path:
    """Twelve leases of two paragraphs, labelled with no more than legal/clauses needs."""
    folder = tmp_path / "mine"
    folder.mkdir()
    for number in range(12):
        text = f"Rent of shop {number} is due.\n\nIf Tenant remains after the term, rent is ${number}00 a month.\n"
        (folder / f"lease-{number:02}.txt").write_text(text)
        (folder / f"lease-{number:02}.toml").write_text(LABELS)
    return folder


def make_cases(suite: str, *words: str) -> int:
    """Exit code of the suite's command for cases."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "argv", ["cases.py", *words])
        try:
            runpy.run_path(str(SUITES / suite / "cases.py"), run_name="__main__")
        except SystemExit as left:
            return int(left.code or 0)
    return 0


def test_own_instruments_are_cut_as_the_shipped_ones_and_judged_by_the_suite(mine: Path, tmp_path: Path) -> None:
    out = tmp_path / "my.jsonl"
    assert make_cases("clauses", "--split", "eval", "--instruments", str(mine), "--out", str(out)) == 0
    cases = load_cases(out)
    assert {case.cluster for case in cases} == {file.stem for file in mine.glob("*.txt")}
    assert {tuple(case.expected) for case in cases} == {("holdover",), ()}
    asked = ("--suite", str(SUITES / "clauses"), "--cases", "my.jsonl", "--engine", "fake")
    done = tunegate(tmp_path, "eval", "new", *asked, PYTHONPATH=WITHOUT_CHARTS)
    assert f"legal/clauses (my.jsonl): {len(cases)} cases" in done.stdout, done.stderr
    assert done.returncode == 1


def test_all_labels_that_do_not_fit_are_named_at_once(mine: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = mine.parent / "my.jsonl"
    (mine / "lease-00.toml").unlink()
    (mine / "lease-01.toml").write_text(LABELS.replace("holdover", "hold over"))
    assert make_cases("clauses", "--split", "eval", "--instruments", str(mine), "--out", str(out)) == 4
    said = capsys.readouterr().err
    assert "instruments that cannot be used: 2 problems" in said
    assert "lease-00.toml: cannot be read" in said and "lease-01.txt: 'hold over' is no clause type" in said
    assert make_cases("clauses", "--split", "eval", "--instruments", "gone", "--out", str(out)) == 4
    assert "gone: no instrument was found. Expected an instrument ID.txt" in capsys.readouterr().err
    (mine / "lease-00.toml").write_text(LABELS)
    (mine / "lease-01.toml").write_text(LABELS)
    assert make_cases("citations", "--split", "eval", "--instruments", str(mine), "--out", str(out)) == 4
    assert "my.jsonl: no cases were found" in capsys.readouterr().err
    assert make_cases("clauses", "--split", "dev", "--instruments", str(mine), "--out", str(out)) == 2
    assert "use it with --split eval" in capsys.readouterr().err and not out.exists()
