"""Pages that begin from nothing, followed to the letter with the real model. Minutes each, so by request only."""

import os
from pathlib import Path

import pytest

from harness.runs.folder import RunData, load_run
from harness.schema import CANDIDATE
from tests.docs.follow import follow, shell_for
from tests.docs.needs import REAL
from tests.docs.shell import Done

pytestmark = [pytest.mark.slow, pytest.mark.vllm]


def runs_in(folder: Path) -> list[RunData]:
    """The runs there, oldest first."""
    return [load_run(path) for path in sorted((folder / "runs").iterdir()) if path.is_dir()]


def first_suite(folder: Path, ran: list[Done]) -> None:
    asked, compared = runs_in(folder)
    assert (len(asked.records), len(compared.records)) == (5, 12)
    assert all(record.completion.finish_reason in ("stop", "length") for record in compared.records)
    assert all(record.completion.text for record in compared.records)
    assert {verdict.outcome for verdict in compared.verdicts} == {"inconclusive"}
    assert asked.manifest.checkpoints[CANDIDATE].name == "smollm2-135m-instruct"
    assert (compared.path / "report" / "report.html").stat().st_size > 1000


def tutorial(folder: Path, ran: list[Done]) -> None:
    folder = folder.with_name("tenants")
    evaluations = [run for run in runs_in(folder) if run.manifest.kind == "eval"]
    _, good, bad = ({verdict.outcome for verdict in run.verdicts} for run in evaluations)
    assert good == {"pass"}
    assert "fail" in bad
    assert (folder / "sorter" / "model.safetensors").exists() and not (folder / "never").exists()
    refused = ran[-2]
    assert "not approved by evalsuites/approval.toml" in refused.err and "gates not passed" in refused.err
    opened = [(run.path / "report" / "report.md").read_text("utf-8") for run in evaluations[1:]]
    assert ["must not be merged" in text for text in opened] == [False, True]


def replay(folder: Path, ran: list[Done]) -> None:
    assert len((folder / "replay.jsonl").read_text("utf-8").splitlines()) == 300


CAME_OF = {
    "docs/first-suite.md": first_suite,
    "docs/tutorial.md": tutorial,
    "evalsuites/general/basics/README.md": replay,
}
"""What has to be there at the end of a page."""


@pytest.mark.parametrize("page", REAL)
def test_a_page_is_followed_to_the_letter_with_the_real_model(page: str, tmp_path: Path) -> None:
    if not os.environ.get(REAL[page]):
        pytest.skip(f"asks the real model for minutes: {REAL[page]}=1")
    shell = shell_for(page, tmp_path, real=True)
    ran = follow(page, shell)
    print(f"{sum(done.seconds for done in ran):7.1f} s  {page}")
    if page in CAME_OF:
        CAME_OF[page](shell.folder, ran)
