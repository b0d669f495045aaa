"""`tunegate import` makes a run of answers that another tool generated: judged and reported as any, but no approval."""

import json
from pathlib import Path
from subprocess import CompletedProcess

import msgspec
import pytest

from harness.approval.approve import may_merge
from harness.approval.evidence import Where
from harness.checkpoints.resolve import resolve
from harness.errors import GateFailed
from harness.schema import BASELINE, CANDIDATE
from tests.support.adapters import save_adapter
from tests.support.command import WITHOUT_CHARTS
from tests.support.command import tunegate as run_command
from tests.support.gated import CASES, change, write_project, wrong
from tests.support.mini import only_run, right, rows

RIGHT = right(rows(CASES))
SUITE = ("--format", "jsonl", "--suite", "evalsuites/legal/mini")


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    write_project(tmp_path)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def tunegate(project: Path, *words: str) -> CompletedProcess[str]:
    return run_command(project, *words, PYTHONPATH=WITHOUT_CHARTS)


def write_log(project: Path, answers: dict[str, str], name: str = "log") -> str:
    file = project / f"{name}.jsonl"
    file.write_text("".join(f"{json.dumps({'id': case, 'answer': text})}\n" for case, text in answers.items()))
    return file.name


@pytest.mark.slow
def test_two_logs_are_scored_compared_gated_and_reported_as_a_run(project: Path) -> None:
    words = ("import", write_log(project, RIGHT, "new"), *SUITE, "--baseline", write_log(project, wrong(), "old"))
    done = tunegate(project, *words)
    assert (done.returncode, "PASS: 2 pass" in done.stdout) == (0, True), done.stdout + done.stderr
    assert "The run approves no merge" in " ".join(done.stdout.split())
    assert "next: tunegate view" in done.stdout and "tunegate serve" not in done.stdout
    run = only_run(project)
    assert {variant: c.name for variant, c in run.manifest.checkpoints.items()} == {CANDIDATE: "new", BASELINE: "old"}
    assert run.manifest.engine["name"] == "imported from jsonl" and run.standing.is_claim
    assert len(run.records) == 2 * CASES and run.metrics.comparisons
    report = " ".join((run.path / "report" / "report.md").read_text("utf-8").split())
    assert "imported from jsonl" in report and "answers from the log of another tool" in report
    assert "same token IDs" not in report and "equal weights" not in report and "floor that any" not in report
    assert "What was asked" not in report and "as sent" not in report
    assert tunegate(project, "regate", "latest").returncode == 0


@pytest.mark.slow
def test_a_log_without_every_case_is_judged_by_no_gate(project: Path) -> None:
    log = write_log(project, {name: text for name, text in RIGHT.items() if name not in ("c3", "c5")})
    done = tunegate(project, "import", log, *SUITE)
    said = "legal/mini: 38 of 40 cases are answered in every log, not c3, c5; gates skip"
    assert (done.returncode, said in done.stderr) == (6, True), done.stderr
    assert "next: the same command with a log that answers every case" in done.stdout
    assert "– NOT JUDGED clause recall at least 50.0%: Only 38 of 40" in " ".join(done.stdout.split())


@pytest.mark.slow
def test_logs_that_cannot_be_imported_are_one_line_and_leave_no_run(project: Path) -> None:
    log = write_log(project, RIGHT)
    other = write_log(project, {"c1": "none"}, "other")
    few = write_log(project, {"c2": "none"}, "few")
    expected = {
        ("gone.jsonl", *SUITE): "gone.jsonl: cannot be read",
        (log, "--format", "csv", *SUITE[2:]): "--format csv: expected one of lm-eval, inspect",
        (other, *SUITE, "--baseline", few): "no case has 1 answer in every log",
        (log, *SUITE, "--baseline", "accepted"): "then: tunegate regate latest --baseline accepted",
        (log, *SUITE, "--baseline-model", "old"): "--baseline-model: expected with --baseline LOG",
    }
    for words, said in expected.items():
        done = tunegate(project, "import", *words)
        assert (done.returncode, done.stderr.count("\n"), said in done.stderr) == (4, 1, True), done.stderr
    assert not (project / "runs").exists()


@pytest.mark.slow
def test_an_imported_run_approves_no_merge_even_with_the_digest_of_the_weights(
    project: Path, tiny_model: Path, tmp_path: Path
) -> None:
    adapter = save_adapter(tiny_model, tmp_path / "adapter")
    where = Where(runs=project / "runs")
    assert tunegate(project, "import", write_log(project, RIGHT), *SUITE, "--model", str(adapter)).returncode == 0
    with pytest.raises(GateFailed, match=r"no run in .* evaluated these weights"):
        may_merge(str(adapter), where, None)
    run = only_run(project)
    forged = msgspec.structs.replace(run.manifest.checkpoints[CANDIDATE], digest=resolve(str(adapter)).digest)
    change(run.path, lambda manifest: msgspec.structs.replace(manifest, checkpoints={CANDIDATE: forged}))
    with pytest.raises(GateFailed, match=r"has answers that were imported from jsonl \(log.jsonl.*not generated here"):
        may_merge(str(adapter), where, None)
