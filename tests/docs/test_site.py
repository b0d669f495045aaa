"""The documentation site: it builds strictly, leads nowhere that is not, and asks no other host for anything."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from importlib.util import find_spec
from pathlib import Path
from threading import Thread
from typing import TYPE_CHECKING
from urllib.parse import unquote, urlsplit

import pytest

from tests.docs.links import Reader, pages, shown
from tests.support.browser import NewContext

if TYPE_CHECKING:
    from playwright.sync_api import Page

ROOT = Path(__file__).parents[2]
REPORTS = "examples/"
"""Below it, reports are copied as they are: no page of docs/ in a folder of its own."""
FOREIGN = re.compile(r"(?:url\(|@import)\s*['\"]?\s*(?:https?:)?//[^)'\"]+")
"""A style sheet's way to ask another host."""
DIALECT = ("h1", "h2", "h3", "h4", "ol", "ul", "li", "table", "th", "td", "pre", "strong", "em", "blockquote")
"""Tags that a page has as often on the site as on GitHub, unless the two read its Markdown differently."""
GENERATED = "docs/python-api.md"
"""Filled from docstrings on the site alone."""

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(find_spec("mkdocstrings") is None, reason="needs mkdocs: pip install '.[docs]'"),
]


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The site, built as `make docs` builds it."""
    folder = tmp_path_factory.mktemp("site")
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "--site-dir", str(folder)]
    quiet = {**os.environ, "NO_MKDOCS_2_WARNING": "1"}
    done = subprocess.run(command, cwd=ROOT, env=quiet, capture_output=True, text=True, timeout=600, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return folder


@pytest.fixture(scope="module")
def read(site: Path) -> dict[str, Reader]:
    """Every HTML file of the site by its path in it."""
    return {path.relative_to(site).as_posix(): Reader(path.read_text("utf-8")) for path in site.rglob("*.html")}


def place_of(page: str) -> str:
    """Where the site has a page of the repository."""
    path = Path(page.removeprefix("docs/"))
    return path.with_name("index.html" if path.stem == "README" else f"{path.stem}.html").as_posix()


def on_site() -> list[str]:
    """Pages of the repository that are to be pages of the site: those of docs/, and those beside what they describe.

    The guides of the suite's brands are data of the suite.
    """
    others = re.compile(rf"docs/{REPORTS}.+/|evalsuites/brand/voice/brands/")
    return [page for page in pages() if "/" in page and not others.match(page)]


def test_every_page_is_in_the_navigation(site: Path, read: dict[str, Reader]) -> None:
    navigation = re.search(
        r"<nav class=\"md-nav md-nav--primary.*?</nav>\s*</div>", (site / "index.html").read_text(), re.S
    )
    assert navigation
    named = {unquote(link) for link in Reader(navigation[0]).links}
    assert [page for page in on_site() if place_of(page) not in named | {"index.html"}] == []


def place(site: Path, name: str, path: str) -> Path:
    """The file that a link in a page leads to."""
    if path.startswith("/"):  # as in 404.html, which a server shows for any address
        return site / path.lstrip("/")
    return (site / name).parent / path if path else site / name


def test_every_link_leads_to_a_page_and_a_place_in_it(site: Path, read: dict[str, Reader]) -> None:
    dead = []
    for name, reader in read.items():
        for link in [*reader.links, *reader.loads]:
            scheme, host, path, _, anchor = urlsplit(link)
            if scheme or host:
                continue
            target = place(site, name, unquote(path))
            there = read.get(os.path.relpath(target, site))
            if not target.is_file() or (anchor and there and unquote(anchor) not in {*there.anchors, "__skip"}):
                dead.append(f"{name}: {link}")
    assert dead == []


def test_no_page_asks_another_host(site: Path, read: dict[str, Reader]) -> None:
    asked = [f"{name}: {link}" for name, one in read.items() for link in one.loads if urlsplit(link).netloc]
    asked += [
        f"{name}: {one}" for name, page in read.items() for style in page.styles for one in FOREIGN.findall(style)
    ]
    for sheet in site.rglob("*.css"):
        asked += [f"{sheet.name}: {one}" for one in FOREIGN.findall(sheet.read_text("utf-8"))]
    assert asked == []


def test_the_python_api_is_filled_from_docstrings(site: Path) -> None:
    page = Reader((site / place_of(GENERATED)).read_text("utf-8"))
    names = {f"tunegate.{name}" for name in ("evaluate", "compare", "train", "Suite", "Case", "scorer")}
    assert names <= page.anchors and page.tags["table"] > 6


@pytest.fixture
def served(site: Path) -> Iterator[str]:
    """Address of a server of the site."""
    handler = partial(Quiet, directory=str(site))
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


class Quiet(SimpleHTTPRequestHandler):
    """Serves files and says nothing."""

    def log_message(self, *said: object) -> None:
        pass


@pytest.mark.browser
def test_in_a_browser_pages_and_search_ask_their_own_server_alone(served: str, new_context: NewContext) -> None:
    page = new_context().new_page()
    asked: list[str] = []
    faults: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.on("pageerror", lambda error: faults.append(str(error)))
    for name in ("index.html", "reference/commands.html", "404.html"):
        page.goto(f"{served}/{name}")
        page.wait_for_load_state("networkidle")
    page.goto(f"{served}/index.html#search")
    page.wait_for_load_state("networkidle")
    page.locator("input.md-search__input").press_sequentially("noise floor")  # the page listens for keys, not for text
    page.locator(".md-search-result__item").first.wait_for()
    assert "before.html" in {link.split("?")[0].split("/")[-1] for link in hits(page)}
    assert [url for url in asked if not url.startswith((served, "data:", "blob:"))] == []
    assert faults == []


def hits(page: Page) -> list[str]:
    """Where the results of a search lead."""
    found: list[str] = page.locator("a.md-search-result__link").evaluate_all("all => all.map(one => one.href)")
    return found


@pytest.mark.parametrize("page", [page for page in on_site() if page != GENERATED])
def test_the_site_reads_a_page_as_github_does(site: Path, page: str) -> None:
    html = (site / place_of(page)).read_text("utf-8")
    there = Reader(html[html.index("<article") : html.index("</article>")])
    here = shown((ROOT / page).read_text("utf-8"))
    assert {tag: there.tags[tag] for tag in DIALECT} == {tag: here.tags[tag] for tag in DIALECT}
    assert here.anchors - there.anchors == set()


@pytest.mark.parametrize("style", ["url(https://a.b/c.css)", "@import '//a.b/c.css'", 'url( "http://a.b/c.woff")'])
def test_a_style_that_asks_another_host_is_seen(style: str) -> None:
    assert FOREIGN.findall(style) != []
    assert FOREIGN.findall("url(../c.svg) url(data:image/svg+xml,<svg xmlns='http://www.w3.org/2000/svg'/>)") == []


def test_what_a_page_loads_is_seen() -> None:
    html = '<img src="a.png" srcset="b.png 1x, //c.d/e.png 2x"><script src="https://f.g/h.js"></script><a href="https://i.j">'
    assert Reader(html).loads == ["a.png", "b.png", "//c.d/e.png", "https://f.g/h.js"]
