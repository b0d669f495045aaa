"""The table of every case as CSV, a line a case: what it is, how it scored, where it is shown."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from harness.schema import BASELINE, CANDIDATE
from reports.cases.pages import REPORT, CasePages
from reports.cases.select import SelectedCase
from reports.exports.records_csv import Value, line

HEAD = ("suite", "case_id", "source", "slices", "shown_for", "change")
TAIL = ("unsupported_claims", "new_unsupported_claims", "failed", "shown_in")


def lines(cases: CasePages, metrics: Sequence[str]) -> Iterator[str]:
    """The heading, then all cases in the report's order; two columns for each of `metrics`."""
    values = [f"{variant} {metric}" for metric in metrics for variant in (BASELINE, CANDIDATE)]
    yield line([*HEAD, *values, *TAIL])
    for case in cases:
        yield line(_cells(case, cases.link(case), metrics))


def _cells(case: SelectedCase, link: str, metrics: Sequence[str]) -> list[Value]:
    name, pair = case.tuned.case, case.pair
    return [
        case.suite.name,
        name.id,
        name.cluster,
        "; ".join(name.slices),
        " ".join(case.kinds),
        case.shift if pair else None,
        *_values(case, metrics),
        len(case.tuned.claims),
        len(pair.new) if pair and pair.has_both_texts else None,
        int(case.tuned.failed),
        f"{REPORT}{link}" if link.startswith("#") else link,
    ]


def _values(case: SelectedCase, metrics: Sequence[str]) -> Iterator[float | None]:
    """Baseline and tuned of each metric; nothing where the suite lacks it or the answer has no value."""
    at = {metric.name: place for place, metric in enumerate(case.suite.metrics)}
    for metric in metrics:
        for brief in (case.baseline, case.tuned):
            yield brief.values[at[metric]] if brief and metric in at else None
