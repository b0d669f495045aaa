"""The steps of action.yml as eval-gate-comment.yml calls it, executed against a server that plays GitHub."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from reports.ci.export import encode
from tests.ci.github_server import TOKEN, Server, serving
from tests.ci.runner import Job, run_job
from tests.ci.sample import export, suite, verdict
from tests.ci.test_ci_posting import SHA, event_file

CHECK = "Check the inputs"
SAY, POST, MISSING = "Say that it is running", "Validate it, render it again, post it", "Say that there is no verdict"


@pytest.fixture
def server() -> Iterator[Server]:
    with serving() as found:
        found.pull(5, SHA)
        yield found


def run(server: Server, tmp_path: Path, action: str, number: str = "") -> Job:
    """Run the steps on a `workflow_run` event, or on one of pull request `number`."""
    values = {"github.token": TOKEN, "github.event.action": action, "github.event.pull_request.number": number}
    env = {"GITHUB_API_URL": server.url, "GITHUB_REPOSITORY": "o/r", "GITHUB_EVENT_PATH": event_file(tmp_path)}
    if number:
        env |= {"GITHUB_SERVER_URL": "https://github.example", "GITHUB_RUN_ID": "12"}
        env["GITHUB_EVENT_PATH"] = "of another form"
    return run_job("eval-gate-comment.yml", tmp_path, tmp_path, values, **env)


def artifact(tmp_path: Path, raw: bytes) -> None:
    (tmp_path / "artifact").mkdir()
    (tmp_path / "artifact" / "verdicts.json").write_bytes(raw)


def test_it_says_running_and_then_posts_what_it_rendered_itself(server: Server, tmp_path: Path) -> None:
    assert run(server, tmp_path, "requested").codes == {CHECK: 0, SAY: 0}
    assert "running" in server.bodies[0]
    artifact(tmp_path, encode(export(suite(verdict(reason="@everyone ![x](https://evil.example/p.png)")))))
    job = run(server, tmp_path, "completed")
    assert job.codes == {CHECK: 0, POST: 0}, job.log
    (body,) = server.bodies
    assert "✗ FAIL: legal/clauses" in body and f"Commit {SHA[:12]}" in body
    assert "@" not in body and "](https://evil" not in body


@pytest.mark.parametrize("raw", [None, b"{}", json.dumps({"schema_version": 1, "\n::error::forged": 1}).encode()])
def test_an_artifact_that_is_missing_or_forged_is_no_verdict(server: Server, tmp_path: Path, raw: bytes | None) -> None:
    if raw is not None:
        artifact(tmp_path, raw)
    job = run(server, tmp_path, "completed")
    assert job.codes == {CHECK: 0, POST: 4, MISSING: 0}, job.log
    (body,) = server.bodies
    assert "no verdict" in body and "PASS" not in body
    assert job.commands == []


def test_a_second_job_of_the_same_workflow_posts_on_its_own_pull_request(server: Server, tmp_path: Path) -> None:
    artifact(tmp_path, encode(export(suite(verdict()))))
    (tmp_path / "artifact" / "report").mkdir()
    (tmp_path / "artifact" / "report" / "report.html").touch()
    job = run(server, tmp_path, "synchronize", "5")
    assert job.codes == {CHECK: 0, POST: 0}, job.log
    (body,) = server.bodies
    assert "FAIL: legal/clauses" in body
    assert "[Report and log](https://github.example/o/r/actions/runs/12#artifacts)" in body
