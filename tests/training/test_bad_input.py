"""Data that cannot be trained on is one clear line with file and line, a usage error, and leaves nothing behind."""

import json

import pytest

from harness.errors import EXIT_USAGE
from tests.support.command import run_tunegate

GOOD = json.dumps({"instruction": "Say it", "output": "none"}).encode()
CHAT = json.dumps({"messages": [{"role": "user", "content": "Say"}, {"role": "assistant", "content": "it"}]}).encode()


def chat(*roles):
    return json.dumps({"messages": [{"role": role, "content": "text"} for role in roles]}).encode()


CASES = {
    "no output": ("train.jsonl", [GOOD, b'{"instruction": "Say it"}'], "train.jsonl:2: ", "`output`"),
    "no messages": ("train.jsonl", [GOOD, b'{"text": "Say it"}'], "train.jsonl:2: ", 'with "messages"'),
    "unknown role": ("train.jsonl", [chat("user", "model")], "train.jsonl:1: ", "'model'"),
    "roles out of turn": ("train.jsonl", [chat("user", "user", "assistant")], "train.jsonl:1: ", "alternately"),
    "ends with the user": ("train.jsonl", [CHAT, chat("user", "assistant", "user")], "train.jsonl:2: ", "assistant"),
    "binary": ("train.jsonl", [bytes(range(256)) * 40], "train.jsonl", "binary file"),
    "50 MB line": ("train.jsonl", [GOOD, GOOD[:-2] + b"x" * 50_000_000 + b'"}'], "train.jsonl:2: ", "50,000,0"),
    "two forms": ("train.jsonl", [GOOD, CHAT], "train.jsonl: ", "(from line 2)"),
    "not UTF-8": (
        "train.jsonl",
        [GOOD, '{"instruction": "Vertr\xe4ge"}'.encode("latin-1")],
        "train.jsonl:2: ",
        "UTF-8",
    ),
    "UTF-16": ("train.jsonl", [GOOD.decode().encode("utf-16")], "train.jsonl", "UTF-8"),
    "no training row": ("train.jsonl", [], "train.jsonl: ", "no rows"),
    "blank lines alone": ("train.jsonl", [b"", b"  "], "train.jsonl: ", "no rows"),
    "no validation row": ("validation.jsonl", [], "validation.jsonl: ", "no rows"),
    "no JSON": ("train.jsonl", [GOOD, b"not a row"], "train.jsonl:2: ", "JSON"),
    "bad validation row": ("validation.jsonl", [GOOD, b"{"], "validation.jsonl:2: ", "JSON"),
    "a JSON array": (
        "train.jsonl",
        [b"[", GOOD + b",", GOOD, b"]"],
        "train.jsonl: a JSON array",
        "Name the file .json",
    ),
}


def files(folder):
    return sorted(str(path) for path in folder.rglob("*"))


@pytest.mark.parametrize("case", CASES)
def test_it_is_one_line_with_file_and_line_and_nothing_is_written(write_config, tmp_path, case):
    name, lines, where, said = CASES[case]
    config = write_config()
    (tmp_path / name).write_bytes(b"\n".join(lines))
    before = files(tmp_path)
    done = run_tunegate("train", str(config), cwd=tmp_path)
    (line,) = done.stderr.splitlines()
    assert line.startswith("tunegate: ") and where in line and said in line and len(line) < 400
    assert (done.returncode, done.stdout, files(tmp_path)) == (EXIT_USAGE, "", before)
