"""What was measured of a scorer stands beside its metric, and only beside its own."""

import msgspec
import pytest

import reports
from harness.runs.folder import load_run
from harness.schema import Metric
from harness.scoring.grounding import facts
from reports.render import markdown
from reports.sections import validity
from reports.sections.validity import Validity, ValidityFigure
from tests.reports.conftest import Writer
from tests.support.sample import make_manifest, make_suite

RATE = next(m for m in facts.fabricated.metrics if m.name == "fabrication_rate")
OTHERS = Metric(name="fabrication_rate", scorer="fact_sheets", numerator="fabricated", higher_is_better=False)


def figure(detector: str, measure: str, value: float, **more: object) -> ValidityFigure:
    told = {"set": "People's labels", "detector": detector, "measure": measure, "value": value}
    return msgspec.convert(
        told | {"low": value - 0.1, "high": value + 0.1, "n": 330, "clusters": 33} | more, ValidityFigure
    )


@pytest.fixture
def measured(monkeypatch: pytest.MonkeyPatch) -> None:
    rows = [
        figure("fact scorer", "balanced accuracy", 0.61),
        figure("fact scorer", "recall", 0.31, target=0.95, met=False),
        figure("untuned rule", "balanced accuracy", 0.57),
    ]
    table = {"fabrication_rate": Validity(says="Facts that nothing bears out.", scorer="000000000000", rows=rows)}
    monkeypatch.setattr(validity, "_measured", lambda: (table, "2026-01-02"))


def report(write_run: Writer, metric: Metric) -> reports.ReportModel:
    return reports.build([load_run(write_run(manifest=make_manifest(suites=[make_suite(metrics=[metric])])))])


@pytest.mark.usefixtures("measured")
def test_the_figures_stand_beside_the_metric_and_in_a_section(write_run: Writer) -> None:
    page = markdown.render(report(write_run, RATE))
    assert "61.0% (51.0% to 71.0%) on People's labels" in page
    assert "Scorer validity" in page
    assert "31.0%" in page
    assert "57.0%" in page
    assert "Measured on 2026-01-02 with scorer version 000000000000; this is version" in page


@pytest.mark.usefixtures("measured")
def test_a_metric_of_the_same_name_from_another_scorer_has_no_such_figures(write_run: Writer) -> None:
    page = markdown.render(report(write_run, OTHERS))
    assert "Scorer validity" not in page
    assert "61.0%" not in page


def test_the_shipped_figures_can_be_read() -> None:
    found, day = validity._measured()
    assert set(found) <= {"fabrication_rate"}
    assert bool(day) == bool(found)
