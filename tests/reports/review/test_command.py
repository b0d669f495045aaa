"""`tunegate review` as an organiser types it: defaults, one line for each mistake, a missing extra."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.reports.review.conftest import WriteRun
from tests.support.command import run_tunegate

ROOT = Path(__file__).parents[3]
WITHOUT = (
    "import sys; sys.modules['{package}'] = None; sys.argv = ['tunegate', *{words!r}]; "
    "from tunegate.cli.main import main; main()"
)


PLANNED = """compare review: 10 of 10 items, seed 3
estimated time: about 1 minute per item, 16 minutes for one reviewer
"""


def tunegate(*words: str, code: str = "") -> subprocess.CompletedProcess[str]:
    if not code:
        return run_tunegate(*words, cwd=ROOT)
    return subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, timeout=600)


def test_a_plan_is_printed_and_nothing_is_served(write_run: WriteRun) -> None:
    run = write_run()
    done = tunegate("review", str(run), "--reviewer", "r1", "--seed", "3", "--plan-only")
    assert (done.returncode, done.stdout) == (0, PLANNED), done.stderr
    assert (run / "review" / "compare.sqlite").exists()


@pytest.mark.parametrize(("words", "says"), [
    (["RUN"], "no reviewer is named. Give each a pseudonym: --reviewer r1 --reviewer r2"),
    (["RUN", "--reviewer", "r1", "--suite", "legal/nothing"], "no suite 'legal/nothing' in this run"),
    (["RUN", "--reviewer", "r1", "--address", "review.example.org"], "expected only scheme and host"),
    (["RUN", "--reviewer", "r1", "--address", "https://review.example.org:x"], "expected only scheme and host"),
    (["RUN", "--reviewer", "r1", "--port", "1", "--host", "192.0.2.1"], "cannot listen on 192.0.2.1:1"),
    (["RUN", "--reviewer", "r1", "--port", "0", "--new-link", "r2"], "--new-link: no reviewer 'r2' in this review"),
    (["nowhere"], "run 'nowhere': no run has that name"),
    (["finish", "RUN"], "there is no compare review. Start one with: tunegate review"),
    (["import", "RUN", "answers.json"], "there is no compare review"),
    (["adjudicate", "RUN", "--by", "r3"], "there is no compare review"),
    (["packet", "RUN", "--reviewer", "r1", "--out", "/nowhere/p.html"], "/nowhere/p.html: cannot be written"),
])  # fmt: skip
def test_a_mistake_is_one_line_and_the_usage_code(write_run: WriteRun, words: list[str], says: str) -> None:
    run = str(write_run())
    done = tunegate("review", *[run if word == "RUN" else word for word in words])
    assert done.returncode == 4, done.stdout + done.stderr
    assert says in done.stderr and len(done.stderr.strip().splitlines()) == 1


@pytest.mark.slow
@pytest.mark.parametrize("package", ["starlette", "uvicorn", "python_multipart"])
def test_a_missing_package_is_one_line_and_a_packet_needs_none(
    tmp_path: Path, write_run: WriteRun, package: str
) -> None:
    run = str(write_run())
    serve = ["review", run, "--reviewer", "r1"]
    done = tunegate(code=WITHOUT.format(package=package, words=serve))
    assert done.returncode == 4 and len(done.stderr.strip().splitlines()) == 1
    assert "pip install '.[review]'" in done.stderr and f"'{package}'" in done.stderr
    offline = ["review", "packet", run, "--reviewer", "r1", "--out", str(tmp_path / "p.html")]
    assert tunegate(code=WITHOUT.format(package=package, words=offline)).returncode == 0
