"""Judging a finished run again: no model, nothing written, the bars and baselines of now, and never a stale pass."""

import shutil
from pathlib import Path

import pytest

from harness.baseline.accept import accept
from harness.errors import UserError
from harness.evaluation.rejudge import regate
from harness.evaluation.rescore import rescore
from harness.progress.progress import Progress
from harness.runs.folder import RunData
from harness.schema import ACCEPTED
from harness.suites.prompts import PlainRenderer
from tests.support.accepted_suite import CASES, GATES, LEVEL, NEW, OLD, SAID, TEST, write
from tests.support.command import tunegate
from tests.support.mini import TEST as PLAIN
from tests.support.mini import evaluate, right, suites, write_suite


@pytest.fixture
def root(tmp_path: Path) -> Path:
    write(tmp_path)
    return tmp_path


def contents(run: RunData) -> dict[str, bytes]:
    return {str(p.relative_to(run.path)): p.read_bytes() for p in run.path.rglob("*") if p.is_file()}


def test_the_same_bars_give_the_same_verdicts_and_the_folder_stays(root: Path) -> None:
    run = evaluate(root, NEW, OLD)
    before = contents(run)
    found = regate(run.path, suites(root), None)
    assert (found.run.verdicts, found.run.metrics) == (run.verdicts, run.metrics)
    assert found.not_judged == [] and found.run.manifest.moved == []
    assert contents(run) == before


@pytest.mark.slow
def test_the_bars_of_now_judge_and_those_of_another_copy(root: Path) -> None:
    run = evaluate(root, NEW, OLD)
    shutil.copytree(root / "evalsuites", root / "bars")
    write(root, gates=LEVEL.replace("0.2", "0.999"))
    assert [v.outcome for v in regate(run.path, suites(root), None).run.verdicts] == ["fail"]
    found = regate(run.path, suites(root), root / "bars")
    assert found.run.verdicts == run.verdicts
    first = "legal/mini/gates.toml: clause recall, at least: threshold 0.2 -> 0.999, which is harder to meet"
    assert found.run.manifest.moved[0] == f"{first}; {root / 'bars'} decides"
    assert "legal/mini/gates.toml: likeness, instrument, improves was removed" in found.run.manifest.moved[-1]


@pytest.mark.slow
def test_the_accepted_baseline_of_now_takes_the_place_of_the_runs_own(root: Path) -> None:
    accept(evaluate(root, OLD).path, suites(root), SAID)
    alone, live = evaluate(root, NEW), evaluate(root, NEW, OLD)
    assert {v.outcome for v in alone.verdicts if v.rule != "at_least"} == {"skipped"}
    for run in (alone, live, evaluate(root, NEW, right(CASES))):
        found = regate(run.path, suites(root), None, ACCEPTED).run
        assert (found.verdicts, found.metrics) == (live.verdicts, live.metrics)
    skipped = regate(alone.path, suites(root), None)
    reasons = [v.reason for v in skipped.run.verdicts if v.outcome == "skipped"]
    assert len(reasons) == 5 and all("no baseline was given" in why for why in reasons)


@pytest.mark.slow
def test_a_run_that_was_compared_with_an_accepted_baseline_keeps_that_one(root: Path) -> None:
    accept(evaluate(root, OLD).path, suites(root), SAID)
    run = evaluate(root, NEW, ACCEPTED)
    accept(evaluate(root, right(CASES)).path, suites(root), SAID)
    assert regate(run.path, suites(root), None).run.verdicts == run.verdicts
    assert regate(run.path, suites(root), None, ACCEPTED).run.verdicts != run.verdicts


@pytest.mark.slow
def test_what_had_moved_before_a_run_is_said_again(root: Path) -> None:
    accept(evaluate(root, OLD).path, suites(root), SAID)
    write(root, gates=GATES.replace("0.2", "0.1"), cases=CASES[:-1])
    run = evaluate(root, {name: text for name, text in NEW.items() if name != CASES[-1]["id"]}, ACCEPTED)
    found = regate(run.path, suites(root), None)
    assert found.run.manifest.moved == run.manifest.moved and len(run.manifest.moved) == 2
    assert found.run.verdicts == run.verdicts


@pytest.mark.slow
@pytest.mark.parametrize(("change", "said"), [
    ({"cases": CASES[:-1]}, "Not judged: cases changed since the run; run the suite again."),
    ({"test": TEST.replace("% 7) / 7", "% 5) / 5")},
     "Not judged: scorers changed since the run; score it again with `tunegate rescore`."),
])  # fmt: skip
def test_a_run_of_another_suite_is_an_error_and_never_a_pass(root: Path, change: dict[str, str], said: str) -> None:
    run = evaluate(root, right(CASES), OLD)
    write(root, **change)
    found = regate(run.path, suites(root), None)
    assert {(v.outcome, v.reason) for v in found.run.verdicts} == {("error", said)}
    assert len(found.run.verdicts) == 6


@pytest.mark.slow
def test_a_run_that_left_long_cases_out_is_stale_once_the_suite_asks_for_all(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The other cases alone would be judged, and accepted as the baseline."""
    long = [case | {"input": {"document": f"{case['id']} {'long ' * 400}"}} for case in CASES[30:]]
    cases = [*CASES[:30], *long]
    monkeypatch.setattr(PlainRenderer, "max_positions", 500)
    write_suite(root, cases, PLAIN.replace("max_tokens=8", "max_tokens=8, leave_out_long=True"), LEVEL)
    run = evaluate(root, right(cases))
    assert [v.outcome for v in run.verdicts] == ["inconclusive"] and len(run.manifest.suites[0].left_out) == 30
    write_suite(root, cases, gates=LEVEL)
    judged = regate(run.path, suites(root), None).run.verdicts
    scored = rescore(run.path, suites(root), None, Progress(quiet=True)).verdicts
    assert [v.outcome for v in [*judged, *scored]] == ["error"] * 2
    assert judged[0].reason == "Not judged: leave_out_long changed since the run; run the suite again."
    with pytest.raises(UserError, match="leave_out_long changed since the run"):
        accept(run.path, suites(root), SAID)


@pytest.mark.slow
def test_a_run_that_was_scored_again_is_judged_by_those_scores(root: Path) -> None:
    run = evaluate(root, NEW, OLD)
    write(root, test=TEST.replace("% 7) / 7", "% 5) / 5"))
    again = rescore(run.path, suites(root), None, Progress(quiet=True))
    assert regate(run.path, suites(root), None).run.verdicts == again.verdicts != run.verdicts


@pytest.mark.slow
def test_scores_of_an_accepted_baseline_are_not_compared_after_scoring_again(root: Path) -> None:
    accept(evaluate(root, OLD).path, suites(root), SAID)
    run = evaluate(root, NEW, ACCEPTED)
    same = rescore(run.path, suites(root), None, Progress(quiet=True))
    assert (same.records, same.changed, same.verdicts, same.metrics) == (60, 0, run.verdicts, run.metrics)
    write(root, test=TEST.replace("% 7) / 7", "% 5) / 5"))
    again = rescore(run.path, suites(root), None, Progress(quiet=True))
    assert {v.rule: v.outcome for v in again.verdicts}["improves"] == "error"
    assert "an accepted baseline has no answers" in again.verdicts[1].reason
    assert again.metrics.comparisons == []
    assert regate(run.path, suites(root), None).run.verdicts == again.verdicts


@pytest.mark.slow
def test_a_model_cannot_be_asked(root: Path) -> None:
    with pytest.raises(UserError, match="--baseline old: no model is run here"):
        regate(evaluate(root, NEW).path, suites(root), None, "old")


@pytest.mark.slow
def test_a_run_of_suites_that_are_not_at_hand_is_refused_and_a_part_of_it_is_named(root: Path) -> None:
    run = evaluate(root, NEW)
    with pytest.raises(UserError, match="has legal/mini; none of the given suites"):
        regate(run.path, [], None)
    write(root / "evalsuites" / "more")
    both = root / "evalsuites" / "more" / "evalsuites" / "legal"
    both.rename(root / "evalsuites" / "finance")
    run = evaluate(root, NEW)
    here = [s for s in suites(root) if s.name == "legal/mini"]
    found = regate(run.path, here, None)
    assert found.not_judged == ["finance/mini"]
    assert {v.suite for v in found.run.verdicts} == {"legal/mini"}


@pytest.mark.slow
@pytest.mark.parametrize("command", ["regate", "rescore"])
def test_the_command_shows_the_one_suite_that_is_judged_again_and_no_other(root: Path, command: str) -> None:
    shutil.copytree(root / "evalsuites" / "legal", root / "evalsuites" / "finance")
    evaluate(root, NEW)
    done = tunegate(root, command, "latest", "--suite", "evalsuites/legal/mini")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "legal/mini: 60 cases" in done.stdout and "finance/mini: 60 cases" not in done.stdout


@pytest.mark.slow
def test_a_suite_that_has_bars_and_is_not_in_the_run_is_named(root: Path) -> None:
    shutil.copytree(root / "evalsuites", root / "bars")
    shutil.copytree(root / "bars" / "legal", root / "bars" / "finance")
    assert regate(evaluate(root, NEW).path, suites(root), root / "bars").not_judged == ["finance/mini"]


@pytest.mark.slow
def test_a_partial_run_and_a_failing_engine_pass_nothing(root: Path) -> None:
    partial = regate(evaluate(root, NEW, OLD, limit=30).path, suites(root), None)
    assert [v.outcome for v in partial.run.verdicts] == ["skipped"] * 6
    failing = [str(c["id"]) for c in CASES[::3]]
    tuned = {k: v for k, v in right(CASES).items() if k not in failing}
    failed = regate(evaluate(root, tuned, OLD, fail=failing).path, suites(root), None)
    assert all(v.outcome == "fail" and v.reason.startswith("Not measured") for v in failed.run.verdicts)
