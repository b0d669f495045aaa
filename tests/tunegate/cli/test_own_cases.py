"""`tunegate eval --cases FILE` judges a user's own cases by a suite; everything it writes names the file."""

import json
from pathlib import Path
from subprocess import CompletedProcess

import msgspec
import pytest

from harness.approval.approve import may_merge
from harness.approval.evidence import Where
from harness.checkpoints.resolve import resolve
from harness.errors import GateFailed
from harness.schema import CANDIDATE
from harness.suites.cases import cases_hash, load_cases
from tests.support.adapters import save_adapter
from tests.support.command import WITHOUT_CHARTS
from tests.support.command import tunegate as run_command
from tests.support.gated import CASES, change, evaluate, later, write_project
from tests.support.mini import only_run, right, rows, write_script, write_suite

OWN = [case | {"id": f"own-{case['id']}"} for case in rows(CASES)]
NAME = "legal/mini (my.jsonl)"


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    write_project(tmp_path)
    write_own(tmp_path, OWN)
    write_script(tmp_path, tuned=right(OWN), baseline=dict.fromkeys(right(OWN), "nothing is listed"))
    monkeypatch.chdir(tmp_path)
    return tmp_path


def write_own(project: Path, cases: list[dict[str, object]]) -> None:
    (project / "my.jsonl").write_text("".join(f"{json.dumps(case)}\n" for case in cases))


def tunegate(project: Path, *words: str) -> CompletedProcess[str]:
    asked = (*words, "--cases", "my.jsonl", "--engine", "fake", "--script", "script.json")
    return run_command(project, *asked, PYTHONPATH=WITHOUT_CHARTS)


@pytest.mark.slow
def test_the_suite_judges_own_cases_and_every_record_says_so(project: Path) -> None:
    done = tunegate(project, "compare", "old", "new", "--repeats", "2")
    assert (done.returncode, "PASS: 2 pass" in done.stdout) == (0, True), done.stdout + done.stderr
    note = f"{NAME}: these are not the suite's own cases. The run approves no merge."
    assert note in " ".join(done.stdout.split()) and "next: tunegate view" in done.stdout
    run = only_run(project)
    (info,) = run.manifest.suites
    more = f"{NAME}: 2 answers per case, where the suite asks for 1. The run approves no merge."
    assert (info.name, info.cases, info.licence) == (NAME, CASES, "") and run.manifest.notes == [note, more]
    assert info.cases_hash == cases_hash(load_cases(project / "my.jsonl"))
    assert {verdict.suite for verdict in run.verdicts} == {row.suite for row in run.metrics.metrics} == {NAME}
    assert {record.case.id for record in run.records} == set(right(OWN))
    report = (run.path / "report" / "report.md").read_text("utf-8").replace("\\", "")
    assert report.count("legal/mini") == report.count(NAME) > 1 and note in report
    assert "Every gate is met, but this run approves no merge" in report and "may be merged" not in report
    page = (run.path / "report" / "report.html").read_text("utf-8")
    assert "No merge by this run" in page and "Ready to merge" not in page
    summary = run_command(project, "ci", "summary", run.path.name).stdout
    assert "Every gate is met, but this run approves no merge" in summary and "may be merged" not in summary


@pytest.mark.slow
def test_gates_below_bars_are_found_by_the_name_of_the_suite(project: Path) -> None:
    gates = project / "bars" / "legal" / "mini" / "gates.toml"
    gates.parent.mkdir(parents=True)
    gates.write_text((project / "evalsuites/legal/mini/gates.toml").read_text().partition("[[gate]]")[0] + (
        '[[gate]]\nmetric = "clause_recall"\nrule = "no_worse"\nmargin = 0.1\n'
    ))  # fmt: skip
    assert tunegate(project, "compare", "old", "new", "--bars", "bars").returncode == 0
    (verdict,) = only_run(project).verdicts
    assert (verdict.suite, verdict.rule, verdict.outcome) == (NAME, "no_worse", "pass")


@pytest.mark.slow
def test_cases_that_cannot_be_used_are_one_line(project: Path) -> None:
    write_suite(project, name="other")
    mini = ("--suite", "evalsuites/legal/mini")
    broken = [OWN[0] | {"cluster": ""}]
    untagged = [{key: value for key, value in OWN[0].items() if key != "tags"}]
    unscored = [OWN[0] | {"expected": ["late fee"]}]
    for own, words, said in [
        (OWN, (), "--cases my.jsonl: found 2 suites, expected one. Name its folder with --suite"),
        (broken, mini, "my.jsonl:1: 'cluster' is empty"),
        (untagged, mini, f"{NAME}: no case has the tag 'instrument'"),
        (unscored, mini, "my.jsonl: case 'own-c0' expects 'late fee', which is not in the list"),
    ]:
        write_own(project, own)
        write_script(project)
        done = tunegate(project, "eval", "new", *words)
        assert (done.returncode, done.stderr.count("\n"), said in done.stderr) == (4, 1, True), done.stderr
    (project / "my.jsonl").unlink()
    assert "my.jsonl: cannot be read" in tunegate(project, "eval", "new", *mini).stderr


@pytest.mark.slow
def test_own_cases_neither_approve_a_merge_nor_take_an_approval_away(project: Path, tiny_model: Path) -> None:
    adapter = save_adapter(tiny_model, project / "adapter")
    weights = resolve(str(adapter))
    assert tunegate(project, "eval", "new").returncode == 0
    own = only_run(project).path
    change(own, lambda manifest: msgspec.structs.replace(manifest, checkpoints={CANDIDATE: weights}))
    where = Where(runs=project / "runs")
    with pytest.raises(GateFailed, match=r"legal/mini: no run in .* evaluated these weights on it"):
        may_merge(str(adapter), where, None)
    own_suite = evaluate(project / "runs", adapter)
    later(own, 9)
    assert may_merge(str(adapter), where, None).passed[0].run == own_suite
