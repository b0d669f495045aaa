"""`tunegate data` as a user runs it: reports, files, exit codes, one line for each mistake."""

import json
import shlex
from pathlib import Path

import pytest

from tests.support.command import outcome
from tests.support.mini import rows as mini_rows
from tests.support.mini import write_suite

GOOD = {"instruction": "Which clauses are in this text?", "input": "The tenant pays the rent.", "output": "none"}
CHAT = {"messages": [{"role": "user", "content": "Which?"}, {"role": "assistant", "content": "none"}]}


@pytest.fixture
def tunegate(tmp_path, monkeypatch):
    """Run the command in an own folder with a small suite; returns exit code, stdout and stderr."""
    write_suite(tmp_path, mini_rows(4))
    monkeypatch.chdir(tmp_path)
    return outcome


def write(name: str, rows: list[dict[str, object]]) -> str:
    Path(name).write_text("".join(json.dumps(row) + "\n" for row in rows))
    return name


BAD = {
    "binary": (b"\x7fELF\0\0\1", "a binary file, or text that is not UTF-8"),
    "utf16": (json.dumps(GOOD).encode("utf-16"), "a binary file, or text that is not UTF-8. Save it as UTF-8"),
    "long": (
        b'{"instruction": "' + b"a" * 50 * 2**20 + b'"}\n',
        ":1: the line has 52,428,820 bytes; a row has at most",
    ),
    "mixed": (f"{json.dumps(GOOD)}\n{json.dumps(CHAT)}\n".encode(), '"instruction" (from line 1) and "messages" (from'),
    "empty": (b"", "no rows. Expected one JSON object per line"),
    "blank": (b"\n \n", "no rows. Expected one JSON object per line"),
    "array": (json.dumps([GOOD, GOOD], indent=1).encode(), "a JSON array. Name the file .json, or write one object"),
    "lines": (json.dumps(GOOD, indent=1).encode(), "an object over several lines. Write one object per line"),
    "csv": (b"instruction,output\na,b\nc,d\n", ":1-3: JSON is malformed"),
    "latin": ('{"instruction": "é", "output": "b"}'.encode("latin-1"), ":1: is not UTF-8: byte 0xE9 is 'é' in Windows"),
    "deep": (b'{"a":' + b"[" * 100_000, ":1: nested too deeply to be a row"),
    "field": (
        b'{"instruction": "a", "output": "b", "cat": 1}',
        ":1: Object contains unknown field `cat`; expected the",
    ),
    "missing": (
        b'{"instruction": "a"}',
        ':1: Object missing required field `output`; expected the texts "instruction",',
    ),
    "type": (b'{"messages": "a"}', ':1: Expected `array`, got `str` - at `$.messages`; expected "messages", a list of'),
    "other": (b'{"question": "a", "answer": "b"}', '"input" and "output"; found question, answer'),
    "both": (
        json.dumps(GOOD | CHAT).encode(),
        ':1: has both "messages" and "instruction", two forms of a row',
    ),
    "twice": (b'{"instruction": "a", "output": "b", "output": "c"}', ":1: has the key 'output' twice. Remove one"),
    "answer": (b'{"instruction": "a", "output": " "}', ':1: "output" is empty; every answer needs text'),
}


@pytest.mark.parametrize(("command", "kind"), [*(("check", kind) for kind in BAD), ("clean", "csv"), ("split", "csv")])
def test_a_file_that_cannot_be_read_is_one_line(tunegate, kind, command):
    content, said = BAD[kind]
    Path("bad.jsonl").write_bytes(content)
    code, _, err = tunegate("data", command, "bad.jsonl", *([] if command == "check" else ["--out", "out"]))
    assert code == 4
    assert err.startswith("tunegate: bad.jsonl") and said in err
    assert len(err.strip().splitlines()) == 1
    assert not Path("out").exists() and not Path("data_report.html").exists()


def test_all_bad_lines_of_all_files_are_named_at_once(tunegate):
    Path("a.jsonl").write_text(f'{json.dumps(GOOD)}\nno\nno\n{{"messages": []}}\n')
    Path("b.jsonl").write_text('{"output": "b"}\n')
    code, _, err = tunegate("data", "check", "a.jsonl", "b.jsonl", "c.jsonl")
    assert code == 4
    lines = [line.strip().split(": ")[0] for line in err.splitlines()[1:]]
    assert lines == ["a.jsonl:2-3", "a.jsonl:4", "b.jsonl:1", "c.jsonl"]


@pytest.mark.slow
@pytest.mark.parametrize(("words", "said"), [
    (["check"], "Missing argument 'FILE'"),
    (["clean", "a.jsonl"], "Missing option '--out'"),
    (["check", "a.jsonl", "--near", "2"], "Invalid value for '--near'"),
    (["check", "a.jsonl", "--suite", "nowhere"], "nowhere: no suite was found"),
    (["check", "a.jsonl", "--style", "nowhere.toml"], "nowhere.toml: cannot be read (No such file"),
    (["check", "a.jsonl", "--base", "./nowhere"], "./nowhere"),
    (["check", "a.jsonl", "--language", "english"], "--language 'english': is no code of a known language"),
    (["check", "a.jsonl", "--language", ""], "--language '': is no code of a known language"),
    (["check", ""], "'': names no file"),
    (["check", "."], ".: has no readable rows"),
    (["check", "a.jsonl", "--action", "pii"], "--action expects CHECK=ACTION"),
    (["check", "a.jsonl", "--action", "pii=keep"], "--action pii=keep: expected one of"),
    (["check", "a.jsonl", "--html", "no/such/folder.html"], "no/such/folder.html: cannot be written"),
    (["split", "a.jsonl", "--out", "out", "--by", "colour"], "'colour' is not one of 'auto', 'document', 'input'"),
    (["split", "a.jsonl", "--out", "."], "no row would be in validation"),
])  # fmt: skip
def test_a_mistake_is_one_line_and_the_usage_code(tunegate, words, said):
    write("a.jsonl", [GOOD])
    code, _, err = tunegate("data", *words)
    assert code == 4, err
    assert said in err and err.startswith("tunegate: ") and len(err.strip().splitlines()) == 1


@pytest.mark.slow
def test_check_shows_findings_and_writes_a_page(tunegate):
    code, out, _ = tunegate("data", "check", write("a.jsonl", [GOOD, GOOD]))
    assert code == 0
    assert "rows: 2, after cleaning 1" in out
    assert "a.jsonl:2: repeats a.jsonl:1" in out and "report: data_report.html" in out
    assert "a.jsonl:2: repeats a.jsonl:1" in Path("data_report.html").read_text("utf-8")
    assert sorted(path.name for path in Path().iterdir()) == ["a.jsonl", "data_report.html", "evalsuites"]


@pytest.mark.slow
def test_the_next_command_has_the_files_and_options_of_this_one(tunegate):
    Path("my rows").mkdir()
    path = write("my rows/a.jsonl", [GOOD, GOOD, {**GOOD, "output": "a@x.example"}])
    options = ["--suite", "evalsuites", "--near", "0.7", "--action", "exact_duplicates=flag"]
    _, out, _ = tunegate("data", "check", path, *options)
    (command,) = [line.removeprefix("next: ") for line in out.splitlines() if line.startswith("next: ")]
    words = shlex.split(command, comments=True)
    assert words == ["tunegate", "data", "clean", path, *options, "--out", "clean"]
    code, out, _ = tunegate(*words[1:])
    assert code == 0 and "rows: 3, after cleaning 3" in out
    assert "next: tunegate data split clean/a.jsonl --out FOLDER" in out


@pytest.mark.slow
@pytest.mark.parametrize(("rows", "code"), [([GOOD, GOOD], 1), ([GOOD], 0)])
def test_strict_fails_where_rows_would_be_changed(tunegate, rows, code):
    assert tunegate("data", "check", write("a.jsonl", rows), "--strict")[0] == code


@pytest.mark.slow
def test_clean_and_split_say_what_they_wrote(tunegate):
    texts = [
        f"{n} The tenant pays the rent of the {word}." for n, word in enumerate(["house", "barn", "mill", "shop"] * 5)
    ]
    path = write("a.jsonl", [{**GOOD, "input": text, "source": n} for n, text in enumerate(texts)] + [GOOD, GOOD])
    code, out, _ = tunegate("data", "clean", path, "--out", "out", "--action", "near_duplicates=flag")
    assert code == 0
    assert "rows: 22, after cleaning 21" in out
    names = ["a.jsonl", "data_card.md", "dropped.jsonl", "manifest.json", "report.html"]
    assert sorted(p.name for p in Path("out").iterdir()) == names
    assert all(f"written: out/{name}" in out for name in names)
    assert "tunegate data split out/a.jsonl --out FOLDER" in out
    code, out, _ = tunegate("data", "split", "out/a.jsonl", "--out", "parts", "--validation", "0.2", "--near", "1")
    assert code == 0
    assert "train: 17 rows" in out and "validation: 4 rows" in out
    assert "groups that stay together: 21; the largest has 1 row\n" in out
    names = ["data_card.md", "manifest.json", "train.jsonl", "validation.jsonl"]
    assert sorted(p.name for p in Path("parts").iterdir()) == names


@pytest.mark.slow
def test_markup_in_rows_does_nothing_on_the_terminal(tunegate):
    hostile = {**GOOD, "input": "[red]pay[/red] \x1b[31m the rent", "output": "[/nonsense] \u202e none"}
    code, out, _ = tunegate("data", "check", write("a.jsonl", [hostile, hostile]))
    assert code == 0
    assert "[red]pay[/red]" in out and "\x1b[31m" not in out and "\u202e" not in out


@pytest.mark.slow
def test_a_missing_language_package_is_said_and_no_mistake(tunegate, monkeypatch):
    from training.curation.checks import language

    monkeypatch.setattr(language, "find_spec", lambda name: None)
    code, out, _ = tunegate("data", "check", write("a.jsonl", [GOOD]))
    assert code == 0
    assert "not run: the package py3langid is not installed." in out
