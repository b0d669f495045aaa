"""The page for readers who cannot see colour, cannot see at all, or read in the dark."""

import itertools
import re
from html.parser import HTMLParser

import pytest

import reports
from harness.runs.folder import RunData
from reports.render import html

STYLE = (html.HERE / "style.css").read_text("utf-8")
GROUNDS = ("ground", "paper", "soft")
INKS = ("ink", "muted", "accent", "good", "bad", "caution")
OWN_GROUND = [(name, f"{name}-soft") for name in ("accent", "good", "bad", "caution")] + [("ink", "caution-soft")]


class Outline(HTMLParser):
    """Every tag with its attributes, in order."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str]]] = []
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, {name: value or "" for name, value in attrs}))

    def all(self, *tags: str) -> list[dict[str, str]]:
        return [attrs for tag, attrs in self.found if tag in tags]


@pytest.fixture
def page(run: RunData, training_run: RunData) -> Outline:
    return Outline(html.render(reports.build([run, training_run])))


def luminance(colour: str) -> float:
    """WCAG 2.2 relative luminance of `#rrggbb`."""
    parts = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    red, green, blue = (c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def contrast(one: str, other: str) -> float:
    low, high = sorted((luminance(one), luminance(other)))
    return (high + 0.05) / (low + 0.05)


def themes() -> list[dict[str, str]]:
    return [
        dict(re.findall(r"--([a-z-]+): (#[0-9a-f]{6})", block)) for block in re.findall(r":root \{(.*?)\}", STYLE, re.S)
    ]


@pytest.mark.parametrize("theme", themes(), ids=["light", "dark", "print"])
def test_every_text_colour_is_readable_on_every_ground(theme: dict[str, str]) -> None:
    pairs = [*itertools.product(INKS, GROUNDS), *OWN_GROUND]
    weak = {pair: round(contrast(theme[pair[0]], theme[pair[1]]), 2) for pair in pairs}
    assert {pair: ratio for pair, ratio in weak.items() if ratio < 4.5} == {}


def test_contrast_is_measured_as_wcag_does() -> None:
    assert contrast("#ffffff", "#000000") == pytest.approx(21)
    assert contrast("#777777", "#ffffff") == pytest.approx(4.48, abs=0.01)


def check_outline(page: Outline) -> None:
    """Refuse what a reader who cannot see the page would miss."""
    assert len(page.all("table")) == len(page.all("caption"))
    assert {attrs.get("scope") for attrs in page.all("th")} == {"col", "row"}
    levels = [int(tag[1]) for tag, _ in page.found if re.fullmatch(r"h[1-6]", tag)]
    assert levels[0] == 1 and levels.count(1) == 1
    assert all(after <= before + 1 for before, after in itertools.pairwise(levels)), "headings skip a level"
    ids = [attrs["id"] for _, attrs in page.found if "id" in attrs]
    assert len(ids) == len(set(ids))
    links = {attrs["href"].removeprefix("#") for attrs in page.all("a", "use") if attrs.get("href", "").startswith("#")}
    assert links | {a["aria-labelledby"] for _, a in page.found if "aria-labelledby" in a} <= set(ids)
    assert all(d.get("aria-hidden") == "true" or (d.get("role") == "img" and d["aria-label"]) for d in page.all("svg"))


def test_the_page_is_readable_without_seeing_it_and_no_box_needs_to_scroll(page: Outline) -> None:
    check_outline(page)
    assert len(page.all("table")) > 8 and len(page.all("svg")) >= 4
    assert not [attrs for _, attrs in page.found if "tabindex" in attrs]
    assert "overflow-x" not in STYLE


def test_outcome_and_change_are_said_in_words_too(run: RunData) -> None:
    text = html.render(reports.build([run]))
    assert re.search(r'<span class="badge fail"><span aria-hidden="true">✗</span> FAIL</span>', text)
    assert re.search(r'<ins><span class="sign">\[\+ </span>.*?</ins>', text)
    assert re.search(r'<del><span class="sign">\[− </span>.*?</del>', text)
    assert "✗ citation invented" in text


def test_the_page_has_a_print_and_a_dark_style() -> None:
    assert "@media print" in STYLE and "prefers-color-scheme: dark" in STYLE
    assert "url(" not in STYLE and "@import" not in STYLE
