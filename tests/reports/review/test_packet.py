"""The offline packet in a real Chromium: one file without a server, and the answers that come back from it."""

from __future__ import annotations

import hashlib
import hmac
import json
import re
import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from harness.errors import UserError
from harness.runs.score_events import batches
from reports.review import ReviewOptions, adjudicate, finish, import_answers, packet, plan
from reports.review.items import load_material
from reports.review.planning import existing
from reports.review.rubric import OWN
from tests.reports.review.conftest import WriteRun, write_sealed
from tests.reports.review.drafts import answer_all
from tests.reports.review.typing import press
from tests.support.browser import NewContext, patient_context

if TYPE_CHECKING:
    from playwright.sync_api import BrowserContext, Page

NAMES = ("baseline", "tuned", "keyword_floor", "small-instruct", "org/small", "runs/adapter", "clauses-0a1b2c3d")


def quiet(line: str) -> None:
    """Says nothing."""


def make(run: Path, out: Path, **wanted: Any) -> Path:
    plan(run, ReviewOptions(**{"reviewers": ["r1", "r2"], "items": 4, "share": 0.5, "seed": 2, **wanted}), quiet)
    packet(run, wanted.get("mode", "compare"), "r1", out, quiet)
    return out


def test_a_packet_names_no_variant_and_asks_for_nothing(tmp_path: Path, write_run: WriteRun) -> None:
    run = write_run(prompt="Read this.\n{{ document }}\nWhich clauses does it have?")
    text = make(run, tmp_path / "p.html").read_text("utf-8")
    assert "Item 3 of 3" in text and "About 1 minute per item, 3 minutes left" in text
    assert text.count("Which clauses does it have?") == 3
    assert [name for name in NAMES if name in text.lower()] == []
    assert 'http-equiv="Content-Security-Policy" content="default-src &#39;none&#39;; style-src &#39;sha256-' in text
    assert "http://" not in text and "https://" not in text


def test_the_next_command_can_be_copied_where_a_folder_has_a_space(tmp_path: Path) -> None:
    run, said = tmp_path / "Läufe 2026" / "run", list[str]()
    write_sealed(run)
    for to in ("html", "argilla"):
        plan(run, ReviewOptions(reviewers=["r1", "r2"], items=4, seed=2), quiet)
        packet(run, "compare", {"html": "r1", "argilla": "r2"}[to], tmp_path / to, said.append, to)
    assert f"import the answers with: tunegate review import '{run}' answers.json" in said
    assert f"import its annotations with: tunegate review import '{run}' FILE" in said
    with pytest.raises(UserError, match=re.escape(f"tunegate review '{run}' --mode fix --reviewer NAME")):
        existing(run, "fix")


def test_a_rubric_may_have_no_words_on_editing(tmp_path: Path, write_run: WriteRun) -> None:
    rubric = tmp_path / "own.toml"
    rubric.write_text(re.sub(r"(?ms)^fix = \[.*?^\]", "fix = []", OWN.read_text("utf-8")), "utf-8")
    text = make(write_run(), tmp_path / "p.html", mode="fix", rubric=rubric).read_text("utf-8")
    assert '<textarea class="editor"' in text


def test_a_reviewer_works_with_the_server_or_with_a_packet(tmp_path: Path, write_run: WriteRun) -> None:
    run = write_run()
    make(run, tmp_path / "p.html")
    state = existing(run, "compare")
    assert state.reviewer("r1").token_hash == ""
    state.change_reviewer("r2", consented_at="2026-11-25T10:00:00Z")
    with pytest.raises(UserError, match="r2 has already begun"):
        packet(run, "compare", "r2", tmp_path / "q.html", quiet)
    with pytest.raises(UserError, match="r3 can no longer be changed"):
        packet(run, "compare", "r3", tmp_path / "q.html", quiet)


def section(page: Page) -> str:
    return page.locator("body").get_attribute("data-stage") or ""


def through(page: Page, upto: str = "done") -> None:
    """By keyboard, from wherever the page is to another one."""
    while section(page) != upto:
        here = page.locator(".page:not([hidden])")
        if section(page) == "consent":
            press(page, "Tab", "Space", "Control+Enter")
        elif section(page) == "guess":
            for _ in range(here.locator("fieldset").count()):
                press(page, "Tab", "Space")
            press(page, "Control+Enter")
        elif section(page) == "task":
            for side, score in (("A", 5), ("B", 2)):
                press(page, side.lower(), "0", "j", str(score), "j", "3")
                for _ in range(here.locator(f'[data-side="{side}"] [data-question=clause]').count()):
                    press(page, "j", "1")
            press(page, "p", "1", "Control+Enter")
        else:
            press(page, "Control+Enter")


def open_packet(context: BrowserContext, file: Path) -> Page:
    page = context.new_page()
    page.goto(file.as_uri())
    page.wait_for_selector("body[data-stage]")
    return page


def download(page: Page, out: Path) -> Path:
    page.locator("#download").focus()
    with page.expect_download() as found:
        press(page, "Enter")
    found.value.save_as(out)
    return out


@pytest.mark.browser
@pytest.mark.slow
def test_a_packet_comes_back_whole_and_counts_once(
    tmp_path: Path, write_run: WriteRun, reviewers_browser: NewContext
) -> None:
    run, out = write_run(), tmp_path / "p.html"
    make(run, out)
    context = reviewers_browser(offline=True)
    page = open_packet(context, out)
    assert section(page) == "consent"
    through(page, "task")
    through(page, "feedback")
    through(page, "task")
    rate_first = page.locator(".page:not([hidden]) h1").inner_text()
    press(page, "a", "j", "4", "f")
    page.keyboard.type("1")
    press(page, "Enter", "3")
    page.close()
    page = open_packet(context, out)
    assert page.locator(".page:not([hidden]) h1").inner_text() == rate_first
    assert page.locator(".page:not([hidden]) [data-side=A] .marks li").count() == 1
    assert page.locator(".page:not([hidden]) [data-side=A] [data-question=accuracy] :checked").input_value() == "4"
    through(page, "feedback")
    through(page)
    file = download(page, tmp_path / "answers.json")
    said: list[str] = []
    import_answers(run, "compare", file, said.append)
    assert said[0].startswith("r1: 3 answers imported and recorded: ")
    (batch,) = batches(run)
    assert batch.about["source"] == "packet" and batch.about["reviewer"] == "r1" and len(batch.about["shown"]) == 3
    for place in batch.about["shown"]:
        rated = [e for e in batch.events if e.case_id == place["case_id"] and e.score.name == "human_accuracy"]
        scores = {e.variant: e.score.value for e in rated}
        assert scores == {place["side"]["A"]: 5.0, place["side"]["B"]: 2.0}
    right = sum(place["side"]["A"] == "tuned" for place in batch.about["shown"])
    assert batch.about["guess"] == {"asked": 3, "said": 3, "right": right}
    seconds = [e.score.counts for e in batch.events if e.score.name == "human_seconds"]
    assert all(0 < c["active_ms"] <= c["wall_ms"] < 120_000 for c in seconds)
    with pytest.raises(UserError, match=r"r1's answers were imported on .* cannot be replaced"):
        import_answers(run, "compare", file, quiet)
    assert len(batches(run)) == 1
    with pytest.raises(UserError, match="r1 has already begun"):
        packet(run, "compare", "r1", out, quiet)


@pytest.mark.browser
@pytest.mark.slow
def test_an_older_window_of_a_packet_does_not_undo_the_answers_of_a_newer_one(
    tmp_path: Path, write_run: WriteRun, reviewers_browser: NewContext
) -> None:
    make(write_run(), tmp_path / "p.html")
    context = reviewers_browser(offline=True)
    older = open_packet(context, tmp_path / "p.html")
    newer = open_packet(context, tmp_path / "p.html")
    through(newer, "task")
    # A browser brings what one window stores to another one with a delay, which no person is fast enough to see.
    older.wait_for_function("Object.values(localStorage).some((state) => JSON.parse(state).consented_at)", polling=100)
    newer.close()
    press(older, "Tab", "Space", "Control+Enter")
    older.wait_for_selector('#status:has-text("Not saved: this review is open in a newer window.")')
    older.close()
    assert section(open_packet(context, tmp_path / "p.html")) == "task"


@pytest.mark.browser
@pytest.mark.slow
def test_a_fixed_draft_comes_back_and_a_reviewer_may_stop_early(
    tmp_path: Path, write_run: WriteRun, reviewers_browser: NewContext
) -> None:
    run, out = write_run(), tmp_path / "p.html"
    make(run, out, mode="fix")
    page = open_packet(reviewers_browser(), out)
    press(page, "Tab", "Space", "Control+Enter", "Control+Enter")
    for _ in "12":
        press(page, "Control+Enter", "Control+Enter")
    press(page, "a", "Control+End")
    page.keyboard.type(" 😀")
    press(page, "Control+Enter")
    page.locator("#stop").focus()
    press(page, "Enter")
    page.locator("#resume").focus()
    press(page, "Enter")
    assert section(page) == "task" and page.locator(".page:not([hidden]) h1").inner_text().startswith("Item 2")
    page.locator("#stop").focus()
    press(page, "Enter")
    import_answers(run, "fix", download(page, tmp_path / "answers.json"), quiet)
    (batch,) = batches(run)
    (fixed,) = [e.score for e in batch.events if e.score.name == "human_fix"]
    assert fixed.counts["edit_distance"] == 2 and batch.about["not_reached"] == 2


@pytest.fixture(scope="module")
def answered(browser: Any, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A run with a packet, and the answers to it, downloaded and not imported."""
    folder = tmp_path_factory.mktemp("packet")
    run, out = write_sealed(folder / "run"), folder / "p.html"
    make(run, out, items=2)
    context = patient_context(browser)
    page = open_packet(context, out)
    through(page)
    file = download(page, folder / "answers.json")
    context.close()
    return run, file


@pytest.mark.browser
@pytest.mark.parametrize(("edit", "says"), [
    (lambda a: a | {"body": a["body"].replace('"accuracy":2', '"accuracy":5')}, "its seal does not match"),
    (lambda a: a | {"seal": "0" * 64}, "its seal does not match"),
    (lambda a: a | {"packet": "0" * 64}, "not made with the latest packet"),
    (lambda a: a | {"reviewer": "r2"}, "not made with the latest packet"),
    (lambda a: a | {"reviewer": "r9"}, "who is not a reviewer"),
    (lambda a: a | {"schema_version": 2, "colour": "red"}, "written by a newer tunegate"),
    (lambda a: a | {"schema_version": 0}, "expected answers of schema 1"),
    (lambda a: a | {"extra": 1}, "not the answers.json of a packet"),
    (lambda a: {}, "not the answers.json of a packet"),
])  # fmt: skip
def test_answers_that_were_touched_are_refused_in_one_line(
    answered: tuple[Path, Path], tmp_path: Path, edit: Any, says: str
) -> None:
    run, file = answered
    before = file.read_text("utf-8")
    assert '\\"accuracy\\":2' in before
    other = tmp_path / "answers.json"
    other.write_text(json.dumps(edit(json.loads(before))), "utf-8")
    with pytest.raises(UserError, match=says) as refused:
        import_answers(run, "compare", other, quiet)
    assert len(str(refused.value).splitlines()) == 1
    assert batches(run) == []


@pytest.mark.browser
def test_answers_of_an_earlier_packet_are_refused(answered: tuple[Path, Path], tmp_path: Path) -> None:
    run, file = answered
    state = existing(run, "compare")
    token = state.reviewer("r1").packet_token
    packet(run, "compare", "r1", tmp_path / "again.html", quiet)
    with pytest.raises(UserError, match="made with an earlier packet"):
        import_answers(run, "compare", file, quiet)
    state.change_reviewer("r1", packet_token=token)
    assert batches(run) == []


def resealed(file: Path, token: str, edit: Any) -> dict[str, Any]:
    """What a reviewer could make who has the packet and writes the answers with a program."""
    answers = json.loads(file.read_text("utf-8"))
    body = json.dumps(edit(json.loads(answers["body"])))
    seal = hmac.new(token.encode(), body.encode(), hashlib.sha256).hexdigest()
    return answers | {"body": body, "seal": seal}


def change_last(body: dict[str, Any], **changes: Any) -> dict[str, Any]:
    return body | {"tasks": [*body["tasks"][:-1], body["tasks"][-1] | changes]}


@pytest.mark.browser
@pytest.mark.parametrize(("edit", "says"), [
    (lambda b: b | {"consented_at": None}, "did not agree to take part"),
    (lambda b: b | {"tasks": []}, "contains no submitted item"),
    (lambda b: b | {"tasks": [*b["tasks"], b["tasks"][0]]}, "is given twice"),
    (lambda b: b | {"guesses": {"elsewhere": "A"}}, "its guesses do not fit the packet"),
    (lambda b: change_last(b, task="elsewhere"), "is not in the packet"),
    (lambda b: change_last(b, submitted_at="<b>now</b>"), "its answers cannot be read"),
    (lambda b: change_last(b, draft={"outcome": "judged"}), "Still to do: answer A: fabrications"),
    (lambda b: change_last(b, draft={"outcome": "skipped", "reason": ""}), "Still to do: a reason"),
])  # fmt: skip
def test_sealed_answers_are_checked_as_those_of_a_page_are(
    answered: tuple[Path, Path], tmp_path: Path, edit: Any, says: str
) -> None:
    run, file = answered
    other = tmp_path / "answers.json"
    token = existing(run, "compare").reviewer("r1").packet_token
    other.write_text(json.dumps(resealed(file, token, edit)), "utf-8")
    with pytest.raises(UserError, match=says):
        import_answers(run, "compare", other, quiet)
    assert batches(run) == []


def test_a_review_that_was_copied_to_another_run_judges_nothing_there(tmp_path: Path, write_run: WriteRun) -> None:
    run, other = write_run(), write_run(title="The same suite, evaluated again.")
    plan(run, ReviewOptions(reviewers=["r1", "r2"], seed=1, share=1.0), quiet)
    answer_all(existing(run, "compare"), load_material(run), "r1")
    shutil.copytree(run / "review", other / "review")
    (tmp_path / "answers.json").write_text("{}")
    with pytest.raises(UserError, match=r"compare.sqlite: this plan is for other answers"):
        finish(other, "compare", ["r1"], quiet)
    with pytest.raises(UserError, match=r"compare.sqlite: this plan is for other answers"):
        adjudicate(other, "r3", quiet, "127.0.0.1", 0, None)
    with pytest.raises(UserError, match=r"compare.sqlite: this plan is for other answers"):
        import_answers(other, "compare", tmp_path / "answers.json", quiet)
    assert batches(other) == []


def test_finish_says_of_everybody_where_they_are(write_run: WriteRun) -> None:
    run = write_run()
    plan(run, ReviewOptions(reviewers=["r1", "r2"], seed=1), quiet)
    answer_all(existing(run, "compare"), load_material(run), "r1")
    said: list[str] = []
    finish(run, "compare", [], said.append)
    assert said == [
        "r1: 9 of 9 done, 2 of them a second time; not recorded. Use --reviewer 'r1' to close it as it is",
        "r2: 0 of 8 done, 2 of them a second time; not recorded. Use --reviewer 'r2' to close it as it is",
    ]
    finish(run, "compare", ["r1"], said.append)
    finish(run, "compare", [], said.append)
    assert said[2].startswith("r1: recorded: ") and said[4].startswith("r1: already recorded: ")
    with pytest.raises(UserError, match="no reviewer 'r9'"):
        finish(run, "compare", ["r9"], quiet)
    assert len(batches(run)) == 1
