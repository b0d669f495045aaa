"""Cases in a table are those of the same JSON lines, and what cannot be a case is named with its row."""

import json

import pytest

from harness.errors import UserError
from harness.suites.cases import cases_hash, load_cases
from harness.suites.discovery import find_suites
from harness.suites.tables import Hub
from harness.tabular.import_cases import ImportColumns, import_table
from tests.support.mini import pytest_in, right, rows, write_script, write_suite

ROWS = [
    {"id": "a1", "input": {"document": "Rent is $9."}, "expected": ["$9"], "cluster": "a", "tags": {"kind": "rent"}},
    {"id": "b1", "input": {"document": "No rent,\nno term."}, "expected": [], "cluster": "b", "tags": {}},
    {"id": "c1", "input": {"document": "None."}, "expected": ["None", "007"], "cluster": "c", "tags": {"kind": "x"}},
]
CSV = """id,input.document,expected,cluster,tags.kind,remark
a1,Rent is $9.,$9,a,rent,good
b1,"No rent,
no term.",[],b,,
c1,None.,"[""None"", ""007""]",c,x,
"""


@pytest.fixture
def written(tmp_path):
    """The same cases in four forms."""
    import datasets

    (tmp_path / "cases.jsonl").write_text("".join(json.dumps(row) + "\n" for row in ROWS))
    (tmp_path / "cases.csv").write_text(CSV)
    (tmp_path / "folder").mkdir()
    for place in ("cases.parquet", "folder/test.parquet", "folder/dev.parquet"):
        datasets.Dataset.from_list(ROWS).to_parquet(tmp_path / place)
    return tmp_path


@pytest.mark.parametrize("name", ["cases.csv", "cases.parquet", "folder#test"])
def test_a_table_holds_the_cases_of_the_jsonl_file(written, name):
    lines, table = (load_cases(written / one) for one in ("cases.jsonl", name))
    assert list(table) == list(lines) and cases_hash(table) == cases_hash(lines)


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ("a1,Rent is $9.,,a,rent,\n", "line 2: 'expected' is missing. Every case needs one; use []"),
        ("a1,Rent is $9.,[oops],a,rent,\n", "line 2: "),
        ("a1,Rent is $9.,$9,,rent,\n", "line 2: Object missing required field `cluster`"),
        ("a1,x\n", "line 2: has 2 cells, and the header has 6"),
        ("a1,x,y,c,,\na1,z,y,c,,\n", "line 3: id 'a1' is already used on line 2"),
    ],
)
def test_a_row_that_is_no_case_is_named_with_its_line(tmp_path, changed, said):
    (tmp_path / "cases.csv").write_text(CSV.splitlines(True)[0] + changed)
    with pytest.raises(UserError) as refused:
        load_cases(tmp_path / "cases.csv")
    assert said in str(refused.value)


def test_a_suite_is_judged_on_cases_in_parquet_as_on_json_lines(tmp_path):
    import datasets

    folder = write_suite(tmp_path, rows())
    write_script(tmp_path, tuned=right(rows()))
    assert pytest_in(tmp_path, "-q").returncode == 0
    datasets.Dataset.from_list(rows()).to_parquet(folder / "cases.parquet")
    (folder / "cases.jsonl").unlink()
    test = next(folder.glob("test_*.py"))
    test.write_text(test.read_text().replace("Suite(", 'Suite(cases="cases.parquet", '))
    done = pytest_in(tmp_path, "-q")
    assert done.returncode == 0, done.stdout


def test_cases_of_the_hub_need_a_commit(tmp_path):
    folder = write_suite(tmp_path, rows(4))
    test = next(folder.glob("test_*.py"))
    test.write_text(test.read_text().replace("Suite(", 'Suite(cases="hf:owner/name#test", '))
    (suite,) = find_suites([str(folder)])
    with pytest.raises(UserError, match=r"hf:owner/name#test: names no commit, so its rows may change"):
        suite.cases  # noqa: B018 - loading them is the check


def test_rows_are_not_imported_over_a_table(tmp_path, monkeypatch):
    import datasets

    monkeypatch.chdir(tmp_path)
    folder = write_suite(tmp_path, rows(4))
    datasets.Dataset.from_list(rows(4)).to_parquet(folder / "cases.parquet")
    test = next(folder.glob("test_*.py"))
    test.write_text(test.read_text().replace("Suite(", 'Suite(cases="cases.parquet", '))
    before = (folder / "cases.parquet").read_bytes()
    columns = ImportColumns(id="id", input={"document": "text"}, expected="answer")
    with pytest.raises(UserError, match=r"cases\.parquet: cases are added to JSONL files"):
        import_table("new.csv", "legal/mini", columns, Hub(), "replace", False)
    assert (folder / "cases.parquet").read_bytes() == before
