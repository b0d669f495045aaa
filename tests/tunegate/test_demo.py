"""What the demo refuses before it begins; the opt-in tests follow README.md through all of it."""

from pathlib import Path

import pytest

from harness.errors import UserError
from tunegate.demo import run_demo


def test_a_project_with_its_own_copy_of_a_suite_is_refused_before_anything_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The model had been trained for 20 minutes before the merge found two files of one name."""
    (tmp_path / "evalsuites" / "general" / "facts").mkdir(parents=True)
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UserError, match="evalsuites/general/facts: expected no other copy"):
        run_demo(Path("runs"), is_full=False, engine="fake")
    assert not Path("runs").exists()
