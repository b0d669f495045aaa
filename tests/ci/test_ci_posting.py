"""Comments on a pull request, against a server that plays GitHub: made once, updated after, never another author's."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from harness.errors import UserError
from reports.ci import github, markdown
from reports.ci.export import Export
from reports.ci.github import GitHub
from tests.ci.github_server import BOT, TOKEN, Server, serving
from tests.ci.sample import export, suite, verdict

MARK = markdown.marker("legal/clauses")
FOUND = export(suite(verdict()))
SHA = "a" * 40


@pytest.fixture
def server() -> Iterator[Server]:
    with serving() as found:
        yield found


def post(
    server: Server,
    found: Export | None = FOUND,
    says: str = "not judged on this commit",
    number: int | None = 5,
    **env: str,
) -> str:
    settings = {"GITHUB_TOKEN": TOKEN, "GITHUB_API_URL": server.url, **env}
    return github.post(found, says, "o/r", number, None, settings)


def event_file(tmp_path: Path, **run: Any) -> str:
    """A workflow_run event of a branch of the same repository; pull request 5."""
    named = [{"number": 5, "id": 1, "head": {"sha": SHA}, "base": {"repo": {"id": 1}}}]
    fields = {
        "id": 12,
        "head_sha": SHA,
        "head_branch": "topic",
        "head_repository": {"owner": {"login": "o"}, "full_name": "o/r"},
        "pull_requests": named,
        "conclusion": "failure",
        "html_url": "https://github.example/o/r/actions/runs/12",
    }
    path = tmp_path / "event.json"
    path.write_text(json.dumps({"action": "completed", "repository": {"id": 1}, "workflow_run": {**fields, **run}}))
    return str(path)


def test_a_comment_is_made_once_and_then_updated(server: Server) -> None:
    assert post(server) == "o/r#5: 1 new comment, 0 updated"
    assert post(server, export(suite(verdict(0, "pass")))) == "o/r#5: 0 new comments, 1 updated"
    (body,) = server.bodies
    assert body.startswith(MARK) and "✓ PASS" in body


def test_a_marker_by_another_author_is_not_updated(server: Server) -> None:
    forged = f"{MARK}\n### ✓ PASS: legal/clauses"
    server.say(forged, "somebody")
    server.say(forged, "github-actions")
    post(server)
    post(server)
    assert server.bodies[:2] == [forged, forged] and len(server.bodies) == 3
    assert "✗ FAIL" in server.bodies[2]


def test_a_comment_of_the_bot_that_only_mentions_the_marker_is_not_updated(server: Server) -> None:
    quoted = f"Another tool quotes {MARK}"
    server.say(quoted)
    post(server)
    assert server.bodies[0] == quoted and len(server.bodies) == 2


def test_its_comment_is_found_on_a_later_page(server: Server) -> None:
    for number in range(230):
        server.say(f"comment {number}", "somebody")
    server.say(f"{MARK}\nold")
    assert post(server) == "o/r#5: 0 new comments, 1 updated"
    assert [path for method, path in server.asked if method == "GET"] == ["/repos/o/r/issues/5/comments"] * 3
    assert "✗ FAIL" in server.bodies[230]


def test_running_is_said_first_and_the_verdict_takes_its_place(server: Server) -> None:
    post(server, None, "running")
    assert server.bodies == [f"{markdown.RUN_MARKER}\n**Evaluation: running**\n"]
    two = export(suite(verdict()), suite(name="legal/other"))
    assert post(server, two) == "o/r#5: 1 new comment, 1 updated"
    assert [body.split("\n")[0] for body in server.bodies] == [MARK, markdown.marker("legal/other")]
    post(server, None, "running")
    assert ["running" in body and "FAIL" not in body for body in server.bodies] == [True, True]
    assert post(server, FOUND) == "o/r#5: 0 new comments, 2 updated"
    assert "✗ FAIL" in server.bodies[0] and "not judged on this commit" in server.bodies[1]


def test_a_comment_on_a_run_without_suites_does_not_deny_the_verdict_of_the_next_commit(server: Server) -> None:
    post(server)
    post(server, export(status="none"))
    assert "no verdict" in server.bodies[1]
    assert post(server) == "o/r#5: 0 new comments, 2 updated"
    assert "✗ FAIL" in server.bodies[0]
    assert server.bodies[1] == f"{markdown.RUN_MARKER}\n**Evaluation: see the comment on each suite**\n"


def test_the_pull_request_the_commit_and_the_link_come_from_the_event(server: Server, tmp_path: Path) -> None:
    server.pull(5, SHA)
    said = post(server, number=None, GITHUB_EVENT_PATH=event_file(tmp_path))
    assert said == "o/r#5: 1 new comment, 0 updated"
    assert f"Commit {SHA[:12]}" in server.bodies[0]
    assert "[Summary and log](https://github.example/o/r/actions/runs/12)" in server.bodies[0]


def test_a_job_on_a_pull_request_links_its_own_workflow_run_and_names_the_head(server: Server, tmp_path: Path) -> None:
    actions = {"GITHUB_SERVER_URL": "https://github.example", "GITHUB_REPOSITORY": "o/r", "GITHUB_RUN_ID": "12"}
    for number, is_named in ((5, True), (6, False)):
        event = tmp_path / "event.json"
        pull = {"number": number, "head": {"sha": SHA}, "base": {"repo": {"id": 1}}}
        event.write_text(json.dumps({"action": "synchronize", "pull_request": pull}))
        post(server, **actions, GITHUB_EVENT_PATH=str(event))
        assert "[Summary and log](https://github.example/o/r/actions/runs/12)" in server.bodies[0]
        assert (f"Commit {SHA[:12]}" in server.bodies[0]) == is_named


def test_a_fork_is_found_by_its_branch_and_commit(server: Server, tmp_path: Path) -> None:
    server.pull(3, "b" * 40, "fork:topic")
    server.pull(4, SHA, "other:topic")
    server.pull(5, SHA, "fork:topic")
    server.pull(6, SHA, "fork:topic", "closed")
    run = {"pull_requests": [], "head_repository": {"owner": {"login": "fork"}}}
    assert "o/r#5" in post(server, number=None, GITHUB_EVENT_PATH=event_file(tmp_path, **run))
    assert len(server.bodies) == 1


def test_a_pull_request_that_moved_on_or_is_gone_gets_no_comment(server: Server, tmp_path: Path) -> None:
    event = event_file(tmp_path)
    server.pull(5, "b" * 40)
    assert "nothing posted" in post(server, number=None, GITHUB_EVENT_PATH=event)
    server.pulls[0] |= {"head": {"sha": SHA, "label": "o:topic"}, "state": "closed"}
    assert "nothing posted" in post(server, number=None, GITHUB_EVENT_PATH=event)
    gone = event_file(tmp_path, pull_requests=[], head_repository=None)
    assert "nothing posted" in post(server, number=None, GITHUB_EVENT_PATH=gone)
    assert server.writes == []


def test_a_pull_request_of_another_repository_is_not_meant(server: Server, tmp_path: Path) -> None:
    server.pull(5, SHA)
    named = [{"number": 5, "head": {"sha": SHA}, "base": {"repo": {"id": 99}}}]
    event = event_file(tmp_path, pull_requests=named, head_branch=None)
    assert "nothing posted" in post(server, number=None, GITHUB_EVENT_PATH=event)


def test_two_pull_requests_with_one_head_are_not_guessed_between(server: Server, tmp_path: Path) -> None:
    server.pull(5, SHA)
    server.pull(6, SHA)
    with pytest.raises(UserError, match="the head of 2 open pull requests"):
        post(server, number=None, GITHUB_EVENT_PATH=event_file(tmp_path, pull_requests=[]))
    assert server.writes == []


@pytest.mark.parametrize("run", [
    {"head_sha": "x](https://evil.example)"},
    {"pull_requests": [{"number": "5", "head": {"sha": SHA}, "base": {"repo": {"id": 1}}}]},
])  # fmt: skip
def test_an_event_that_is_not_as_github_sends_it_is_refused(
    server: Server, tmp_path: Path, run: dict[str, Any]
) -> None:
    with pytest.raises(UserError, match="not a workflow_run event"):
        post(server, number=None, GITHUB_EVENT_PATH=event_file(tmp_path, **run))


def test_a_link_that_is_no_page_of_a_run_is_left_out(server: Server, tmp_path: Path) -> None:
    server.pull(5, SHA)
    event = event_file(tmp_path, html_url="https://evil.example/a) ![x](https://evil.example/p.png")
    post(server, number=None, GITHUB_EVENT_PATH=event)
    assert "evil" not in server.bodies[0]


def test_the_token_follows_no_redirect(server: Server) -> None:
    with serving() as other:
        path = "/repos/o/r/issues/5/comments"
        server.answers[path] = (302, other.url + path, b"[]")
        with pytest.raises(UserError, match="answered 302"):
            post(server)
        assert other.asked == [] and server.tokens == {f"Bearer {TOKEN}"}


@pytest.mark.parametrize(("status", "expected"), [
    (401, "GITHUB_TOKEN must hold one"),
    (403, "pull-requests: write"),
    (404, "--repo and --pr"),
    (500, "retry the job"),
])  # fmt: skip
def test_a_refusal_says_what_to_do_and_posts_nothing(server: Server, status: int, expected: str) -> None:
    server.answers["/repos/o/r/issues/5/comments"] = (status, "", b"\n::error::forged")
    with pytest.raises(UserError) as refused:
        post(server)
    assert expected in str(refused.value) and "\n" not in str(refused.value)
    assert server.writes == [] and TOKEN not in str(refused.value)


def test_an_answer_that_is_no_json_is_refused(server: Server) -> None:
    server.answers["/repos/o/r/issues/5/comments"] = (200, "", b"<html>")
    with pytest.raises(UserError, match="not JSON"):
        post(server)


def test_a_token_is_sent_over_https_or_on_this_machine_only() -> None:
    GitHub(TOKEN, "https://github.example/api/v3")
    for url in ("http://github.example", "ftp://127.0.0.1", "file:///etc/passwd", "127.0.0.1"):
        with pytest.raises(UserError, match="must begin with https"):
            GitHub(TOKEN, url)
    for empty in ("", "\n"):
        with pytest.raises(UserError, match="set GITHUB_TOKEN"):
            GitHub(empty, "https://github.example")


def test_the_line_end_that_a_token_was_saved_with_is_not_sent(server: Server) -> None:
    assert post(server, GITHUB_TOKEN=f"{TOKEN}\r\n") == "o/r#5: 1 new comment, 0 updated"
    assert server.tokens == {f"Bearer {TOKEN}"}


@pytest.mark.parametrize("repo", ["", "o", "o/r/x", "o/r?x=1", "../x"])
def test_a_repository_is_owner_and_name(server: Server, repo: str) -> None:
    with pytest.raises(UserError, match="OWNER/NAME"):
        github.post(FOUND, "x", repo, 5, None, {"GITHUB_TOKEN": TOKEN, "GITHUB_API_URL": server.url})
    assert server.asked == []


def test_another_account_may_post(server: Server) -> None:
    server.say(f"{MARK}\nby the bot", BOT)
    env = {"GITHUB_TOKEN": TOKEN, "GITHUB_API_URL": server.url}
    assert "1 new" in github.post(FOUND, "x", "o/r", 5, "release-robot", env)
    assert server.bodies[0].endswith("by the bot")
