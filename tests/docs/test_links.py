"""What a page of the repository links to is there: as GitHub shows it, and wherever code names a page of docs/."""

import re
from functools import cache
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest

from tests.docs.links import Reader, pages, shown

ROOT = Path(__file__).parents[2]
NAMED = re.compile(r"docs/(?!decisions/NNNN)(?:[\w-]+/)*[\w-]+\.(?:md|yml|png)")
"""A file of docs/ that code or prose names."""
CODE = ("harness", "training", "reports", "evalsuites", "benchmarks", "tools", "deploy", ".github", "docs")
KINDS = (".py", ".md", ".jinja", ".toml", ".yml", ".yaml", ".js", ".css")


@cache
def read(page: str) -> Reader:
    return shown((ROOT / page).read_text("utf-8"))


def dead(page: str, reader: Reader) -> list[str]:
    """Links of a page that lead nowhere in the repository."""
    found = []
    for link in [*reader.links, *reader.loads]:
        scheme, host, path, _, anchor = urlsplit(link)
        if scheme or host:
            continue
        target = ROOT / (Path(page).parent / unquote(path) if path else page)
        if not target.exists():
            found.append(link)
        elif anchor and target.suffix == ".md":
            there = read(target.resolve().relative_to(ROOT).as_posix()) if path else reader
            found += [] if unquote(anchor) in there.anchors else [link]
    return found


@pytest.mark.parametrize("page", pages())
def test_links_of_a_page_lead_to_a_file_and_a_heading(page: str) -> None:
    assert dead(page, read(page)) == []


def test_a_link_that_leads_nowhere_is_found() -> None:
    links = "no.md", "guide.md#no", "guide.md#words", "#a-b-1", "#a-b-2", "../README.md#two-commands"
    text = "# A, b\n\n## A b\n\n" + "\n".join(f"[x]({link})" for link in links)
    assert dead("docs/guide.md", shown(text)) == ["no.md", "guide.md#no", "#a-b-2"]


def test_every_file_of_docs_that_is_named_is_there() -> None:
    files = [path for folder in CODE for path in (ROOT / folder).rglob("*") if path.suffix in KINDS]
    named = {
        (path.relative_to(ROOT).as_posix(), name)
        for path in [*files, *ROOT.glob("*.md"), ROOT / "Makefile", ROOT / "pyproject.toml"]
        for name in NAMED.findall(path.read_text("utf-8"))
    }
    assert len(named) > 20
    assert sorted(one for one in named if not (ROOT / one[1]).exists()) == []
