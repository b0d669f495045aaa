"""A reader with five minutes: ten questions have their answers on the first two screens, and the page is short."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

import reports
from tests.reports.conftest import writer
from tests.support.command import ROOT
from tests.support.sample import make_manifest, make_suite
from tests.support.visits import Open
from tools.report_words import LIMIT, count

PROMPT = '{% set system = "You review contracts." %}\nWhich clauses does the excerpt contain?\n\n{{ document }}\n'
ROW = re.compile(r"^\| (.*\?) \| .* \| `(.*)` \|$", re.MULTILINE)
SCREENS, HEIGHT = 2, 900


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The report of a run that holds its prompt template."""
    root = tmp_path_factory.mktemp("reader")
    run = writer(root)(manifest=make_manifest(suites=[make_suite(prompt=PROMPT)]))
    reports.publish([run], root / "out")
    return root / "out"


def questions() -> list[tuple[str, str]]:
    """The questions of docs/reports.md, each with the place of its answer."""
    return ROW.findall((ROOT / "docs" / "reports.md").read_text("utf-8"))


@pytest.mark.browser
@pytest.mark.slow
def test_ten_questions_have_their_answers_on_the_first_two_screens(visit: Open, folder: Path) -> None:
    page = visit(folder / "report.html", viewport={"width": 1440, "height": HEIGHT}).page
    asked = questions()
    assert len(asked) == 10
    places = {question: page.locator(place).first.bounding_box() for question, place in asked}
    late = {question: box for question, box in places.items() if not box or box["y"] > SCREENS * HEIGHT}
    assert late == {}


@pytest.mark.parametrize(
    ("place", "answer"),
    [
        ("context", "org/small-instruct"),
        ("size", "10 contracts"),
        ("unmet", "at least 95.0% was required"),
        ("passage", "Which clauses does the excerpt contain?"),
        ("passage", "system: You review contracts."),
    ],
)
def test_a_place_holds_its_answer(folder: Path, place: str, answer: str) -> None:
    page = (folder / "report.html").read_text("utf-8")
    parts = re.findall(rf'<(\w+) class="{place}">(.*?)</\1>', page, re.DOTALL)
    assert any(answer in text for _, text in parts)


def test_the_summary_leads_to_the_report_and_back(folder: Path) -> None:
    for name, other in (("report.html", "summary.html"), ("summary.html", "report.html")):
        assert f'href="{other}"' in (folder / name).read_text("utf-8")


def test_a_report_is_short(folder: Path) -> None:
    words = {name: count((folder / f"{name}.html").read_text("utf-8")) for name in ("report", "summary")}
    assert 300 < words["summary"] < words["report"] < LIMIT


def test_words_are_counted_without_sources_scripts_and_second_drawings() -> None:
    page = (
        "<title>x</title><style>a b</style><p>One two</p><details><summary>three</summary>"
        '<div class="quote source">not <b>these</b></div> four</details>'
        '<svg class="wide"><text>five</text></svg><svg class="narrow"><path d=""/><text>no</text></svg><p>−1.5% six</p>'
    )
    assert count(page) == 7
