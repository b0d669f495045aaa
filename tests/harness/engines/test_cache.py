"""The answer cache: every answer survives, nothing is asked twice, and nothing foreign is read."""

import errno
import multiprocessing
import os
import shutil
import sqlite3
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from pathlib import Path

import pytest

from harness.checkpoints.resolve import resolve
from harness.engines.base import in_order, request_key
from harness.engines.cache import AnswerCache, answered, count_completions, header_of
from harness.engines.fake import FakeEngine
from harness.errors import UserError
from harness.schema import Checkpoint, Completion, Request, Sampling
from tests.support.adapters import write_safetensors

CHECKPOINTS = {
    "baseline": Checkpoint(name="b", kind="scripted", path="", digest="b" * 64),
    "tuned": Checkpoint(name="t", kind="scripted", path="", digest="d" * 64),
}


def request(key: str, variant: str = "tuned", ids: tuple[int, ...] = (1, 2, 3)) -> Request:
    return Request(key=key, ids=ids, sampling=Sampling(max_tokens=8), variant=variant)


def requests(n: int) -> list[Request]:
    return [request(f"{v}-{i}", v, (i,)) for i in range(n) for v in CHECKPOINTS]


class RecordingEngine(FakeEngine):
    """Keeps what it was asked, and may stop half way."""

    def __init__(self, interrupt_after: int | None = None) -> None:
        super().__init__()
        self.interrupt_after = interrupt_after
        self.asked: list[Request] = []

    def generate(self, requests: Sequence[Request]) -> Iterator[Completion]:
        for request in in_order(requests):
            if len(self.asked) == self.interrupt_after:
                raise KeyboardInterrupt
            self.asked.append(request)
            yield from super().generate([request])


def cache(root: Path, engine: FakeEngine | None = None) -> AnswerCache:
    return AnswerCache(engine or FakeEngine(), CHECKPOINTS, root)


def texts(engine: FakeEngine, asked: list[Request], root: Path) -> dict[str, str]:
    kept = cache(root, engine)
    try:
        return {c.key: c.text for c, _ in answered(engine, asked, kept)}
    finally:
        kept.close()


def completion(key: str, text: str = "yes") -> Completion:
    return Completion(key=key, text=text, finish_reason="stop", prompt_tokens=3, output_tokens=1)


def test_an_interrupted_run_asks_only_what_is_missing_and_ends_like_an_unbroken_one(tmp_path: Path) -> None:
    asked = requests(10)
    unbroken = texts(FakeEngine(), asked, tmp_path / "one")
    with pytest.raises(KeyboardInterrupt):
        texts(RecordingEngine(interrupt_after=7), asked, tmp_path / "two")
    resumed = RecordingEngine()
    assert texts(resumed, asked, tmp_path / "two") == unbroken
    assert len(resumed.asked) == 20 - 7


def test_answers_of_weights_that_changed_before_they_were_loaded_are_not_kept(tmp_path: Path) -> None:
    model = tmp_path / "model"
    model.mkdir()
    (model / "config.json").write_text('{"model_type": "llama"}')
    (model / "tokenizer.json").write_text("{}")
    write_safetensors(model / "model.safetensors", {"model.layers.0.q.weight": (4, 4)})
    kept = AnswerCache(FakeEngine(), {"tuned": resolve(str(model))}, tmp_path / "cache")
    write_safetensors(model / "model.safetensors", {"model.layers.0.q.weight": (8, 4)})
    with closing(kept), pytest.raises(UserError, match="its files changed while they were in use"):
        list(answered(FakeEngine(), [request("a")], kept))
    assert stored(tmp_path / "cache") == 0


def stored(root: Path) -> int:
    """Completions that another process finds on the disk."""
    return sum(count_completions(folder) for folder in root.iterdir())


def test_every_answer_is_on_disk_before_it_is_handed_on(tmp_path: Path) -> None:
    kept = cache(tmp_path)
    for i, _ in enumerate(answered(FakeEngine(), requests(3), kept), start=1):
        assert stored(tmp_path) == i


def test_an_answer_is_in_the_database_itself_not_in_a_log_beside_it_that_other_hosts_cannot_share(
    tmp_path: Path,
) -> None:
    kept = cache(tmp_path / "answers")
    kept.add(request("a"), completion("a"))
    shutil.copy(database_of(tmp_path / "answers"), tmp_path)
    assert count_completions(tmp_path) == 1
    kept.close()


def test_an_older_version_that_writes_to_the_same_cache_stops_nothing(tmp_path: Path) -> None:
    cache(tmp_path).add(request("a"), completion("a"))
    with closing(sqlite3.connect(database_of(tmp_path))) as older:
        older.execute("PRAGMA journal_mode = WAL")
        older.execute("SELECT * FROM completions").fetchall()
        kept = cache(tmp_path)
        kept.add(request("b"), completion("b"))
        kept.close()
    assert stored(tmp_path) == 2


def test_an_error_is_handed_on_but_not_kept(tmp_path: Path) -> None:
    asked = [request("good"), request("bad", ids=(9,))]
    found = list(answered(FakeEngine(fail={"bad"}), asked, cache(tmp_path)))
    assert {c.key: c.finish_reason for c, _ in found} == {"good": "stop", "bad": "error"}
    again = RecordingEngine()
    texts(again, asked, tmp_path)
    assert [r.key for r in again.asked] == ["bad"]


def test_equal_keys_are_asked_and_answered_once(tmp_path: Path) -> None:
    engine = RecordingEngine()
    found = list(answered(engine, [request("a"), request("a"), request("b")], cache(tmp_path)))
    assert sorted(c.key for c, _ in found) == ["a", "b"]
    assert len(engine.asked) == 2


def test_the_caller_is_told_what_was_kept_and_what_is_new(tmp_path: Path) -> None:
    texts(FakeEngine(), [request("a")], tmp_path)
    found = answered(FakeEngine(), [request("a"), request("b")], cache(tmp_path))
    assert [(c.key, was_kept) for c, was_kept in found] == [("a", True), ("b", False)]


def test_without_a_cache_everything_is_asked(tmp_path: Path) -> None:
    engine = RecordingEngine()
    assert len(list(answered(engine, requests(2), None))) == 4
    assert len(engine.asked) == 4


def test_variants_of_other_content_have_databases_of_their_own(tmp_path: Path) -> None:
    texts(FakeEngine(), requests(1), tmp_path)
    headers = [header_of(folder) for folder in tmp_path.iterdir()]
    assert {h.checkpoint for h in headers} == {"b" * 64, "d" * 64}
    assert all((h.engine, h.version) == ("fake", "1") for h in headers)


def database_of(root: Path) -> Path:
    (folder,) = root.iterdir()
    return folder / "completions.sqlite"


def spoil_version(file: Path) -> None:
    with closing(sqlite3.connect(file)) as database:
        database.execute("PRAGMA user_version = 99")


@pytest.mark.parametrize(
    ("spoil", "named"),
    [(spoil_version, "layout 99, expected 2"), (lambda file: file.write_bytes(b"junk" * 999), "not a database")],
)
def test_a_database_of_another_layout_or_none_is_refused_and_left_alone(
    spoil: Callable[[Path], None], named: str, tmp_path: Path
) -> None:
    texts(FakeEngine(), [request("a")], tmp_path)
    file = database_of(tmp_path)
    spoil(file)
    before = file.read_bytes()
    with pytest.raises(UserError, match=named) as caught:
        texts(FakeEngine(), [request("a")], tmp_path)
    assert str(caught.value).startswith(str(file)) and "Move its folder away" in str(caught.value)
    assert file.read_bytes() == before


def test_a_full_disk_is_one_line_and_finished_answers_stay(tmp_path: Path) -> None:
    few = requests(2)
    texts(FakeEngine(), few, tmp_path)
    engine = FakeEngine(lambda request: "x" * 100_000)
    kept = cache(tmp_path, engine)
    kept.hold()
    for file in kept._files.values():
        (pages,) = file._database.execute("PRAGMA page_count").fetchone()
        file._database.execute(f"PRAGMA max_page_count = {pages + 1}")  # what a full disk answers, without filling one
    with pytest.raises(UserError, match="database or disk is full") as caught:
        list(answered(engine, requests(5), kept))
    assert "\n" not in str(caught.value) and "Free space" in str(caught.value)
    kept.close()
    untouched = RecordingEngine(interrupt_after=0)
    assert len(texts(untouched, few, tmp_path)) == 4


@pytest.mark.parametrize("is_disk", [False, True])
def test_a_cache_that_may_only_be_read_is_read_while_its_owner_writes(tmp_path: Path, is_disk: bool) -> None:
    texts(FakeEngine(), [request("a")], tmp_path)

    def refuse(*given: object) -> None:
        raise OSError(errno.EROFS, os.strerror(errno.EROFS))

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(os, "access", lambda path, mode: mode != os.W_OK)
        if is_disk:
            patch.setattr(os, "utime", refuse)
        kept = cache(tmp_path)
        assert kept.get(request("a")) is not None
        with pytest.raises(UserError, match="completions cannot be cached"):
            kept.add(request("b"), completion("b"))
    _append(str(tmp_path), 0)
    assert kept.get(request("k199")) is not None
    kept.close()


def test_only_its_owner_can_read_a_cache(tmp_path: Path) -> None:
    texts(FakeEngine(), requests(1), tmp_path)
    assert [folder.stat().st_mode & 0o777 for folder in tmp_path.iterdir()] == [0o700, 0o700]


def test_a_folder_that_cannot_be_made_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(UserError, match="completions cannot be cached"):
        texts(FakeEngine(), requests(1), tmp_path / "file" / "answers")


def _append(root: str, start: int) -> None:
    kept = cache(Path(root))
    for i in range(start, start + 200):
        kept.add(request(f"k{i}"), completion(f"k{i}", "x" * 2000))


def test_processes_that_write_at_once_lose_nothing(tmp_path: Path) -> None:
    context = multiprocessing.get_context("spawn")
    writers = [context.Process(target=_append, args=(str(tmp_path), n * 200)) for n in range(3)]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join()
    kept = cache(tmp_path)
    assert all(kept.get(request(f"k{i}")) is not None for i in range(600))
    assert stored(tmp_path) == 600


def test_a_key_changes_with_everything_that_changes_an_answer() -> None:
    base: dict[str, object] = {
        "checkpoint": CHECKPOINTS["tuned"],
        "facts": {"engine": "vllm", "version": "1", "dtype": "bfloat16"},
        "ids": [1, 2],
        "sampling": Sampling(max_tokens=8),
        "repeat": 1,
    }
    changes: list[dict[str, object]] = [
        {},
        {"checkpoint": CHECKPOINTS["baseline"]},
        {"facts": {"engine": "vllm", "version": "2", "dtype": "bfloat16"}},
        {"facts": {"engine": "vllm", "version": "1", "dtype": "float32"}},
        {"ids": [12]},
        {"sampling": Sampling(max_tokens=9)},
        {"sampling": Sampling(max_tokens=8, stop_ids=(2,))},
        {"sampling": Sampling(max_tokens=8, temperature=0.5)},
        {"sampling": Sampling(max_tokens=8, seed=1)},
        {"repeat": 2},
    ]
    keys = [request_key(**(base | change)) for change in changes]  # type: ignore[arg-type]
    assert len(set(keys)) == len(changes)
    twin = Checkpoint(name="elsewhere", kind="scripted", path="/x", digest="d" * 64)
    assert keys[0] == request_key(**(base | {"checkpoint": twin}))  # type: ignore[arg-type]
