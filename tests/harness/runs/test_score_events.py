"""Scores given after sealing: appended in sealed batches, the later one read, nothing overwritten."""

import shutil
from pathlib import Path

import msgspec
import pytest

from harness.errors import UserError
from harness.runs.folder import check_seal, load_run
from harness.runs.score_events import append, batches, latest, with_later
from harness.schema import Score, ScoreEvent
from tests.support.mini import compare


def event(value: float, **more: object) -> ScoreEvent:
    found = {"suite": "legal/mini", "case_id": "c1", "variant": "tuned", "repeat": 1, "supersedes": True} | more
    return ScoreEvent(score=Score(name="clauses", value=value), **found)  # type: ignore[arg-type]


def test_a_later_finding_is_read_in_place_of_the_runs_own_and_the_run_stays_sealed(tmp_path: Path):
    run = compare(tmp_path)
    append(run.path, "code", [event(0.25)], {"why": "first"})
    for file in (run.path / "later").iterdir():  # Written by a machine whose clock is ahead.
        file.rename(file.with_name(f"29{file.name[2:]}"))
    append(run.path, "code", [event(0.5)], {"why": "second"})
    assert check_seal(run.path) == []
    kept = {r.case.id: r.scores["clauses"].value for r in load_run(run.path).records if r.variant == "tuned"}
    read = {
        r.case.id: r.scores["clauses"].value for r in with_later(load_run(run.path)).records if r.variant == "tuned"
    }
    assert (kept["c1"], read["c1"]) == (1.0, 0.5)
    assert {k: v for k, v in read.items() if k != "c1"} == {k: v for k, v in kept.items() if k != "c1"}
    assert [b.about["why"] for b in batches(run.path)] == ["first", "second"]
    assert [e.score.value for b in batches(run.path) for e in b.events] == [0.25, 0.5]


def test_peoples_labels_do_not_enter_the_records(tmp_path: Path):
    run = compare(tmp_path)
    append(run.path, "human", [event(0.0, kind="human", author="r1")], {})
    assert with_later(run) == run


def test_a_judge_adds_scores_and_replaces_none_of_a_scorer(tmp_path: Path):
    """A rubric may have the name of a scorer; what a gate counts would then be a model's opinion."""
    run = compare(tmp_path)
    judged = event(0.0, kind="judge")
    more = msgspec.structs.replace(judged, score=Score(name="judge_x", value=1.0))
    append(run.path, "judge", [judged, more], {})
    (read,) = (r for r in with_later(load_run(run.path)).records if (r.case.id, r.variant) == ("c1", "tuned"))
    assert read.scores["clauses"].value == 1.0 and read.scores["judge_x"].value == 1.0
    append(run.path, "code", [event(0.5)], {})
    (read,) = (r for r in with_later(load_run(run.path)).records if (r.case.id, r.variant) == ("c1", "tuned"))
    assert read.scores["clauses"].value == 0.5


def test_a_changed_batch_is_refused(tmp_path: Path):
    run = compare(tmp_path)
    path = append(run.path, "code", [event(0.5)], {})
    path.write_bytes(path.read_bytes().replace(b"0.5", b"0.9"))
    with pytest.raises(UserError, match="differs from its seal"):
        batches(run.path)


def test_each_reviewer_supersedes_only_their_own(tmp_path: Path):
    given = [
        event(0.0, kind="human", author="r1"),
        event(1.0, kind="human", author="r2"),
        event(0.5, kind="human", author="r1"),
    ]
    assert sorted((e.author, e.score.value) for e in latest(given)) == [("r1", 0.5), ("r2", 1.0)]


def test_a_batch_about_the_answers_of_another_run_is_refused(tmp_path: Path):
    """Case, variant and suite are the same in two runs of one suite: the findings would count for the other model."""
    passed, failed = compare(tmp_path / "passed").path, compare(tmp_path / "failed").path
    append(passed, "human", [event(1.0, kind="human", author="r1")], {})
    shutil.copytree(passed / "later", failed / "later")
    assert len(batches(passed)) == 1
    with pytest.raises(UserError, match="is about the answers of another run"):
        batches(failed)
