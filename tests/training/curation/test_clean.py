"""Cleaning writes what the review keeps, masks the rest, and says what it did in a card, a report and a manifest."""

import hashlib
import json

import pytest

from harness.errors import UserError
from tests.training.curation.conftest import case, prose, row
from training.curation import render
from training.curation.check import CheckSettings
from training.curation.clean import clean, output_name
from training.curation.personal_data import places
from training.curation.review import review
from training.data.rows import load_rows

CASE = prose("case", 80)
HOSTILE = "<script>alert(1)</script> [bold]x[/bold] \u202e | `x`"
ROWS = [
    *(row(prose(n), "repair") for n in range(10)),
    row(prose(3), "repair"),
    row(CASE),
    {**row(f"{prose(50)} Write to a@x.example.", "a@x.example or b@x.example"), "source": "letter of c@x.example"},
    row(f"{prose(51)} {HOSTILE} The tenent agrees.", HOSTILE),
]


@pytest.fixture
def reviewed(write_jsonl, write_cases):
    def run(rows=ROWS, **settings):
        suites = [write_cases([case(1, CASE)])]
        return review([str(write_jsonl(rows))], CheckSettings(suites=suites, **settings))

    return run


def test_kept_rows_are_the_very_bytes_and_dropped_ones_are_listed(reviewed, tmp_path):
    found = reviewed()
    clean(found, tmp_path / "out")
    lines = (tmp_path / "out" / "train.jsonl").read_bytes().splitlines()
    read = (tmp_path / "train.jsonl").read_bytes().splitlines()
    assert lines[:10] == read[:10] and lines[11] == read[13] and len(lines) == 12
    dropped = [json.loads(line) for line in (tmp_path / "out" / "dropped.jsonl").read_text().splitlines()]
    assert [(d["row"].rpartition(":")[2], d["check"]) for d in dropped] == [
        ("11", "exact_duplicates"), ("12", "contamination"),
    ]  # fmt: skip
    assert dropped[0]["reason"] == f"repeats {tmp_path / 'train.jsonl'}:4"


@pytest.mark.parametrize("left", [3, 0])
def test_rows_that_a_file_loses_while_it_is_cleaned_are_an_error(reviewed, tmp_path, left):
    found, file = reviewed(), tmp_path / "train.jsonl"
    file.write_bytes(b"".join(file.read_bytes().splitlines(keepends=True)[:left]))
    with pytest.raises(UserError, match=rf"train.jsonl:{left + 1}: this line is gone"):
        clean(found, tmp_path / "out")


def test_masking_leaves_nothing_personal_in_any_file(reviewed, tmp_path):
    clean(reviewed(), tmp_path / "out")
    (masked,) = [r for r in map(json.loads, (tmp_path / "out" / "train.jsonl").open()) if "EMAIL" in r["output"]]
    assert masked["output"] == "[EMAIL_1] or [EMAIL_2]"
    assert masked["instruction"].endswith("Write to [EMAIL_1].")
    assert masked["source"] == "letter of [EMAIL_1]"
    for path in (tmp_path / "out").iterdir():
        assert places(path.read_text("utf-8")) == [], path
    facts = json.loads((tmp_path / "out" / "manifest.json").read_text())
    assert (facts["masks"], facts["pii_left"], facts["rows"]) == (
        {"EMAIL": 4}, 0, {"before": 14, "after": 12, "masked": 1},
    )  # fmt: skip


@pytest.mark.parametrize(("fields", "masks"), [
    ({"cluster": "c1", "source": "letter of a@x.example"}, {"EMAIL": 1}),
    ({"cluster": 4111111111111111, "source": 7}, {"CARD": 1}),
    ({"source": "replay", "base_context": [{"role": r, "content": "a@x.example"} for r in ("user", "assistant")]},
     {"EMAIL": 2}),
])  # fmt: skip
def test_personal_data_that_is_not_trained_on_is_masked_too(reviewed, tmp_path, fields, masks):
    messages = [{"role": "user", "content": prose(1)}, {"role": "assistant", "content": "none"}]
    clean(reviewed([{"messages": messages, **fields}]), tmp_path / "out")
    for path in (tmp_path / "out").iterdir():
        assert places(path.read_text("utf-8")) == [], path
    facts = json.loads((tmp_path / "out" / "manifest.json").read_text())
    assert (facts["masks"], facts["rows"]["masked"], facts["pii_left"]) == (masks, 1, 0)
    (kept,) = map(json.loads, (tmp_path / "out" / "train.jsonl").open())
    assert kept["source"] in ("letter of [EMAIL_1]", 7, "replay")


def test_a_customer_keeps_one_name_over_all_rows_and_files(write_jsonl, tmp_path):
    rows = [
        {**row(f"{prose(n)} {'cc c@y.example ' * (n % 3)}"), "cluster": f"user{n // 4}@x.example"} for n in range(12)
    ]
    files = [str(write_jsonl(rows[:6], "a.jsonl")), str(write_jsonl(rows[6:], "b.jsonl"))]
    paths = clean(review(files, CheckSettings(actions={"contamination": "skip"})), tmp_path / "out")
    names = [loaded.document for loaded in load_rows([str(path) for path in paths[:2]])]
    assert names == [f"[EMAIL_{1 + n // 4}]" for n in range(12)]


def test_rows_of_a_table_are_written_as_json_lines(write_cases, tmp_path):
    (tmp_path / "rows.csv").write_text(
        "instruction,output,source\n" + "".join(f"{prose(n)},none,{n}\n" for n in range(4))
    )
    found = review([str(tmp_path / "rows.csv")], CheckSettings(suites=[write_cases([case(1, CASE)])]))
    written, *_ = clean(found, tmp_path / "out")
    assert written.name == "rows.jsonl"
    assert [(r.messages, r.document) for r in load_rows([str(written)])] == [
        (r.messages, r.document) for r in found.sample.rows
    ]


def test_replay_rows_of_a_table_are_replay_in_the_lines(write_cases, tmp_path):
    kinds = ["replay,", "replay,c1", ",replay", ",c1"]
    lines = [f"{prose(n)},none,{kind}\n" for n, kind in enumerate(kinds)]
    (tmp_path / "rows.csv").write_text("instruction,output,source,cluster\n" + "".join(lines))
    found = review([str(tmp_path / "rows.csv")], CheckSettings(suites=[write_cases([case(1, CASE)])]))
    written, *_ = clean(found, tmp_path / "out")
    assert json.loads(written.read_text().splitlines()[1]).items() >= {"source": "replay", "cluster": "c1"}.items()
    assert [(r.document, r.is_replay) for r in load_rows([str(written)])] == [
        ("replay", True), ("c1", True), ("replay", False), ("c1", False),
    ]  # fmt: skip


def test_a_file_of_another_origin_is_not_overwritten(write_cases, tmp_path):
    (tmp_path / "rows.csv").write_text("instruction,output\n" + "".join(f"{prose(n)},none\n" for n in range(4)))
    (other := tmp_path / "rows.jsonl").write_text("mine")
    found = review([str(tmp_path / "rows.csv")], CheckSettings(suites=[write_cases([case(1, CASE)])]))
    with pytest.raises(UserError, match=r"rows.jsonl exists, and no manifest.json there says that"):
        clean(found, tmp_path)
    assert other.read_text() == "mine"
    assert clean(found, tmp_path / "out") == clean(found, tmp_path / "out")


@pytest.mark.parametrize(("file", "name"), [
    ("hf:owner/mails@0123#train", "mails-train.jsonl"), ("a/mails.Parquet", "mails.jsonl"), ("a/m@x.txt", "m@x.txt"),
])  # fmt: skip
def test_the_name_of_a_written_file(file, name):
    assert output_name(file) == name


def test_the_manifest_holds_the_hashes_of_what_was_read_and_written(reviewed, tmp_path):
    clean(reviewed(), tmp_path / "out")
    facts = json.loads((tmp_path / "out" / "manifest.json").read_text())
    read = (tmp_path / "train.jsonl").read_bytes()
    assert facts["inputs"] == [
        {"file": str(tmp_path / "train.jsonl"), "rows": 14, "sha256": hashlib.sha256(read).hexdigest()}
    ]
    for output in facts["outputs"]:
        written = (tmp_path / "out" / output["file"]).read_bytes()
        assert output["sha256"] == hashlib.sha256(written).hexdigest() and output["rows"] == written.count(b"\n")
    assert facts["dropped"] == {"contamination": 1, "exact_duplicates": 1}
    assert facts["checks"]["contamination"] == {
        "action": "drop", "rows": 1, "skipped": "", "counts": {"legal/mini": 1},
    }  # fmt: skip
    assert facts["words"]["after"] < facts["words"]["before"]


@pytest.mark.slow
def test_equal_work_gives_equal_bytes(reviewed, tmp_path):
    first = clean(reviewed(), tmp_path / "a")
    second = clean(reviewed(), tmp_path / "b")
    assert [p.name for p in first] == [p.name for p in second]
    for a, b in zip(first, second, strict=True):
        assert a.read_bytes() == b.read_bytes(), a.name


def test_the_card_describes_what_is_left(reviewed, tmp_path):
    clean(reviewed(), tmp_path / "out")
    card = (tmp_path / "out" / "data_card.md").read_text("utf-8")
    assert card.splitlines()[2].startswith("12 rows, ")
    assert "Masked places: 4 EMAIL. Rows left with personal data of these forms: 0." in card
    assert "12 rows; at least 1,000 are recommended" in card
    assert "| exact\\_duplicates | 1 | left out |" in card


def test_the_card_counts_a_row_only_for_what_was_done_with_it(reviewed, tmp_path):
    """A row with personal data that is dropped as a duplicate was masked nowhere."""
    clean(reviewed([*ROWS, ROWS[12]]), tmp_path / "out")
    card = (tmp_path / "out" / "data_card.md").read_text("utf-8")
    assert "| pii | 1 | masked |" in card and "| exact\\_duplicates | 2 | left out |" in card


def test_text_of_rows_does_nothing_in_the_report(reviewed, tmp_path):
    page = render.render_html(reviewed())
    assert "<script" not in page and "\u202e" not in page and "⟨U+202E⟩" in page
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in page
    assert "http" not in page.replace("http-equiv", "")


def test_no_check_quotes_personal_data(reviewed):
    mail = row(f"a@x.example {prose(60)}", "gonna write to b@x.example")
    found = reviewed([mail, mail, row(f"a@x.example {prose(60)} The tenent.", "c@x.example")])
    names = {result.name for result in found.results if result.result.findings}
    assert names >= {"exact_duplicates", "pii", "informal", "typos"}
    assert places(render.render_html(found)) == []


def test_the_report_shows_three_examples_with_line_action_reason_and_match(reviewed):
    page = render.render_html(reviewed([*ROWS, *(row(prose(n), "repair") for n in range(5))]))
    section = page.split('<h2 id="exact_duplicates">')[1].split("</section>")[0]
    assert section.count("<li>") == 3
    assert "rows: 6, action" in section and "train.jsonl:11: repeats" in section and "train.jsonl:4" in section


def test_actions_can_be_changed(reviewed, tmp_path):
    found = reviewed(actions={"exact_duplicates": "flag", "pii": "drop", "contamination": "skip"})
    assert found.drops == {12: "pii"} and found.masked == set()
    assert "contamination" not in [result.name for result in found.results]


@pytest.mark.parametrize(("actions", "message"), [
    ({"pii": "keep"}, "--action pii=keep: expected one of drop, mask, flag, skip"),
    ({"typo": "drop"}, "--action typo=drop: unknown check. Known: row_floor, "),
    ({"lengths": "drop"}, "--action lengths=drop: expected one of keep, skip"),
])  # fmt: skip
def test_an_action_that_cannot_be_taken_is_one_line(reviewed, actions, message):
    with pytest.raises(UserError) as refused:
        reviewed(actions=actions)
    assert str(refused.value).startswith(message)


def test_nothing_left_is_said_and_nothing_written(reviewed, tmp_path):
    found = reviewed([row(CASE)])
    with pytest.raises(UserError, match="no row is left"):
        clean(found, tmp_path / "out")
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("blocked", ["train.jsonl", "dropped.jsonl", "data_card.md", "report.html"])
def test_a_file_that_cannot_be_written_is_one_line(reviewed, tmp_path, blocked):
    (tmp_path / "out" / blocked).mkdir(parents=True)
    (tmp_path / "out" / "manifest.json").write_text('{"made_by": "tunegate data clean"}')
    with pytest.raises(UserError, match=rf"{blocked}: cannot be written \(.*\)\. Choose another folder with --out"):
        clean(reviewed(), tmp_path / "out")


@pytest.mark.parametrize("row", [
    {"prompt": f"{prose(1)} a@x.example", "completion": "a@x.example"},
    {"conversations": [{"from": "human", "value": f"{prose(1)} a@x.example"}, {"from": "gpt", "value": "a@x.example"}]},
])  # fmt: skip
def test_rows_of_every_form_are_masked_and_keep_their_form(reviewed, tmp_path, row):
    clean(reviewed([row]), tmp_path / "out")
    written = (tmp_path / "out" / "train.jsonl").read_text()
    assert json.loads(written) == json.loads(json.dumps(row).replace("a@x.example", "[EMAIL_1]"))
    assert [turn.content for turn in load_rows([str(tmp_path / "out" / "train.jsonl")])[0].messages][1] == "[EMAIL_1]"


def test_chats_are_masked_in_every_turn(reviewed, tmp_path):
    turns = [("system", "Mail a@x.example"), ("user", f"{prose(1)} b@x.example"), ("assistant", "a@x.example")]
    messages = [{"role": r, "content": c} for r, c in turns]
    clean(reviewed([{"messages": messages, "base_context": messages[1:], "source": "replay"}]), tmp_path / "out")
    (kept,) = load_rows([str(tmp_path / "out" / "train.jsonl")])
    assert [t.content for t in kept.messages] == ["Mail [EMAIL_1]", f"{prose(1)} [EMAIL_2]", "[EMAIL_1]"]
    assert [t.content for t in kept.base_context] == [f"{prose(1)} [EMAIL_2]", "[EMAIL_1]"]
