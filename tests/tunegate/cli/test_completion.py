"""Shell completion of the names of runs."""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer

from tests.support.command import TUNEGATE, run, tunegate
from tests.support.runs import name_of, write_run
from tunegate.cli import main

NEWEST_FIRST = ["latest", name_of(3, "train"), name_of(2), name_of(1)]


def with_runs(group: Any = None, words: str = "") -> Iterator[str]:
    """Commands up to their argument or option for a run."""
    for name, command in (group or typer.main.get_command(main.app)).commands.items():
        yield from with_runs(command, f"{words}{name} ") if hasattr(command, "commands") else ()
        for parameter in command.params:
            if parameter.name == "run" or parameter.metavar == "RUN":
                yield f"{words}{name}" if parameter.name == "run" else f"{words}{name} {parameter.opts[0]}"


@pytest.fixture
def project(tmp_path: Path) -> Path:
    write_run(tmp_path / "runs", 2)
    write_run(tmp_path / "runs", 1)
    write_run(tmp_path / "runs", 3, run_id=name_of(3, "train"), kind="train", suites=[])
    (tmp_path / "runs" / "notes").mkdir()
    return tmp_path


def completing(*words: str) -> dict[str, str]:
    """The environment in which a shell asks for completions of the last word."""
    asked = {"COMP_WORDS": " ".join(["tunegate", *words]), "COMP_CWORD": str(len(words))}
    return {"_TUNEGATE_COMPLETE": "complete_bash", **asked}


@pytest.mark.parametrize("command", [*with_runs()])
def test_every_run_is_completed_newest_first(project: Path, command: str) -> None:
    assert tunegate(project, **completing(*command.split(), "")).stdout.split() == NEWEST_FIRST


def test_these_commands_take_runs() -> None:
    assert {"report", "view", "judge", "ci summary", "review start", "power --from", "diagnose"} <= {*with_runs()}


def test_a_name_is_completed_from_its_start(project: Path) -> None:
    assert tunegate(project, **completing("view", name_of(2)[:10])).stdout.split() == [name_of(2)]
    assert tunegate(project, **completing("review", "late")).stdout.split() == ["latest"]


def test_runs_are_completed_from_the_folder_given_before(project: Path) -> None:
    write_run(project / "elsewhere", 4)
    done = tunegate(project, **completing("view", "--runs", "elsewhere", ""))
    assert done.stdout.split() == ["latest", name_of(4)]


def test_a_completion_imports_no_heavy_package(project: Path) -> None:
    done = run("-X", "importtime", *TUNEGATE, cwd=project, env=os.environ | completing("view", ""))
    imported = {line.rpartition("|")[2].strip().partition(".")[0] for line in done.stderr.splitlines()}
    assert done.stdout.split() == NEWEST_FIRST and "typer" in imported
    assert not imported & {"torch", "transformers", "pandas", "pyarrow", "datasets", "scipy", "matplotlib"}
