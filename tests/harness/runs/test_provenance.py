"""What a run records of the place where it was made."""

import os
import subprocess
from pathlib import Path

import pytest

from harness.runs.provenance import git_state


def test_a_working_tree_has_a_state_before_its_first_commit_and_with_file_names_that_are_not_utf8(
    tmp_path: Path,
) -> None:
    who = ["-c", "user.name=a", "-c", "user.email=a@example.org"]
    assert git_state(tmp_path) == {}
    subprocess.run(["git", "-C", str(tmp_path), "init", "-q"], check=True)
    assert git_state(tmp_path) == {"commit": None, "dirty": False}
    for words in (["config", "core.quotepath", "false"], ["commit", "-q", "--allow-empty", "-m", "x"]):
        subprocess.run(["git", "-C", str(tmp_path), *who, *words], check=True)
    assert git_state(tmp_path)["dirty"] is False
    try:
        (tmp_path / os.fsdecode(b"M\xfcller.txt")).touch()
    except OSError:
        pytest.skip("this file system takes no such name")
    assert git_state(tmp_path)["dirty"] is True
