"""Rows of tables: what files and hub data sets hold is read as it is, and what cannot be read is named."""

import csv
import io
import json
import sys
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.errors import UserError
from harness.suites.cases import cases_hash, load_cases
from harness.suites.discovery import find_suites
from harness.suites.tables import Hub, rows_of
from harness.tabular.import_cases import ImportColumns, import_table
from tests.support.mini import TEST, pytest_in, right, rows, write_script, write_suite

NO_HUB = Hub()
TEXTS = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\x00"), max_size=12)


def read(path: Path, *columns: str) -> list[tuple[str, object]]:
    return [(row.where, row.problem or row.cells) for row in rows_of(str(path), columns, NO_HUB)]


def write(path: Path, content: bytes | str) -> Path:
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


def test_a_spreadsheets_csv_is_read_with_bom_windows_line_ends_and_cells_of_several_lines(tmp_path):
    long = "x" * 400_000
    text = f'\ufeffid,text\r\na,"one\r\ntwo"\r\n\r\nb,"say ""no"", twice"\r\nc,\r\nd,{long}\r\n'
    assert read(write(tmp_path / "a.csv", text), "id", "text") == [
        ("line 2", {"id": "a", "text": "one\r\ntwo"}),
        ("line 5", {"id": "b", "text": 'say "no", twice'}),
        ("line 6", {"id": "c", "text": ""}),
        ("line 7", {"id": "d", "text": long}),
    ]


@pytest.mark.parametrize("separator", [",", ";", "\t"])
def test_the_separator_is_the_one_under_which_the_header_has_the_columns(tmp_path, separator):
    path = write(tmp_path / "a.csv", f"id{separator}text\na{separator}one\n")
    assert read(path, "id", "text") == [("line 2", {"id": "a", "text": "one"})]


@pytest.mark.parametrize("header", ["id,input.a,Notes,Notes", 'id,input.a,"tags; a; b; c; d",""'])
def test_columns_that_are_not_used_may_be_there_twice_and_hold_other_separators(tmp_path, header):
    path = write(tmp_path / "a.csv", f"{header}\na,one,x,y\n")
    (row,) = rows_of(str(path), [], NO_HUB, ["id", "input"])
    assert (row.problem, row.cells["id"], row.cells["input.a"]) == ("", "a", "one")


def test_every_row_that_is_no_row_is_named_and_the_others_are_read(tmp_path):
    path = write(tmp_path / "a.csv", 'id,text\na,one,more\nb\nc,"x"y\nd,fine\ne,"never closed\nf,x\n')
    found = read(path, "id", "text")
    assert [where for where, _ in found] == [f"line {number}" for number in range(2, 8)]
    assert "has 3 cells, and the header has 2. Quote cells that contain ','" in str(found[0][1])
    assert "has 1 cells" in str(found[1][1])
    assert "cannot be read as CSV" in str(found[2][1]) and "cannot be read as CSV" in str(found[4][1])
    assert found[3][1] == {"id": "d", "text": "fine"} and found[4][1] == found[5][1]


@pytest.mark.parametrize("broken", ['b,"two\nc,three\nd,"four"\n', 'b,"two\nc,three\nd,",four\n'])
def test_every_line_that_a_stray_quote_takes_up_is_named(tmp_path, broken):
    found = read(write(tmp_path / "a.csv", f"id,text\na,one\n{broken}z,last\n"), "id", "text")
    torn = [where for where, said in found if str(said).startswith("cannot be read as CSV")]
    assert torn == ["line 3", "line 4", "line 5"]
    assert found[-1] == ("line 6", {"id": "z", "text": "last"})


def test_a_quote_after_a_space_is_named_and_one_in_a_quoted_cell_is_text(tmp_path):
    path = write(tmp_path / "a.csv", 'id, text\n1, "Hello there"\n2, "Hello, you"\n3, plain\n4," ""Hi"", she said"\n')
    said = "has a space before a quote, and would keep the quotes. Remove the spaces after each ','"
    assert read(path, "id", "text") == [
        ("line 2", said),
        ("line 3", said),
        ("line 4", {"id": "3", "text": " plain"}),
        ("line 5", {"id": "4", "text": ' "Hi", she said'}),
    ]


def test_lines_of_json_are_read_and_those_that_are_no_object_are_named(tmp_path):
    lines = ['{"id": 1, "a": {"b": ["x"]}}', "[1]", "nonsense", "", '{"id": 2}', "[" * 100_000]
    lines += ['{"id": 3, "a": {"b": [{"c": 1, "c": 2}]}}', '{"id": 4,}']
    path = write(tmp_path / "a.jsonl", "\ufeff" + "\r\n".join(lines))
    found = read(path, "id", "a.b")
    assert found[0] == ("line 1", {"id": 1, "a": {"b": ["x"]}})
    assert [where for where, _ in found] == ["line 1", "line 2", "line 3", "line 5", "line 6", "line 7", "line 8"]
    assert "is a list, expected an object" in str(found[1][1])
    assert "is not JSON" in str(found[2][1]) and "is not JSON" in str(found[4][1])
    assert found[5][1] == "has the key 'c' twice. Remove one of them"
    assert "enclosed in double quotes, column 10). Write one object per line" in str(found[6][1])


def test_parquet_rows_keep_lists_and_missing_values(tmp_path):
    import pyarrow as pa
    import pyarrow.parquet as pq

    table = pa.table({"id": ["a", "b"], "answers": [["x", "y"], None], "unread": [1, 2]})
    pq.write_table(table, tmp_path / "a.parquet")
    assert read(tmp_path / "a.parquet", "id", "answers") == [
        ("row 1", {"id": "a", "answers": ["x", "y"]}),
        ("row 2", {"id": "b", "answers": None}),
    ]


def test_a_path_with_brackets_is_read_and_as_a_folder_of_tables_refused_with_the_reason(tmp_path):
    import pyarrow as pa
    import pyarrow.parquet as pq

    (folder := tmp_path / "mails [2026]").mkdir()
    pq.write_table(pa.table({"id": ["a"]}), folder / "jan[1].parquet")
    assert read(folder / "jan[1].parquet", "id") == [("row 1", {"id": "a"})]
    with pytest.raises(UserError, match=r"mails \[2026\]: has one of '\*\?\[' in its path"):
        read(folder, "id")


@pytest.mark.parametrize(("name", "content", "said"), [
    ("a.csv", "id,text\n", r"no column 'label', 'more'\. It has: 'id', 'text'"),
    ("a.csv", "", "is empty"),
    ("a.csv", "\nid,label,more\n", "its first line does not name the columns"),
    ("a.csv", '"id" ,label,more\n1,a,b\n', "its first line does not name the columns"),
    ("a.csv", '"id,label,more\n1,a,b\n', "its first line does not name the columns"),
    ("a.csv", "id,label,label,more\n", "the column 'label' is there 2 times"),
    ("a.csv", "id,label,more\na,é,b\n".encode("utf-16"), "is UTF-16. Save it as UTF-8"),
    ("a.csv", "id,label,more\na,é,b\n".encode("latin-1"), "line 2 is not UTF-8: .*. Save it as UTF-8"),
    ("é.csv", "né,label\n".encode("latin-1"), "line 1 is not UTF-8: byte 0xE9 is 'é' in Windows-1252"),
    ("a.jsonl", '{"id": 1}\n', "no column 'label', 'more'. It has: 'id'"),
    ("a.parquet", "PAR1 no", "is not a Parquet file"),
    ("a.ods", "x", "expected a file that ends in .csv, .tsv, .jsonl, .ndjson, .parquet, .xlsx, .json"),
    ("a.json", '[{"id": 1}]', "no column 'label', 'more'. It has: 'id'"),
    ("a.jsonl", '[{"id": 1},\n{"id": 2}]', r"a\.jsonl: a JSON array\. Name the file \.json, or write one object"),
    ("a.jsonl", '{\n "id": 1\n}', r"a\.jsonl: an object over several lines\. Write one object per line"),
    ("a.json", '[{"id": 1}\n{"id": 2}]', r"line 2 is not JSON \(Expecting ',' delimiter, column 1\)"),
    ("a.json", '[{"id": 1, "id": 2}]', "an object has the key 'id' twice"),
    ("a.json", "[" * 100_000, "is nested too deeply"),
    ("a.json", '[{"id": "é"}]'.encode("utf-16"), "is UTF-16. Save it as UTF-8"),
    ("a.json", '[\n{"id": "é"}]'.encode("latin-1"), "line 2 is not UTF-8"),
])  # fmt: skip
def test_a_file_that_cannot_be_read_is_one_line(tmp_path, name, content, said):
    path = write(tmp_path / name, content)
    with pytest.raises(UserError, match=said) as refused:
        list(rows_of(str(path), ["id", "label", "more"], NO_HUB))
    assert "\n" not in str(refused.value)


def test_a_file_that_is_not_there_is_one_line(tmp_path):
    with pytest.raises(UserError, match=r"cannot be read \(No such file"):
        rows_of(str(tmp_path / "a.csv"), ["id"], NO_HUB)
    with pytest.raises(UserError, match="--split is for data sets of the hub"):
        rows_of("a.csv", ["id"], Hub(split="train"))


@settings(max_examples=80, deadline=None)
@given(
    rows=st.lists(st.tuples(TEXTS, TEXTS), min_size=1, max_size=5), delimiter=st.sampled_from(",;\t"), bom=st.booleans()
)
def test_whatever_csv_writes_is_read_back(tmp_path_factory, rows, delimiter, bom: bool):
    out = io.StringIO()
    writer = csv.writer(out, delimiter=delimiter, quoting=csv.QUOTE_ALL)
    writer.writerows([("id", "text"), *rows])
    path = tmp_path_factory.mktemp("t") / "a.csv"
    path.write_bytes(out.getvalue().encode("utf-8-sig" if bom else "utf-8"))
    kept = [row for row in rows if any(cell.strip() for cell in row)]
    assert [(c["id"], c["text"]) for _, c in read(path, "id", "text")] == kept


ANY_BYTES = st.binary(max_size=80) | st.text(max_size=80).map(lambda text: ("id,x\n" + text).encode("utf-8", "replace"))


# A library opens Parquet files: each example takes a hundred times as long, and all but a few are refused alike.
@pytest.mark.parametrize(("suffix", "examples"), [(".csv", 150), (".jsonl", 150), (".parquet", 10)])
def test_any_bytes_are_rows_or_one_mistake_of_the_users(tmp_path, suffix, examples):
    @settings(max_examples=examples, deadline=None)
    @given(content=ANY_BYTES)
    def read_any(content):
        try:
            rows = read(write(tmp_path / f"a{suffix}", content), "id")
        except UserError:
            return
        assert all(isinstance(said, (dict, str)) for _, said in rows)

    read_any()


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | TEXTS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXTS, inner, max_size=3),
    max_leaves=6,
)


@settings(max_examples=80, deadline=None)
@given(
    rows=st.lists(st.dictionaries(TEXTS, VALUES, max_size=3).map(lambda row: {"id": 1} | row), min_size=1, max_size=4)
)
def test_whatever_json_writes_is_read_back(tmp_path_factory, rows):
    lines = "\n".join(json.dumps(row) for row in rows)
    path = write(tmp_path_factory.mktemp("t") / "a.jsonl", lines)
    assert [cells for _, cells in read(path, "id")] == rows


@pytest.fixture
def hub(monkeypatch):
    """Stands for the hub: data sets by name, as the library gives them."""
    import datasets

    features = datasets.Features(
        {
            "id": datasets.Value("int64"),
            "label": datasets.ClassLabel(names=["bad", "good"]),
            "several": datasets.List(datasets.ClassLabel(names=["x", "y"])),
        }
    )
    one = datasets.Dataset.from_dict({"id": [7], "label": [1], "several": [[1, 0]]}, features=features)
    asked = []

    def load(name, config, split, revision):
        asked.append((name, config, split, revision))
        if name == "o/two":
            return datasets.DatasetDict({"train": one, "test": one})
        if name == "o/one":
            return datasets.DatasetDict({"train": one})
        raise ConnectionError("no route to the hub\nand more lines")

    monkeypatch.setattr(datasets, "load_dataset", load)
    return asked


def test_labels_of_a_hub_data_set_are_read_by_their_names(hub):
    (row,) = rows_of("hf:o/one", ["id", "label", "several"], Hub(revision="abc", config="c"))
    assert row == ("row 1", {"id": 7, "label": "good", "several": ["y", "x"]}, "")
    assert hub == [("o/one", "c", None, "abc")]


@pytest.mark.parametrize(("name", "said"), [
    ("hf:o/two", "has the splits train, test. Name one with --split"),
    ("hf:o/gone", "the data set could not be loaded: no route to the hub. It needs the network"),
    ("hf:../secret", "'../secret' is not a data set, expected hf:owner/name"),
    ("hf:/etc", "'/etc' is not a data set"),
    ("hf:o/one", "no column 'text'"),
])  # fmt: skip
def test_a_data_set_that_cannot_be_had_is_one_line(hub, name, said):
    with pytest.raises(UserError, match=said) as refused:
        list(rows_of(name, ["text"], NO_HUB))
    assert "\n" not in str(refused.value)


def test_without_a_network_the_hub_is_one_line(monkeypatch):
    import datasets

    monkeypatch.setattr(datasets.config, "HF_HUB_OFFLINE", True)
    with pytest.raises(UserError, match=r"hf:nobody/none: the data set could not be loaded: .* It needs the network"):
        list(rows_of("hf:nobody/none", ["text"], NO_HUB))


def test_a_csv_cell_is_its_text_where_datasets_would_read_a_number_or_nothing(tmp_path):
    import datasets

    path = write(tmp_path / "a.csv", "id,answer\n007,None\n")
    assert read(path, "id", "answer") == [("line 2", {"id": "007", "answer": "None"})]
    (theirs,) = datasets.load_dataset("csv", data_files=str(path), split="train", streaming=True)
    assert theirs == {"id": 7, "answer": None}


def test_local_tables_leave_no_copy_in_the_cache(tmp_path, monkeypatch):
    import datasets

    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", tmp_path / "cache")
    datasets.Dataset.from_dict({"id": ["Harrowgate"]}).to_parquet(tmp_path / "a.parquet")
    assert read(tmp_path / "a.parquet", "id") == [("row 1", {"id": "Harrowgate"})]
    assert not [p for p in (tmp_path / "cache").rglob("*") if p.is_file() and b"Harrowgate" in p.read_bytes()]


def test_without_datasets_a_parquet_file_is_one_line_and_csv_is_read(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "datasets", None)
    (tmp_path / "t.parquet").write_bytes(b"PAR1")
    with pytest.raises(UserError, match=r"needs the package 'datasets'.*pip install '\.\[hub\]'"):
        read(tmp_path / "t.parquet", "a")
    assert read(write(tmp_path / "t.csv", "a\n1\n"), "a") == [("line 2", {"a": "1"})]


@pytest.mark.parametrize(("names", "unread"), [
    (["jan.csv", "feb.csv", "test_mails.csv"], r"feb\.csv, jan\.csv"),
    (["a.csv", "b.csv", "sub/c.jsonl"], r"sub/c\.jsonl"),
    (["train.csv", "test.csv", "notes.xlsx"], r"notes\.xlsx"),
])  # fmt: skip
def test_a_folder_of_which_files_would_not_be_read_is_refused_with_their_names(tmp_path, names, unread):
    for name in names:
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text('{"id": 1}\n' if name.endswith("jsonl") else "id\n1\n")
    with pytest.raises(UserError, match=rf": {unread} would not be read: .* Name each file, or move") as refused:
        read(tmp_path, "id")
    assert "\n" not in str(refused.value)


def test_every_file_of_a_folder_is_read_but_hidden_ones(tmp_path):
    for number, name in enumerate(("jan.csv", "feb.csv", "sub/mar.csv", ".ipynb_checkpoints/jan.csv", "README.md")):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(f"id\n{number}\n")
    assert sorted(cells["id"] for _, cells in read(tmp_path, "id")) == [0, 1, 2]


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


@pytest.mark.parametrize(("name", "separator"), [("cases.tsv", "\t"), ("other.csv", ";")])
def test_cases_may_be_separated_by_tabs_or_semicolons(written, name, separator):
    with (written / name).open("w", newline="") as file:
        csv.writer(file, delimiter=separator).writerows(csv.reader(CSV.splitlines(True)))
    assert list(load_cases(written / name)) == list(load_cases(written / "cases.jsonl"))


def test_a_column_of_cases_that_is_there_twice_is_refused(tmp_path):
    (tmp_path / "cases.csv").write_text("id,input.document,expected,expected,cluster,,\na,one,right,wrong,k,,\n")
    with pytest.raises(UserError, match=r"cases\.csv: the column 'expected' is there 2 times. Rename all but one"):
        load_cases(tmp_path / "cases.csv")


@pytest.mark.parametrize("columns", ["tags,tags.art", "tags.art,tags"])
def test_a_field_of_cases_in_a_column_of_its_own_and_in_parts_is_refused(tmp_path, columns):
    (tmp_path / "cases.csv").write_text(f"id,input.document,expected,cluster,{columns}\na,one,right,k,x,y\n")
    with pytest.raises(UserError, match=r"cases\.csv: line 2: fills in 'tags' as a whole and in parts \(tags\.NAME\)"):
        load_cases(tmp_path / "cases.csv")


@pytest.mark.parametrize(("column", "right"), [("Tags.art", "tags.art"), ("INPUT.clause", "input.clause")])
def test_a_column_of_cases_with_capitals_is_refused_with_its_right_name(tmp_path, column, right):
    (tmp_path / "cases.csv").write_text(f"id,input.document,expected,cluster,{column},Remark\na,one,right,k,mail,\n")
    with pytest.raises(UserError, match=rf"cases\.csv: .*: '{column}' should be '{right}'$"):
        load_cases(tmp_path / "cases.csv")


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ("a1,Rent is $9.,,a,rent,\n", "line 2: 'expected' is missing. Every case needs one; use []"),
        ("a1,Rent is $9.,[oops],a,rent,\n", "line 2: "),
        ("a1,Rent is $9.,$9,,rent,\n", "line 2: Object missing required field `cluster`"),
        ("a1,,$9,a,rent,\n", "line 2: 'input' is missing. Name the columns of the prompt's variables input.NAME"),
        ("a1,x\n", "line 2: has 2 cells, and the header has 6"),
        ("a1,x,y,c,,\na1,z,y,c,,\n", "line 3: id 'a1' is already used on line 2"),
    ],
)
def test_a_row_that_is_no_case_is_named_with_its_line(tmp_path, changed, said):
    (tmp_path / "cases.csv").write_text(CSV.splitlines(True)[0] + changed)
    with pytest.raises(UserError) as refused:
        load_cases(tmp_path / "cases.csv")
    assert said in str(refused.value)


def suite_of(tmp_path, cases):
    """Write a suite with these cases; returns its folder."""
    return write_suite(tmp_path, rows(), TEST.replace("Suite(", f'Suite(cases="{cases}", '))


def suite_in_parquet(tmp_path):
    import datasets

    folder = suite_of(tmp_path, "cases.parquet")
    (folder / "cases.jsonl").unlink()
    datasets.Dataset.from_list(rows()).to_parquet(folder / "cases.parquet")
    return folder


def test_a_suite_is_judged_on_cases_in_parquet(tmp_path):
    suite_in_parquet(tmp_path)
    write_script(tmp_path, tuned=right(rows()))
    done = pytest_in(tmp_path, "-q")
    assert done.returncode == 0, done.stdout


def test_cases_of_the_hub_need_a_commit(tmp_path):
    (suite,) = find_suites([str(suite_of(tmp_path, "hf:owner/name#test"))])
    with pytest.raises(UserError, match=r"hf:owner/name#test: names no commit, so its rows may change"):
        suite.cases  # noqa: B018 - loading them is the check


def test_rows_are_not_imported_over_a_table(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    folder = suite_in_parquet(tmp_path)
    before = (folder / "cases.parquet").read_bytes()
    columns = ImportColumns(id="id", input={"document": "text"}, expected="answer")
    with pytest.raises(UserError, match=r"cases\.parquet: cases are added to JSONL files"):
        import_table("new.csv", "legal/mini", columns, Hub(), "replace", False)
    assert (folder / "cases.parquet").read_bytes() == before


def test_spaces_at_the_ends_of_cells_make_no_cluster_tag_or_answer_of_their_own(tmp_path):
    (tmp_path / "cases.csv").write_text(
        "id,input.document,expected,cluster,tags.kind\n"
        "a,one,urgent,Muster GmbH,lease\nb , two ,urgent ,Muster GmbH ,lease \n"
    )
    first, second = load_cases(tmp_path / "cases.csv")
    assert (second.id, second.input) == ("b", {"document": " two "})
    assert (first.expected, first.cluster, first.tags) == (second.expected, second.cluster, second.tags)
