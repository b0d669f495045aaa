"""GitHub's event and answers, and the export of another job, are read or refused whatever is in them."""

import tempfile
from pathlib import Path
from typing import Any

import msgspec
from hypothesis import given

from reports.ci import github
from reports.ci.export import decode, encode
from tests.ci.sample import full_of
from tests.support.fuzzing import FEW, JUNK, as_json, survives

SHA = "a" * 40
EVENT = {
    "action": "completed",
    "repository": {"id": 1},
    "workflow_run": {
        "head_sha": SHA, "html_url": "https://g.example/o/r/actions/runs/1", "head_branch": "b",
        "conclusion": "success",
        "head_repository": {"owner": {"login": "o"}},
        "pull_requests": [{"number": 1, "head": {"sha": SHA}, "base": {"repo": {"id": 1}}}],
    },
}  # fmt: skip
PULL = {"number": 1, "state": "open", "head": {"sha": SHA}, "base": {"repo": {"id": 1}}}


@FEW
@given(as_json(EVENT))
def test_an_event_is_read_or_refused(content: bytes) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "event.json"
        path.write_bytes(content)
        found = survives(github.read, path)
        if found is not None:
            assert found.link == "" or found.link.startswith("https://")
            assert found.conclusion.replace("_", "").isalpha() or found.conclusion == ""


class Answers:
    """GitHub, saying anything."""

    def __init__(self, said: Any) -> None:
        self.said = said

    def call(self, method: str, path: str) -> Any:
        return self.said

    def pages(self, path: str, **query: str) -> Any:
        return [self.said]


@FEW
@given(as_json(PULL).map(lambda raw: raw[:2000]), JUNK)
def test_any_answer_on_a_pull_request_is_a_number_or_refused(raw: bytes, junk: Any) -> None:
    try:
        said = msgspec.json.decode(raw)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        said = junk
    found = survives(github.pull_request, Answers(said), "o/r", msgspec.convert(EVENT, github.Event))
    assert found is None or isinstance(found, int)


@FEW
@given(as_json(msgspec.json.decode(encode(full_of("plain")))))
def test_an_export_of_another_job_is_read_or_refused(content: bytes) -> None:
    survives(decode, content, "verdicts.json")
