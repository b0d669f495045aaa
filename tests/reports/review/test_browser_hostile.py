"""Hostile answers, sources and questions on the review's pages: inert with escaping alone and with the policy alone."""

from __future__ import annotations

import html as markup
import re
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec
import pytest

from harness.schema import Record
from tests.reports.review.conftest import Live, WriteRun
from tests.reports.review.typing import begin, go_on, open_link, practise, press, stage
from tests.support.browser import NewContext
from tests.support.hostile import ATTACKS, RUN, random_texts
from tests.support.sample import make_record

if TYPE_CHECKING:
    from playwright.sync_api import BrowserContext, Page, Route

META = re.compile(r"<meta[^>]*refresh[^>]*>", re.I)
"""No policy stops a page that is told to go elsewhere; only escaping does."""

pytestmark = [pytest.mark.browser, pytest.mark.slow]
Start = Callable[..., Live]


def hostile_records() -> list[Record]:
    """One case full of attacks in every place where a text can stand."""
    texts = [text.replace("\ud800", "") for text in [*ATTACKS, *random_texts(30)]]
    half = len(texts) // 2
    made = []
    for variant, answer in (("baseline", texts[:half]), ("tuned", texts[half:])):
        record = make_record(1, variant, "\n".join(answer))
        inputs = {"document": "\n".join(texts), "question": "\n".join(reversed(texts)), "<b>x": texts[0]}
        case = msgspec.structs.replace(record.case, input=inputs, expected=[t for t in texts[:12] if t.strip()])
        made.append(msgspec.structs.replace(record, case=case))
    return made


def ran(page: Page) -> bool:
    return page.evaluate("document.documentElement.dataset.pwned") is not None


def visit(context: BrowserContext, link: str) -> Page:
    """To the hostile item, through consent, rubric and practice."""
    page = open_link(context, link)
    begin(page)
    practise(page)
    assert stage(page) == "task" and "Item 1 of 1" in page.inner_text("h1")
    page.wait_for_timeout(300)
    return page


def unescape(route: Route) -> None:
    """The server's answer with the texts' escaping undone, as if a template had forgotten it."""
    response = route.fetch()
    head, _, body = response.text().partition("<main")
    cards = re.compile(r'<section class="card (?:given|answer)".*?</section>', re.S)
    body = cards.sub(lambda card: META.sub("", markup.unescape(card[0])), body)
    route.fulfill(response=response, body=f"{head}<main{body}")


def reload_unescaped(page: Page, origin: str) -> list[str]:
    """What the page then asks for elsewhere; what the policy blocks never gets that far."""
    asked: list[str] = []

    def refuse(route: Route) -> None:
        asked.append(route.request.url)
        route.abort()

    page.route(lambda url: not url.startswith(origin), refuse)
    page.route(f"{origin}/", unescape)
    page.reload(wait_until="domcontentloaded")
    page.wait_for_timeout(300)
    return asked


def test_with_escaping_alone_no_text_acts(live: Start, write_run: WriteRun, new_context: NewContext) -> None:
    server = live(write_run(hostile_records()), "--reviewer", "r1")
    context = new_context(bypass_csp=True)
    asked: list[str] = []
    context.on("request", lambda request: asked.append(request.url))
    page = visit(context, server.links["r1"])
    page.evaluate("eval('1')")
    assert not ran(page)
    for side in ("A", "B"):
        press(page, side.lower(), "f")
        page.keyboard.type("1-3")
        press(page, "Enter", "1")
        page.locator(f'[data-side="{side}"] .marks li').wait_for()
        press(page, "j", "3", "j", "3")
        for _ in range(page.locator(f'[data-side="{side}"] [data-question=clause]').count()):
            press(page, "j", "1")
    press(page, "n")
    page.keyboard.insert_text("\n".join(text for text in ATTACKS if "\ud800" not in text))
    press(page, "Escape", "p", "1")
    go_on(page)
    assert stage(page) == "guess"
    press(page, "Tab", "Space")
    go_on(page)
    assert stage(page) == "done" and not ran(page)
    assert [url for url in asked if not url.startswith((server.origin, "data:"))] == []


def test_with_the_policy_alone_no_text_acts(live: Start, write_run: WriteRun, new_context: NewContext) -> None:
    server = live(write_run(hostile_records()), "--reviewer", "r1")
    page = visit(new_context(), server.links["r1"])
    assert reload_unescaped(page, server.origin) == []
    assert page.locator("main img, main iframe").count() > 0
    assert not ran(page)


def test_without_either_layer_the_same_texts_do_act(live: Start, write_run: WriteRun, new_context: NewContext) -> None:
    server = live(write_run(hostile_records()), "--reviewer", "r1")
    page = visit(new_context(bypass_csp=True), server.links["r1"])
    asked = reload_unescaped(page, server.origin)
    for _ in range(2000):
        if ran(page) and any("evil.example" in url for url in asked):
            break
        page.wait_for_timeout(50)  # What a text does comes later on a busy machine.
    assert [url for url in asked if "evil.example" in url] != []
    assert ran(page)


def test_a_packet_is_inert_too(tmp_path: Path, write_run: WriteRun, new_context: NewContext) -> None:
    from reports.review import packet

    out = tmp_path / "packet.html"
    packet(write_run(hostile_records()), "compare", "r1", out, lambda line: None)
    assert RUN in out.read_text("utf-8")
    for bypass in (False, True):
        page = new_context(bypass_csp=bypass).new_page()
        asked: list[str] = []
        page.on("request", lambda request, asked=asked: asked.append(request.url))
        page.goto(out.as_uri())
        page.evaluate("for (const part of document.querySelectorAll('[hidden]')) part.hidden = false")
        page.wait_for_timeout(300)
        assert not ran(page)
        assert [url for url in asked if url != out.as_uri() and not url.startswith("data:")] == []
