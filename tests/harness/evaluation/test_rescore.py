"""Scoring a finished run again: no model, nothing overwritten, verdicts that follow the scorers and bars of now."""

import shutil
import threading
from pathlib import Path
from threading import Thread
from typing import Any

import pytest

from harness.evaluation.rescore import rescore
from harness.evaluation.run import estimate_and_judge
from harness.progress.progress import Progress
from harness.runs.folder import check_seal, load_run
from harness.runs.score_events import batches, with_later
from reports.assemble import gather
from reports.sections.verdict import rescored
from tests.support.command import tunegate
from tests.support.mini import TEST, compare, evaluate, right, rows, suites, write_suite

RELAXED = TEST.replace(
    'scorers=[clauses.among(["holdover", "assignment", "as is"])]',
    'scorers=[clauses.among(["holdover", "assignment", "as is"], {"staying on": "holdover"})]',
)
SCORED_AGAIN = "Newer scorers scored these answers again"
SEE = "`tunegate rescore` prints the verdict by their scores."


@pytest.mark.slow
def test_a_changed_scorer_supersedes_and_the_verdict_follows(tmp_path: Path):
    wrong = {f"c{i}": "staying on" for i in range(40)}
    run = compare(tmp_path, tuned=wrong)
    assert {v.outcome for v in run.verdicts} == {"fail"}
    before = {path.name: path.read_bytes() for path in run.path.iterdir() if path.is_file()}
    write_suite(tmp_path, test=RELAXED)
    found = rescore(run.path, suites(tmp_path), None, Progress(quiet=True))
    assert found.changed == 40
    level = {m.metric: m.estimate.value for m in found.metrics.metrics if m.variant == "tuned" and m.slice is None}
    assert level["clause_recall"] == pytest.approx(7 / 20)  # "holdover" is right for 7 of the 20 cases with a clause
    assert {path.name: path.read_bytes() for path in run.path.iterdir() if path.is_file()} == before
    assert check_seal(run.path) == [] and len(batches(run.path)) == 1
    again = rescore(run.path, suites(tmp_path), None, Progress(quiet=True))
    assert again.changed == 0
    outcome = ", with another outcome of clause recall at least 50.0% (INCONCLUSIVE)"
    assert rescored(gather(run)) == f"{SCORED_AGAIN}: 40 scores differ{outcome}. {SEE}"
    write_suite(tmp_path)
    rescore(run.path, suites(tmp_path), None, Progress(quiet=True))
    assert rescored(gather(run)) == ""


@pytest.mark.slow
def test_of_two_at_the_same_time_the_second_starts_from_the_scores_of_the_first(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    """Scores of one suite had stayed among those that the other, which ended later, said it had given."""
    run = compare(tmp_path, tuned={f"c{i}": "staying on" for i in range(40)})
    (own,) = suites(tmp_path)
    write_suite(tmp_path, test=RELAXED)
    (relaxed,) = suites(tmp_path)
    quiet = Progress(quiet=True)
    other = Thread(target=rescore, args=(run.path, [relaxed], None, Progress()))

    def meanwhile(*judged: Any) -> Any:
        if threading.current_thread() is not other:
            other.start()
            other.join(2)
            assert other.is_alive()
        return estimate_and_judge(*judged)

    monkeypatch.setattr("harness.evaluation.rescore.estimate_and_judge", meanwhile)
    rescore(run.path, [own], None, quiet)
    other.join()
    assert f"{run.path}: another `tunegate rescore` scores it now. Waiting" in capsys.readouterr().err
    assert batches(run.path)[-1].about["scorers"] == {own.name: relaxed.scorers_hash}
    assert sum(bool(batch.events) for batch in batches(run.path)) == 1


def test_answers_that_were_masked_before_they_were_stored_are_scored_as_masked_and_that_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    (tmp_path / "words.toml").write_text('words = ["Jane Example"]')
    monkeypatch.setenv("TUNEGATE_REDACT", str(tmp_path / "words.toml"))
    run = compare(tmp_path, tuned={f"c{i}": "holdover, says Jane Example" for i in range(40)})
    found = rescore(run.path, suites(tmp_path), None, Progress(quiet=True))
    places = sum(run.manifest.redacted.values())
    assert places >= 40
    assert found.notes == [f"masked before the run was stored, so scored as masked: {places} places"]


OWN = '''"""Mini: an own scorer."""

import numpy as np

from harness import Suite
from harness.schema import Metric, Score, SourceSpan, Span
from harness.scoring.base import scorer


@scorer(metrics=[Metric(name="accuracy", scorer="mine", numerator="right")], name="mine")
def mine(case, completion):
    hit = completion.text != "none"
    return Score(name="mine", value=VALUE, counts={"right": COUNT}, extracted={"found": FOUND}, spans=SPANS)


suite = Suite(scorers=[mine], max_tokens=8)
'''
OWN_GATES = '[objective]\ntext = "x"\n\n[[gate]]\nmetric = "accuracy"\nrule = "at_least"\nvalue = 0.1\n'
SPANS = """[Span(
        start=np.int64(0), end={0}, quote=completion.text[0:1], kind="k", verdict="v",
        source=SourceSpan(doc_id="d", start={0}, end={1}),
    )]"""
FAILED = "the scorer 'mine' returned a score that cannot be stored: "


def own(**parts: str) -> str:
    text = OWN
    for name, part in ({"VALUE": "float(hit)", "COUNT": "int(hit)", "FOUND": "[]", "SPANS": "[]"} | parts).items():
        text = text.replace(name, part)
    return text


@pytest.mark.slow
@pytest.mark.parametrize(
    ("parts", "said"),
    [
        ({"COUNT": "hit", "VALUE": "hit"}, ""),
        ({"COUNT": "np.int64(hit)", "VALUE": "np.float32(hit)"}, ""),
        ({"COUNT": "np.bool_(hit)", "VALUE": "int(hit)"}, ""),
        ({"COUNT": "float(hit)", "FOUND": "tuple(completion.text)"}, ""),
        ({"SPANS": SPANS.format("np.int64(1)", "np.int32(2)")}, ""),
        (
            {"SPANS": SPANS.format("1", "np.float64(2.5)")},
            f"{FAILED}Expected `int`, got `float` - at `$.spans[0].source.end`",
        ),
        ({"FOUND": "[2j]"}, f"{FAILED}2j is of the type complex"),
        ({"COUNT": "0.5"}, f"{FAILED}the count 'right' is 0.5, expected a whole number; a share belongs in its value"),
        ({"COUNT": "-1"}, f"{FAILED}the count 'right' is -1, expected 0 to 2,147,483,647"),
        ({"FOUND": "[3]"}, f"{FAILED}Expected `str`, got `int` - at `$.extracted[...][0]`"),
    ],
)
def test_whatever_types_a_scorer_of_ones_own_returns_the_run_and_its_scores_can_be_read(
    tmp_path: Path, parts: dict[str, str], said: str
) -> None:
    write_suite(tmp_path, test=own(), gates=OWN_GATES)
    path = evaluate(tmp_path, right(rows())).path
    write_suite(tmp_path, test=own(**parts), gates=OWN_GATES)
    for made in (path, evaluate(tmp_path, right(rows())).path):
        found = rescore(made, suites(tmp_path), None, Progress(quiet=True))
        assert rescore(made, suites(tmp_path), None, Progress(quiet=True)).changed == 0
        scores = {r.case.id: r.scores["mine"] for r in with_later(load_run(made)).records}
        assert len(scores) == 40 and {s.reason or "" for s in scores.values()} == {said}
        assert found.verdicts[0].outcome == ("fail" if said else "pass")
        assert said or [scores[f"c{i}"].right for i in range(40)] == [i % 2 for i in range(40)]


def test_a_moved_bar_is_judged_without_asking_again(tmp_path: Path):
    run = compare(tmp_path)
    bars = tmp_path / "bars"
    shutil.copytree(tmp_path / "evalsuites", bars)
    gates = bars / "legal" / "mini" / "gates.toml"
    gates.write_text(gates.read_text().replace("value = 0.5", "value = 0.999"))
    found = rescore(run.path, suites(tmp_path), bars, Progress(quiet=True))
    assert {v.outcome for v in found.verdicts} == {"inconclusive"}


@pytest.mark.slow
def test_answers_to_another_prompt_or_to_other_cases_pass_nothing(tmp_path: Path):
    run = compare(tmp_path)
    folder = tmp_path / "evalsuites/legal/mini"
    (folder / "prompt.jinja").write_text("Another question: {{ document }}")
    done = tunegate(tmp_path, "rescore", run.path.name)
    assert done.returncode == 1 and "prompt changed since the run; run the suite again" in " ".join(done.stdout.split())
    write_suite(tmp_path, rows(39))
    found = rescore(run.path, suites(tmp_path), None, Progress(quiet=True))
    assert {v.outcome for v in found.verdicts} == {"error"} and found.records == 80
    assert "cases" in found.verdicts[0].reason and len(found.verdicts) == len(run.verdicts)


def test_the_command_prints_verdicts_and_what_moved(tmp_path: Path):
    run = compare(tmp_path, tuned={f"c{i}": "staying on" for i in range(40)})
    gates = (tmp_path / "evalsuites/legal/mini/gates.toml").read_text()
    write_suite(tmp_path, test=RELAXED, gates=gates.replace("0.5", "0.02"))
    done = tunegate(tmp_path, "rescore", run.path.name)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "80 answers scored again, 40 scores differ: " in done.stdout
    moved = "threshold 0.5 -> 0.02, which is easier to meet: fail -> pass"
    assert f"changed: legal/mini clause recall at least 2.0%: {moved}" in done.stdout
    assert f"next: tunegate report {run.path.name} --open" in done.stdout
    assert load_run(run.path).verdicts == run.verdicts
    assert SCORED_AGAIN not in done.stdout
    says = rescored(gather(run))
    assert says.startswith(
        f"{SCORED_AGAIN}: 40 scores differ, with another outcome of clause recall at least 50.0% (now at"
    )
    assert "! 40 scores are of a later `tunegate rescore`." in tunegate(tmp_path, "regate", run.path.name).stdout
