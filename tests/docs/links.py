"""Reads links, anchors and what a browser would load, from HTML and from Markdown as GitHub shows it."""

import re
from collections import Counter
from html.parser import HTMLParser
from itertools import pairwise
from pathlib import Path

from markdown_it import MarkdownIt

ROOT = Path(__file__).parents[2]
PAGES = ("*.md", "docs/**/*.md", "deploy/*.md", "evalsuites/**/*.md")
LOADS = {
    "img": ("src", "srcset"),
    "script": ("src",),
    "link": ("href",),
    "iframe": ("src",),
    "source": ("src", "srcset"),
    "object": ("data",),
    "embed": ("src",),
    "video": ("src", "poster"),
    "audio": ("src",),
}
"""Attributes that a browser follows by itself, by tag."""


class Reader(HTMLParser):
    """What stands in one page: `Reader(html)`."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.links: list[str] = []
        """Where a reader can go."""
        self.loads: list[str] = []
        """What a browser asks for unasked."""
        self.anchors: set[str] = set()
        """Places that a link can lead to."""
        self.styles: list[str] = []
        """Style sheets that stand in the page, and styles of single tags."""
        self.tags: Counter[str] = Counter()
        """How often each tag is there."""
        self._in_style = False
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        self.tags[tag] += 1
        self.anchors |= {given[name] for name in ("id", "name") if given.get(name)}
        self._in_style = tag == "style"
        if tag == "a" and given.get("href"):
            self.links.append(given["href"])
        if "style" in given:
            self.styles.append(given["style"])
        for name in filter(given.get, LOADS.get(tag, ())):
            parts = given[name].split(",") if name == "srcset" else [given[name]]
            self.loads += [part.split()[0] for part in parts if part.strip()]

    def handle_endtag(self, tag: str) -> None:
        self._in_style = False

    def handle_data(self, data: str) -> None:
        if self._in_style:
            self.styles.append(data)


def pages() -> list[str]:
    """Every page of the repository, as a path from its root."""
    return sorted({path.relative_to(ROOT).as_posix() for pattern in PAGES for path in ROOT.glob(pattern)})


def shown(text: str) -> Reader:
    """Markdown as GitHub shows it, with the anchors that headings get there."""
    markdown = MarkdownIt("gfm-like", {"linkify": False})
    reader = Reader(markdown.render(text))
    seen: Counter[str] = Counter()
    for before, token in pairwise(markdown.parse(text)):
        if before.type == "heading_open":
            title = "".join(child.content for child in token.children or ())
            name = re.sub(r"[^\w\- ]", "", title.strip().lower()).replace(" ", "-")
            reader.anchors.add(f"{name}-{seen[name]}" if seen[name] else name)
            seen[name] += 1
    return reader
