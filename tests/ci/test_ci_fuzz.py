"""Any text, in every place where foreign text can stand, through every writer: nothing in it acts."""

from __future__ import annotations

import re
import shlex
import tempfile
from pathlib import Path
from typing import Any

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.sanitize import is_hidden
from harness.schema import Estimate, MetricRow
from reports.ci import annotations, github, markdown, openmetrics
from reports.ci.export import decode, encode, inert
from tests.ci.runner import commands
from tests.ci.sample import full_of, headings, tables_are_whole, tokens
from tests.support.fuzzing import FEW, JUNK, as_json, survives
from tests.support.hostile import ALPHABET, ATTACKS

HOSTILE = [text.replace("\ud800", "") for text in ATTACKS]
CHARACTERS = st.one_of(
    st.sampled_from([c for c in ALPHABET if c != "\ud800"]), st.characters(exclude_categories=["Cs"])
)
PIECES = st.one_of(
    st.text(CHARACTERS, max_size=12),
    st.sampled_from(HOSTILE),
    st.sampled_from(
        ["::error::x", "##[add-mask]x", "::stop-commands::t", "\r::set-env name=a::b", "<!-- tunegate:run -->"]
    ),
)
TEXTS = st.lists(PIECES, max_size=5).map("".join)
QUICK = settings(max_examples=100, deadline=None, database=None)
PLAIN = full_of("plain")
LIKE = [markdown.comment(PLAIN, PLAIN.suites[0]), markdown.summary(PLAIN)]
SHAPE = [(tokens(page)[0].count("table_open"), len(headings(page))) for page in LIKE]
LINKED = markdown.JudgedRun(link="https://g.example/r")
OWN = {"text", "text_special", "softbreak", "link_open", "link_close"}


@QUICK
@given(TEXTS)
def test_pages_hold_only_their_own_mark_up(text: str) -> None:
    found = full_of(text)
    made = [markdown.comment(found, found.suites[0], LINKED), markdown.summary(found)]
    for page, (tables, heads), links in zip(made, SHAPE, (1, 0), strict=True):
        blocks, inline = tokens(page)
        assert set(inline) <= OWN and inline.count("link_open") == links
        assert blocks.count("html_block") == links + 2 * page.count("<details>")
        assert (blocks.count("table_open"), blocks.count("heading_open")) == (tables, heads) and tables_are_whole(page)
        assert not any(map(is_hidden, page)) and len(page.encode()) < markdown.COMMENT_BYTES
        assert list(commands(page)) == []


@QUICK
@given(TEXTS)
def test_annotations_are_as_many_as_were_meant(text: str) -> None:
    made = annotations.lines(full_of(text))
    assert [name for name, _ in commands("\n".join(made))] == ["warning", "error", "error", "warning", "error"]
    assert not any(map(is_hidden, "".join(made)))
    assert list(commands(f"tunegate: {inert(text)}")) == []


@QUICK
@given(TEXTS)
def test_an_export_is_read_back_as_it_was_written(text: str) -> None:
    found = full_of(text)
    assert decode(encode(found), "x") == found


@QUICK
@given(st.lists(TEXTS, min_size=1, max_size=4, unique=True))
def test_metrics_stay_one_line_and_one_name_each(texts: list[str]) -> None:
    rows = [
        MetricRow(suite=t, variant=t, metric=t, slice=t, slice_value=t, estimate=Estimate(value=0.5, n=3))
        for t in texts
    ]
    lines = [line for line in openmetrics.render(rows).splitlines() if not line.startswith("#")]
    split = [shlex.split(re.sub(r"#.*$", "", line)) for line in lines]
    assert [value for _, value in split] == ["0.5"] * len(texts) + ["3"] * len(texts)
    assert len({name for name, _ in split}) == 2 * len(texts)


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
