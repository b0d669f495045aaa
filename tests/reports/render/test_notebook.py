"""A run in a notebook: its gates or its metrics as tables, with every text inert."""

from __future__ import annotations

import msgspec

from harness.runs.folder import load_results
from harness.schema import Metrics
from reports.render.notebook import render
from tests.docs.links import Reader
from tests.reports.conftest import Writer
from tests.support.sample import make_manifest, make_metrics, make_verdicts


def test_a_comparison_shows_every_gate_and_folds_its_metrics(write_run: Writer) -> None:
    page = render(load_results(write_run()))
    gates, metrics = page.split("<details>")
    for verdict in make_verdicts():
        assert f'class="badge {verdict.outcome}"' in gates
    assert gates.count('<th scope="row"') == len(make_verdicts())
    assert '<th scope="col">Reading</th>' in metrics and "88.3%" in metrics
    assert page.index("FAIL") < page.index("<table")


def test_an_evaluation_shows_its_metrics_with_intervals_and_no_change(write_run: Writer) -> None:
    rows = [row for row in make_metrics().metrics if row.variant == "tuned"]
    alone = make_manifest(checkpoints={"tuned": make_manifest().checkpoints["tuned"]})
    page = render(load_results(write_run(manifest=alone, metrics=Metrics(metrics=rows), verdicts=[])))
    assert "<details>" not in page and "Reading" not in page and "NOT JUDGED" in page
    assert "88.3%" in page and "9.0% to 17.1%" in page


def test_texts_of_others_are_inert_and_a_changed_run_claims_nothing(write_run: Writer) -> None:
    evil = msgspec.structs.replace(make_manifest().checkpoints["tuned"], name="<script>alert(1)</script>\u202e")
    path = write_run(manifest=make_manifest(checkpoints={"tuned": evil}))
    (path / "metrics.json").write_bytes((path / "metrics.json").read_bytes() + b" ")
    page = render(load_results(path))
    assert "script" not in Reader(page).tags and "U+202E" in page
    assert (
        "badge pass" not in page
        and "badge fail" not in page
        and "metrics.json changed after the run was sealed" in page
    )
