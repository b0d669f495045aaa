"""Hostile answers in a real Chromium: inert by escaping alone, and by the content policy alone.

One layer is taken away by the test: the policy is cut out of the page, or the page's body is unescaped, so that every
text stands in it as raw mark-up.
"""

from __future__ import annotations

import html as markup
import re
from pathlib import Path

import pytest
from msgspec import structs

import reports
from harness.schema import Record
from reports.model import Answer, Exchange, Piece, ReportModel, Section
from reports.render import html
from tests.reports.conftest import Writer
from tests.support.hostile import ATTACKS, RUN, model_of, random_texts
from tests.support.sample import make_manifest, make_record, make_records
from tests.support.visits import Open, Visit

pytestmark = [pytest.mark.browser, pytest.mark.slow]

POLICY = re.compile(r'<meta http-equiv="Content-Security-Policy"[^>]*>')
EVIL = "https://evil.example"
MORE = [
    f"<svg xmlns='http://www.w3.org/2000/svg'><script>{RUN}</script></svg>",
    f"<svg><animate onbegin={RUN} attributeName=x dur=1s>",
    f"<svg><a href='javascript:{RUN}'><text y=9>click</text></a><image href='{EVIL}/x.svg'/></svg>",
    f"<details open ontoggle={RUN}>x</details>",
    f"<input autofocus onfocus={RUN}><video src=x onerror={RUN}><source onerror={RUN}>",
    f"<form action='javascript:{RUN}'><button>send</button></form>",
    f"<object data='{EVIL}/a.svg'></object><embed src='{EVIL}/a.pdf'><audio src='{EVIL}/a.mp3'></audio>",
    f"<noscript><p title='</noscript><img src=x onerror={RUN}>'></noscript>",
    f"<!--><script>{RUN}</script>",
    f"<math><mtext><img src=x onerror={RUN}></mtext></math>",
    f"<div style='background:url({EVIL}/a.png)'>x</div><style>@import '{EVIL}/a.css';</style>",
    f"<script src={EVIL}/a.js></script><script type=module>import '{EVIL}/b.js'</script>",
    f"<iframe srcdoc='<script>parent.{RUN}</script>'></iframe>",
]
TEXTS = [*ATTACKS, *MORE]
ACTING = [text for text in TEXTS if RUN in text and "<" in text]
"""Texts whose script does run where they stand as mark-up."""
REFRESH = [text for text in TEXTS if "http-equiv=refresh" in text]
"""A policy in a page cannot forbid that the page goes elsewhere; only escaping holds these."""
LINE = "a" * 1_000_000
CLICK = """() => {
  for (const node of document.querySelectorAll("a[href^='javascript:']"))
    node.dispatchEvent(new MouseEvent("click", { bubbles: true, cancelable: true }));
  for (const node of document.querySelectorAll("form:not(#filter)"))
    if (node instanceof HTMLFormElement) node.submit();
  for (const kind of ["mouseover", "focus", "click", "toggle", "load", "error"])
    for (const node of document.querySelectorAll("*")) node.dispatchEvent(new Event(kind));
}"""


def provoke(seen: Visit) -> None:
    """Open, click, hover and focus everything, as a reader could."""
    from playwright.sync_api import Error

    for act in (seen.open_all, lambda: seen.page.evaluate(CLICK)):
        try:
            act()
        except Error as error:
            # A page that goes elsewhere by itself may do so just then; what it did before is kept.
            if "Execution context was destroyed" not in str(error):
                raise
        seen.page.wait_for_timeout(50)


def runs_in_time(seen: Visit) -> bool:
    """A script runs a moment after it was provoked, and later on a busy machine."""
    for _ in range(2000):
        if seen.ran:
            return True
        seen.page.wait_for_timeout(50)
    return False


def raw(page: str) -> str:
    """The page with its body as mark-up."""
    head, body = page.split("</head>")
    return f"{head}</head>{markup.unescape(body)}"


def long_page(text: str) -> str:
    """A report with one case whose answer is this text."""
    answer = Answer(variant="Tuned", pieces=[Piece(text=text)])
    case = Exchange(
        case_id="c", source="s", kind="gain", why="w", excerpt="e", excerpt_note="n", expected="x", answers=[answer]
    )
    sections = [Section(id="changes", title="Cases", blocks=[case])]
    return html.render(ReportModel(title="t", run_id="r", seal="s", outcome="fail", sections=sections))


@pytest.fixture
def folder(write_run: Writer, tmp_path: Path) -> Path:
    """A published report of a run whose answers, tags, settings and notes are attacks."""
    records = make_records()
    for number, text in enumerate(text for text in TEXTS if "\ud800" not in text):
        found = number % 2 == 0
        before, after = make_record(100 + number, "baseline", text), make_record(100 + number, "tuned", text * 2, found)
        records += [tagged(before, text), tagged(after, text)]
    manifest = make_manifest(run_id=ATTACKS[0], notes=ATTACKS[:21], engine={ATTACKS[2]: ATTACKS[3]})
    reports.publish([write_run(records=records, manifest=manifest)], tmp_path / "out")
    return tmp_path / "out"


def tagged(record: Record, text: str) -> Record:
    return structs.replace(record, case=structs.replace(record.case, tags={"instrument": text}, expected=[text]))


def test_without_either_layer_the_same_texts_do_run(visit: Open) -> None:
    ran = []
    for text in ACTING:
        seen = visit(raw(POLICY.sub("", html.render(model_of([text])))))
        provoke(seen)
        ran += [text] if runs_in_time(seen) else []
        seen.close()
    assert ran == ACTING


def test_the_policy_alone_lets_no_script_run_and_nothing_load(visit: Open) -> None:
    held = []
    for text in TEXTS:
        seen = visit(raw(html.render(model_of([text]))))
        provoke(seen)
        assert not seen.ran, text
        assert text in REFRESH or len(seen.asked) == 1, (text, seen.asked)
        held += [text] if seen.blocked else []
        seen.close()
    assert [text for text in ACTING if text not in held] == []


def test_escaping_alone_leaves_every_text_as_text(visit: Open) -> None:
    seen = visit(POLICY.sub("", html.render(model_of([*TEXTS, *random_texts(200)]))))
    provoke(seen)
    assert (seen.ran, seen.asked[1:], seen.said) == (False, [], [])
    links = seen.page.eval_on_selector_all("a, form, base, iframe", "all => all.map((node) => node.outerHTML)")
    own = ('<a href="#', '<a class="skip" href="#', '<a class="group" href="#', '<form id="filter"')
    assert [link for link in links if not link.startswith(own)] == [
        '<a class="other" href="summary.html">Two-page summary</a>'
    ]
    shown = seen.page.locator("main").inner_text()
    assert all(part in shown for part in ("<script>", "onerror", "```", "⟨U+001B⟩", "⟨U+202E⟩", "⟨U+200B⟩", "<svg"))


@pytest.mark.parametrize("layer", ["both", "escaping"])
def test_a_run_full_of_attacks_makes_inert_pages_whose_filter_works(visit: Open, folder: Path, layer: str) -> None:
    for path in sorted(folder.glob("*.html")):
        page = path.read_text("utf-8")
        seen = visit(page if layer == "both" else POLICY.sub("", page))
        has_cases = path.name != "summary.html"
        if has_cases:
            seen.page.locator("#filter [name=text]").fill("onerror")
        provoke(seen)
        assert (seen.ran, seen.asked[1:], seen.blocked, seen.said) == (False, [], [], [])
        if has_cases:
            seen.page.wait_for_function("document.getElementById('count').textContent.startsWith('Showing')")


@pytest.mark.parametrize("text", [LINE, f"<img src=x onerror={RUN}>" * 500], ids=["one word", "mark-up"])
@pytest.mark.parametrize("layer", ["escaping", "policy"])
def test_a_megabyte_on_one_line_and_much_mark_up_are_inert_and_stay_in_their_box(
    visit: Open, text: str, layer: str
) -> None:
    page = long_page(text)
    seen = visit(POLICY.sub("", page) if layer == "escaping" else raw(page), viewport={"width": 320, "height": 640})
    seen.open_all()
    assert (seen.ran, seen.asked[1:]) == (False, [])
    assert layer == "policy" or seen.wider_than(320) == []
