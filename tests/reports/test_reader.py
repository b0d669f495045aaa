"""A reader with five minutes: ten questions have their answers on the first two screens, and the page is short."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

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
EXAMPLES = ROOT / "docs" / "examples"
ONE_SUITE = "paragraphs_alone"
UNMET = "Which gate failed and by how much?"
ANSWERS = {
    "May the change be merged?": "(PASS Ready|FAIL Do not|INCONCLUSIVE Do not|ERROR Do not).* (must not|may) be merged",
    "Which models were compared, on which engine, and when?": r"Tuned.+Baseline.+Engine.+Date\d{4}-\d\d-\d\d",
    "What does the change mean in cases?": r"([Mm]isses|[Ww]rong on) "
    r"([\d,]+ (fewer|more) of [\d,]+ \w+|.+, (as many as|like) the baseline)",
    "How many cases and contracts is it based on?": r"[\d,]+ (cases from [\d,]+ )?\w+",
    UNMET: r"(FAIL|INCONCLUSIVE) \w.+: [\d.]+%.*; .+ was required",
    "What was the model asked?": r"Prompt template of \S+.*Which of these clauses.*\{\{ document \}\}",
    "What got worse, and in how many cases?": r"Got worse\w.+ [\d,]+ of [\d,]+ cases regressed",
    "How certain is it?": r"Certainty.+ [+−][\d.]+ to [+−][\d.]+ points, 95% interval",
    "Could the baseline be read?": r"could be readBaseline [\d.]+%, tuned [\d.]+%",
    "Where are cases, limits and signature?": "Sign-off",
}
"""What each place says in a published report."""


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


@pytest.mark.browser
@pytest.mark.slow
def test_the_answers_of_a_published_report_are_on_the_first_two_screens(visit: Open) -> None:
    page = visit(EXAMPLES / ONE_SUITE / "report.html", viewport={"width": 1440, "height": HEIGHT}).page
    places = {question: page.locator(place).first for question, place in questions() if page.locator(place).count()}
    boxes = {question: place.bounding_box() for question, place in places.items()}
    assert set(ANSWERS) - set(places) <= {UNMET}
    assert {question: box for question, box in boxes.items() if not box or box["y"] > SCREENS * HEIGHT} == {}


@pytest.mark.parametrize("name", ["paragraphs", ONE_SUITE])
def test_every_place_of_a_published_report_holds_its_answer(name: str) -> None:
    select = pytest.importorskip("cssselect2", reason="cssselect2 is not installed")
    html = pytest.importorskip("tinyhtml5", reason="tinyhtml5 is not installed")
    page = select.ElementWrapper.from_html_root(html.parse((EXAMPLES / name / "report.html").read_text("utf-8")))
    said = {question: _text(next(iter(page.query_all(place)), None)) for question, place in questions()}
    assert set(said) == set(ANSWERS)
    if "Every gate is met" in said["May the change be merged?"]:
        assert said.pop(UNMET) == ""
    assert {question: text for question, text in said.items() if not re.search(ANSWERS[question], text)} == {}


def _text(element: Any) -> str:
    """What a reader sees of an element; empty where it is missing."""
    return "" if element is None else " ".join("".join(element.etree_element.itertext()).split())


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


def test_a_published_report_on_one_suite_is_short() -> None:
    pages = {name: (EXAMPLES / ONE_SUITE / f"{name}.html").read_text("utf-8") for name in ("report", "summary")}
    assert pages["report"].count('<article class="headline') == 1
    assert 300 < count(pages["summary"]) < count(pages["report"]) < LIMIT


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
