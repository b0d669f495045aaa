"""What changed, at a glance: right is better whatever the metric's direction, and what got worse is said first."""

import msgspec
import pytest

import reports
from harness.runs.folder import RunData
from harness.schema import Comparison, ComparisonRow, Metrics
from reports.charts.intervals import turned_ticks
from reports.model import Headline, Intervals, Mark, PlotRow, Section
from tests.reports.conftest import Writer, part
from tests.support.sample import SUITE, interval, make_manifest, make_metrics, make_suite, make_verdicts


def picture(model: reports.ReportModel) -> Section:
    return part(model, "picture")


def with_changes(*changes: tuple[str, float, float, float], **sliced: str) -> Metrics:
    """The sample's levels with these changes of metrics: value, low, high."""
    rows = [
        ComparisonRow(suite=SUITE, comparison=Comparison(metric=name, difference=interval(*found), losses=3), **sliced)
        for name, *found in changes
    ]
    return Metrics(metrics=make_metrics().metrics, comparisons=rows)


def test_a_fall_of_a_metric_where_less_is_better_points_right_and_keeps_its_numbers(run: RunData) -> None:
    plot = next(b for b in picture(reports.build([run])).blocks if isinstance(b, Intervals))
    (mark,) = next(row for row in plot.rows if row.label == "Fabrication rate").marks
    assert (mark.low, mark.value, mark.high) == (0.028, 0.085, 0.142)
    assert (mark.text, mark.reading) == ("−8.5 points (−14.2 to −2.8)", "better")
    assert plot.ends == ("◀ worse", "better ▶")


def test_what_got_worse_stands_first_with_the_cases_that_did(write_run: Writer) -> None:
    worse = with_changes(("clause_recall", 0.1, 0.05, 0.15), ("fabrication_rate", 0.2, 0.1, 0.3))
    blocks = picture(reports.build([write_run(metrics=worse)])).blocks
    summary, plot = blocks
    name, cell = summary.pairs[0]
    assert (name, cell.text, cell.tone) == ("Got worse", "Fabrication rate", "bad")
    assert cell.note == "1 of 10 cases regressed\n1 new fabrication"
    assert summary.pairs[1][1].note == "4 of 10 cases improved"
    assert [row.label for row in plot.rows] == ["Fabrication rate", "Clause recall"]
    assert plot.rows[0].marks[0].value == -0.2, "worse lies on the left"
    assert plot.twin == "Results of legal/clauses (excerpt)"


def test_a_slice_that_got_worse_is_named_even_where_no_metric_did(write_run: Writer) -> None:
    whole = with_changes(("clause_recall", 0.1, 0.05, 0.15))
    part = with_changes(("clause_recall", -0.1, -0.2, -0.05), slice="instrument", slice_value="deed")
    both = msgspec.structs.replace(whole, comparisons=[*whole.comparisons, *part.comparisons])
    summary = picture(reports.build([write_run(metrics=both)])).blocks[0]
    assert summary.pairs[0][1].text == "No metric is shown to be worse"
    assert summary.pairs[0][1].note.endswith("worse on instrument deed (clause recall)")


def test_slices_beyond_three_are_counted_at_the_end_of_one_list(write_run: Writer) -> None:
    """The list had ended in `b and c and 1 more`."""
    worse = ("clause_recall", -0.1, -0.2, -0.05)
    rows = [
        row
        for value in ("deed", "lease", "will", "note")
        for row in with_changes(worse, slice="instrument", slice_value=value).comparisons
    ]
    metrics = msgspec.structs.replace(with_changes(worse), comparisons=[*with_changes(worse).comparisons, *rows])
    note = picture(reports.build([write_run(metrics=metrics)])).blocks[0].pairs[0][1].note
    assert note.endswith("instrument lease (clause recall), instrument will (clause recall) and 1 more")


def test_how_sure_is_the_interval_of_the_first_metric(run: RunData) -> None:
    summary = picture(reports.build([run])).blocks[0]
    name, cell = summary.pairs[-2]
    assert (name, cell.text) == ("Certainty", "240 cases in 40 contracts")
    assert cell.note == "change of clause recall +10.1 to +24.9 points, 95% interval"


@pytest.mark.parametrize(
    ("rule", "observed", "margin", "at"),
    [
        ("improves", (0.175, 0.101, 0.249), 0.101, 0.0),
        ("improves", (0.175, 0.101, 0.249), 0.051, 0.05),
        ("no_worse", (0.175, 0.12, 0.249), 0.15, -0.03),
    ],
)
def test_the_bar_of_a_gate_on_a_change_is_found_again(
    write_run: Writer, rule: str, observed: tuple[float, float, float], margin: float, at: float
) -> None:
    verdict = msgspec.structs.replace(make_verdicts()[0], rule=rule, observed=interval(*observed), margin=margin)
    plot = next(b for b in picture(reports.build([write_run(verdicts=[verdict])])).blocks if isinstance(b, Intervals))
    (bar,) = next(row for row in plot.rows if row.label == "Clause recall").bars
    assert bar.at == pytest.approx(at)


def test_several_suites_say_what_got_worse_in_their_verdicts(write_run: Writer) -> None:
    metrics = make_metrics()
    other = [msgspec.structs.replace(r, suite="b/other") for r in metrics.comparisons]
    both = msgspec.structs.replace(metrics, comparisons=[*metrics.comparisons, *other])
    manifest = make_manifest(suites=[make_suite(), make_suite(name="b/other")])
    headlines = [
        b for b in reports.build([write_run(manifest=manifest, metrics=both)]).sections[0].blocks
        if isinstance(b, Headline)
    ]  # fmt: skip
    assert [name for h in headlines for name, _ in h.glance] == ["Got worse", "Certainty"] * 2
    assert headlines[0].glance[0][1] == "No metric is shown to be worse; 1 of 10 cases regressed; 1 new fabrication"


def test_without_a_comparison_there_is_no_picture(write_run: Writer) -> None:
    alone = Metrics(metrics=[m for m in make_metrics().metrics if m.variant == "tuned"])
    model = reports.build([write_run(metrics=alone, verdicts=[])])
    assert "picture" not in [section.id for section in model.sections]


@pytest.mark.parametrize(
    ("low", "high", "labels"),
    [
        (-0.003, 0.002, ["−1", "0", "+1"]),
        (0.02, 0.05, ["0", "+1", "+2", "+3", "+4", "+5"]),
        (-0.249, 0.31, ["−40", "−20", "0", "+20", "+40"]),
        (-0.3, -0.11, ["−30", "−20", "−10", "0"]),
        (-1.0, 1.0, ["−100", "−50", "0", "+50", "+100"]),
    ],
)
def test_a_scale_covers_its_marks_and_no_more_with_signed_points(low: float, high: float, labels: list[str]) -> None:
    mark = Mark(value=low, low=low, high=high, text="", reading="worse")
    ticks = turned_ticks([PlotRow(label="", note="", marks=[mark])])
    assert [tick.text for tick in ticks] == labels
    assert ticks[0].at <= low and ticks[-1].at >= high


def test_charts_of_slices_in_any_script_have_ids_of_their_own(write_run: Writer) -> None:
    changes = [
        with_changes(("clause_recall", *found), slice=tag, slice_value="عقد").comparisons[0]
        for tag, found in (("النوع", (0.2, 0.1, 0.3)), ("المنطقة", (-0.2, -0.3, -0.1)))
    ]
    levels = [
        msgspec.structs.replace(row, slice=change.slice, slice_value="عقد")
        for change in changes
        for row in make_metrics().metrics
        if row.slice is None
    ]
    manifest = make_manifest(suites=[make_suite(slices=["النوع", "المنطقة"])])
    model = reports.build([write_run(manifest=manifest, metrics=Metrics(metrics=levels, comparisons=changes))])
    found = [b.id for section in model.sections for b in section.blocks if isinstance(b, Intervals)]
    assert len(found) == 2 == len(set(found))
