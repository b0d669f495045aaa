"""Files and options that cannot be used: one clear line that names the file, what was found and what to do."""

import json
import os
import subprocess
from pathlib import Path

import pytest

from tests.support.command import tunegate
from tests.support.mini import GATES, pytest_in, right, rows, write_script, write_suite

ASKING = ("compare", "old", "new", "--engine", "fake", "--script", "script.json")
SCRIPT = "script.json"
PROMPT, CASES, GATES_FILE = (f"evalsuites/legal/mini/{name}" for name in ("prompt.jinja", "cases.jsonl", "gates.toml"))


@pytest.fixture
def project(tmp_path: Path) -> Path:
    write_suite(tmp_path)
    write_script(tmp_path, tuned=right(rows()), baseline=right(rows()))
    return tmp_path


def in_one_line(done: subprocess.CompletedProcess[str], *said: str) -> None:
    assert done.returncode == 4, done.stdout + done.stderr
    assert "Traceback" not in done.stdout + done.stderr
    for words in said:
        assert words in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1, done.stderr


@pytest.mark.slow
@pytest.mark.parametrize(("file", "content", "said"), [
    (SCRIPT, b'{"tunned": {}}', "unknown variant 'tunned'. Known: tuned, baseline, fail"),
    (SCRIPT, b'{"tuned": {"c1": "x", "c99": "x"}}', "no case has the id 'c99' that 'tuned' names"),
    (SCRIPT, b'{"fail": {"tuned": ["c98"]}}', "no case has the id 'c98' that 'fail' names"),
    (SCRIPT, b'{"fail": {"tunned": []}}', "unknown variant 'tunned' in 'fail'"),
    (SCRIPT, b'{"fail": {"tuned": 3}}', "'fail' of 'tuned' is 3, expected a list of case ids"),
    (SCRIPT, b'{"fail": {"tuned": "c1"}}', "'fail' of 'tuned' is 'c1', expected a list of case ids"),
    (SCRIPT, b'{"tuned": ["c1"]}', "'tuned' is a list, expected case id -> text"),
    (SCRIPT, b'{"tuned": {"c1": 3}}', "'c1' of 'tuned' is 3, expected a text in quotes"),
    (SCRIPT, b'{"tuned": {"c1": "a", "c1": "b"}}', "has the key 'c1' twice. Remove one of them"),
    (PROMPT, "Wer für {{ document }}".encode("latin-1"), "line 1 is not UTF-8: byte 0xFC is 'ü' in Windows-1252"),
    (PROMPT, b"\xef\xbb\xbf{{ document }}", "starts with a byte order mark (UTF-8 BOM). Save it as UTF-8 without BOM"),
    (PROMPT, "Which? {{ document }}".encode("utf-16"), "is UTF-16. Save it as UTF-8"),
    (PROMPT, b"Which clauses are there?", "uses no variable, so every case gets the same prompt"),
    (PROMPT, b"Which {{ range(3) | list }}?", "uses no variable, so every case gets the same prompt"),
    (PROMPT, b"Which? {{ documnet }}", "'documnet' is undefined"),
    (CASES, '{"id": "a"}'.encode("utf-16"), ": is UTF-16. Save it as UTF-8"),
    (CASES, b'\xef\xbb\xbf{"id": "a"}', ": starts with a byte order mark (UTF-8 BOM)"),
    (CASES, b'{"id": "a"}\n', ":1: "),
    (CASES, b'\n{"id": "\xe4"}\n', ":2: is not UTF-8: byte 0xE4 is 'ä' in Windows-1252"),
    (CASES, b"", ": no cases were found"),
    (CASES, json.dumps({**rows()[0], "expected": ["no such clause"]}).encode(), "no such clause"),
    (GATES_FILE, b"[[gate]\n", "not valid TOML"),
    (GATES_FILE, b"\xef\xbb\xbf" + GATES.encode(), "starts with a byte order mark (UTF-8 BOM)"),
    (GATES_FILE, GATES.replace("Find", "Für").encode("latin-1"), "line 2 is not UTF-8"),
    (GATES_FILE, GATES.replace("clause_recall", "recal").encode(), "gate 1 (recal at_least)"),
    (GATES_FILE, GATES.replace("at_least", "atleast", 1).encode(), "gate 1 (clause_recall atleast)"),
])  # fmt: skip
def test_a_file_that_cannot_be_used_is_named_with_its_folder(
    project: Path, file: str, content: bytes, said: str
) -> None:
    (project / file).write_bytes(content)
    in_one_line(tunegate(project, *ASKING), f"{file}:", said)


@pytest.mark.slow
def test_a_gate_for_a_slice_value_that_no_case_has_is_named(project: Path) -> None:
    (project / GATES_FILE).write_text(GATES.replace('slice = "instrument"', 'slice = "instrument"\nvalues = ["boat"]'))
    said = "legal/mini/gates.toml: clause_exact_set-at_least-0.5: no case has instrument=boat"
    in_one_line(tunegate(project, *ASKING), said)
    session = pytest_in(project)
    output = session.stdout + session.stderr
    assert session.returncode == 4 and said in output and "Traceback" not in output


@pytest.mark.slow
def test_a_script_that_is_missing_and_a_pipe_in_place_of_cases_do_not_hang(project: Path) -> None:
    (project / SCRIPT).unlink()
    in_one_line(tunegate(project, *ASKING), "script.json: cannot be read (No such file or directory)")
    (project / CASES).unlink()
    os.mkfifo(project / CASES)
    in_one_line(tunegate(project, *ASKING), f"{CASES}: is a pipe, expected a regular file")


@pytest.mark.parametrize(("option", "said"), [
    ("--eval-limit=0", "--eval-limit 0: expected 1 or more"),
    ("--eval-repeats=-1", "--eval-repeats -1: expected 1 or more"),
    ("--eval-engines=-1", "--eval-engines -1: expected 1 or more"),
    ("--checkpoint=", "--checkpoint '': expected a checkpoint. Name one, or leave the option out"),
    ("--baseline= ", "--baseline ' ': expected a checkpoint. Name one, or leave the option out"),
    ("--eval-checkpoint=", "--checkpoint '': expected a checkpoint. Name one, or leave the option out"),
])  # fmt: skip
def test_a_pytest_option_that_asks_for_nothing(project: Path, option: str, said: str) -> None:
    done = pytest_in(project, "-q", option)
    assert done.returncode == 4 and f"ERROR: {said}" in done.stdout + done.stderr
    assert not (project / "runs").exists()


def test_a_command_line_in_the_environment_with_an_open_quote(tmp_path: Path) -> None:
    done = tunegate(tmp_path, "serve", TUNEGATE_SERVE_ARGS="adapter --ungated 'pilot")
    in_one_line(done, "TUNEGATE_SERVE_ARGS: No closing quotation. Expected arguments of tunegate serve")


def test_an_empty_checkpoint_is_named(project: Path) -> None:
    in_one_line(tunegate(project, "eval", ""), "tunegate: '': no such checkpoint")
