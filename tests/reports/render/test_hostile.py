"""No text that a model or a document holds can act in a report: in HTML, Markdown, JSON, SVG or on a terminal."""

import io
import re
import unicodedata
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import msgspec
import pytest
from markdown_it import MarkdownIt
from rich.console import Console

import reports
from harness.sanitize import is_hidden
from harness.schema import Verdict
from reports.charts import curves
from reports.model import ReportModel
from reports.render import html, markdown
from reports.render.terminal import gate_table
from reports.write import to_json
from tests.reports.conftest import Writer
from tests.support.hostile import ATTACKS, curve_of, model_of, random_texts
from tests.support.sample import make_manifest, make_record, make_records

TEXTS = [*ATTACKS, *random_texts(500)]
OWN_TAGS = {
    "html", "head", "meta", "title", "style", "body", "a", "header", "div", "p", "h1", "h2", "h3", "h4", "span", "nav",
    "ol", "ul", "li", "main", "section", "article", "table", "caption", "thead", "tbody", "tr", "th", "td", "code",
    "dl", "dt", "dd", "figure", "figcaption", "svg", "g", "line", "rect", "circle", "path", "text", "ins", "del",
    "mark", "footer", "details", "summary", "defs", "use", "clippath", "strong", "script", "form", "label", "input",
    "select", "option", "button",
}  # fmt: skip
OWN_ATTRIBUTES = {
    "lang", "charset", "http-equiv", "content", "name", "class", "href", "aria-hidden", "aria-label", "aria-labelledby",
    "id", "role", "tabindex", "scope", "colspan", "viewbox", "width", "height", "x", "y", "x1", "x2", "y1", "y2", "d",
    "data-is", "data-do", "data-column", "open", "hidden", "aria-live", "type", "value", "placeholder", "autocomplete",
    "xmlns", "xmlns:xlink", "xlink:href", "version", "clip-path", "transform", "dir",
}  # fmt: skip


class Page(HTMLParser):
    """Tags, attribute names and link targets of a page."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.attributes: set[str] = set()
        self.links: list[str] = []
        self.scripts: list[str] = []
        self.depth = 0
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.attributes |= {name for name, _ in attrs}
        self.scripts += [""] if tag == "script" else []
        self.links += [value or "" for name, value in attrs if name in ("href", "src")]

    def handle_data(self, data: str) -> None:
        if self.cdata_elem == "script":
            self.scripts[-1] += data


@pytest.fixture(scope="module")
def model() -> ReportModel:
    return model_of(TEXTS)


def test_the_page_holds_only_its_own_tags_attributes_and_anchors(model: ReportModel) -> None:
    page = Page(html.render(model))
    assert page.tags - OWN_TAGS == set()
    assert page.attributes - OWN_ATTRIBUTES == set()
    assert {link for link in page.links if not link.startswith("#")} == {"summary.html"}
    assert page.scripts == ["".join((html.HERE / name).read_text("utf-8") for name in ("place.js", "filter.js"))]


def test_no_hidden_character_reaches_page_or_markdown(model: ReportModel) -> None:
    for text in (html.render(model), markdown.render(model)):
        assert {f"U+{ord(c):04X}" for c in text if is_hidden(c)} == set()
        assert "⟨U+202E⟩" in text and "⟨U+001B⟩" in text
        text.encode("utf-8")


def test_the_page_shows_a_hidden_character_apart_from_its_name_written_out() -> None:
    assert html.text("\u202e") == '<span class="hidden-character">⟨U+202E⟩</span>'
    assert html.text("⟨U+202E⟩") == "⟨U+202E⟩"


def test_markdown_makes_no_heading_link_image_html_or_table_of_hostile_text(model: ReportModel) -> None:
    text = markdown.render(model)
    tokens = MarkdownIt("gfm-like", {"linkify": False}).parse(text)
    inline = [child.type for token in tokens for child in token.children or []]
    assert {"link_open", "image", "html_inline", "code_inline", "em_open", "s_open"} & set(inline) == set()
    assert "html_block" not in {token.type for token in tokens}
    headings = [t for t in tokens if t.type == "heading_open"]
    written = [line for line in _outside_fences(text) if re.match(r"#{1,3} ", line)]
    assert len(headings) == len(written) == 2 + 3 * (len(TEXTS) // 20)


def test_a_fence_is_longer_than_any_run_of_backticks_inside() -> None:
    for text in TEXTS:
        lines = markdown.fence(text)
        assert lines[-1] not in "\n".join(lines[1:-1])
        tokens = MarkdownIt().parse("\n".join(lines))
        assert [t.type for t in tokens] == ["fence"]


def test_an_escaped_line_reads_as_its_own_plain_text() -> None:
    for text in TEXTS:
        line = markdown.escape(text)
        tokens = MarkdownIt("gfm-like", {"linkify": False}).parse(line)
        if line:
            assert [t.type for t in tokens] == ["paragraph_open", "inline", "paragraph_close"], line
            assert {c.type for c in tokens[1].children or []} <= {"text", "text_special"}, line


def test_json_gives_the_texts_back_and_is_plain_ascii(model: ReportModel) -> None:
    whole = to_json(model)
    assert whole.isascii()
    assert {c for c in whole if unicodedata.category(c) == "Cc"} == {"\n"}
    clean = model_of([text for text in TEXTS if "\ud800" not in text])
    assert msgspec.json.decode(to_json(clean), type=ReportModel) == clean


def test_a_chart_holds_hostile_names_as_text_only() -> None:
    for i in range(0, len(ATTACKS) - 3, 4):
        svg, css = curves.draw(curve_of(ATTACKS[i:]))
        page = Page(svg)
        assert {"script", "img", "iframe", "a", "style"} & page.tags == set()
        assert not [name for name in page.attributes if name.startswith("on") or name == "style"]
        assert {link for link in page.links if not link.startswith("#")} == set()
        assert "<" not in css


def test_a_terminal_gets_no_control_sequence_and_no_markup() -> None:
    verdicts = [
        Verdict(suite=t, gate="g", metric=t, rule="at_least", outcome="fail", bar=t, reason=t, needed=t)
        for t in ATTACKS
    ]
    out = io.StringIO()
    Console(file=out, width=200, force_terminal=True, color_system="standard").print(
        gate_table(verdicts, is_verbose=True)
    )
    printed = re.sub(r"\x1b\[[\d;]*m", "", out.getvalue())
    assert {f"U+{ord(c):04X}" for c in printed if is_hidden(c)} == set()
    assert "[bold red]markup" in printed
    assert "\x1b]8" not in out.getvalue()


def test_a_run_full_of_attacks_makes_an_inert_report(write_run: Writer, tmp_path: Path) -> None:
    records = make_records()
    for number, text in enumerate(t for t in ATTACKS if "\ud800" not in t):
        more: dict[str, Any] = {"found": number % 2 == 0}
        records += [make_record(100 + number, "baseline", text), make_record(100 + number, "tuned", text * 2, **more)]
    manifest = make_manifest(run_id=ATTACKS[0], notes=ATTACKS[:21], engine={ATTACKS[2]: ATTACKS[3]})
    model = reports.build([write_run(records=records, manifest=manifest)])
    page = Page(html.render(model))
    assert page.tags - OWN_TAGS == set()
    assert page.attributes - OWN_ATTRIBUTES == set()
    assert len(reports.write(model, tmp_path / "out")) == 4


def _outside_fences(text: str) -> list[str]:
    """Lines of a Markdown text that are in no fence, found by the fences' own lengths."""
    lines, closing = [], ""
    for line in text.split("\n"):
        if closing:
            closing = "" if line == closing else closing
        elif re.fullmatch(r"`{3,}text", line):
            closing = line.removesuffix("text")
        else:
            lines.append(line)
    return lines
