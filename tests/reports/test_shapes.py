"""A number carries its task shape, and no table holds numbers of two."""

import msgspec
import pytest

import reports
from harness.runs.folder import load_run
from harness.schema import Metrics
from reports.model import Headline, Intervals, Table
from tests.reports.conftest import Writer
from tests.support.sample import make_manifest, make_metrics, make_suite, make_verdicts

SHAPES = ("whole contract", "clause given")
OTHER = "legal/given"


@pytest.fixture
def two_shapes(write_run: Writer) -> reports.ReportModel:
    """A report on two suites of the same metrics, one of each shape."""
    suites = [make_suite(shape=SHAPES[0]), make_suite(name=OTHER, shape=SHAPES[1])]
    metrics, verdicts = make_metrics(), make_verdicts()
    both = Metrics(
        metrics=[*metrics.metrics, *(msgspec.structs.replace(row, suite=OTHER) for row in metrics.metrics)],
        comparisons=[*metrics.comparisons, *(msgspec.structs.replace(r, suite=OTHER) for r in metrics.comparisons)],
    )
    path = write_run(
        manifest=make_manifest(suites=suites),
        metrics=both,
        verdicts=[*verdicts, *(msgspec.structs.replace(v, suite=OTHER) for v in verdicts)],
    )
    return reports.build([load_run(path)])


def test_every_measured_number_stands_in_a_table_of_one_shape_with_its_name(two_shapes: reports.ReportModel) -> None:
    seen = set()
    for section in two_shapes.sections:
        for block in section.blocks:
            if isinstance(block, Table) and any(cell.estimate for row in block.rows for cell in row):
                for row in block.rows:
                    name = block.caption if section.id == "slices" else row[0].text
                    named = {shape for shape in SHAPES if shape in name}
                    assert len(named) == 1, (section.id, name)
                    seen.add((section.id, *named))
            if isinstance(block, Intervals):
                assert sum(shape in block.title for shape in SHAPES) == 1, block.title
    assert seen == {(section, shape) for section in ("gates", "results", "slices") for shape in SHAPES}


def test_the_verdict_names_the_shape_of_each_gate(two_shapes: reports.ReportModel) -> None:
    found = [block.unmet[0].note for block in two_shapes.sections[0].blocks if isinstance(block, Headline)]
    for shape, note in zip(SHAPES, found, strict=True):
        assert note == f"Clause recall, {shape}: 88.3% (95% confidence: at most 93.4%); at least 95.0% was required."
