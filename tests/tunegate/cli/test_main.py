"""The `tunegate` command, run as a user runs it: help, exit codes, one line for each mistake."""

from pathlib import Path

import pytest

from harness.runs.folder import load_run
from tests.support.command import tunegate
from tests.support.mini import right, rows, write_script, write_suite

COMMANDS = (
    *(
        "train",
        "merge",
        "compare",
        "report",
        "rescore",
        "judge",
        "add-labels",
        "runs",
        "demo",
        "accept",
        "gate",
        "view",
    ),
    *("card", "power", "noise", "serve"),
    *("review start", "review packet", "review import", "review finish", "review adjudicate"),
)


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_has_help(tmp_path: Path, command: str) -> None:
    done = tunegate(tmp_path, *command.split(), "--help")
    assert done.returncode == 0
    assert f"{command} [OPTIONS]" in done.stdout


@pytest.mark.parametrize(("words", "expected"), [
    (["nonsense"], "No such command 'nonsense'"),
    (["report"], "Missing argument 'run'"),
    (["report", "nowhere"], "run 'nowhere': no run has that name"),
    (["compare", "a"], "Missing argument 'tuned'"),
    (["compare", "./a", "./b", "--suite", "nowhere"], "nowhere: no suite was found"),
    (["train", "nowhere.toml"], "nowhere.toml"),
    (["merge", "./nowhere", "out"], "./nowhere: no such checkpoint"),
    (["runs", "--colour"], "No such option"),
    (["diagnose", "nowhere"], "run 'nowhere': no run has that name"),
    (["plan", "nowhere.toml"], "nowhere.toml: cannot be read (No such file"),
    (["plan"], "Missing argument 'config'"),
    (["models", "nowhere"], "nowhere: no folder with config.json"),
    (["sweep", "nowhere.toml"], "nowhere.toml: cannot be read (No such file"),
])  # fmt: skip
def test_a_mistake_is_one_line_and_the_usage_code(tmp_path: Path, words: list[str], expected: str) -> None:
    done = tunegate(tmp_path, *words)
    assert done.returncode == 4, done.stdout + done.stderr
    assert expected in done.stderr
    assert done.stderr.startswith("tunegate: ") and len(done.stderr.strip().splitlines()) == 1
    assert "Traceback" not in done.stderr


def test_no_runs_is_said_and_is_no_mistake(tmp_path: Path) -> None:
    done = tunegate(tmp_path, "runs")
    assert (done.returncode, done.stdout.strip()) == (
        0,
        f"no runs in {tmp_path / 'runs'}. Create one with: pytest evalsuites",
    )


@pytest.fixture
def project(tmp_path: Path) -> Path:
    write_suite(tmp_path)
    cases = rows()
    write_script(tmp_path, tuned=right(cases), baseline=dict.fromkeys(right(cases), "none"))
    return tmp_path


def test_compare_judges_lists_and_reports_a_run(project: Path) -> None:
    done = tunegate(project, "compare", "old", "new", "--engine", "fake", "--script", "script.json")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "PASS" in done.stdout
    listed = tunegate(project, "runs").stdout.splitlines()
    assert listed[0].split() == ["run", "kind", "status", "outcome", "gates", "checkpoints", "suites"]
    assert "fake:old vs fake:new" in listed[1] and "3 pass" in listed[1]
    run = load_run(next((project / "runs").glob("2*")))
    assert sorted(run.by_variant("legal/mini")) == ["baseline", "tuned"]
    for name in ("report.html", "report.md", "report.json"):
        assert (run.path / "report" / name).stat().st_size > 1000
    assert done.stdout.splitlines()[-1] == (run.path / "report" / "report.html").as_uri()


def test_compare_leaves_with_the_gates_code(project: Path) -> None:
    write_script(project, tuned=dict.fromkeys(right(rows()), "none"), baseline={})
    done = tunegate(project, "compare", "old", "new", "--engine", "fake", "--script", "script.json")
    assert done.returncode == 1
    assert "FAIL" in done.stdout


def test_report_finds_a_run_by_part_of_its_name_or_the_latest(project: Path) -> None:
    tunegate(project, "compare", "old", "new", "--engine", "fake", "--script", "script.json")
    (run,) = (project / "runs").iterdir()
    for name in (run.name[-8:], "latest"):
        done = tunegate(project, "report", name, "--out", name)
        assert done.returncode == 0, done.stderr
        assert done.stdout.splitlines()[-1] == (project / name / "report.html").as_uri()


def test_the_sealed_run_is_untouched_by_its_report(project: Path) -> None:
    from harness.runs.folder import check_seal

    tunegate(project, "compare", "old", "new", "--engine", "fake", "--script", "script.json")
    (run,) = (project / "runs").iterdir()
    assert check_seal(run) == []
