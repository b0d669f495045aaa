"""`tunegate ci` as a user runs it: light, plain about mistakes, and silent about nothing."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from reports.ci.export import encode, load
from tests.ci.runner import environment
from tests.ci.sample import export, suite, verdict
from tests.reports.conftest import Writer
from tests.support.command import run_tunegate

HEAVY = {
    "torch",
    "transformers",
    "vllm",
    "datasets",
    "evaluate",
    "matplotlib",
    "numpy",
    "scipy",
    "reports",
    "urllib.request",
}


def tunegate(folder: Path, *words: str, **env: str) -> subprocess.CompletedProcess[str]:
    return run_tunegate(*words, cwd=folder, env=environment(folder, **env))


def test_help_loads_neither_reports_nor_a_web_client(tmp_path: Path) -> None:
    code = "import sys, tunegate.cli.main; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert set(done.stdout.split()) & HEAVY == set()
    assert "ci " in tunegate(tmp_path, "--help").stdout
    assert all(f"  {name} " in tunegate(tmp_path, "ci", "--help").stdout for name in ("annotate", "summary", "export"))


def test_a_run_is_annotated_exported_and_commented(write_run: Writer, tmp_path: Path) -> None:
    run = str(write_run())
    done = tunegate(tmp_path, "ci", "annotate", run)
    assert (done.returncode, done.stdout.count("::error ")) == (0, 2)
    assert tunegate(tmp_path, "ci", "export", run, "--out", "deep/verdicts.json").returncode == 0
    assert load(tmp_path / "deep" / "verdicts.json").outcome == "fail"
    of_file, of_run = (tunegate(tmp_path, "ci", "comment", what).stdout for what in ("deep/verdicts.json", run))
    assert of_file == of_run and of_file.startswith("<!-- tunegate:suite:legal-clauses-")


@pytest.mark.parametrize(("words", "expected"), [
    (["annotate", "nowhere"], "no run has that name"),
    (["comment"], "expected either FILE_OR_RUN or --says TEXT"),
    (["comment", "x.json", "--says", "running"], "expected either FILE_OR_RUN or --says TEXT"),
    (["comment", "nowhere.json"], "there is no export"),
    (["comment", "v.json", "--post", "--repo", "o/r", "--pr", "5"], "set GITHUB_TOKEN"),
    (["comment", "v.json", "--post", "--pr", "5"], "Set it with --repo"),
    (["comment", "v.json", "--pr", "0"], "Invalid value"),
])  # fmt: skip
def test_a_mistake_is_one_line_and_the_usage_code(tmp_path: Path, words: list[str], expected: str) -> None:
    (tmp_path / "v.json").write_bytes(encode(export(suite(verdict()))))
    done = tunegate(tmp_path, "ci", *words)
    assert done.returncode == 4, done.stdout + done.stderr
    assert expected in done.stderr and len(done.stderr.strip().splitlines()) == 1


def test_without_an_event_it_says_how_to_name_the_pull_request(tmp_path: Path) -> None:
    (tmp_path / "v.json").write_bytes(encode(export(suite(verdict()))))
    done = tunegate(tmp_path, "ci", "comment", "v.json", "--post", "--repo", "o/r", GITHUB_TOKEN="x")
    assert done.returncode == 4 and "Give --pr N" in done.stderr
