"""Reports in a real Chromium: no request, nothing blocked, complete without script, readable in any theme and width."""

from __future__ import annotations

import io
from pathlib import Path

import msgspec
import pytest
from msgspec.structs import replace

import reports
from reports.cases import pages, select
from reports.cases.pages import REPORT
from reports.model import ReportModel
from reports.render import html
from reports.summary import summary
from tests.reports.conftest import write_training, writer
from tests.reports.render.test_accessible import luminance
from tests.support.browser import ARABIC, STARTS_RIGHT
from tests.support.command import ROOT
from tests.support.sample import make_records, with_text
from tests.support.visits import Open, Visit

pytestmark = [pytest.mark.browser, pytest.mark.slow]

CASES = ("report.html", "cases-0001.html")
PAGES = (*CASES, "summary.html")
EXAMPLES = ROOT / "docs" / "examples"
GROUND = """() => {
  const style = getComputedStyle(document.body);
  return [style.backgroundColor, style.color].map((said) => said.match(/\\d+/g).slice(0, 3).map(Number));
}"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A whole report on the disk, with further pages of cases; it is only read."""
    root = tmp_path_factory.mktemp("report")
    write = writer(root)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(pages, "ROOM", 8 * select.FRAME)
        reports.publish([write(records=make_records()), write_training(write)], root / "out")
    return root / "out"


def own(visit: Visit) -> list[str]:
    """The addresses asked for, without the page's own."""
    first, *others = visit.asked
    assert first.startswith("file://")
    return others


def violations(seen: Visit) -> str:
    """What axe finds on a page, in words."""
    axe = pytest.importorskip("axe_playwright_python.sync_playwright", reason="axe-playwright-python is not installed")
    found: str = axe.Axe().run(seen.page).generate_report()
    return found


def test_the_probe_sees_a_request(visit: Open) -> None:
    assert own(visit('<!doctype html><img src="https://evil.example/a.png">')) == ["https://evil.example/a.png"]


def test_the_probe_sees_what_the_policy_blocks(visit: Open, folder: Path) -> None:
    page = (folder / "report.html").read_text("utf-8").replace("<main>", '<main style="color: red">')
    seen = visit(page)
    assert seen.blocked == ["style-src-attr"]
    assert "Content Security Policy" in "".join(seen.said)


@pytest.mark.parametrize("scripts", [True, False], ids=["script", "no script"])
@pytest.mark.parametrize("name", PAGES)
def test_a_page_asks_for_nothing_and_breaks_no_policy(visit: Open, folder: Path, name: str, scripts: bool) -> None:
    seen = visit(folder / name, java_script_enabled=scripts)
    for media in ("screen", "print"):
        seen.page.emulate_media(media=media)
        seen.open_all()
        assert seen.page.get_by_text("Content").last.is_visible()
    assert (own(seen), seen.blocked, seen.said) == ([], [], [])


@pytest.mark.parametrize("name", CASES)
def test_without_script_a_page_is_complete(visit: Open, folder: Path, name: str) -> None:
    with_script, without = (visit(folder / name, java_script_enabled=on) for on in (True, False))
    assert with_script.page.locator("#filter").is_visible() and not without.page.locator("#filter").is_visible()
    for seen in (with_script, without):
        seen.open_all()
    texts = [seen.page.locator("main section").all_inner_texts() for seen in (with_script, without)]
    assert len("".join(texts[0])) > 1000
    assert texts[0] == texts[1]


def test_without_script_a_reader_opens_a_case(visit: Open, folder: Path) -> None:
    page = visit(folder / "report.html", java_script_enabled=False).page
    closed = page.locator("details.exchange:not([open])").first
    assert not closed.locator(".answer").first.is_visible()
    closed.locator("summary").first.click()
    opened = page.locator("details.exchange[open]").last
    assert opened.locator(".answer").first.is_visible()


def test_an_address_opens_its_case_even_one_that_the_filter_hides(visit: Open, folder: Path) -> None:
    page = visit(folder / "report.html", at="#?kind=regression").page
    last = page.locator("details.exchange .body").last.get_attribute("id")
    answer = page.locator(f"#{last} .answer").first
    assert not page.locator("details.exchange").last.is_visible()
    page.evaluate("(id) => { location.hash = id; }", last)
    answer.wait_for(state="visible")
    assert page.locator("details:focus-within").last.locator(f"#{last}").count() == 1


def test_an_address_opens_its_case_without_script(visit: Open, folder: Path) -> None:
    last = visit(folder / "report.html").page.locator("details.exchange .body").last.get_attribute("id")
    page = visit(folder / "report.html", at=f"#{last}", java_script_enabled=False).page
    page.locator(f"#{last} .answer").first.wait_for(state="visible")


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("name", PAGES)
def test_axe_finds_nothing(visit: Open, folder: Path, name: str, theme: str) -> None:
    seen = visit(folder / name, color_scheme=theme)
    seen.open_all()
    assert violations(seen) == "Found 0 accessibility violations:\n"


def test_axe_sees_a_colour_that_is_too_weak(visit: Open, folder: Path) -> None:
    page = (folder / "report.html").read_text("utf-8")
    weak = page.replace("<main>", '<p><span style="color: #999; background: #fff">weak</span></p><main>')
    seen = visit(weak.replace("<meta http-equiv", "<meta data-was"))
    assert "color-contrast" in violations(seen)


def test_themes_and_print_have_their_grounds(visit: Open, folder: Path) -> None:
    grounds = {}
    for theme in ("light", "dark"):
        seen = visit(folder / "report.html", color_scheme=theme)
        for media in ("screen", "print"):
            seen.page.emulate_media(media=media, color_scheme=theme)
            grounds[theme, media] = [luminance("#" + bytes(colour).hex()) for colour in seen.page.evaluate(GROUND)]
    assert grounds["light", "screen"][0] > 0.8 > 0.2 > grounds["light", "screen"][1]
    assert grounds["dark", "screen"][0] < 0.05 < 0.6 < grounds["dark", "screen"][1]
    assert grounds["light", "print"] == grounds["dark", "print"] == [1.0, 0.0]


def test_print_shows_what_is_folded_and_no_controls(visit: Open, folder: Path) -> None:
    page = visit(folder / "report.html").page
    folded = page.locator("details:not([open]) td, details:not([open]) .answer").last
    assert not folded.is_visible()
    page.emulate_media(media="print")
    assert folded.is_visible()
    assert not page.locator("nav").is_visible() and not page.locator("#filter").is_visible()


@pytest.mark.parametrize("name", PAGES)
def test_a_page_cuts_off_no_table_and_never_scrolls_sideways(visit: Open, folder: Path, name: str) -> None:
    seen = visit(folder / name)
    seen.open_all()
    for width in (320, 390, 768, 1024, 1440):
        seen.page.set_viewport_size({"width": width, "height": 800})
        assert seen.page.evaluate("document.scrollingElement.scrollWidth") <= width
        assert seen.wider_than(width) == [], width
        assert seen.cut_off() == [], width


@pytest.mark.parametrize("name", ["paragraphs", "paragraphs_alone"])
def test_the_page_for_signing_prints_on_two_sheets_at_most(visit: Open, name: str) -> None:
    pypdf = pytest.importorskip("pypdf", reason="pypdf is not installed")
    model = msgspec.json.decode((EXAMPLES / name / "report.json").read_bytes(), type=ReportModel)
    page = visit(html.render(summary(model), (REPORT, "The whole report"))).page
    printed = page.pdf(prefer_css_page_size=True, print_background=True)
    assert len(pypdf.PdfReader(io.BytesIO(printed)).pages) <= 2


def test_a_text_is_shown_in_the_direction_in_which_it_is_read(visit: Open, tmp_path: Path) -> None:
    asked = replace(make_records()[0].case, input={"document": f"Section 1.\n\n{ARABIC}"}, expected=[ARABIC])
    records = [
        replace(with_text(record, ARABIC), case=asked) if record.case.id == asked.id else record
        for record in make_records()
    ]
    reports.publish([writer(tmp_path)(records=records)], tmp_path / "out")
    seen = visit(tmp_path / "out" / "report.html")
    seen.open_all()
    for box in (".source", ".answer", ".expected .quote"):
        found = seen.page.locator(f".exchange {box}").filter(has_text=ARABIC).first
        assert found.evaluate(STARTS_RIGHT), box


def test_the_probe_sees_a_table_that_is_cut_off(visit: Open, folder: Path) -> None:
    page = (folder / "report.html").read_text("utf-8").replace("<meta http-equiv", "<meta data-was")
    wide = "<div style='overflow-x: auto'><table style='min-width: 900px'><caption>Wide</caption></table></div>"
    seen = visit(page.replace("<main>", f"{wide}<main>"), viewport={"width": 768, "height": 800})
    assert seen.cut_off() == ["Wide"]


def test_rows_stack_on_a_narrow_page_and_name_their_columns(visit: Open, folder: Path) -> None:
    page = visit(folder / "report.html", viewport={"width": 390, "height": 800}).page
    row = page.locator("#gates table.stacks tbody tr").first
    tops = [box["y"] for cell in row.locator("th, td").all() if (box := cell.bounding_box())]
    assert len(tops) > 3 and tops == sorted(set(tops))
    name = row.locator("td").first.evaluate("(cell) => getComputedStyle(cell, '::before').content")
    assert name == '"Outcome"'


def test_the_navigation_marks_the_current_section_and_its_group(visit: Open, folder: Path) -> None:
    page = visit(folder / "report.html", at="#limits", viewport={"width": 1440, "height": 800}).page
    page.locator("nav a[href='#limits'][aria-current]").wait_for()
    assert page.locator("nav [aria-current]").all_text_contents() == ["Record", "Limits"]


def test_the_probe_sees_what_reaches_beyond_a_narrow_page(visit: Open, folder: Path) -> None:
    page = (folder / "report.html").read_text("utf-8").replace("<meta http-equiv", "<meta data-was")
    wide = page.replace("<main>", '<div style="overflow: hidden"><p style="width: 400px">wide</p></div><main>')
    seen = visit(wide, viewport={"width": 320, "height": 800})
    assert any("wide" in node for node in seen.wider_than(320))
