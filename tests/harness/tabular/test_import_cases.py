"""Rows become cases, or are named with their line; a suite's cases change all at once or not at all."""

import json
import os
import re
from datetime import UTC, datetime
from pathlib import Path

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.schema import Case
from harness.suites.cases import check_cases, load_cases
from harness.suites.discovery import find_suites
from harness.suites.tables import TableRow
from harness.tabular import import_cases
from harness.tabular.import_cases import MOST_SHOWN, ImportColumns, group_messages, read_rows
from tests.support.command import outcome
from tests.support.mini import rows as mini_rows
from tests.support.mini import write_suite

COLUMNS = ImportColumns(id="id", input={"document": "text"}, expected="answer")
FREE = '''"""Anything may be expected."""

from harness import Suite
from harness.scoring import short_answer

suite = Suite(scorers=[short_answer.given], cluster="ticket")
'''
GATES = '[objective]\ntext = "Answer."\n\n[[gate]]\nmetric = "answer_rate"\nrule = "at_least"\nvalue = 0.9\n'


@pytest.fixture(scope="module")
def suite(tmp_path_factory):
    folder = write_suite(tmp_path_factory.mktemp("free"), mini_rows(4), test=FREE, gates=GATES)
    (found,) = find_suites([str(folder)])
    return found


def cells(**more):
    return {"id": "a1", "text": "A text.", "answer": "yes"} | more


def one(suite, row, columns=COLUMNS, present=()):
    """The one case of a row, or what is wrong with it."""
    found = read_rows([TableRow("line 2", row)], columns, suite, list(present))
    return found.cases[0] if found.cases else found.problems[0][1]


def test_named_columns_become_a_case(suite):
    columns = msgspec.structs.replace(COLUMNS, cluster="ticket", tags={"kind": "sort", "place": "where"})
    row = cells(ticket=" T-1 ", sort="mail", where=None, text=" Line one\r\nLine two\r")
    assert one(suite, row, columns) == Case(
        id="a1", input={"document": " Line one\nLine two\n"}, expected=["yes"], cluster="T-1", tags={"kind": "mail"}
    )


def test_without_a_cluster_a_case_is_its_own(suite):
    assert one(suite, cells(id=7)).cluster == "7"


@pytest.mark.parametrize(("cell", "columns", "expected"), [
    ("yes", {}, ["yes"]),
    (12, {}, ["12"]),
    (True, {}, ["true"]),
    (2.5, {}, ["2.5"]),
    (5.0, {}, ["5"]),  # as a column of Parquet with empty cells stores 5
    (datetime(2026, 1, 31), {}, ["2026-01-31"]),
    (datetime(2026, 1, 31, 9, 30), {}, ["2026-01-31 09:30:00"]),
    (datetime(2026, 1, 31, tzinfo=UTC), {}, ["2026-01-31 00:00:00+00:00"]),
    ([5.0, 0.5], {}, ["5", "0.5"]),
    ('["a", "b"]', {}, ["a", "b"]),
    ("[]", {}, []),
    (["a", "b"], {}, ["a", "b"]),
    ([], {}, []),
    ("a; b", {"separator": ";"}, ["a", "b"]),
    ("a; b", {}, ["a; b"]),
    ("None", {"none": "none"}, []),
    ("", {"none": ""}, []),
    (None, {"none": ""}, []),
    (float("nan"), {"none": ""}, []),
    ({"rent": 5}, {}, ['{"rent": 5}']),
])  # fmt: skip
def test_a_cell_says_one_answer_several_or_none(suite, cell, columns, expected):
    assert one(suite, cells(answer=cell), msgspec.structs.replace(COLUMNS, **columns)).expected == expected


@pytest.mark.parametrize(("row", "said"), [
    ({"answer": ""}, "'answer' is empty. Fill it in, or pass --none ''"),
    ({"answer": None}, "'answer' is empty"),
    ({"answer": "['a', 'b']"}, "looks like a list but is not JSON"),
    ({"answer": ["a", ""]}, "'answer' has an empty entry"),
    ({"answer": [["a"]]}, "'answer' is a list, expected text"),
    ({"answer": b"x"}, "'answer' is a bytes, expected text"),
    ({"text": "  "}, "'text' is empty. Fill it in, or leave the row out"),
    ({"text": ["a"]}, "'text' is a list, expected text"),
    ({"text": "\ud800"}, "half a character"),
    ({"id": None}, "'id' is empty"),
    ({"id": "a[1]"}, "id 'a[1]' is empty or contains a bracket"),
    ({"id": "a\x1b[2J"}, "contains an invisible character"),
])  # fmt: skip
def test_a_bad_row_says_what_was_found_and_what_to_do(suite, row, said):
    assert said in one(suite, cells(**row))


def test_a_row_without_the_column_says_what_it_has(suite):
    assert one(suite, {"id": "a", "text": "b"}) == "there is no 'answer'. It has: 'id', 'text'"
    assert "there is no 'a.b'" in one(suite, cells(a="x"), msgspec.structs.replace(COLUMNS, expected="a.b"))
    inside = msgspec.structs.replace(COLUMNS, expected="answers.text")
    assert one(suite, cells(answers={"text": ["x"]}), inside).expected == ["x"]


def test_copies_by_id_and_by_content_are_refused_within_a_table_and_against_the_suite(suite):
    present = [one(suite, cells(id="old", text="Known text."))]
    rows = [
        cells(),
        cells(text="Another."),
        cells(id="a2", text=" A \n text. ", answer="no"),
        cells(id="a3", text="a text."),
        cells(id="old", text="New."),
        cells(id="a4", text="Known  text."),
    ]
    found = read_rows([TableRow(f"line {n}", row) for n, row in enumerate(rows, 2)], COLUMNS, suite, present)
    assert [case.id for case in found.cases] == ["a1", "a3"]
    assert found.problems == [
        ("line 3", "id 'a1' is that of line 2 too. Ids must be unique"),
        ("line 4", "has the same input as line 2. A duplicate counts twice: remove one"),
        ("line 6", "id 'old' is that of the suite too. Ids must be unique"),
        ("line 7", "has the same input as a case of the suite. A duplicate counts twice: remove one"),
    ]


def test_rows_with_one_problem_stand_in_one_line():
    problems = [(f"line {n}", "is empty") for n in (2, 3, 4, 9)] + [("line 5", "is odd")]
    assert group_messages(problems) == ["lines 2-4, 9: is empty", "line 5: is odd"]
    many = group_messages([(f"line {n}", f"problem {n}") for n in range(1, 101)])
    assert len(many) == MOST_SHOWN + 1 and many[-1] == "and lines 41-100, each with another problem"


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8) | st.binary(max_size=4),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=2),
    max_leaves=5,
)
ROWS = st.lists(st.dictionaries(st.sampled_from(["id", "text", "answer", "ticket", "sort"]), JSON), max_size=6)


@settings(max_examples=300, deadline=None)
@given(rows=ROWS, none=st.none() | st.just(""), separator=st.none() | st.just(";"))
def test_every_row_is_a_case_that_can_be_read_again_or_is_named(suite, tmp_path_factory, rows, none, separator):
    columns = msgspec.structs.replace(COLUMNS, cluster="ticket", tags={"kind": "sort"}, none=none, separator=separator)
    table = [TableRow(f"row {n}", row) for n, row in enumerate(rows, 1)]
    found = read_rows(table, columns, suite, [])
    assert len(found.cases) + len(found.problems) == len(rows)
    assert all(text.isprintable() and "\n" not in text for _, text in found.problems)
    if found.cases:
        path = tmp_path_factory.mktemp("w") / "cases.jsonl"
        import_cases.write_cases(path, found.cases)
        assert list(load_cases(path)) == found.cases == check_cases(found.cases, "drawn")


# ---- the command


@pytest.fixture
def tunegate(tmp_path, monkeypatch):
    """Run the command beside a small suite with four cases; returns exit code, stdout and stderr."""
    write_suite(tmp_path, mini_rows(4))
    monkeypatch.chdir(tmp_path)
    return outcome


CASES = Path("evalsuites/legal/mini/cases.jsonl")
WORDS = ["--into", "legal/mini", "--id", "id", "--input", "document=text", "--expected", "answer", "--none", "none"]
TAGS = ["--tag", "instrument=sort", "--cluster", "deal"]


def table(*rows: tuple[str, str, str, str, str]) -> str:
    lines = ["id,text,answer,sort,deal", *(",".join(row) for row in rows)]
    Path("rows.csv").write_text("\n".join(lines) + "\n")
    return "rows.csv"


def good(n: int, text: str = "") -> tuple[str, str, str, str, str]:
    return (f"n{n}", text or f"New text {n}.", "holdover" if n % 2 else "none", "lease", f"deal {n // 2}")


@pytest.mark.slow
def test_append_keeps_what_is_there_byte_for_byte_and_replace_drops_it(tunegate):
    before = list(load_cases(CASES))
    code, out, err = tunegate("cases", "import", table(good(1), good(2)), *WORDS, *TAGS, "--append")
    assert code == 0, err
    assert list(load_cases(CASES))[:4] == before
    assert [case.id for case in load_cases(CASES)] == ["c0", "c1", "c2", "c3", "n1", "n2"]
    assert "2 cases, after 4 that were there" in out and "contracts: 6; most cases of one: 1" in out
    assert "tag instrument: 'lease' 4, 'deed' 2" in out and "cases that expect nothing: 3" in out
    code, out, err = tunegate("cases", "import", table(good(1), good(2), good(3)), *WORDS, *TAGS, "--replace")
    assert code == 0, err
    assert [case.id for case in load_cases(CASES)] == ["n1", "n2", "n3"]
    assert "contracts: 2; most cases of one: 2" in out
    assert re.search(r"power: clause_recall-at_least-0.5: needs about \d+ cases.*; you have 2\b", out)


@pytest.mark.slow
def test_cases_that_are_there_ask_for_a_word(tunegate):
    before = CASES.read_bytes()
    code, _, err = tunegate("cases", "import", table(good(1)), *WORDS, *TAGS)
    assert code == 4 and "has 4 cases already: pass --append to keep them, or --replace to delete them" in err
    assert CASES.read_bytes() == before
    CASES.write_text("\n")
    assert tunegate("cases", "import", table(good(1)), *WORDS, *TAGS)[0] == 0


@pytest.mark.slow
def test_one_bad_row_and_nothing_is_written_unless_it_is_left_out(tunegate):
    before = CASES.read_bytes()
    file = table(good(1), ("x", "", "none", "lease", "d"), ("y", "Text.", "arson", "lease", "d"), good(2))
    words = ["cases", "import", file, *WORDS, *TAGS, "--append"]
    code, _, err = tunegate(*words)
    assert code == 4 and CASES.read_bytes() == before
    assert "rows.csv: 2 of 4 rows cannot be cases, and nothing was written" in err
    assert "line 3: 'text' is empty" in err
    assert "line 4: case 'y' expects 'arson', which is not in the list: holdover; assignment; as is" in err
    code, out, err = tunegate(*words, "--skip-bad")
    assert code == 0, err
    assert "left out: line 3: 'text' is empty" in out and "left out in all: 2 rows" in out
    assert [case.id for case in load_cases(CASES)][4:] == ["n1", "n2"]


def test_an_import_names_the_command_that_renews_the_policy_of_the_suite(tunegate, tmp_path):
    (tmp_path / "t.csv").write_text("id,text,answer,sort\nn1,A text.,assignment,lease\n")
    words = ("cases", "import", "t.csv", "--into", "legal/mini", "--id", "id", "--input", "document=text")
    words += ("--expected", "answer", "--tag", "instrument=sort", "--replace")
    said = "next: tunegate approval    # approval.toml has the earlier cases"
    done = tunegate(*words)
    assert done[0] == 0 and said not in done[1], done
    assert tunegate("approval")[0] == 0
    done = tunegate(*words)
    assert done[0] == 0 and said in done[1], done


def test_a_stray_quote_stops_the_import_even_where_bad_rows_are_left_out(tunegate):
    before = CASES.read_bytes()
    file = table(good(1), good(2, '"never closed'), good(3), ("x", "", "none", "lease", "d"))
    code, _, err = tunegate("cases", "import", file, *WORDS, *TAGS, "--append", "--skip-bad")
    assert code == 4 and CASES.read_bytes() == before
    assert "rows.csv: 3 of 4 rows cannot be told apart, so --skip-bad leaves none out" in err
    assert "lines 3-5: cannot be read as CSV: unexpected end of data" in err


def test_a_cell_that_is_too_long_for_a_case_leaves_the_old_cases(tunegate):
    before = CASES.read_bytes()
    code, _, err = tunegate("cases", "import", table(good(1), good(2, "x" * (8 << 20))), *WORDS, *TAGS, "--replace")
    assert code == 4 and "line 3: is longer than 8 MiB, the most that a case may be" in err
    assert CASES.read_bytes() == before


def test_all_rows_bad_is_a_mistake_even_where_bad_rows_are_left_out(tunegate):
    before = CASES.read_bytes()
    code, _, err = tunegate("cases", "import", table(("x", "", "", "", "")), *WORDS, *TAGS, "--append", "--skip-bad")
    assert code == 4 and "rows.csv: 1 of 1 rows cannot be cases, so --skip-bad leaves none. Nothing was written" in err
    assert "line 2: " in err and CASES.read_bytes() == before
    code, _, err = tunegate("cases", "import", table(), *WORDS, *TAGS, "--append")
    assert code == 4 and "rows.csv: no row could be used" in err


@pytest.mark.slow
@pytest.mark.parametrize(("words", "said"), [
    (["--into", "../etc", *WORDS[2:]], "'..' cannot name a folder"),
    (["--into", "/etc/x", *WORDS[2:]], "expected DOMAIN or DOMAIN/SUITE"),
    (["--into", "legal/none_here", *WORDS[2:]], "no such suite. Create it with: tunegate init legal/none_here"),
    ([*WORDS, "--append", "--replace"], "use one of them"),
    ([*WORDS, "--tag", "../x=sort", "--append"], "--tag: '../x' is not a name"),
    ([*WORDS, "--input", "a.b=text", "--append"], "--input: 'a.b' is not a name"),
    ([*WORDS, "--input", "document=answer", "--append"], "--input document is given twice"),
    ([*WORDS, "--append", "--split", "train"], "--split is for data sets of the hub"),
    ([*WORDS, "--cluster", "contract", "--append"], "no column 'contract'. It has: 'id', 'text'"),
    ([*WORDS, "--replace"], "legal/mini has the slice 'instrument', and no row has that tag"),
    (["--into", "legal/mini", "--id", "id", "--input", "clause=text", "--expected", "answer", "--none", "none",
      *TAGS, "--append"], "the prompt needs a variable its input lacks: 'document' is undefined"),
    (["--into", "legal/mini"], "Missing option '--id'"),
])  # fmt: skip
def test_a_mistake_is_one_line_and_changes_nothing(tunegate, words, said):
    before = {path: path.read_bytes() for path in Path("evalsuites").rglob("*") if path.is_file()}
    code, _, err = tunegate("cases", "import", table(good(1)), *words)
    assert code == 4
    assert said in err and err.startswith("tunegate: ") and len(err.strip().splitlines()) == 1
    assert {p: p.read_bytes() for p in before} == before
    assert not list(Path("evalsuites").rglob(".cases-*"))


def test_a_cluster_of_the_suite_in_other_capitals_is_not_another_one(tunegate):
    before = CASES.read_bytes()
    code, _, err = tunegate("cases", "import", table((*good(1)[:4], "K3")), *WORDS, *TAGS, "--append")
    assert code == 4 and "legal/mini: 1 cluster is written in several ways" in err and "'k3', 'K3'" in err
    assert CASES.read_bytes() == before


def test_a_suite_that_builds_its_cases_takes_none(tunegate):
    file = next(Path("evalsuites/legal/mini").glob("test_*.py"))
    file.write_text(file.read_text().replace("Suite(", "Suite(cases=list, "))
    code, _, err = tunegate("cases", "import", table(good(1)), *WORDS, *TAGS, "--append")
    assert code == 4 and "builds its cases by code" in err


def test_a_full_disk_leaves_the_old_cases(tunegate, monkeypatch):
    before = CASES.read_bytes()
    monkeypatch.setattr(os, "fsync", lambda number: (_ for _ in ()).throw(OSError(28, "No space left on device")))
    code, _, err = tunegate("cases", "import", table(good(1)), *WORDS, *TAGS, "--append")
    assert code == 4 and "cannot be written (No space left on device). The file is as it was" in err
    assert CASES.read_bytes() == before and sorted(p.name for p in CASES.parent.iterdir() if p.name[0] == ".") == []


def test_an_accepted_baseline_of_other_cases_is_said(tunegate):
    (CASES.parent / "baseline.json").write_text("{}")
    _, out, _ = tunegate("cases", "import", table(good(1)), *WORDS, *TAGS, "--append")
    assert "baseline.json was accepted on other cases" in out


@pytest.mark.slow
def test_lines_of_json_and_parquet_come_in_by_the_same_command(tunegate):
    import pyarrow as pa
    import pyarrow.parquet as pq

    row = {"id": "j1", "text": "Ünï\ncode", "answer": ["as is", "holdover"], "sort": "deed", "deal": 5}
    Path("rows.jsonl").write_text(json.dumps(row))
    assert tunegate("cases", "import", "rows.jsonl", *WORDS, *TAGS, "--replace")[0] == 0
    (from_json,) = load_cases(CASES)
    pq.write_table(pa.Table.from_pylist([row]), "rows.parquet")
    assert tunegate("cases", "import", "rows.parquet", *WORDS, *TAGS, "--replace")[0] == 0
    assert list(load_cases(CASES)) == [from_json]
    assert from_json.expected == ["as is", "holdover"] and from_json.cluster == "5"
