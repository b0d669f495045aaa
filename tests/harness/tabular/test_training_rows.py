"""`tunegate data rows`: rows of a table become training rows that ask as the suite asks, or none does."""

import json
from pathlib import Path

import pytest

from harness.scaffold.create import only_suite
from harness.suites.prompts import messages
from tests.support.command import outcome
from tests.support.mini import rows as mini_rows
from tests.support.mini import write_suite
from training.data.rows import load_rows

WORDS = ("--suite", "evalsuites/mini/clauses", "--input", "document=text", "--answer", "desk", "--out", "rows.jsonl")


@pytest.fixture
def tunegate(tmp_path, monkeypatch):
    """Run `tunegate data rows` on a table in an own folder with a small suite; returns exit code and both outputs."""
    folder = write_suite(tmp_path, mini_rows(4))
    monkeypatch.chdir(tmp_path)
    words = [str(folder) if word.startswith("evalsuites/") else word for word in WORDS]

    def run(table: str, *more: str) -> tuple[int, str, str]:
        Path("table.csv").write_text(table, "utf-8")
        return outcome("data", "rows", "table.csv", *words, *more)

    run.suite = folder
    return run


def test_a_row_asks_in_the_words_in_which_the_suite_asks_the_same_text(tunegate):
    suite = only_suite(tunegate.suite)
    case = suite.cases[0]
    table = f'who,text,desk\nMill,"{case.document}",a deposit\n'
    code, said, _ = tunegate(table, "--cluster", "who")
    assert (code, said) == (0, "written: rows.jsonl: 1 row\nnext: tunegate data check rows.jsonl\n")
    (row,) = [json.loads(line) for line in Path("rows.jsonl").read_text("utf-8").splitlines()]
    assert row["messages"] == [*messages(suite.template, case), {"role": "assistant", "content": "a deposit"}]
    assert row["cluster"] == "Mill"


def test_the_rows_are_rows_that_a_training_reads(tunegate):
    assert tunegate("text,desk\nOne é,a\nTwo,b\n")[0] == 0
    (first, second) = load_rows(["rows.jsonl"])
    assert first.messages[-1].content == "a" and "One é" in first.messages[-2].content
    assert second.where == "rows.jsonl:2"


def test_bad_rows_are_named_together_and_nothing_is_written(tunegate):
    Path("rows.jsonl").write_text("mine")
    code, _, said = tunegate("text,desk\nOne,a\n ,b\nThree,\nFour,a,b\n")
    assert code == 4 and "3 of 4 rows cannot be training rows, and nothing was written" in said
    assert "line 3: 'text' is empty" in said and "line 4: 'desk' is empty" in said and "line 5: has 3 cells" in said
    assert Path("rows.jsonl").read_text() == "mine"


def test_a_table_without_rows_leaves_an_earlier_file_as_it_is(tunegate):
    Path("rows.jsonl").write_text("mine")
    code, _, said = tunegate("text,desk\n")
    assert (code, said) == (4, "tunegate: table.csv: has no rows, and nothing was written. Expected one per example\n")
    assert Path("rows.jsonl").read_text() == "mine"


def test_the_table_is_not_overwritten_by_its_rows(tunegate):
    code, _, said = tunegate("text,desk\nOne,a\n", "--out", "./table.csv")
    assert code == 4 and "is the table itself, which would be lost. Name another file" in said
    assert Path("table.csv").read_text() == "text,desk\nOne,a\n"


def test_a_prompt_that_asks_for_more_is_said(tunegate):
    (tunegate.suite / "prompt.jinja").write_text("{{ document }} {{ question }}")
    code, _, said = tunegate("text,desk\nOne,a\n")
    assert code == 4 and "question" in said and not Path("rows.jsonl").exists()


def test_a_place_that_cannot_be_written_to_is_one_line(tunegate):
    code, _, said = tunegate("text,desk\nOne,a\n", "--out", "no/such/rows.jsonl")
    assert code == 4 and len(said.splitlines()) == 1 and "no/such/rows.jsonl: cannot be written" in said
