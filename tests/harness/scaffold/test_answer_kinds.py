"""Every kind of answer: its suite loads, renders, is judged and gives verdicts, outside the project's folder."""

import json
import re
import tomllib
from pathlib import Path

import pytest

from harness.suites.cases import load_cases
from tests.support.mini import only_run
from tests.support.new_suite import (
    KINDS,
    import_words,
    many_rows,
    right_answers,
    run_pytest,
    script,
    tunegate,
    write_csv,
)


@pytest.mark.slow
@pytest.mark.parametrize("kind", KINDS)
def test_a_new_suite_explains_its_gates_and_runs_at_once_and_its_examples_settle_nothing(
    tmp_path: Path, kind: str
) -> None:
    options = ("--invents", "few") if kind in ("list", "grounded") else ("--compared", "no-worse")
    made = tunegate(tmp_path, "init", f"contracts/{kind}", "--kind", kind, "--bar", "95%", *options, "--yes")
    assert made.returncode == 0, made.stderr
    folder = tmp_path / "evalsuites" / "contracts" / kind
    gates = (folder / "gates.toml").read_text()
    said = [part.strip().splitlines()[-2:] for part in gates.split("[[gate]]\n")[:-1]]
    assert len(said) == len(tomllib.loads(gates)["gate"]) and "95 of 100" in gates.partition("[[gate]]")[0]
    for lines in said:
        assert all(line.startswith("# ") for line in lines) and re.search(r"Needs about .*\d", " ".join(lines))
    assert len(load_cases(folder / "cases.jsonl")) == 5
    assert all(case.tags["example"] for case in load_cases(folder / "cases.jsonl"))
    assert re.search(r"needs about \d+ cases; you have \d", made.stdout)
    answers = script(tmp_path, right_answers(kind, folder / "cases.jsonl"))
    done = run_pytest(tmp_path, "evalsuites", "--engine", "fake", "--eval-script", answers, "-rf")
    assert done.returncode == 1, done.stdout + done.stderr
    failed = [line for line in done.stdout.splitlines() if line.startswith("FAILED")]
    assert failed and all("gate[" in line for line in failed)
    assert " miss" not in done.stdout
    outcomes = {verdict.outcome for verdict in only_run(tmp_path).verdicts}
    assert outcomes == {"inconclusive", "skipped"}


@pytest.mark.slow
@pytest.mark.parametrize("kind", KINDS)
def test_with_enough_cases_a_right_model_passes_every_gate_and_a_wrong_one_none(tmp_path: Path, kind: str) -> None:
    assert tunegate(tmp_path, "init", f"contracts/{kind}", "--kind", kind, "--yes").returncode == 0
    table = write_csv(tmp_path / "rows.csv", many_rows(kind))
    brought = tunegate(tmp_path, "cases", "import", str(table), *import_words(kind, f"contracts/{kind}"))
    assert brought.returncode == 0, brought.stderr
    assert "inconclusive" not in brought.stdout
    answers = right_answers(kind, tmp_path / "evalsuites" / "contracts" / kind / "cases.jsonl")
    words = ("compare", "old", "new", "--engine", "fake", "--script")
    done = tunegate(tmp_path, *words, script(tmp_path, answers))
    assert done.returncode == 0, done.stdout + done.stderr
    assert {verdict.outcome for verdict in only_run(tmp_path).verdicts} == {"pass"}
    wrong = "complaint, pets, 999 days, in 1999" if kind == "grounded" else "perhaps"
    done = tunegate(tmp_path, *words, script(tmp_path, dict.fromkeys(answers, wrong)), "--runs", "others")
    assert done.returncode == 1
    assert {verdict.outcome for verdict in only_run(tmp_path, "others").verdicts} <= {"fail", "inconclusive"}


@pytest.mark.slow
def test_two_suites_of_one_name_in_two_domains_run_together(tmp_path: Path) -> None:
    for domain in ("contracts", "tickets"):
        assert tunegate(tmp_path, "init", domain, "--yes").returncode == 0
    done = run_pytest(tmp_path, "evalsuites", "--collect-only", "-q")
    assert done.returncode == 0, done.stdout + done.stderr
    for domain in ("contracts", "tickets"):
        assert f"evalsuites/{domain}/first/test_first.py::test_gives_the_right_label[example-1]" in done.stdout


def test_a_new_suite_takes_its_place_beside_the_projects_own(tmp_path: Path) -> None:
    """As in a checkout: the folder holds a package already, whose suites are loaded too."""
    (tmp_path / "evalsuites" / "legal").mkdir(parents=True)
    for folder in ("evalsuites", "evalsuites/legal"):
        (tmp_path / folder / "__init__.py").write_text('"""Here before."""\n')
    assert tunegate(tmp_path, "init", "legal/mine", "--yes").returncode == 0
    assert (tmp_path / "evalsuites/__init__.py").read_text() == '"""Here before."""\n'
    assert (tmp_path / "evalsuites/legal/__init__.py").read_text() == '"""Here before."""\n'
    assert run_pytest(tmp_path, "evalsuites", "--collect-only", "-q").returncode == 0


def test_the_training_configuration_can_be_read_once_its_rows_are_there(tmp_path: Path) -> None:
    from training.config_file import load

    assert tunegate(tmp_path, "init", "contracts/fees", "--yes").returncode == 0
    folder = tmp_path / "evalsuites/contracts/fees"
    row = {"messages": [{"role": "user", "content": "a"}, {"role": "assistant", "content": "b"}]}
    (folder / "train.jsonl").write_text(json.dumps(row))
    config = load(folder / "train.toml")
    assert Path(config.data.train[0]).resolve() == (folder / "train.jsonl").resolve()
    assert Path(config.output.dir).resolve() == (tmp_path / "runs").resolve()
    assert config.output.name == "contracts-fees"


def test_the_closing_commands_are_the_next_three_and_the_first_can_be_typed_as_it_is(tmp_path: Path) -> None:
    made = tunegate(tmp_path, "init", "contracts/fees", "--yes")
    shown = made.stdout.split("next:\n")[1].splitlines()
    assert [line.split()[0] for line in shown] == ["pytest", "tunegate", "tunegate"]
    assert shown[0].split()[1] == "evalsuites/contracts/fees"
    assert "--into contracts/fees" in shown[1] and "--suite evalsuites/contracts/fees" in shown[2]
    done = run_pytest(tmp_path, *shown[0].split()[1:], "--engine", "fake", "--collect-only", "-q")
    assert done.returncode == 0, done.stdout
