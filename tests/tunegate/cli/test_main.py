"""The `tunegate` command, run as a user runs it: help, exit codes, one line for each mistake."""

import re
from collections.abc import Iterator
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pytest
import typer

from harness.runs.folder import load_manifest, load_run
from tests.support.command import tunegate
from tests.support.mini import TEST, pytest_in, right, rows, write_script, write_suite
from tests.support.runs import name_of, write_run
from tunegate.cli import main
from tunegate.cli.layout import GROUPS, RENAMED


def commands(group: Any = None, name: str = "") -> Iterator[str]:
    """Names of all commands, such as `review start`."""
    for inner, command in (group or typer.main.get_command(main.app)).commands.items():
        yield f"{name}{inner}"
        yield from commands(command, f"{name}{inner} ") if hasattr(command, "commands") else ()


@pytest.mark.slow
@pytest.mark.parametrize("command", ["", *commands()])
def test_help_has_whole_lines_within_80_columns_and_no_python_type(tmp_path: Path, command: str) -> None:
    done = tunegate(tmp_path, *command.split(), "-h", COLUMNS="80")
    assert done.returncode == 0
    assert f"Usage: {' '.join(['tunegate', *command.split()])} [OPTIONS]" in done.stdout
    assert max(map(len, done.stdout.splitlines())) <= 80
    assert not re.search(r"^  .*\.\.\.$|\.{4}|<[a-z]|list\[", done.stdout, re.MULTILINE)


def test_commands_are_listed_in_groups(tmp_path: Path) -> None:
    shown = tunegate(tmp_path, "--help").stdout
    heads = [line.rstrip(":") for line in shown.splitlines() if re.fullmatch(r"[A-Z][\w ]*:", line)]
    assert heads == ["Options", *GROUPS]


@pytest.mark.parametrize(("old", "new"), RENAMED.items())
def test_old_names_still_work_and_no_help_shows_them(tmp_path: Path, old: str, new: tuple[str, ...]) -> None:
    assert f"Usage: tunegate {' '.join(new)} [OPTIONS]" in tunegate(tmp_path, old, "--help").stdout
    assert f"\n  {old} " not in tunegate(tmp_path, "--help").stdout


def test_the_version_is_one_line(tmp_path: Path) -> None:
    assert tunegate(tmp_path, "--version").stdout == f"tunegate {version('tunegate')}\n"


def test_completion_offers_commands(tmp_path: Path) -> None:
    asked = {"_TUNEGATE_COMPLETE": "complete_bash", "COMP_WORDS": "tunegate rep", "COMP_CWORD": "1"}
    assert tunegate(tmp_path, **asked).stdout.split() == ["repeatability", "report"]


def test_below_a_project_its_folder_is_named(tmp_path: Path) -> None:
    (tmp_path / "pyproject.toml").write_text("[tool.tunegate]\n")
    (below := tmp_path / "notes").mkdir()
    done = tunegate(below, "compare", "./a", "./b", "--engine", "fake")
    said = f"tunegate: your project is {tmp_path}: run this command there, not in {below}\n"
    assert (done.returncode, done.stderr) == (4, said)


@pytest.mark.parametrize(("words", "expected"), [
    (["nonsense"], "No such command 'nonsense'. See `tunegate --help`"),
    (["compar"], "No such command 'compar'. Did you mean 'compare'? See `tunegate --help`"),
    (["runs", "--suit", "x"], "No such option: --suit. Did you mean --suite?"),
    (["report"], "Missing argument 'RUN'"),
    (["report", "nowhere"], "run 'nowhere': no run has that name"),
    (["compare", "a"], "Missing argument 'TUNED'. See `tunegate compare --help`"),
    (["data", "check", "--colour"], "No such option: --colour. See `tunegate data check --help`"),
    (["compare", "./a", "./b", "--suite", "nowhere"], "nowhere: no suite was found"),
    (["train", "nowhere.toml"], "nowhere.toml"),
    (["merge", "./nowhere", "out"], "./nowhere: no such checkpoint"),
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


@pytest.fixture
def project(tmp_path: Path) -> Path:
    write_suite(tmp_path)
    cases = rows()
    write_script(tmp_path, tuned=right(cases), baseline=dict.fromkeys(right(cases), "none"))
    return tmp_path


@pytest.mark.slow
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


@pytest.mark.slow
def test_compare_leaves_with_the_gates_code(project: Path) -> None:
    write_script(project, tuned=dict.fromkeys(right(rows()), "none"), baseline={})
    done = tunegate(project, "compare", "old", "new", "--engine", "fake", "--script", "script.json")
    assert done.returncode == 1
    assert "FAIL" in done.stdout
    assert "first 3 of 20 wrong answers (-rm shows all):" in done.stdout and done.stdout.count(": wrong\n") == 3
    every = tunegate(project, "compare", "old", "new", "--engine", "fake", "--script", "script.json", "-rm")
    assert every.stdout.count(": wrong\n") == 20


@pytest.mark.slow
def test_eval_runs_one_model_and_limit_judges_nothing(project: Path) -> None:
    fake = ("--engine", "fake", "--script", "script.json")
    done = tunegate(project, "eval", "new", *fake)
    assert done.returncode == 0, done.stdout + done.stderr
    (run,) = (project / "runs").iterdir()
    (following,) = [line for line in done.stdout.splitlines() if line.startswith("next: tunegate view ")]
    assert run.name in following  # Not `latest`: somebody else may start a run meanwhile.
    part = tunegate(project, "eval", "new", *fake, "--limit", "5")
    assert part.returncode == 6 and "legal/mini: 5 cases" in part.stdout, part.stdout + part.stderr


@pytest.mark.slow
def test_the_link_to_the_report_is_said_last(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    said: list[str] = []
    monkeypatch.setattr(typer, "echo", lambda message="", **_: said.append(str(message)))
    tunegate(project, "eval", "new", "--engine", "fake", "--script", "script.json", "--limit", "5")
    (run,) = (project / "runs").iterdir()
    assert any("No gate was judged" in line for line in said)
    assert said[-1] == (run / "report" / "report.html").as_uri()
    (run / "MANIFEST.sha256").unlink()
    assert tunegate(project, "report", run.name).returncode == 6
    assert "not sealed" in "".join(said[-4:])
    assert said[-1] == (run / "report" / "report.html").as_uri()


@pytest.mark.slow
def test_latest_is_the_newest_training_run_where_a_checkpoint_is_named(project: Path) -> None:
    fake = ("--engine", "fake", "--script", "script.json")
    done = tunegate(project, "eval", "latest", *fake)
    assert done.returncode == 4 and "no train run in" in done.stderr
    trained = write_run(project / "runs", run_id=name_of(1, "train"), kind="train", suites=[])
    done = tunegate(project, "compare", "old", "latest", *fake)
    assert f"latest: training run runs/{trained.name}" in done.stderr
    (judged,) = (project / "runs").glob("*-compare-*")
    assert load_manifest(judged).checkpoints["tuned"].name == f"fake:runs/{trained.name}"
    done = pytest_in(project, "--checkpoint", "latest")
    assert f"--checkpoint latest: training run {trained}" in done.stdout and done.returncode == 0
    done = tunegate(project, "merge", "latest", "merged")
    assert done.returncode == 4 and f"{trained.name}: not a checkpoint" in done.stderr
    both = tunegate(project, "report", "latest", "latest", "--out", "both")
    assert both.returncode == 0 and trained.name in (project / "both" / "report.md").read_text("utf-8")


@pytest.mark.slow
def test_a_suite_that_is_marked_long_waits_for_the_option(project: Path) -> None:
    write_suite(project, test=TEST.replace("suite = ", "import pytest\n\npytestmark = pytest.mark.long\nsuite = "))
    words = ("eval", "new", "--engine", "fake", "--script", "script.json")
    assert "legal/mini is marked long: run it with --long" in tunegate(project, *words).stderr
    assert tunegate(project, *words, "--long").returncode == 0


@pytest.mark.slow
def test_report_finds_a_run_by_part_of_its_name_or_the_latest(project: Path) -> None:
    tunegate(project, "compare", "old", "new", "--engine", "fake", "--script", "script.json")
    (run,) = (project / "runs").iterdir()
    for name in (run.name[-8:], "latest"):
        done = tunegate(project, "report", name, "--out", name)
        assert done.returncode == 0, done.stderr
        first, *_ = done.stdout.splitlines()
        assert first.startswith("✓ PASS: 3 pass")
        assert done.stdout.splitlines()[-1] == (project / name / "report.html").as_uri()
