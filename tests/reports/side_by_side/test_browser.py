"""The side-by-side page in a real Chromium: inert, accessible, whole at every width, filtered and sorted."""

from __future__ import annotations

from pathlib import Path

import pytest
from axe_playwright_python.sync_playwright import Axe

from reports import side_by_side
from tests.reports.side_by_side.conftest import MakeRun, answers, written
from tests.support.hostile import ATTACKS
from tests.support.sample import make_record, make_suite, with_text
from tests.support.visits import Open, Visit

pytestmark = [pytest.mark.browser, pytest.mark.slow]


@pytest.fixture
def page(three: list[str], tmp_path: Path) -> Path:
    written(three, tmp_path / "out")
    return tmp_path / "out" / side_by_side.NAME


def ids(seen: Visit) -> list[str]:
    return [text.strip() for text in seen.page.locator("#cases > tbody > tr > th > button").all_inner_texts()]


def choose(seen: Visit, name: str, value: str) -> None:
    """Set a field, and wait until the list has followed."""
    field = seen.page.locator(f"[name={name}]")
    before = seen.page.evaluate("document.querySelector('#cases thead tr').dataset.old = 'yes'")
    assert before == "yes"
    field.select_option(value) if field.evaluate("node => node.tagName") == "SELECT" else field.fill(value)
    seen.page.wait_for_selector("#cases thead tr:not([data-old])", state="attached")


def open_cases(seen: Visit) -> None:
    seen.open_all()
    for button in seen.page.locator("#cases button.case").all():
        button.click()


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_hostile_texts_are_inert_and_axe_finds_nothing(
    visit: Open, make_run: MakeRun, tmp_path: Path, theme: str
) -> None:
    texts = [text for text in ATTACKS if "\ud800" not in text]
    records = [with_text(make_record(number, "tuned", ""), text) for number, text in enumerate(texts)]
    written([make_run(1, records), make_run(2, answers())], tmp_path)
    seen = visit(tmp_path / side_by_side.NAME, color_scheme=theme)
    open_cases(seen)
    assert (seen.asked[1:], seen.blocked, seen.said, seen.ran) == ([], [], [], False)
    assert Axe().run(seen.page).generate_report() == "Found 0 accessibility violations:\n"


def test_nothing_is_cut_off_of_six_columns(visit: Open, make_run: MakeRun, tmp_path: Path) -> None:
    suites = [make_suite(prompt=f"{'Name the clauses of the excerpt. ' * 9}{{{{ document }}}}")]
    runs = [make_run(day, answers((day,)), suites=suites) for day in range(1, 7)]
    written(runs, tmp_path)
    seen = visit(tmp_path / side_by_side.NAME)
    open_cases(seen)
    seen.open_all()
    for width in (320, 390, 768, 1024, 1440):
        seen.page.set_viewport_size({"width": width, "height": 800})
        assert seen.wider_than(width) == [], width
        assert seen.cut_off() == [], width


def test_a_case_shows_what_its_runs_were_asked(visit: Open, make_run: MakeRun, tmp_path: Path) -> None:
    prompts = ("Name the clause: {{ document }}", "Name it: {{ document }}", "Name it: {{ document }}", "")
    runs = [make_run(day, answers(), suites=[make_suite(prompt=text)]) for day, text in enumerate(prompts, 1)]
    written(runs, tmp_path)
    seen = visit(tmp_path / side_by_side.NAME)
    seen.page.locator("button.case").first.click()
    asked = seen.page.locator("tr.opened details.passage")
    assert asked.locator("summary").all_inner_texts() == ["Prompt template of A", "Prompt template of B, C"]
    asked.last.locator("summary").click()
    assert asked.last.locator(".quote").inner_text() == "Name it: {{ document }}"


def test_without_a_script_the_differences_stay_and_a_sentence_says_what_is_missing(visit: Open, page: Path) -> None:
    seen = visit(page, java_script_enabled=False)
    assert "needs JavaScript, which is off" in seen.page.locator("noscript").inner_text()
    assert seen.page.locator("table:visible", has_text="−25.0 points").count() == 1
    assert not seen.page.locator("form:visible, #list:visible").count()


def test_filters_narrow_and_sorting_orders_the_list(visit: Open, page: Path) -> None:
    seen = visit(page)
    assert ids(seen)[:2] == ["lease-001", "lease-003"] and len(ids(seen)) == 7
    choose(seen, "show", "changed")
    assert ids(seen) == ["lease-001", "lease-003"]
    choose(seen, "text", "section 3")
    assert ids(seen) == ["lease-003"]
    assert seen.page.locator("#count").inner_text() == "Showing 1 of 1 matching case, 7 in all"
    choose(seen, "text", "")
    choose(seen, "show", "missing")
    assert sorted(ids(seen)) == ["lease-004", "lease-004", "lease-005"]
    choose(seen, "slice", "1")
    assert ids(seen) == ["lease-005"]
    seen.page.locator("button[type=reset]").click()
    seen.page.locator("#count", has_text="Showing 7 ").wait_for()
    choose(seen, "most", "50")
    choose(seen, "run", "2")
    assert ids(seen) == ["lease-001"]
    choose(seen, "most", "")
    choose(seen, "sort", "case")
    assert ids(seen)[0] == "lease-000"


def test_another_baseline_changes_differences_and_cells(visit: Open, page: Path) -> None:
    seen = visit(page)
    row = seen.page.locator("#cases > tbody > tr", has_text="lease-003")
    assert row.locator("td").all_inner_texts() == ["100%\nbaseline", "0%\n▼ worse", "100%\n= same"]
    choose(seen, "baseline", "1")
    assert row.locator("td").all_inner_texts() == ["100%\n▲ better", "0%\nbaseline", "100%\n▲ better"]
    assert seen.page.locator("caption:visible", has_text="difference from B").count() == 1
    assert "baseline=1" in seen.page.url


def test_a_case_opens_with_its_history_flips_source_and_answers(visit: Open, page: Path) -> None:
    seen = visit(page)
    button = seen.page.locator("button.case", has_text="lease-003")
    button.press("Enter")
    assert button.get_attribute("aria-expanded") == "true"
    details = seen.page.locator("tr.opened")
    assert details.locator(".history tbody td:nth-of-type(2)").all_inner_texts() == [
        "–",
        "flip: right to wrong",
        "flip: wrong to right",
    ]
    headings = details.locator("h3").all_inner_texts()
    assert headings == [
        "Source of lease-003",
        "Expected",
        "Answer of A, C",
        "Answer of B; words changed from A are marked",
    ]
    marked = details.locator(".answer").last
    assert marked.inner_text() == "[− The clause ] [+ None of the clauses ] is present."
    assert (marked.locator("del").count(), marked.locator("ins").count()) == (1, 1)
    button.press("Enter")
    assert details.count() == 0


def test_values_of_two_scorer_versions_are_no_change_and_no_flip(
    visit: Open, make_run: MakeRun, tmp_path: Path
) -> None:
    suites = [make_suite(scorers={"clauses": version, "citations": "1"}) for version in "122"]
    wrong = ((), (3,), ())
    runs = [make_run(day, answers(wrong[day - 1]), suites=[suite]) for day, suite in enumerate(suites, 1)]
    written(runs, tmp_path)
    seen = visit(tmp_path / side_by_side.NAME)
    row = seen.page.locator("#cases > tbody > tr", has_text="lease-003")
    assert row.locator("td").all_inner_texts() == ["100%\nbaseline", "0%", "100%"]
    row.locator("button").click()
    steps = seen.page.locator("tr.opened .history tbody td:nth-of-type(2)").all_inner_texts()
    assert steps == ["–", "–", "flip: wrong to right"]
    choose(seen, "show", "worse")
    seen.page.wait_for_selector("#cases > tbody > tr > th > button", state="detached")


def test_the_address_restores_the_filter_and_an_odd_one_breaks_nothing(visit: Open, page: Path) -> None:
    assert ids(visit(page, "#?show=changed&sort=case")) == ["lease-001", "lease-003"]
    odd = visit(page, "#?show=nothing&metric=99&baseline=x&slice=7")
    assert len(ids(odd)) == 7 and odd.said == []
