"""Training curves and interval plots: nothing that a strict style policy blocks, equal bytes, right places."""

import re
import sys
import xml.etree.ElementTree as ET

import msgspec
import pytest

from harness.errors import MissingExtra
from harness.store import RunData
from reports import assemble, charts, drawing, html
from reports.model import Curve, Intervals, Line, Mark, PlotRow, Table, Tick

CURVE = Curve(
    id="one",
    title="Loss",
    x="Step",
    y="Loss",
    lines=[Line(name="Training loss", points=[(1, 2.0), (2, 1.5)]), Line(name="Validation loss", points=[(2, 1.8)])],
    twin=Table(caption="Loss as numbers", columns=["Step", "Loss"], rows=[]),
)


def plot(value: float = 0.5, low: float = 0.25, high: float = 0.75, bar: float = 0.95) -> Intervals:
    mark = Mark(variant="tuned", value=value, low=low, high=high, text="50.0%")
    row = PlotRow(label="Recall", note="higher is better", marks=[mark], bars=[Tick(at=bar, text="at least 95.0%")])
    return Intervals(
        id="p", title="Metrics", ticks=[Tick(at=0, text="0%"), Tick(at=1, text="100%")], rows=[row], twin="Results"
    )


def element(svg: str, kind: str, tag: str) -> ET.Element:
    return next(e for e in ET.fromstring(svg).iter(tag) if kind in e.get("class", "").split())


def test_a_curve_has_no_inline_style_prolog_or_metadata() -> None:
    svg, css = charts.draw(CURVE)
    for trap in ("style=", "<style", "<metadata", "<!DOCTYPE", "<?xml"):
        assert trap not in svg
    classes = set(re.findall(r'class="(one-[0-9a-f]{8})"', svg))
    assert len(classes) > 5
    assert classes == set(re.findall(r"^\.(one-[0-9a-f]{8})\{", css, re.MULTILINE))


def test_a_curve_is_labelled_keeps_its_text_and_follows_the_theme() -> None:
    svg, css = charts.draw(CURVE)
    root = ET.fromstring(svg)
    assert (root.get("role"), root.get("aria-label")) == ("img", "Loss")
    texts = [e.text for e in root.iter("{http://www.w3.org/2000/svg}text")]
    assert {"Step", "Loss", "Training loss", "Validation loss"} <= set(texts)
    assert "var(--accent)" in css and "var(--muted)" in css
    assert not re.findall(r"#0[0-9]0[0-9]0[0-9]", css + svg)
    assert "#ffffff" not in css + svg


def test_ids_of_two_curves_never_meet() -> None:
    first, _ = charts.draw(CURVE)
    second, _ = charts.draw(msgspec.structs.replace(CURVE, id="two"))
    ids = [set(re.findall(r'\bid="([^"]*)"', svg)) for svg in (first, second)]
    assert len(ids[0]) > 5 and ids[0].isdisjoint(ids[1])
    used = set(re.findall(r'href="#([^"]*)"|url\(#([^)]*)\)', first))
    assert {a or b for a, b in used} <= ids[0]


def test_two_drawings_of_one_curve_are_equal() -> None:
    assert charts.draw(CURVE) == charts.draw(CURVE)


def test_without_matplotlib_the_extra_is_named_and_the_table_stays(
    monkeypatch: pytest.MonkeyPatch, run: RunData, training_run: RunData
) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    with pytest.raises(MissingExtra, match=r"tunegate\[report\]"):
        charts.draw(CURVE)
    page = html.render(assemble.build([run, training_run]))
    assert "The chart needs the package matplotlib" in page
    assert "Loss by training step, as numbers" in page


def test_marks_stand_where_their_numbers_are() -> None:
    svg = str(drawing.svg(plot()))
    whisker, shape = element(svg, "whisker", "line"), element(svg, "shape", "circle")
    left, right = (float(e.get("x1", "")) for e in ET.fromstring(svg).iter("line") if e.get("class") == "grid")
    quarter = (right - left) / 4
    assert float(shape.get("cx", "")) == pytest.approx(left + 2 * quarter, abs=0.1)
    assert float(whisker.get("x1", "")) == pytest.approx(left + quarter, abs=0.1)
    assert float(whisker.get("x2", "")) == pytest.approx(left + 3 * quarter, abs=0.1)
    assert float(element(svg, "bar", "line").get("x1", "")) == pytest.approx(left + 0.95 * (right - left), abs=0.1)


def test_a_mark_beyond_the_axis_stays_on_it() -> None:
    shape = element(str(drawing.svg(plot(value=1.4, high=1.6))), "shape", "circle")
    assert float(shape.get("cx", "")) == drawing.RIGHT


def test_a_plot_names_itself_and_its_table_and_every_mark_has_its_numbers_as_text() -> None:
    root = ET.fromstring(str(drawing.svg(plot())))
    assert root.get("aria-label") == "Metrics. The same numbers are in the table: Results"
    assert [e.text for e in root.iter("title")] == ["Tuned: 50.0%"]


def test_variants_differ_by_shape_not_by_colour_alone() -> None:
    shapes = {variant: re.search(r"<(rect|circle|path) class=\"shape[^>]*", str(drawing.glyph(variant))) for variant in
              ("baseline", "tuned", "keyword_floor", "other")}  # fmt: skip
    assert len({match[0] for match in shapes.values() if match}) == 4


def test_labels_of_two_bars_stand_below_each_other() -> None:
    both = [Tick(at=0.9, text="at least 90.0%"), Tick(at=0.95, text="at least 95.0%")]
    row = msgspec.structs.replace(plot().rows[0], bars=both)
    root = ET.fromstring(str(drawing.svg(msgspec.structs.replace(plot(), rows=[row]))))
    heights = [float(e.get("y", "")) for e in root.iter("text") if e.get("class") == "bar-text"]
    assert heights[1] - heights[0] >= 11
