"""Past runs: what each folder says, broken ones too, and which of them are wanted."""

import json
import os
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest

from harness.errors import UserError
from harness.runs.folder import RunFolder
from harness.runs.history import PastRun, _since, levels, past_runs, wanted
from harness.schema import AcceptedInfo
from tests.support.closed import close
from tests.support.runs import SUITE, SUITES, make_suite, make_verdict, name_of, write_history, write_run
from training.estimate.duration import finished_runs


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """Two evaluations, a training, an evaluation that was not sealed, a folder of something else."""
    return write_history(tmp_path / "runs")


def test_runs_come_oldest_first_with_what_they_were(root: Path) -> None:
    found = past_runs(root)
    assert [run.name for run in found] == [name_of(1), name_of(2), name_of(3), name_of(4, "train")]
    second = found[1]
    assert (second.kind, second.status, second.sealed, second.started) == (
        "eval",
        "finished",
        True,
        "2026-11-02T08:00:00Z",
    )
    assert {v: m.name for v, m in second.models.items()} == {"tuned": "runs/adapter-2", "baseline": "org/base"}
    assert (second.outcome, second.counts) == ("fail", {"pass": 1, "fail": 1})
    assert [(s.name, s.gated, s.whole) for s in second.suites] == [(SUITE, ["clause_recall"], True)]
    assert (found[2].status, found[2].sealed, found[3].suites) == ("interrupted", False, [])


def test_levels_are_the_judged_models_over_whole_suites(root: Path) -> None:
    found = [level for level in levels(root, [SUITE]) if level.run == name_of(2)]
    words, recall = found
    assert (recall.definition.name, recall.is_share, recall.definition.better) == ("clause_recall", True, "higher")
    assert (recall.estimate.value, recall.estimate.low, recall.estimate.n) == (0.8, 0.75, 80)
    assert (words.estimate.value, words.is_share, words.definition.better) == (61.5, False, "")
    assert levels(root, ["legal/other"]) == []


def test_two_runs_are_asked_the_same_only_where_cases_prompt_and_scorers_are(tmp_path: Path) -> None:
    for day, changed in enumerate(["gates_hash", "cases_hash", "prompt_hash", "scorers_hash"], 1):
        write_run(tmp_path, day, suites=[make_suite(**{changed: "0" * 64})])
    questions = [run.suites[0].questions for run in past_runs(tmp_path)]
    assert len(set(questions)) == 4
    write_run(tmp_path, 5)
    assert past_runs(tmp_path)[-1].suites[0].questions == questions[0]


def test_the_accepted_run_is_known(tmp_path: Path) -> None:
    write_run(tmp_path, 5, suites=[make_suite(accepted=AcceptedInfo(digest="d", run_id=name_of(1)))])
    assert past_runs(tmp_path)[0].suites[0].accepted_run == name_of(1)


def test_a_list_says_what_the_folders_say_now(root: Path) -> None:
    assert not past_runs(root)[2].sealed
    (root / name_of(3) / "MANIFEST.sha256").write_text("")
    write_run(root, 9)
    (root / name_of(2)).rename(root.parent / "elsewhere")
    found = {run.name: run for run in past_runs(root)}
    assert found[name_of(3)].sealed and name_of(9) in found and name_of(2) not in found
    assert {level.run for level in levels(root, SUITES)} == {name_of(1), name_of(3), name_of(9)}
    assert list(root.glob(".*")) == []


def test_no_folder_is_no_run(tmp_path: Path) -> None:
    assert past_runs(tmp_path / "none") == []
    assert levels(tmp_path / "none", SUITES) == []
    assert not (tmp_path / "none").exists()


BROKEN: dict[str, Callable[[Path], object]] = {
    "no manifest": lambda p: (p / "run.json").unlink(),
    "empty manifest": lambda p: (p / "run.json").write_bytes(b""),
    "torn manifest": lambda p: (p / "run.json").write_bytes((p / "run.json").read_bytes()[:100]),
    "no text": lambda p: (p / "run.json").write_bytes(b'{"run_id": "\xff"}'),
    "deep": lambda p: (p / "run.json").write_bytes(b'{"engine": ' + b"[" * 100_000),
    "another kind": lambda p: (p / "run.json").write_text("[1, 2]"),
    "newer": lambda p: (p / "run.json").write_text(
        json.dumps(json.loads((p / "run.json").read_text()) | {"schema_version": 99})
    ),
    "manifest is a folder": lambda p: ((p / "run.json").unlink(), (p / "run.json").mkdir()),
    "torn metrics": lambda p: (p / "metrics.json").write_text('{"metrics": [{"suite"'),
    "no verdicts": lambda p: (p / "verdicts.json").write_text("{}"),
    "seal is a folder": lambda p: ((p / "MANIFEST.sha256").unlink(), (p / "MANIFEST.sha256").mkdir()),
}


@pytest.mark.parametrize("damage", BROKEN.values(), ids=BROKEN)
def test_a_broken_folder_is_listed_with_the_reason(root: Path, damage: Callable[[Path], object]) -> None:
    damage(root / name_of(2))
    found = past_runs(root)
    assert [run.name for run in found] == [name_of(1), name_of(2), name_of(3), name_of(4, "train")]
    assert (found[1].status, found[1].kind, found[1].started) == ("broken", "", "2026-11-02T08:00:00Z")
    assert found[1].problem and "\n" not in found[1].problem
    assert [run.problem for run in found if run.name != name_of(2)] == ["", "", ""]
    assert name_of(2) not in {level.run for level in levels(root, SUITES)}


def test_a_run_whose_answers_were_deleted_is_changed_and_has_no_verdict(tmp_path: Path) -> None:
    path = write_run(tmp_path, 1, seal=False)
    (path / "records.jsonl").write_text("{}\n")
    RunFolder(path).seal()
    assert [(run.status, run.outcome) for run in past_runs(tmp_path)] == [("finished", "pass")]
    (path / "records.jsonl").unlink()
    assert [(run.status, run.outcome) for run in past_runs(tmp_path)] == [("changed", "skipped")]


def test_the_closed_folder_of_another_user_is_listed_and_hides_no_run(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (root / "private").mkdir()
    close(monkeypatch, root / name_of(2), root / "private")
    found = past_runs(root)
    assert [run.name for run in found] == [name_of(1), name_of(2), name_of(3), name_of(4, "train")]
    assert found[1].problem == "the folder cannot be read (Permission denied)"
    assert [folder.name for folder, _ in finished_runs(root, "eval")] == [name_of(1)]


def test_a_name_that_is_no_text_is_written_out(root: Path) -> None:
    try:
        os.mkdir(os.fsencode(root) + b"/20261105T080000Z-\xff-00000005")  # noqa: PTH102 - a name of bytes
    except OSError:
        pytest.skip("this file system takes no such name")
    assert past_runs(root)[-1].name == "20261105T080000Z-\\xff-00000005"


def names(root: Path, is_wanted: Callable[[PastRun], bool]) -> list[int]:
    """Days of the runs that are wanted."""
    return [int(run.started[8:10]) for run in past_runs(root) if is_wanted(run)]


def test_runs_are_picked_by_suite_kind_checkpoint_time_and_outcome(root: Path) -> None:
    write_run(root, 5, suites=[make_suite(name="policy/handbook")], outcomes=())
    write_run(root, 6, ("inconclusive", "pass"))
    (root / name_of(7)).mkdir()
    assert names(root, wanted()) == [1, 2, 3, 4, 5, 6, 7]
    assert names(root, wanted(suites=["evalsuites/legal/clauses/"])) == [1, 2, 3, 6]
    assert names(root, wanted(suites=["policy/*", "legal/nothing"])) == [5]
    assert names(root, wanted(kind="train")) == [4]
    assert names(root, wanted(checkpoint="adapter-2")) == [2]
    assert names(root, wanted(checkpoint="0606")) == [6]
    assert names(root, wanted(since="2026-11-03")) == [3, 4, 5, 6, 7]
    assert names(root, wanted(since="2026-11-03T09:00:00+01:00")) == [3, 4, 5, 6, 7]
    assert names(root, wanted(since="2026-11-03T08:00:01")) == [4, 5, 6, 7]
    assert names(root, wanted(outcome="pass")) == [1]
    assert names(root, wanted(outcome="skipped")) == [3, 5]
    assert names(root, wanted(outcome="inconclusive", suites=["legal/clauses"])) == [6]


@pytest.mark.parametrize(("said", "day"), [("36h", "11-28T18"), ("7d", "11-23T06"), ("4w", "11-02T06")])
def test_how_long_ago_is_counted_from_now(said: str, day: str) -> None:
    assert _since(said, datetime(2026, 11, 30, 6, tzinfo=UTC)) == f"2026-{day}:00:00Z"


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        ({"kind": "evals"}, "--kind evals: expected one of eval, train"),
        ({"outcome": "PASS"}, "--outcome PASS: expected one of pass, fail, inconclusive, skipped"),
        ({"since": "yesterday"}, "--since yesterday: not a time"),
        ({"since": "99999999999w"}, "not a time"),
    ],
)
def test_what_does_not_exist_is_refused(asked: dict[str, str], said: str) -> None:
    with pytest.raises(UserError, match=said):
        wanted(**asked)  # type: ignore[arg-type]


def test_verdicts_of_another_suite_do_not_count(tmp_path: Path) -> None:
    path = write_run(tmp_path, 1, seal=False)
    RunFolder(path).write_verdicts([make_verdict("fail", suite="legal/other"), make_verdict("pass")])
    RunFolder(path).seal()
    assert past_runs(tmp_path)[0].suites[0].counts == {"pass": 1}
