"""The review in a real Chromium over the real server: by keyboard alone, by two at once, through kills, and blind."""

from __future__ import annotations

import re
import signal
from collections.abc import Callable
from typing import TYPE_CHECKING

import pytest
from msgspec.structs import replace

from harness.runs.folder import check_seal
from harness.runs.score_events import batches
from reports.review.items import load_material
from reports.review.planning import ReviewOptions, planned
from reports.review.results import record
from tests.reports.review.conftest import Live, WriteRun
from tests.reports.review.drafts import answer_all
from tests.reports.review.test_adjudication import harsh
from tests.reports.review.test_packet import NAMES
from tests.reports.review.typing import begin, go_on, open_link, practise, press, rate, stage, wait_saved, wait_status
from tests.support.browser import ARABIC, STARTS_RIGHT, NewContext
from tests.support.sample import make_records, with_text

if TYPE_CHECKING:
    from playwright.sync_api import Page

pytestmark = [pytest.mark.browser, pytest.mark.slow]
Start = Callable[..., Live]
CUT_OFF = """() => [...document.querySelectorAll('.grid')].filter((box) =>
  box.scrollWidth > box.clientWidth + 1 || box.getBoundingClientRect().right > innerWidth).length"""


def test_a_whole_review_by_keyboard_alone(live: Start, write_run: WriteRun, reviewers_browser: NewContext) -> None:
    server = live(write_run(), "--reviewer", "r1", "--items", "4", "--repeats", "1", "--seed", "9")
    page = open_link(reviewers_browser(), server.links["r1"])
    seen = _watch(page)
    assert stage(page) == "consent"
    begin(page)
    practise(page)
    for number in range(5):
        rate(page, "A", 5, 4)
        rate(page, "B", 2, 3, clause="2")
        if number == 0:
            word = _mark_the_last_word(page)
            press(page, "n")
            page.keyboard.type("by hand")
            press(page, "Escape")
        if number == 1:
            press(page, "x")
            page.keyboard.type("not my field")
            go_on(page)
            continue
        press(page, "p", "1")
        go_on(page)
    assert stage(page) == "guess"
    for _ in range(4):
        press(page, "Tab", "Space")
    go_on(page)
    assert stage(page) == "done"
    _leaks_nothing(seen, page)
    assert server.end() == 0
    assert check_seal(server.run) == []
    (batch,) = batches(server.run)
    sides = {place["case_id"]: place["side"] for place in batch.about["shown"]}
    order = [place["case_id"] for place in sorted(batch.about["shown"], key=lambda place: place["position"])]
    found = {(e.case_id, e.variant, e.score.name): e.score for e in batch.events}
    judged = [case for case in order if case != order[1]]
    for case in judged:
        a, b = sides[case]["A"], sides[case]["B"]
        assert [found[case, v, "human_accuracy"].value for v in (a, b)] == [5.0, 2.0]
        assert [found[case, v, "human_completeness"].value for v in (a, b)] == [4.0, 3.0]
        assert [found[case, v, "human_missed"].value for v in (a, b)] == [0.0, 1.0]
        assert found[case, "tuned", "human_preference"].extracted == {"choice": [a]}
    marked = found[order[0], sides[order[0]]["B"], "human_fabrication"]
    assert marked.counts == {"minor": 0, "major": 1, "critical": 0} and marked.spans[0].quote == word
    assert found[order[1], "tuned", "human_preference"].reason == "skipped: not my field"
    assert batch.about["notes"] == [{"suite": "legal/clauses", "case_id": order[0], "note": "by hand"}]
    right = sum(place["side"]["A"] == "tuned" for place in batch.about["shown"])
    assert batch.about["guess"] == {"asked": 4, "said": 4, "right": right}
    seconds = [e.score.counts for e in batch.events if e.score.name == "human_seconds"]
    assert len(seconds) == 4 and all(0 < c["active_ms"] <= c["wall_ms"] < 120_000 for c in seconds)


def _mark_the_last_word(page: Page) -> str:
    """Of sentence 1 of answer B, as major; typed in capitals, which must not matter."""
    word = page.locator('[data-side="B"] .sentence').first.inner_text().split()[-1].rstrip(".")
    press(page, "b", "f")
    page.keyboard.type("1")
    press(page, "Tab")
    page.keyboard.type(word.upper())
    press(page, "Enter", "2")
    return word


def _watch(page: Page) -> list[str]:
    """Every URL, header and document from here on."""
    seen: list[str] = []
    page.on("response", lambda r: seen.extend([r.url, str(r.all_headers())]))
    page.on("request", lambda r: seen.extend([r.url, str(r.all_headers()), r.post_data or ""]))
    page.on("load", lambda p: seen.append(p.content()))
    return seen


def _leaks_nothing(seen: list[str], page: Page) -> None:
    assert len(seen) > 60 and any("Item 3 of 5" in text for text in seen)
    seen.append(str(page.context.cookies()))
    leaks = {name for name in NAMES for text in seen if name in text.lower()}
    assert leaks == set()


def test_the_texts_of_a_review_are_shown_in_the_direction_in_which_they_are_read(
    live: Start, write_run: WriteRun, reviewers_browser: NewContext
) -> None:
    records = [
        with_text(replace(record, case=replace(record.case, input={"document": ARABIC, "question": ARABIC})), ARABIC)
        for record in make_records()
    ]
    page = open_link(reviewers_browser(), live(write_run(records), "--reviewer", "r1", "--items", "1").links["r1"])
    begin(page)
    practise(page)
    for box in (".source", ".text", ".input"):
        assert page.locator(box).filter(has_text=ARABIC).first.evaluate(STARTS_RIGHT), box


def test_two_reviewers_at_once_keep_apart(live: Start, write_run: WriteRun, reviewers_browser: NewContext) -> None:
    server = live(write_run(), "--reviewer", "r1", "--reviewer", "r2", "--items", "2", "--share", "1", "--repeats", "0")
    pages = {name: open_link(reviewers_browser(), link) for name, link in server.links.items()}
    assert list(pages) == ["r1", "r2"]
    for page in pages.values():
        begin(page)
        practise(page)
    for accuracy, page in zip((5, 1), pages.values(), strict=True):
        rate(page, "A", accuracy, 3)
        press(page, "n")
        page.keyboard.type(f"secret of {accuracy}")
        wait_saved(page)
    for accuracy, page in zip((5, 1), pages.values(), strict=True):
        for _ in "12":
            assert f"secret of {6 - accuracy}" not in page.content()
            press(page, "Escape")
            rate(page, "A", accuracy, 3)
            rate(page, "B", accuracy, 3)
            press(page, "p", "4")
            go_on(page)
        press(page, "Tab", "Space", "Tab", "Space")
        go_on(page)
        assert stage(page) == "done"
    found = {
        batch.about["reviewer"]: {e.score.value for e in batch.events if e.score.name == "human_accuracy"}
        for batch in batches(server.run)
    }
    assert found == {"r1": {5.0}, "r2": {1.0}}


def test_a_killed_server_and_a_killed_browser_lose_nothing_that_was_saved(
    live: Start, write_run: WriteRun, reviewers_browser: NewContext
) -> None:
    server = live(write_run(), "--reviewer", "r1", "--items", "2")
    page = open_link(reviewers_browser(), server.links["r1"])
    begin(page)
    rate(page, "A", 4, 2)
    press(page, "f")
    page.keyboard.type("2")
    press(page, "Enter", "3")
    wait_saved(page)
    server.end(signal.SIGKILL)
    press(page, "b", "j", "1")
    wait_status(page, "Not saved")
    server.start()
    wait_saved(page)
    page.reload()
    _holds_what_was_said(page)
    page.context.close()
    again = open_link(reviewers_browser(), server.links["r1"])
    _holds_what_was_said(again)
    press(again, "a", "f")
    again.keyboard.type("1")
    press(again, "Enter", "1", "z")
    assert again.locator('[data-side="A"] .marks li').count() == 1


def _holds_what_was_said(page: Page) -> None:
    assert page.locator('[data-side="A"] [data-question=accuracy] :checked').input_value() == "4"
    assert page.locator('[data-side="A"] [data-question=completeness] :checked').input_value() == "2"
    assert page.locator('[data-side="A"] .marks .severity-name').inner_text().lower() == "critical"
    assert page.locator('[data-side="B"] [data-question=accuracy] :checked').input_value() == "1"


def test_single_keys_are_off_in_text_fields_and_can_be_switched_off(
    live: Start, write_run: WriteRun, reviewers_browser: NewContext
) -> None:
    server = live(write_run(), "--reviewer", "r1", "--items", "2")
    page = open_link(reviewers_browser(), server.links["r1"])
    begin(page)
    press(page, "n")
    page.keyboard.type("a5xc?")
    assert page.locator('[name="note"]').input_value() == "a5xc?"
    assert page.locator("dialog[open]").count() == 0
    press(page, "Escape", "?")
    assert page.locator("dialog#keys[open]").count() == 1
    press(page, "Escape")
    page.locator("#shortcuts").focus()
    press(page, "Enter")
    press(page, "?", "x", "p", "1")
    assert page.locator("dialog[open]").count() == 0 and page.locator("[name=preference]:checked").count() == 0
    wait_saved(page)
    page.reload()
    assert page.locator("#shortcuts").get_attribute("aria-pressed") == "false"
    page.locator("#shortcuts").focus()
    press(page, "Enter", "p", "1")
    assert page.locator("[name=preference]:checked").input_value() == "A"


def test_words_after_emoji_are_marked_where_they_stand_in_the_exact_text(
    live: Start, write_run: WriteRun, reviewers_browser: NewContext
) -> None:
    text = "👩‍⚖️ Rent 😀 is \u202edue.\r\nLate 💸 fees double."
    records = [with_text(r, text) for r in make_records() if r.case.id == "deed-000" or r.variant != "keyword_floor"]
    server = live(write_run(records), "--reviewer", "r1", "--items", "1")
    page = open_link(reviewers_browser(), server.links["r1"])
    begin(page)
    practise(page)
    assert page.locator('[data-side="A"] .text').inner_text().count("⟨U+202E⟩") == 1
    for words in ("😀 is", "fees double", "due.\r\nLate"):
        _select(page, text, words)
        press(page, "Tab")
        page.locator('[data-side="A"] [data-severity=minor]').focus()
        press(page, "Enter")
    wait_saved(page)
    rate(page, "B", 3, 3)
    press(page, "a", "j", "3", "j", "3", "j", "1", "p", "3")
    go_on(page)
    press(page, "Tab", "Space")
    go_on(page)
    assert stage(page) == "done"
    (batch,) = batches(server.run)
    side = batch.about["shown"][0]["side"]["A"]
    (found,) = [e.score for e in batch.events if e.score.name == "human_fabrication" and e.variant == side]
    assert {s.quote for s in found.spans} == {"😀 is", "fees double", "due.\r\nLate"}
    assert all(text[s.start : s.end] == s.quote for s in found.spans)


def _select(page: Page, text: str, words: str) -> None:
    """Select by the places of the document's own text nodes, counted in UTF-16 as a browser does, and let go."""
    start = text.index(words)
    page.evaluate(
        """([from, to]) => {
          const card = document.querySelector('[data-side="A"] .text');
          const range = document.createRange();
          for (const piece of card.querySelectorAll("[data-at]")) {
            const own = piece.dataset.code ? " " : piece.textContent;
            const at = Number(piece.dataset.at), length = [...own].length, node = piece.firstChild;
            const unit = (place) => [...own].slice(0, place - at).join("").length;
            if (node && !piece.dataset.code && from >= at && from < at + length) range.setStart(node, unit(from));
            if (node && !piece.dataset.code && to > at && to <= at + length) range.setEnd(node, unit(to));
          }
          getSelection().removeAllRanges();
          getSelection().addRange(range);
          card.dispatchEvent(new MouseEvent("mouseup", { bubbles: true }));
        }""",
        [start, start + len(words)],
    )
    page.wait_for_selector('[data-side="A"] .chosen:text-matches("^“")')  # "Marked as ..." also has a quotation.


def test_the_prompt_all_clauses_at_once_and_the_preference_are_in_reach(
    live: Start, write_run: WriteRun, reviewers_browser: NewContext
) -> None:
    axe = pytest.importorskip("axe_playwright_python.sync_playwright").Axe()
    kinds = ["Insurance", "Holdover", "Assignment"]
    records = [replace(r, case=replace(r.case, expected=kinds)) for r in make_records()]
    prompt = '{% set system = "Be brief." %}Read the lease.\n{{ document }}\n' + "Which clauses does it have? " * 30
    server = live(write_run(records, prompt=prompt), "--reviewer", "r1", "--items", "1")
    page = open_link(reviewers_browser(viewport={"width": 1440, "height": 900}), server.links["r1"])
    begin(page)
    practise(page)
    details = page.locator("details.prompt")
    assert details.get_attribute("open") is None and "155 words" in details.inner_text()
    press(page, "q")
    said = details.inner_text()
    assert "Be brief." in said and "the source below\nWhich clauses" in said and "governed by" not in said
    assert axe.run(page).response["violations"] == []
    for width, height in ((390, 844), (1024, 768), (1440, 900)):
        page.set_viewport_size({"width": width, "height": height})
        place, bar = (page.locator(part).bounding_box() for part in ("[data-question=preference]", ".actions"))
        assert place is not None and place["y"] > 0 and place["y"] + place["height"] <= height, width
        assert bar is not None and bar["height"] <= height / 4, width
        assert page.evaluate("scrollY") == 0
    _marks_all_clauses_of_one_side(page)
    page.set_viewport_size({"width": 390, "height": 844})
    for value in ("A", "B", "tie", "both_bad"):
        page.locator(f"[name=preference][value={value}]").click()
        assert page.locator("[name=preference]:checked").input_value() == value
    assert page.evaluate("document.scrollingElement.scrollWidth") <= 390


def _marks_all_clauses_of_one_side(page: Page) -> None:
    present = '[data-side="{}"] [data-clause] [value=found]:checked'
    press(page, "b", "t")
    assert page.locator(present.format("B")).count() == 3 and page.locator(present.format("A")).count() == 0
    assert page.evaluate("document.activeElement.name") == "B.clause.2"
    press(page, "z")
    assert page.locator(present.format("B")).count() == 0
    page.locator('[data-side="A"] [data-all-present]').focus()
    press(page, "Enter", "z", "Enter")
    assert page.locator(present.format("A")).count() == 3


@pytest.mark.parametrize("mode", ["compare", "fix"])
def test_every_page_is_clean_by_axe_in_both_colours_and_fits_a_narrow_screen(
    live: Start, write_run: WriteRun, reviewers_browser: NewContext, mode: str
) -> None:
    axe = pytest.importorskip("axe_playwright_python.sync_playwright").Axe()
    server = live(write_run(), "--reviewer", "r1", "--items", "1", "--mode", mode)
    page = open_link(reviewers_browser(color_scheme="light"), server.links["r1"])
    contrast = "async () => (await axe.run({runOnly: ['color-contrast']})).violations"
    checked = []

    def check() -> None:
        found = axe.run(page, options={"runOnly": ["wcag2a", "wcag2aa", "wcag21aa", "wcag22aa", "best-practice"]})
        assert found.response["violations"] == [], stage(page)
        page.emulate_media(color_scheme="dark")
        assert page.evaluate(contrast) == [], stage(page)
        page.emulate_media(color_scheme="light")
        page.set_viewport_size({"width": 320, "height": 700})
        assert page.evaluate("document.scrollingElement.scrollWidth") <= 320, stage(page)
        page.set_viewport_size({"width": 1280, "height": 800})
        checked.append(stage(page))

    check()
    press(page, "Tab", "Space")
    go_on(page)
    check()
    go_on(page)
    for number in range(3):
        look = check if number != 1 else lambda: None  # The second item of practice has the pages of the first.
        if mode == "compare":
            press(page, "f")
            page.keyboard.type("1")
            press(page, "Enter", "3")
            rate(page, "B", 3, 3)
            press(page, "a", "j", "3", "j", "3", "j", "1", "j" if number == 0 else "k", "1")
        look()
        press(page, "?")
        look()
        press(page, "Escape", "x")
        look()
        press(page, "Escape", "Escape")
        if mode == "compare":
            press(page, "Control+Enter")
            look()
            press(page, "p", "2")
        go_on(page)
        look()
        if number < 2:
            go_on(page)
    press(page, "Tab", "Space")
    go_on(page)
    check()
    assert set(checked) == {"consent", "rubric", "task", "feedback", "guess", "done"}


def test_a_draft_is_fixed_by_keyboard_and_measured(
    live: Start, write_run: WriteRun, reviewers_browser: NewContext
) -> None:
    server = live(write_run(), "--reviewer", "r1", "--items", "2", "--mode", "fix")
    page = open_link(reviewers_browser(), server.links["r1"])
    begin(page)
    for number in range(4):
        press(page, "a", "Control+End")
        page.keyboard.type(" 😀!")
        go_on(page)
        if number < 2:
            go_on(page)
    press(page, "Tab", "Space", "Tab", "Space")
    go_on(page)
    assert stage(page) == "done"
    (batch,) = batches(server.run)
    fixed = [e.score for e in batch.events if e.score.name == "human_fix"]
    assert [s.counts["edit_distance"] for s in fixed] == [3, 3]
    assert all(s.text[0].endswith(" 😀!") for s in fixed)
    assert sorted(e.variant for e in batch.events if e.score.name == "human_fix") == ["baseline", "tuned"]


def test_a_third_person_decides_on_a_page_with_both_reviews_before_them(
    live: Start, write_run: WriteRun, reviewers_browser: NewContext
) -> None:
    run = write_run()
    material = load_material(run)
    state, _ = planned(material, ReviewOptions(reviewers=["first-one", "second-one"], share=1.0, seed=1))
    answer_all(state, material, "first-one")
    answer_all(state, material, "second-one", harsh)
    for name in ("first-one", "second-one"):
        record(state, material, name)
    server = live(run, "--by", "r3", command="adjudicate")
    assert server.said.startswith("r3 decides 1 item on which reviewers differ\n")
    page = open_link(reviewers_browser(), server.links["r3"])
    seen = _watch(page)
    begin(page)
    rows = page.locator(".earlier tbody tr").all_inner_texts()
    assert len(rows) == 4 and "Reviewer 2" in rows[2]
    _cuts_off_no_table(page)
    axe = pytest.importorskip("axe_playwright_python.sync_playwright").Axe()
    assert axe.run(page).response["violations"] == []
    rate(page, "A", 4, 4)
    rate(page, "B", 4, 4)
    press(page, "p", "3")
    go_on(page)
    press(page, "Tab", "Space")
    go_on(page)
    assert stage(page) == "done"
    assert {name for name in (*NAMES, "first-one", "second-one") for text in seen if name in text.lower()} == set()
    assert [batch.about["kind"] for batch in batches(run)] == ["review", "review", "adjudication"]


def test_an_organiser_reads_progress_and_agreement_on_any_screen(
    live: Start, write_run: WriteRun, reviewers_browser: NewContext
) -> None:
    run = write_run()
    material = load_material(run)
    state, _ = planned(material, ReviewOptions(reviewers=["first-one", "second-one"], share=1.0, seed=1))
    answer_all(state, material, "first-one")
    answer_all(state, material, "second-one", harsh)
    page = reviewers_browser().new_page()
    (link,) = re.findall(r"http\S+/organiser#\S+", live(run).said)
    page.goto(link)
    page.wait_for_selector(".organiser table")
    assert "12 of 12" in page.locator(".organiser tbody tr").first.inner_text()
    axe = pytest.importorskip("axe_playwright_python.sync_playwright").Axe()
    assert axe.run(page).response["violations"] == []
    _cuts_off_no_table(page)


def _cuts_off_no_table(page: Page) -> None:
    """At five widths in both colours, every table is whole."""
    for theme in ("dark", "light"):
        page.emulate_media(color_scheme=theme)
        for width in (320, 390, 768, 1024, 1440):
            page.set_viewport_size({"width": width, "height": 800})
            assert page.evaluate("document.scrollingElement.scrollWidth") <= width
            assert page.evaluate(CUT_OFF) == 0, width
