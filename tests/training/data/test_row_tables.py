"""Training rows of tables, folders and hub data sets are those of the same JSONL file, and are trained on alike."""

import json

import pytest

from harness.errors import UserError
from training.config import Data
from training.config_file import load
from training.data.rows import count_rows, files_sha256, load_rows, source_sha256, unread_columns
from training.model_card import data_facts

ROWS = [
    {"instruction": "Say none.", "input": "", "output": "none", "cluster": "c1"},
    {"instruction": "Say the number.", "input": "007", "output": "007", "cluster": "c2"},
    {"instruction": "Say None.", "input": "A, b and c.", "output": "None", "cluster": "c2"},
]
CHATS = [
    {"messages": [{"role": "user", "content": f"Repeat {n}"}, {"role": "assistant", "content": f"{n}"}], "more": n}
    for n in range(3)
]
COMMIT = "0123456789abcdef0123456789abcdef01234567"


@pytest.fixture
def written(tmp_path):
    """The same rows as JSONL, a JSON array, CSV, Parquet and a folder with two splits."""
    import datasets

    table = datasets.Dataset.from_list(ROWS)
    lines = "".join(json.dumps(row) + "\n" for row in ROWS)
    (tmp_path / "rows.jsonl").write_text(lines)
    (tmp_path / "rows.json").write_text(json.dumps(ROWS, indent=2))
    (tmp_path / "rows.csv").write_text(
        "instruction,input,output,cluster\nSay none.,,none,c1\n"
        'Say the number.,007,007,c2\nSay None.,"A, b and c.",None,c2\n'
    )
    table.to_parquet(tmp_path / "rows.parquet")
    (tmp_path / "folder").mkdir()
    table.to_parquet(tmp_path / "folder" / "train.parquet")
    table.select([0]).to_parquet(tmp_path / "folder" / "test.parquet")
    return tmp_path


def said(rows):
    return [(row.messages, row.document) for row in rows]


@pytest.mark.parametrize("name", ["rows.csv", "rows.json", "rows.parquet", "folder#train"])
@pytest.mark.parametrize("streaming", [False, True])
def test_a_table_holds_the_rows_of_the_jsonl_file(written, name, streaming):
    found = load_rows([str(written / name)], streaming)
    assert said(found) == said(load_rows([str(written / "rows.jsonl")]))
    assert count_rows([str(written / name)]) == 3


def test_a_row_is_named_by_its_line_or_number(written):
    assert load_rows([str(written / "rows.csv")])[0].where == f"{written}/rows.csv:2"
    assert load_rows([str(written / "rows.parquet")])[0].where == f"{written}/rows.parquet:1"


def test_conversations_in_a_table_are_read_and_other_columns_are_not(tmp_path):
    import datasets

    datasets.Dataset.from_list(CHATS).to_parquet(tmp_path / "chats.parquet")
    found = load_rows([str(tmp_path / "chats.parquet")])
    assert [row.messages[1].content for row in found] == ["0", "1", "2"]


def test_a_field_that_only_other_turns_of_a_table_have_is_left(tmp_path):
    import datasets

    empty = {"weight": None, "tool_calls": None}
    chats = [{"messages": [turn | empty for turn in chat["messages"]]} for chat in CHATS]
    datasets.Dataset.from_list(chats).to_parquet(tmp_path / "chats.parquet")
    assert len(load_rows([str(tmp_path / "chats.parquet")])) == len(CHATS)


def test_a_table_may_have_what_the_base_reads_first_and_texts_that_only_share_the_name_are_left(tmp_path):
    import datasets

    turns = [{"role": "user", "content": "q"}, {"role": "assistant", "content": "a"}]
    chats = [chat | {"base_context": turns, "source": "replay", "context": "a text"} for chat in CHATS]
    datasets.Dataset.from_list(chats).to_parquet(tmp_path / "chats.parquet")
    read = load_rows([str(tmp_path / "chats.parquet")])
    assert [[(turn.role, turn.content) for turn in row.base_context] for row in read] == [
        [("user", "q"), ("assistant", "a")]
    ] * len(CHATS)


def test_whole_numbers_that_pandas_stores_as_floats_name_documents(tmp_path):
    """It does where one of them is missing."""
    import pandas

    rows = [{**ROWS[0], "cluster": 7}, {**ROWS[1], "cluster": None}]
    pandas.DataFrame(rows).to_parquet(tmp_path / "a.parquet")
    assert [row.document for row in load_rows([str(tmp_path / "a.parquet")])] == ["7", ""]


def test_spaces_around_the_name_of_a_document_or_replay_make_no_other_one(tmp_path):
    (tmp_path / "rows.csv").write_text(
        "instruction,output,cluster,document,source\na,b, ,Muster GmbH,\nc,d,,Muster GmbH ,\ne,f,,,replay \n"
    )
    found = load_rows([str(tmp_path / "rows.csv")])
    assert [(row.document, row.is_replay) for row in found] == [
        ("Muster GmbH", False), ("Muster GmbH", False), ("replay", True),
    ]  # fmt: skip


def test_a_column_beside_the_one_with_the_right_name_is_left(tmp_path):
    (tmp_path / "a.csv").write_text("instruction,output,Output\nSay it.,x,y\n")
    assert [row.messages[1].content for row in load_rows([str(tmp_path / "a.csv")])] == ["x"]


def test_columns_that_no_row_uses_are_named(tmp_path):
    (tmp_path / "dolly.csv").write_text("instruction,context,output,source\nSum it up.,A text.,x,d1\n")
    (tmp_path / "rows.csv").write_text("instruction,output,cluster\na,b,c\n")
    (tmp_path / "rows.jsonl").write_text('{"instruction": "a", "output": "b"}\n')
    chat = {"prompt": "a", "prompt_id": 1, **CHATS[0]}
    (tmp_path / "ultrachat.json").write_text(json.dumps([chat]))
    files = [str(tmp_path / name) for name in ("dolly.csv", "rows.csv", "rows.jsonl", "ultrachat.json")]
    assert [*unread_columns(files)] == [
        f"{files[0]}: 1 column not read: context",
        f"{files[3]}: 3 columns not read: prompt, prompt_id, more",
    ]
    assert load_rows(files[3:])[0].chat == CHATS[0]["messages"]


def test_lines_may_be_in_a_json_file_and_any_object_of_an_array_may_name_a_column(written):
    (lines := written / "lines.json").write_bytes((written / "rows.jsonl").read_bytes())
    assert said(load_rows([str(lines)])) == said(load_rows([str(written / "rows.jsonl")]))
    (array := written / "alpaca.json").write_text(json.dumps([*ROWS, {**ROWS[0], "history": [["a", "b"]]}]))
    assert [*unread_columns([str(array), str(lines)])] == [f"{array}: 1 column not read: history"]


def test_an_array_among_other_tables_of_a_folder_is_named_and_facts_about_them_are_not(written):
    (written / "folder" / "dataset_info.json").write_text("{}")
    assert len(load_rows([f"{written}/folder#train"])) == 3
    (written / "folder" / "train.json").write_text("[]")
    with pytest.raises(UserError, match=r"train\.json would not be read"):
        load_rows([f"{written}/folder#train"])


def test_streaming_reads_no_more_rows_than_wanted(written):
    found = load_rows([str(written / "rows.parquet")], streaming=True, limit=2)
    assert len(found) == 2
    assert len(load_rows([str(written / "rows.parquet")], streaming=False, limit=2)) == 3, "drawn from all by the seed"


@pytest.mark.parametrize(
    ("name", "text", "expected"),
    [
        ("bad.csv", "instruction,output\nSay it.,\n,x\n", 'bad.csv:2: "output" is empty; every answer needs text'),
        ("other.csv", "question,answer\nq,a\n", '"input" and "output"; found question, answer. Rename them'),
        ("blank.csv", "prompt,completion\na,b\nc,\n", 'blank.csv:3: "completion" is empty; every answer needs text'),
        ("none.csv", "instruction,output\n,x\n", "none.csv:2: message 1 (user) is empty"),
        ("none.json", '[{"instruction": "", "input": null, "output": "x"}]', "none.json:1: message 1 (user) is empty"),
        (
            "weight.json",
            '[{"messages": [{"role": "user", "content": "q"}, {"role": "assistant", "content": "a", "weight": 0}]}]',
            "weight.json:1: Object contains unknown field `weight` - at `$.messages[1]`",
        ),
        ("texts.json", '[{"messages": ["q", "a"]}]', "texts.json:1: Expected `object`, got `str`"),
        ("list.json", '[["a", "b"]]', "list.json:1: is a list, expected an object"),
        ("empty.json", "[]", "empty.json: no rows"),
        ("short.csv", "instruction,output\nSay it.\n", "short.csv:2: has 1 cells, and the header has 2"),
        (
            "capitals.csv",
            "instruction,Input,output,Cluster,Note\nSay it.,Hello,x,c1,\n",
            "capitals.csv: does not name its columns as expected: 'Input' should be 'input', 'Cluster' should",
        ),
        ("torn.parquet", "nonsense", "torn.parquet: is not a Parquet file"),
    ],
)
def test_a_row_that_cannot_be_trained_on_is_named_with_its_line(tmp_path, name, text, expected):
    (tmp_path / name).write_text(text)
    with pytest.raises(UserError) as refused:
        load_rows([str(tmp_path / name)])
    assert expected in str(refused.value)


def test_a_folder_with_several_splits_asks_which(written):
    with pytest.raises(UserError, match=r"folder: has the splits train, test\. Name one with --split, or after #"):
        load_rows([str(written / "folder")])
    with pytest.raises(UserError, match=r"folder: has no split 'dev'\. It has: train, test"):
        load_rows([str(written / "folder#dev")])


def test_a_hub_data_set_needs_a_commit_and_what_cannot_be_had_is_one_line(monkeypatch):
    import datasets

    monkeypatch.setattr(datasets.config, "HF_HUB_OFFLINE", True)
    with pytest.raises(UserError, match=r"hf:o/n#train: names no commit, so its rows may change"):
        load_rows(["hf:o/n#train"])
    with pytest.raises(UserError, match=r"hf:o/n: the data set could not be loaded: .* It needs the network"):
        load_rows([f"hf:o/n@{COMMIT}#train"])


def test_the_digest_of_a_source_changes_with_what_it_holds(written):
    names = ["rows.jsonl", "rows.csv", "rows.parquet", "folder#train", "folder#test"]
    before = [files_sha256([str(written / name)]) for name in names]
    pinned = [files_sha256([f"hf:o/n@{commit}"]) for commit in (COMMIT, COMMIT[::-1])]
    assert len({*before, *pinned}) == 7
    (written / "folder" / "test.parquet").unlink()
    assert files_sha256([str(written / "folder#train")]) != before[3]


def test_a_table_of_the_configuration_is_looked_for_beside_it_and_a_hub_data_set_is_not(write_config, tmp_path):
    (tmp_path / "rows.csv").write_text("instruction,output\na,b\n")
    found = load(write_config(data__train=["rows.csv", f"hf:o/n@{COMMIT}#train"])).data.train
    assert found == [str(tmp_path / "rows.csv"), f"hf:o/n@{COMMIT}#train"]
    with pytest.raises(UserError, match=r"'data\.train' names .*none\.parquet, which is not a file"):
        load(write_config(data__train=["none.parquet"]))


def test_the_facts_of_a_source_are_its_rows_its_digest_and_the_card_in_its_folder(written):
    (written / "folder" / "README.md").write_text("# Card")
    hub = f"hf:o/n@{COMMIT}#train"
    sources = [*(str(written / name) for name in ("rows.jsonl", "rows.csv", "rows.parquet", "folder#train")), hub]
    facts = data_facts(Data(train=sources, streaming=True))["train"]
    assert [(f["file"], f["rows"], f["sha256"]) for f in facts] == [
        (source, None if source == hub else 3, source_sha256(source)) for source in sources
    ]
    assert [f["card"] for f in facts] == [None, None, None, str(written / "folder" / "README.md"), None]
