"""OpenMetrics for GitLab: lines that its parser reads as one name and one value, rounded the same way each time."""

from __future__ import annotations

import re
import shlex

from harness.schema import Estimate, MetricRow
from reports.ci.openmetrics import label, number, render


def row(value: float | None = 0.883, **more: str | None) -> MetricRow:
    estimate = Estimate(value=value, low=0.8, high=None, n=240, reason=None if value is not None else "none")
    fields = {"suite": "legal/clauses", "variant": "tuned", "metric": "clause_recall", **more}
    return MetricRow(estimate=estimate, **fields)  # type: ignore[arg-type]


def as_gitlab_reads(text: str) -> dict[str, str]:
    """What Gitlab::Ci::Parsers::Metrics::Generic makes of a file: no comments, then words as a shell splits them."""
    found = {}
    for line in text.splitlines():
        name, *values = shlex.split(re.sub(r"#.*$", "", line)) or [""]
        if name and values:
            found[name] = values[0]
    return found


def test_every_measured_number_is_one_metric_with_a_name_of_its_own() -> None:
    rows = [row(), row(slice="instrument", slice_value="quit claim deed"), row(None, variant="baseline")]
    found = as_gitlab_reads(render(rows))
    assert found["tunegate_metric{suite=legal/clauses,variant=tuned,metric=clause_recall}"] == "0.883"
    sliced = "suite=legal/clauses,variant=tuned,metric=clause_recall,slice=instrument,slice_value=quit claim deed"
    assert found[f"tunegate_metric_n{{{sliced}}}"] == "240"
    assert len(found) == 6  # value, low and n of two rows; no upper end, and nothing of what was not measured


def test_the_file_is_openmetrics() -> None:
    lines = render([row()]).splitlines()
    assert lines[-1] == "# EOF" and render([row()]).endswith("# EOF\n")
    families = [line.split()[2] for line in lines if line.startswith("# TYPE")]
    assert families == ["tunegate_metric", "tunegate_metric_low", "tunegate_metric_high", "tunegate_metric_n"]
    pattern = r'[a-z_]+\{([a-z_]+="[^"\\\n]*",?)+\} -?[0-9.e+-]+'
    assert all(re.fullmatch(pattern, line) for line in lines if not line.startswith("#"))


def test_numbers_are_written_the_same_way_each_time() -> None:
    assert [number(x) for x in (0.1 + 0.2, 0.3, 1.0, 0.0, -0.0, 1e-9, 1_234_567)] == [
        "0.3", "0.3", "1", "0", "0", "1e-09", "1234567",
    ]  # fmt: skip


def test_labels_hold_nothing_that_a_reader_takes_for_its_own_and_stay_apart() -> None:
    hostile = ['a"b', "a'b", "a#b", "a\\b", "a\nb", "a\u202eb", "a{b}"]
    made = [label(text) for text in hostile]
    assert len(set(made)) == len(hostile)
    for text in made:
        assert as_gitlab_reads(f'm{{l="{text}"}} 1') == {f"m{{l={text}}}": "1"}
    assert label("plain value-1.5%") == "plain value-1.5%"
