"""Past runs: the index says what the folders say, whatever happened to either."""

import json
import multiprocessing
import os
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from harness.errors import UserError
from harness.history import index, past
from harness.history.index import INDEX, LOCK, levels, past_runs
from harness.history.past import PastRun
from harness.history.wanted import Wanted, wanted
from harness.schema import AcceptedInfo
from tests.harness.runs import SUITE, make_suite, make_verdict, name_of, write_run

SUITES = {SUITE, "general/basics"}


def everything(root: Path, keep: bool = True) -> tuple[list[PastRun], object]:
    return past_runs(root, keep=keep), levels(root, SUITES, keep=keep)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """Two evaluations, a training, an evaluation that was not sealed, a folder of something else."""
    made = tmp_path / "runs"
    write_run(made, 2, ("pass", "fail"), 0.8)
    write_run(made, 1)
    write_run(made, 3, seal=False, status="running", ended=None)
    write_run(made, 4, run_id=name_of(4, "train"), kind="train", suites=[])
    (made / "demo-data").mkdir()
    return made


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
    assert (found[2].status, found[2].sealed, found[3].suites) == ("running", False, [])


def test_levels_are_the_judged_models_over_whole_suites(root: Path) -> None:
    found = [level for level in levels(root, [SUITE]) if level.run == name_of(2)]
    words, recall = found
    assert (recall.metric, recall.value, recall.low, recall.high) == ("clause_recall", 0.8, 0.75, pytest.approx(0.85))
    assert (recall.n, recall.clusters, recall.is_share, recall.higher_is_better) == (80, 40, True, True)
    assert (words.value, words.low, words.is_share, words.higher_is_better) == (61.5, None, False, False)
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


def test_a_deleted_index_comes_back_with_equal_rows(root: Path) -> None:
    first = everything(root)
    before = rows(root)
    (root / INDEX).unlink()
    assert everything(root) == first
    assert rows(root) == before
    past_runs(root, rebuild=True)
    assert rows(root) == before
    assert len(before[0]) == 4 and len(before[1]) == 6


def rows(root: Path) -> tuple[list[object], list[object]]:
    """All rows of the index, as they lie in it."""
    with sqlite3.connect(root / INDEX) as opened:
        return (
            opened.execute("SELECT * FROM runs ORDER BY name").fetchall(),
            opened.execute("SELECT * FROM levels ORDER BY run, metric").fetchall(),
        )


def test_without_an_index_the_folders_say_the_same(root: Path) -> None:
    kept = everything(root)
    assert everything(root, keep=False) == kept
    for file in root.glob(".index*"):
        file.unlink()
    assert everything(root, keep=False) == kept
    assert list(root.glob(".*")) == []


@pytest.fixture
def read_names(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Names of the folders that are read from now on."""
    names: list[str] = []

    def read(folder: Path, name: str) -> object:
        names.append(name)
        return past.read(folder, name)

    monkeypatch.setattr(index, "read", read)
    return names


def test_only_what_changed_is_read_again(root: Path, read_names: list[str]) -> None:
    past_runs(root)
    assert sorted(read_names) == [name_of(1), name_of(2), name_of(3), name_of(4, "train")]
    read_names.clear()
    assert len(everything(root)[0]) == 4 and read_names == []
    later = write_run(root, 9)
    past_runs(root)
    assert read_names == [later.name]


def test_an_index_that_is_there_is_used_even_where_none_would_be_made(root: Path, read_names: list[str]) -> None:
    past_runs(root)
    read_names.clear()
    assert len(everything(root, keep=False)[0]) == 4 and read_names == []


@pytest.mark.parametrize("name", ["run.json", "verdicts.json", "metrics.json"])
def test_a_file_that_was_written_anew_is_seen(root: Path, read_names: list[str], name: str) -> None:
    past_runs(root)
    read_names.clear()
    file = root / name_of(2) / name
    content, times = file.read_bytes(), file.stat()
    (root / "new").write_bytes(content)
    (root / "new").replace(file)
    os.utime(file, ns=(times.st_atime_ns, times.st_mtime_ns))
    past_runs(root)
    assert read_names == [name_of(2)]


def test_a_seal_that_comes_later_is_seen(root: Path) -> None:
    assert not past_runs(root)[2].sealed
    (root / name_of(3) / "MANIFEST.sha256").write_text("")
    assert past_runs(root)[2].sealed


def test_a_folder_that_went_away_is_gone(root: Path) -> None:
    everything(root)
    for file in (root / name_of(2)).iterdir():
        file.unlink()
    (root / name_of(2)).rename(root / "elsewhere")
    assert name_of(2) not in [run.name for run in past_runs(root)]
    assert name_of(2) not in {level.run for level in levels(root, SUITES)}


def garbage(file: Path) -> None:
    file.write_bytes(os.urandom(50_000))


def cut(file: Path) -> None:
    file.write_bytes(file.read_bytes()[:5000])


def half_zero(file: Path) -> None:
    content = file.read_bytes()
    file.write_bytes(content[: len(content) // 2] + bytes(len(content) // 2))


def statement(*several: str) -> Callable[[Path], None]:
    def change(file: Path) -> None:
        with sqlite3.connect(file) as opened:
            for sql in several:
                opened.execute(sql)

    return change


@pytest.mark.parametrize(
    "damage",
    [
        garbage,
        cut,
        half_zero,
        statement("DELETE FROM levels", "PRAGMA user_version = 99"),
        statement("DROP TABLE levels"),
        statement("ALTER TABLE runs DROP COLUMN stamp"),
        statement("UPDATE runs SET entry = '{'"),
        statement("UPDATE runs SET entry = x'22ff22'"),
        statement("UPDATE runs SET entry = '{\"kind\": 3}'"),
    ],
    ids=["garbage", "cut", "half zero", "layout", "no table", "no column", "torn", "no text", "another kind"],
)
def test_a_damaged_index_is_made_anew(root: Path, damage: Callable[[Path], None]) -> None:
    whole = everything(root)
    before = rows(root)
    damage(root / INDEX)
    assert everything(root) == whole
    assert rows(root) == before


def test_a_damaged_level_is_made_anew(root: Path) -> None:
    whole = levels(root, SUITES)
    statement("UPDATE levels SET value = 'high'")(root / INDEX)
    assert levels(root, SUITES) == whole


@pytest.mark.parametrize("name", [INDEX, LOCK])
def test_where_no_index_can_be_kept_the_folders_are_read(root: Path, name: str) -> None:
    whole = everything(root, keep=False)
    (root / name).mkdir()
    (root / name / "in the way").touch()
    assert everything(root) == whole


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
}


@pytest.mark.parametrize("damage", BROKEN.values(), ids=BROKEN)
def test_a_broken_folder_is_listed_with_the_reason(root: Path, damage: Callable[[Path], object]) -> None:
    damage(root / name_of(2))
    for _ in range(2):
        found = past_runs(root)
        assert [run.name for run in found] == [name_of(1), name_of(2), name_of(3), name_of(4, "train")]
        assert (found[1].status, found[1].kind, found[1].started) == ("broken", "", "2026-11-02T08:00:00Z")
        assert found[1].problem and "\n" not in found[1].problem
    assert [run.problem for run in found if run.name != name_of(2)] == ["", "", ""]
    assert name_of(2) not in {level.run for level in levels(root, SUITES)}


def test_a_folder_is_read_again_once_it_is_whole(root: Path) -> None:
    file = root / name_of(2) / "run.json"
    content = file.read_bytes()
    file.write_bytes(content[:40])
    assert past_runs(root)[1].status == "broken"
    file.write_bytes(content)
    assert past_runs(root)[1].status == "finished"


def test_a_name_that_is_no_text_is_written_out(root: Path) -> None:
    try:
        os.mkdir(os.fsencode(root) + b"/20261105T080000Z-\xff-00000005")  # noqa: PTH102 - a name of bytes
    except OSError:
        pytest.skip("this file system takes no such name")
    for _ in range(2):
        assert past_runs(root)[-1].name == "20261105T080000Z-\\xff-00000005"


READER = """
import sys, time
from pathlib import Path
from harness.history import index
slowly, rebuild = float(sys.argv[2]), len(sys.argv) > 3
read = index.read
index.AT_ONCE = 3
index.read = lambda folder, name: (time.sleep(slowly), read(folder, name))[1]
print(len(index.past_runs(Path(sys.argv[1]), rebuild=rebuild)))
"""


def test_killed_in_the_middle_it_goes_on_and_says_the_same(tmp_path: Path) -> None:
    for day in range(1, 25):
        write_run(tmp_path, day)
    reader = subprocess.Popen([sys.executable, "-c", READER, str(tmp_path), "0.05"])
    deadline = time.monotonic() + 60
    while kept(tmp_path) < 3 and time.monotonic() < deadline:
        time.sleep(0.01)
    reader.send_signal(signal.SIGKILL)
    reader.wait()
    assert 3 <= kept(tmp_path) < 24
    assert everything(tmp_path) == everything(tmp_path, keep=False)
    assert len(past_runs(tmp_path)) == 24


def kept(root: Path) -> int:
    """Runs that the index holds; 0 as long as there is none."""
    if not (root / INDEX).exists():
        return 0
    try:
        with sqlite3.connect(f"file:{root / INDEX}?mode=ro", uri=True) as opened:
            return int(opened.execute("SELECT count(*) FROM runs").fetchone()[0])
    except sqlite3.Error:
        return 0


def test_several_processes_read_and_rebuild_at_once(tmp_path: Path) -> None:
    for day in range(1, 13):
        write_run(tmp_path, day)
    command = [sys.executable, "-c", READER, str(tmp_path), "0.005"]
    readers = [
        subprocess.Popen(command + ["rebuild"] * (at % 2), stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        for at in range(6)
    ]
    said = [reader.communicate(timeout=120) for reader in readers]
    assert said == [(b"12\n", b"")] * 6
    assert everything(tmp_path) == everything(tmp_path, keep=False)


def held(lock: str, is_held: "multiprocessing.synchronize.Event", done: "multiprocessing.synchronize.Event") -> None:
    from filelock import FileLock

    with FileLock(lock):
        is_held.set()
        done.wait(60)


def test_an_index_that_is_held_too_long_is_left_alone_and_done_without(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    everything(root)
    write_run(root, 9)
    whole = everything(root, keep=False)
    before = rows(root)
    write_run(root, 10)
    ways = multiprocessing.get_context("spawn")
    is_held, done = ways.Event(), ways.Event()
    holder = ways.Process(target=held, args=(str(root / LOCK), is_held, done))
    holder.start()
    try:
        assert is_held.wait(60)
        monkeypatch.setattr(index, "WAIT_S", 0.1)
        assert len(past_runs(root)) == len(whole[0]) + 1
        assert rows(root) == before
    finally:
        done.set()
        holder.join()


def names(root: Path, asked: Wanted) -> list[int]:
    """Days of the runs that are wanted."""
    return [int(run.started[8:10]) for run in past_runs(root) if asked.is_met(run)]


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
    assert names(root, wanted(outcome="pass")) == [1, 3]
    assert names(root, wanted(outcome="skipped")) == [5]
    assert names(root, wanted(outcome="inconclusive", suites=["legal/clauses"])) == [6]


def test_how_long_ago_is_counted_from_now() -> None:
    hours = [
        (time.time() - time.mktime(time.strptime(wanted(since=said).since, "%Y-%m-%dT%H:%M:%SZ")) + time.timezone)
        / 3600
        for said in ("12h", "7d", "4w")
    ]
    assert hours == [pytest.approx(12, abs=0.1), pytest.approx(7 * 24, abs=0.1), pytest.approx(28 * 24, abs=0.1)]


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
    from harness.store import RunFolder

    path = write_run(tmp_path, 1, seal=False)
    RunFolder(path).write_verdicts([make_verdict("fail", suite="legal/other"), make_verdict("pass")])
    assert past_runs(tmp_path)[0].suites[0].counts == {"pass": 1}
