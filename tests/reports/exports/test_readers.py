"""Exports as the programs that they are for read them, installed in folders of their own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from reports.exports import export
from tests.reports.conftest import Writer
from tests.support.sample import SUITE, make_manifest, make_suite

ROOT = Path(__file__).parents[3]
real = pytest.mark.skipif(
    not os.environ.get("TUNEGATE_INSTALL"), reason="installs another program; TUNEGATE_INSTALL=1 asks for it"
)
TABLE = "import json, sys; from lm_eval.utils import make_table; print(make_table(json.load(open(sys.argv[1]))))"
LOG = """
import sys
from inspect_ai.log import read_eval_log
log = read_eval_log(sys.argv[1])
invented = next(sample for sample in log.samples if sample.id == "lease-009")
print(log.status, log.eval.task, log.eval.model, len(log.samples), log.eval.created)
print([(score.name, name, metric.value) for score in log.results.scores for name, metric in score.metrics.items()])
print(log.results.scores[0].metrics["clause_recall"].metadata["low"])
print(invented.output.completion, invented.target, invented.epoch, invented.output.usage.input_tokens)
print(invented.scores["clauses"].metadata["extracted"])
"""


def with_program(folder: Path, package: str, code: str, *words: str) -> str:
    """What Python prints with a package that is installed for it alone."""
    if not folder.exists():
        install = [sys.executable, "-m", "uv", "pip", "install", "--quiet", "--target", str(folder), package]
        subprocess.run(install, check=True)
    path = os.environ | {"PYTHONPATH": os.pathsep.join([str(folder), str(ROOT)])}
    done = subprocess.run([sys.executable, "-c", code, *words], env=path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_lm_evals_results_hold_every_metric_and_its_interval(write_run: Writer) -> None:
    part = make_manifest(suites=[make_suite(asked=3)])
    found = json.loads("".join(export(write_run(manifest=part), "lm-eval")))
    assert found["results"][SUITE]["clause_recall,none"] == 0.883
    assert found["results"][SUITE]["clause_recall_stderr,none"] == "N/A"
    assert found["higher_is_better"][SUITE] == {"clause_recall": True, "fabrication_rate": False}
    assert found["n-samples"][SUITE]["effective"] == 3
    assert found["configs"][SUITE]["metadata"]["estimates"]["clause_recall"]["high"] == 0.938
    assert (found["date"], found["total_evaluation_time_seconds"]) == (1795568400.0, "450.0")


@real
def test_lm_eval_prints_its_table(write_run: Writer, tmp_path: Path) -> None:
    file = tmp_path / "results.json"
    file.write_text("".join(export(write_run(), "lm-eval")), "utf-8")
    table = with_program(tmp_path / "lm-eval", "lm_eval", TABLE, str(file))
    assert "legal/clauses" in table and "clause_recall" in table and "0.883" in table


@real
def test_inspect_reads_the_log(write_run: Writer, tmp_path: Path) -> None:
    run, file, folder = write_run(), tmp_path / "log.json", tmp_path / "inspect"
    words = ["export", str(run), "--format", "inspect", "--out", str(file)]
    with_program(folder, "inspect_ai", "import tunegate.cli.main as cli; cli.main()", *words)
    said = with_program(folder, "inspect_ai", LOG, str(file)).splitlines()
    assert said[0] == f"success {SUITE} runs/adapter 10 2026-11-25T01:00:00+00:00"
    assert said[1] == "[('clauses', 'clause_recall', 0.883), ('citations', 'fabrication_rate', 0.125)]"
    assert said[2] == "0.789"
    assert said[3] == "Audit Rights, see O.C.G.A. § 44-99-999 for the duty to keep books. ['Insurance'] 1 50"
    assert said[4] == "{'found': ['Insurance'], 'missing': []}"
