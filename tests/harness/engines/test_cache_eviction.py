"""The cache folder: shown as it is, and trimmed without what is in use, what is needed, or cannot be made again."""

import os
import time
from pathlib import Path

import pytest
from msgspec import structs

from harness.checkpoints.merge import merged_path
from harness.engines.cache import LOCK, AnswerCache, answered
from harness.engines.cache_eviction import bound, keep_within_bound, parse_bytes, table, trim
from harness.engines.config import EngineConfig
from harness.engines.dispatch import Dispatcher
from harness.engines.fake import FakeEngine
from harness.env import CACHE_MAX
from harness.errors import UserError
from harness.evaluation.plan import Job, SuiteJob
from harness.evaluation.run import run
from harness.formatting import format_bytes
from harness.progress.progress import Progress
from harness.runs.folder import RunFolder
from harness.schema import Checkpoint, Completion, Request, Sampling
from harness.suites.discovery import find_suites
from tests.support.closed import close
from tests.support.command import tunegate
from tests.support.mini import rows, write_suite

HOUR = 3600.0


@pytest.fixture(autouse=True)
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("TUNEGATE_CACHE", str(tmp_path / "cache"))
    monkeypatch.delenv(CACHE_MAX, raising=False)
    return tmp_path / "cache"


def checkpoint(name: str) -> Checkpoint:
    return Checkpoint(name=name, kind="scripted", path="", digest=name * 64)


def cache_of(name: str) -> AnswerCache:
    """The cache of one variant, with two answers in it."""
    engine = FakeEngine(lambda request: "x" * 1000)
    cache = AnswerCache(engine, {"tuned": checkpoint(name)})
    asked = [Request(key=f"{name}{i}", ids=(i,), sampling=Sampling(max_tokens=9), variant="tuned") for i in (1, 2)]
    assert len(list(answered(engine, asked, cache))) == 2
    return cache


def answers_of(name: str, age: float = 0.0) -> Path:
    cache = cache_of(name)
    (file,) = cache._files
    cache.close()
    aged(file / LOCK, age)
    return file


def aged(file: Path, age: float) -> Path:
    then = time.time() - age
    os.utime(file, (then, then))
    return file


def merged(root: Path, name: str, age: float = 0.0, size: int = 5000) -> Path:
    """What a merge leaves in the cache, without a model."""
    folder = root / "merged" / f"{name * 16}-{'f' * 16}-{'0' * 8}"
    folder.mkdir(parents=True)
    (folder / "model.safetensors").write_bytes(bytes(size))
    (folder / "merge.json").write_text("{}")
    aged(folder / "merge.json", age)
    (root / "merged" / f"{folder.name}.lock").touch()
    return folder


def other(root: Path, name: str, size: int = 3000) -> Path:
    file = root / name
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(bytes(size))
    return file


def size_of(root: Path) -> int:
    return sum(file.stat().st_size for file in root.rglob("*") if file.is_file())


def test_the_table_names_every_file_with_its_answers_and_the_total_against_the_bound(root: Path) -> None:
    answers_of("a", age=2 * HOUR)
    answers_of("b", age=1 * HOUR)
    merged(root, "c")
    other(root, "models/smollm/model.safetensors")
    other(root, "digests.json")
    lines = table()
    told = [line.split() for line in lines[1:-1]]
    assert [row[0] for row in told] == ["merged", "answers", "answers", "other", "other"]
    assert told[1][1:5] == ["a" * 12, "fake", "1", "2"] and told[2][1] == "b" * 12
    assert told[0][1:4] == ["c" * 12, "with", "f" * 12]
    assert {row[1] for row in told[3:]} == {"smollm", "digests.json"}
    assert lines[-1] == f"{format_bytes(size_of(root))} of at most 20 GB (TUNEGATE_CACHE_MAX) in {root}"


def test_an_empty_cache_is_one_line(root: Path) -> None:
    assert table() == [f"0 B of at most 20 GB (TUNEGATE_CACHE_MAX) in {root}"]


def test_the_least_recently_used_go_first_merged_models_before_answers(root: Path) -> None:
    old, new = answers_of("a", age=9 * HOUR), answers_of("b", age=HOUR)
    model, older = merged(root, "c", age=2 * HOUR), merged(root, "d", age=3 * HOUR)
    found = trim(0)
    assert [entry.path for entry in found.dropped] == [older, model, old, new]
    assert found.left == 0 and size_of(root) == 0


def test_nothing_more_is_dropped_than_is_needed(root: Path) -> None:
    old, new = answers_of("a", age=9 * HOUR), answers_of("b", age=HOUR)
    found = trim(size_of(root) - 1)
    assert [entry.path for entry in found.dropped] == [old] and new.exists()
    assert found.left == size_of(root)
    assert trim(size_of(root)).dropped == []


def test_a_dry_run_says_the_same_and_drops_nothing(root: Path) -> None:
    answers_of("a"), merged(root, "b")
    cache = cache_of("c")
    before = size_of(root)
    said = trim(0, dry_run=True)
    assert size_of(root) == before
    assert said == trim(0)
    cache.close()


def test_reading_answers_counts_as_use(root: Path) -> None:
    read, untouched = answers_of("a", age=9 * HOUR), answers_of("b", age=HOUR)
    cache_of("a").close()
    assert [entry.path for entry in trim(0).dropped] == [untouched, read]


def test_a_file_that_a_run_has_open_stays_and_so_does_every_answer_that_it_adds(root: Path) -> None:
    cache = cache_of("a")
    (file,) = cache._files
    found = trim(0)
    assert found.dropped == [] and [entry.path for entry in found.refused] == [file]
    assert any(line.endswith("in use") for line in table())
    late = Request(key="late", ids=(3,), sampling=Sampling(max_tokens=9), variant="tuned")
    cache.add(late, Completion(key="late", text="kept", finish_reason="stop", prompt_tokens=1, output_tokens=1))
    cache.close()
    again = AnswerCache(FakeEngine(), {"tuned": checkpoint("a")})
    assert again.get(late) is not None
    again.close()
    assert [entry.path for entry in trim(0).dropped] == [file]


def test_a_cache_that_is_opened_while_its_file_is_dropped_begins_a_new_one(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from harness.engines import cache as engines_cache

    file = answers_of("a")
    real = engines_cache.hold

    def late(path: Path) -> int:
        if file.exists():
            assert trim(0).dropped
        return real(path)

    monkeypatch.setattr(engines_cache, "hold", late)
    cache = AnswerCache(FakeEngine(), {"tuned": checkpoint("a")})
    monkeypatch.setattr(engines_cache, "hold", real)
    cache.hold()
    assert file.exists()
    cache.close()


def test_models_cases_and_young_temporary_files_are_never_dropped(root: Path) -> None:
    kept_ones = [
        other(root, "models/smollm/model.safetensors"), other(root, "digests.json"), other(root, "canary/c.json"),
        other(root, "stretches/s.json"), other(root, "cuad/x/test.jsonl"), other(root, "tmp1234"),
        other(root, "merged/making-x/model/model.safetensors"), other(root, "answers/notes.txt"),
    ]  # fmt: skip
    found = trim(0)
    assert found.dropped == [] and found.refused == [] and found.left == size_of(root) > 0
    assert all(file.exists() for file in kept_ones)


def test_what_a_killed_process_left_over_goes_first_once_it_is_old(root: Path) -> None:
    answers = answers_of("a", age=99 * HOUR)
    left = [other(root, "tmp1234"), other(root, "answers/tmp-x"), other(root, "merged/dropped-1-x/model.safetensors")]
    for file in left:
        aged(file, 25 * HOUR)
    found = trim(size_of(answers))
    assert [entry.kind for entry in found.dropped] == ["left over"] * 3
    assert answers.exists() and not any(file.exists() for file in left)


def test_a_link_to_models_elsewhere_is_not_followed(root: Path, tmp_path: Path) -> None:
    other(tmp_path, "elsewhere/model.safetensors", size=10_000)
    root.mkdir()
    (root / "shared").symlink_to(tmp_path / "elsewhere")
    assert trim(0).left < 10_000 and (tmp_path / "elsewhere" / "model.safetensors").exists()


def test_what_is_another_users_stays_and_ends_nothing(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    one, two, closed = answers_of("a", age=2 * HOUR), answers_of("b", age=HOUR), answers_of("c")
    real = Path.rename

    def refuse(self: Path, target: Path) -> Path:
        if self == one:
            raise PermissionError(13, "Permission denied")
        return real(self, target)

    monkeypatch.setattr(Path, "rename", refuse)
    close(monkeypatch, closed)
    found = trim(0)
    assert [e.path for e in found.refused] == [one] and [e.path for e in found.dropped] == [two] and closed.exists()


def test_a_run_over_the_bound_drops_others_answers_and_reads_its_own(
    root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (suite,) = find_suites([str(write_suite(tmp_path, rows(6)))])
    job = Job(suites=[SuiteJob(suite=suite, cases=suite.cases)], candidate="x", engine=EngineConfig(name="fake"))
    first = run(job, RunFolder.create(tmp_path / "runs", "eval"), Progress())
    foreign = answers_of("z", age=HOUR)
    merged(root, "z")
    monkeypatch.setenv(CACHE_MAX, "1kB")
    second = run(job, RunFolder.create(tmp_path / "runs", "eval"), Progress())
    assert [made.manifest.engine["cached"] for made in (first, second)] == [0, 6]
    assert not foreign.exists()
    (line,) = [line for line in capsys.readouterr().err.splitlines() if "the cache was over" in line]
    assert line.startswith("the cache was over 1.0 kB (TUNEGATE_CACHE_MAX): ") and "(merged: 1, answers: 1)" in line


def test_a_run_keeps_the_merged_models_and_folders_of_its_checkpoints(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    own, idle, named = merged(root, "a"), merged(root, "b"), merged(root, "c")
    adapter = structs.replace(checkpoint("x"), base_digest="a" * 64, adapter_digest="f" * 64, tokenizer_digest="0" * 64)
    asked = {"baseline": structs.replace(checkpoint("y"), path=str(named)), "tuned": adapter}
    assert merged_path(adapter) == own
    monkeypatch.setenv(CACHE_MAX, "0")
    assert list(Dispatcher(EngineConfig(name="fake"), asked, max_model_len=8).answers([])) == []
    assert own.exists() and named.exists() and not idle.exists()


def test_below_the_bound_and_without_one_nothing_is_dropped_or_said(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = answers_of("a", age=99 * HOUR)
    said: list[str] = []
    keep_within_bound((), said.append)
    monkeypatch.setenv(CACHE_MAX, "off")
    keep_within_bound((), said.append)
    assert said == [] and file.exists()


@pytest.mark.parametrize(("text", "expected"), [
    ("0", 0), ("5GB", 5 * 10**9), ("500MB", 5 * 10**8), ("1.5 gb", 15 * 10**8), ("20k", 20_000), ("7B", 7),
    ("2TB", 2 * 10**12),
])  # fmt: skip
def test_sizes_are_read_as_people_write_them(text: str, expected: int) -> None:
    assert parse_bytes(text, "--to") == expected


@pytest.mark.parametrize("text", ["", "GB", "five GB", "-1", "5 GiB", "1e9", "5", "20.5", "500 "])
def test_what_is_no_size_is_refused_and_says_where_it_stands(text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(UserError, match=r"^--to .*: not a size\. Expected a number with a unit, such as 5GB or 500MB$"):
        parse_bytes(text, "--to")
    if text:
        monkeypatch.setenv(CACHE_MAX, text)
        with pytest.raises(UserError, match=r"^TUNEGATE_CACHE_MAX .*, or 'off'$"):
            bound()


@pytest.mark.parametrize(("size", "expected"), [
    (0, "0 B"), (999, "999 B"), (1234, "1.2 kB"), (9_960, "10.0 kB"), (269_060_552, "269 MB"), (20 * 10**9, "20 GB"),
])  # fmt: skip
def test_sizes_are_said_in_three_figures_at_most(size: int, expected: str) -> None:
    assert format_bytes(size) == expected


def test_the_command_shows_trims_and_refuses(root: Path, tmp_path: Path) -> None:
    file = answers_of("a")
    shown = tunegate(tmp_path, "cache")
    assert shown.returncode == 0 and f"answers  {'a' * 12} fake 1" in shown.stdout
    would = tunegate(tmp_path, "cache", "trim", "--to", "0", "--dry-run")
    assert would.stdout.startswith(f"would evict: answers {'a' * 12} fake 1 (") and file.exists()
    done = tunegate(tmp_path, "cache", "trim", "--to", "0")
    assert done.returncode == 0 and done.stdout.startswith("evicted: ") and not file.exists()
    assert done.stdout.splitlines()[-1] == "0 B are left"
    wrong = tunegate(tmp_path, "cache", "trim", "--to", "much")
    assert wrong.returncode == 4 and wrong.stderr.startswith("tunegate: --to much: not a size.")
