"""Curves, interval plots and small multiples: nothing that a strict policy blocks, equal bytes, right places."""

import re
import sys
import xml.etree.ElementTree as ET
from collections.abc import Iterator

import msgspec
import pytest

from harness.errors import MissingExtra
from harness.runs.folder import RunData
from reports import assemble
from reports.charts import curves
from reports.model import Curve, Intervals, Line, Mark, PlotRow, Reading, Table, Tick
from reports.render import html

CURVE = Curve(
    id="one",
    title="Loss",
    x="Step",
    y="Loss",
    lines=[Line(name="Training loss", points=[(1, 2.0), (2, 1.5)]), Line(name="Validation loss", points=[(2, 1.8)])],
    twin=Table(caption="Loss as numbers", columns=["Step", "Loss"], rows=[]),
)
SVG = "{http://www.w3.org/2000/svg}"


def plot(value: float = 0.5, low: float = 0.25, high: float = 0.75, bar: float = 0.95) -> Intervals:
    """One change for the better with a bar."""
    mark = Mark(value=value, low=low, high=high, text="50.0%", reading="better")
    row = PlotRow(label="Recall", note="higher is better", marks=[mark], bars=[Tick(at=bar, text="at least 95.0%")])
    return Intervals(
        id="p",
        title="Metrics",
        ticks=[Tick(at=0, text="0%"), Tick(at=1, text="100%")],
        ends=("◀ worse", "better ▶"),
        rows=[row],
        twin="Results",
    )


def forest(panel: str = "") -> Intervals:
    """One change that is better, one that is worse, one that is open."""
    found: list[tuple[Reading, float]] = [("worse", -0.2), ("undecided", 0.0), ("better", 0.3)]
    rows = [
        PlotRow(
            label=f"Metric {i}",
            note="higher is better",
            panel=panel,
            marks=[Mark(value=at, low=at - 0.1, high=at + 0.1, text=f"{at} points", brief=f"{at}", reading=reading)],
        )
        for i, (reading, at) in enumerate(found)
    ]
    ticks = [Tick(at=-0.5, text="50"), Tick(at=0, text="0"), Tick(at=0.5, text="50 points")]
    return Intervals(
        id="f", title="Changes", ticks=ticks, ends=("◀ worse", "better ▶"), rows=rows, twin="Changes as numbers"
    )


def texts(svg: str) -> list[str]:
    return [e.text or "" for e in ET.fromstring(svg).iter(f"{SVG}text")]


def placed(svg: str, css: str, colour: str) -> Iterator[tuple[float, float]]:
    """Places of the markers that are drawn in a colour of the style sheet."""
    classes = set(re.findall(rf"^\.(\w+)\{{[^}}]*var\(--{colour}\)", css, re.MULTILINE))
    for use in ET.fromstring(svg).iter(f"{SVG}use"):
        if use.get("class") in classes:
            yield float(use.get("x", "")), float(use.get("y", ""))


def ticks(svg: str, *labels: str) -> list[float]:
    """Where the labels of the scale stand."""
    return [float(e.get("x", "")) for label in labels for e in ET.fromstring(svg).iter(f"{SVG}text") if e.text == label]


@pytest.mark.parametrize(
    "block", [CURVE, plot(), forest(), forest("Recall")], ids=["curve", "change", "forest", "panels"]
)
@pytest.mark.parametrize("narrow", [False, True], ids=["wide", "narrow"])
def test_a_drawing_has_no_inline_style_prolog_or_metadata_and_is_small(block: Curve | Intervals, narrow: bool) -> None:
    svg, css = curves.draw(block, narrow)
    for trap in ("style=", "<style", "<metadata", "<!DOCTYPE", "<?xml", "<!--"):
        assert trap not in svg
    classes = set(re.findall(r'class="(s[0-9a-f]{8})"', svg))
    assert len(classes) > 4
    assert classes == set(re.findall(r"^\.(s[0-9a-f]{8})\{", css, re.MULTILINE))
    assert len(svg) < 10_000


def test_a_matplotlib_style_of_the_users_own_changes_no_chart(monkeypatch: pytest.MonkeyPatch) -> None:
    import matplotlib

    plain = curves.draw(CURVE)
    for name, value in (("text.usetex", True), ("axes.labelpad", 40.0), ("savefig.bbox", "tight")):
        monkeypatch.setitem(matplotlib.rcParams, name, value)
    assert curves.draw(CURVE) == plain
    assert matplotlib.rcParams["text.usetex"] is True


def test_a_curve_is_labelled_keeps_its_text_and_follows_the_theme() -> None:
    svg, css = curves.draw(CURVE)
    root = ET.fromstring(svg)
    assert (root.get("role"), root.get("aria-label")) == ("img", "Loss")
    assert {"Step", "Loss", "Training loss", "Validation loss"} <= set(texts(svg))
    assert "var(--accent)" in css and "var(--muted)" in css
    assert not re.findall(r"#0[0-9]0[0-9]0[0-9]", css + svg)
    assert "#ffffff" not in css + svg


def test_ids_of_two_drawings_never_meet() -> None:
    first, _ = curves.draw(CURVE)
    others = [
        curves.draw(msgspec.structs.replace(CURVE, id="two")),
        curves.draw(CURVE, narrow=True),
        curves.draw(plot()),
    ]
    ids = [set(re.findall(r'\bid="([^"]*)"', svg)) for svg in (first, *(svg for svg, _ in others))]
    assert all(len(found) > 1 for found in ids)
    assert all(ids[0].isdisjoint(other) for other in ids[1:])
    used = set(re.findall(r'href="#([^"]*)"|url\(#([^)]*)\)', first))
    assert {a or b for a, b in used} == ids[0]


def test_without_matplotlib_the_extra_is_named_and_the_tables_take_the_place(
    monkeypatch: pytest.MonkeyPatch, run: RunData, training_run: RunData
) -> None:
    drawn = html.render(assemble.build([run, training_run]))
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    with pytest.raises(MissingExtra, match=r"'.\[report\]'"):
        curves.draw(CURVE)
    page = html.render(assemble.build([run, training_run]))
    assert page.count("The chart needs the package matplotlib; its numbers are in the table: ") == 3
    assert "needs the package" not in drawn
    folded = re.compile(r"<details><summary>(Loss by training step|Results of legal/clauses)")
    assert len(folded.findall(drawn)) == 2 and not folded.search(page)
    assert "Loss by training step, as numbers" in page and "Results of legal/clauses (excerpt)" in page


def test_a_mark_stands_where_its_number_is() -> None:
    svg, css = curves.draw(plot(value=0.25, low=0.2))
    left, right = ticks(svg, "0%", "100%")
    middles = {round((x - left) / (right - left), 2) for x, y in placed(svg, css, "good") if y > 26}
    assert middles == {0.2, 0.25, 0.75}


def test_a_bar_stands_where_it_is_set_and_says_what_it_is() -> None:
    svg, css = curves.draw(plot())
    left, right = ticks(svg, "0%", "100%")
    (dashed,) = re.findall(r"^\.(\w+)\{[^}]*stroke-dasharray: (?!none)[^}]*var\(--caution\)", css, re.MULTILINE)
    (line,) = [e for e in ET.fromstring(svg).iter(f"{SVG}path") if e.get("class") == dashed]
    assert float(line.get("d", "").split()[1]) == pytest.approx(left + 0.95 * (right - left), abs=0.2)
    assert "gate: at least 95.0%" in texts(svg)


def test_a_mark_beyond_the_scale_stays_on_it() -> None:
    svg, css = curves.draw(plot(value=1.4, high=1.6))
    (right,) = ticks(svg, "100%")
    assert max(x for x, _ in placed(svg, css, "good")) == pytest.approx(right, abs=0.2)


@pytest.mark.parametrize("narrow", [False, True])
def test_a_plot_names_itself_and_its_table_and_every_mark_has_its_numbers_as_text(narrow: bool) -> None:
    svg, _ = curves.draw(plot(), narrow)
    assert ET.fromstring(svg).get("aria-label") == "Metrics. The same numbers are in the table: Results"
    assert any("50.0%" in text for text in texts(svg))
    assert "Better" in " ".join(texts(svg))


@pytest.mark.parametrize("narrow", [False, True])
def test_what_a_change_shows_is_told_by_shape_colour_and_word(narrow: bool) -> None:
    svg, css = curves.draw(forest(), narrow)
    said = " ".join(texts(svg))
    assert [said.count(word) for word in ("Worse", "No clear change", "Better")] == [1, 1, 1]
    assert "◀ worse" in said and "better ▶" in said
    lines = [e.get("d", "") for e in ET.fromstring(svg).iter(f"{SVG}path") if e.get("id")]
    shapes = {re.sub(r"[\d.-]+", "", d) for d in lines}
    assert len(lines) >= 4 and len(shapes) >= 3
    for colour in ("good", "bad"):
        assert len({y for _, y in placed(svg, css, colour)}) == 1


def test_small_multiples_share_labels_and_scale() -> None:
    both = [*forest("Recall").rows, *forest("Precision").rows]
    svg, _ = curves.draw(msgspec.structs.replace(forest(), rows=both))
    said = texts(svg)
    assert [said.count(text) for text in ("Recall", "Precision", "50 points")] == [1, 1, 2]
    assert said.count("Metric 0") == 1


def test_labels_of_two_bars_stand_below_each_other() -> None:
    both = [Tick(at=0.9, text="at least 90.0%"), Tick(at=0.95, text="at least 95.0%")]
    row = msgspec.structs.replace(plot().rows[0], bars=both)
    svg, _ = curves.draw(msgspec.structs.replace(plot(), rows=[row]))
    heights = [
        float(e.get("y", "")) for e in ET.fromstring(svg).iter(f"{SVG}text") if (e.text or "").startswith("gate")
    ]
    assert heights[1] - heights[0] >= 11
