"""Files and options that cannot be used: one clear line that names the file, what was found and what to do."""

import json
import os
import subprocess
from pathlib import Path

import pytest

from tests.support.command import tunegate
from tests.support.mini import GATES, pytest_in, right, rows, write_script, write_suite

ASKING = ("compare", "old", "new", "--engine", "fake", "--script", "script.json")


@pytest.fixture
def project(tmp_path: Path) -> Path:
    write_suite(tmp_path)
    write_script(tmp_path, tuned=right(rows()), baseline=right(rows()))
    return tmp_path


def mini(project: Path) -> Path:
    return project / "evalsuites" / "legal" / "mini"


def in_one_line(done: subprocess.CompletedProcess[str], *said: str) -> None:
    assert done.returncode == 4, done.stdout + done.stderr
    assert "Traceback" not in done.stdout + done.stderr
    for words in said:
        assert words in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1, done.stderr


def test_a_command_line_in_the_environment_with_an_open_quote(tmp_path: Path) -> None:
    done = tunegate(tmp_path, "serve", TUNEGATE_SERVE_ARGS="adapter --ungated 'pilot")
    in_one_line(done, "TUNEGATE_SERVE_ARGS: No closing quotation. Expected arguments of tunegate serve")


def test_a_script_that_is_missing(project: Path) -> None:
    (project / "script.json").unlink()
    in_one_line(tunegate(project, *ASKING), "script.json: cannot be read (No such file or directory)")


@pytest.mark.parametrize(
    ("script", "said"),
    [
        ({"tunned": {}}, "script.json: unknown variant 'tunned'. Known: tuned, baseline, fail"),
        ({"tuned": {"c1": "x", "c99": "x"}}, "script.json: no case has the id 'c99' that 'tuned' names"),
        ({"fail": {"tuned": ["c98"]}}, "script.json: no case has the id 'c98' that 'fail' names"),
        ({"fail": {"tunned": []}}, "script.json: unknown variant 'tunned' in 'fail'"),
        ({"tuned": ["c1"]}, "script.json: 'tuned' is a list, expected case id -> text"),
        ({"tuned": {"c1": 3}}, "script.json: 'c1' of 'tuned' is 3, expected a text in quotes"),
    ],
)
def test_a_script_that_names_what_is_not_there(project: Path, script: dict[str, object], said: str) -> None:
    (project / "script.json").write_text(json.dumps(script))
    in_one_line(tunegate(project, *ASKING), said)


@pytest.mark.parametrize(("option", "value"), [("limit", "0"), ("limit", "-3"), ("repeats", "0"), ("repeats", "-1")])
def test_pytest_options_that_ask_for_nothing(project: Path, option: str, value: str) -> None:
    done = pytest_in(project, "-q", f"--eval-{option}", value)
    assert done.returncode == 4 and "Traceback" not in done.stdout + done.stderr
    assert f"ERROR: --eval-{option} {value}: expected 1 or more" in done.stdout + done.stderr


@pytest.mark.parametrize("option", ["checkpoint", "baseline", "eval-checkpoint"])
@pytest.mark.parametrize("value", ["", " "])
def test_a_pytest_option_with_an_empty_checkpoint(project: Path, option: str, value: str) -> None:
    done = pytest_in(project, "-q", f"--{option}={value}")
    said = (
        f"ERROR: --{option.removeprefix('eval-')} {value!r}: expected a checkpoint. Name one, or leave the option out"
    )
    assert done.returncode == 4 and said in done.stdout + done.stderr
    assert not (project / "runs").exists()


def test_an_empty_checkpoint_is_named(project: Path) -> None:
    in_one_line(tunegate(project, "eval", ""), "tunegate: '': no such checkpoint")


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (
            "Which clauses are in für {{ document }}".encode("latin-1"),
            "line 1 is not UTF-8: byte 0xFC is 'ü' in Windows-1252",
        ),
        (
            "\ufeffWhich? {{ document }}".encode(),
            "starts with a byte order mark (UTF-8 BOM). Save it as UTF-8 without BOM",
        ),
        ("Which? {{ document }}".encode("utf-16"), "is UTF-16. Save it as UTF-8"),
        (b"Which clauses are there?", "uses no variable, so every case gets the same prompt"),
        (b"Which {{ range(3) | list }}?", "uses no variable, so every case gets the same prompt"),
    ],
)
def test_a_prompt_that_cannot_be_used(project: Path, content: bytes, said: str) -> None:
    (mini(project) / "prompt.jinja").write_bytes(content)
    in_one_line(tunegate(project, *ASKING), "evalsuites/legal/mini/prompt.jinja", said)


def test_a_prompt_that_needs_another_variable_names_its_suite(project: Path) -> None:
    (mini(project) / "prompt.jinja").write_text("Which? {{ documnet }}")
    in_one_line(
        tunegate(project, *ASKING), "evalsuites/legal/mini/prompt.jinja", "case 'c0'", "'documnet' is undefined"
    )


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ('{"id": "a"}'.encode("utf-16"), "evalsuites/legal/mini/cases.jsonl: is UTF-16. Save it as UTF-8"),
        (b'\xef\xbb\xbf{"id": "a"}', "cases.jsonl: starts with a byte order mark (UTF-8 BOM)"),
        (b'{"id": "a"}\n', "evalsuites/legal/mini/cases.jsonl:1: "),
        (b'\n{"id": "\xe4"}\n', "mini/cases.jsonl:2: is not UTF-8: byte 0xE4 is 'ä' in Windows-1252"),
        (b"", "evalsuites/legal/mini/cases.jsonl: no cases were found"),
    ],
)
def test_cases_that_cannot_be_used_name_the_folder(project: Path, content: bytes, said: str) -> None:
    (mini(project) / "cases.jsonl").write_bytes(content)
    in_one_line(tunegate(project, *ASKING), said)


def test_a_case_that_a_scorer_refuses_names_the_folder(project: Path) -> None:
    write_suite(project, cases=[{**rows()[0], "expected": ["no such clause"]}])
    in_one_line(tunegate(project, *ASKING), "evalsuites/legal/mini/cases.jsonl: ")


def test_a_pipe_in_place_of_cases_is_refused_and_does_not_hang(project: Path) -> None:
    (mini(project) / "cases.jsonl").unlink()
    os.mkfifo(mini(project) / "cases.jsonl")
    in_one_line(tunegate(project, *ASKING), "evalsuites/legal/mini/cases.jsonl: is a pipe, expected a regular file")


@pytest.mark.parametrize(
    ("gates", "said"),
    [
        (b'[[gate]\n', "evalsuites/legal/mini/gates.toml: not valid TOML"),
        (b"\xef\xbb\xbf" + GATES.encode(), "gates.toml: starts with a byte order mark (UTF-8 BOM)"),
        (GATES.replace("Find", "Für").encode("latin-1"), "evalsuites/legal/mini/gates.toml: line 2 is not UTF-8"),
        (GATES.replace("clause_recall", "recal").encode(), "evalsuites/legal/mini/gates.toml: gate 1 (recal at_least)"),
        (GATES.replace("at_least", "atleast", 1).encode(), "legal/mini/gates.toml: gate 1 (clause_recall atleast)"),
        (GATES.replace('slice = "instrument"', 'slice = "instrument"\nvalues = ["boat"]').encode(),
         "legal/mini/gates.toml: clause_exact_set-at_least-0.5: no case has instrument=boat"),
    ],
)  # fmt: skip
def test_gates_that_cannot_be_used_name_the_folder(project: Path, gates: bytes, said: str) -> None:
    (mini(project) / "gates.toml").write_bytes(gates)
    in_one_line(tunegate(project, *ASKING), said)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["compare", "a"], "See `tunegate compare --help`"),
        (["runs", "--colour"], "See `tunegate runs --help`"),
        (["data", "check", "--colour"], "See `tunegate data check --help`"),
        (["nonsense"], "See `tunegate --help`"),
    ],
)
def test_a_usage_error_names_the_help_of_its_command(tmp_path: Path, words: list[str], said: str) -> None:
    in_one_line(tunegate(tmp_path, *words), said)
