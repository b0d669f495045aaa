"""The answer cache: every answer survives, nothing is asked twice, and nothing foreign is read."""

import json
import multiprocessing
import os
from pathlib import Path

import pytest

from harness.engines.base import request_key
from harness.engines.cache import AnswerCache, answered
from harness.engines.fake import FakeEngine
from harness.errors import UserError
from harness.schema import Checkpoint, Completion, Request, Sampling

CHECKPOINTS = {
    "baseline": Checkpoint(name="b", kind="scripted", path="", digest="b" * 64),
    "tuned": Checkpoint(name="t", kind="scripted", path="", digest="d" * 64),
}


def request(key: str, variant: str = "tuned", ids: tuple[int, ...] = (1, 2, 3)) -> Request:
    return Request(key=key, ids=ids, sampling=Sampling(max_tokens=8), variant=variant)


def requests(n: int) -> list[Request]:
    return [request(f"{v}-{i}", v, (i,)) for i in range(n) for v in CHECKPOINTS]


def cache(root: Path, engine: FakeEngine | None = None) -> AnswerCache:
    return AnswerCache(engine or FakeEngine(), CHECKPOINTS, root)


def texts(engine: FakeEngine, asked: list[Request], root: Path) -> dict[str, str]:
    kept = cache(root, engine)
    try:
        return {c.key: c.text for c in answered(engine, asked, kept)}
    finally:
        kept.close()


def completion(key: str, text: str = "yes") -> Completion:
    return Completion(key=key, text=text, finish_reason="stop", prompt_tokens=3, output_tokens=1)


def test_an_interrupted_run_asks_only_what_is_missing_and_ends_like_an_unbroken_one(tmp_path: Path) -> None:
    asked = requests(10)
    unbroken = texts(FakeEngine(), asked, tmp_path / "one")
    with pytest.raises(KeyboardInterrupt):
        texts(FakeEngine(interrupt_after=7), asked, tmp_path / "two")
    resumed = FakeEngine()
    assert texts(resumed, asked, tmp_path / "two") == unbroken
    assert len(resumed.asked) == 20 - 7


def test_a_second_run_does_not_touch_the_engine(tmp_path: Path) -> None:
    asked = requests(3)
    first = texts(FakeEngine(), asked, tmp_path)
    second = FakeEngine(interrupt_after=0)
    assert texts(second, asked, tmp_path) == first
    assert second.asked == []


def test_every_answer_is_on_disk_before_it_is_handed_on(tmp_path: Path) -> None:
    kept = cache(tmp_path)
    for i, _ in enumerate(answered(FakeEngine(), requests(3), kept), start=1):
        lines = [line for file in tmp_path.iterdir() for line in file.read_bytes().splitlines()]
        assert len(lines) == i + len(list(tmp_path.iterdir()))


def test_an_error_is_handed_on_but_not_kept(tmp_path: Path) -> None:
    asked = [request("good"), request("bad", ids=(9,))]
    found = list(answered(FakeEngine(fail={"bad"}), asked, cache(tmp_path)))
    assert {c.key: c.finish_reason for c in found} == {"good": "stop", "bad": "error"}
    again = FakeEngine()
    texts(again, asked, tmp_path)
    assert [r.key for r in again.asked] == ["bad"]


def test_equal_keys_are_asked_and_answered_once(tmp_path: Path) -> None:
    engine = FakeEngine()
    found = list(answered(engine, [request("a"), request("a"), request("b")], cache(tmp_path)))
    assert sorted(c.key for c in found) == ["a", "b"]
    assert len(engine.asked) == 2


def test_the_caller_is_told_what_was_kept_and_what_is_new(tmp_path: Path) -> None:
    texts(FakeEngine(), [request("a")], tmp_path)
    told: list[tuple[str, bool]] = []
    kept = cache(tmp_path)
    list(answered(FakeEngine(), [request("a"), request("b")], kept, lambda c, was_kept: told.append((c.key, was_kept))))
    assert told == [("a", True), ("b", False)]


def test_without_a_cache_everything_is_asked(tmp_path: Path) -> None:
    engine = FakeEngine()
    assert len(list(answered(engine, requests(2), None))) == 4
    assert len(engine.asked) == 4


def test_variants_of_other_content_have_files_of_their_own(tmp_path: Path) -> None:
    texts(FakeEngine(), requests(1), tmp_path)
    headers = [json.loads(file.read_bytes().splitlines()[0]) for file in tmp_path.iterdir()]
    assert {h["checkpoint"] for h in headers} == {"b" * 64, "d" * 64}
    assert all((h["engine"], h["version"], h["tunegate_answers"]) == ("fake", "1", 1) for h in headers)


def test_a_line_cut_by_a_crash_is_asked_again(tmp_path: Path) -> None:
    asked = [request("a"), request("b", ids=(7,))]
    first = texts(FakeEngine(), asked, tmp_path)
    (file,) = tmp_path.iterdir()
    file.write_bytes(file.read_bytes()[:-9])
    resumed = FakeEngine()
    assert texts(resumed, asked, tmp_path) == first
    assert [r.key for r in resumed.asked] == ["b"]
    untouched = FakeEngine()
    assert texts(untouched, asked, tmp_path) == first
    assert untouched.asked == []


def test_a_line_that_another_process_was_killed_in_costs_no_other_answer(tmp_path: Path) -> None:
    kept = cache(tmp_path)
    kept.add(request("before"), completion("before"))
    (file,) = tmp_path.iterdir()
    with file.open("ab") as opened:
        opened.write(b'\n{"key":"cut","text":"ye')
    kept.add(request("after"), completion("after"))
    kept.close()
    again = cache(tmp_path)
    assert again.get(request("before")) is not None and again.get(request("after")) is not None
    assert again.get(request("cut")) is None


def test_answers_that_an_earlier_version_kept_are_read_and_added_to(tmp_path: Path) -> None:
    """It wrote a line break after each line; now one is written before."""
    texts(FakeEngine(), [request("a")], tmp_path)
    (file,) = tmp_path.iterdir()
    file.write_bytes(file.read_bytes() + b"\n")
    assert len(texts(FakeEngine(), [request("a"), request("b", ids=(7,))], tmp_path)) == 2
    untouched = FakeEngine(interrupt_after=0)
    assert len(texts(untouched, [request("a"), request("b", ids=(7,))], tmp_path)) == 2


class Server(FakeEngine):
    """Answers that belong to a stretch, as a server's do."""

    def __init__(self, stretch: str) -> None:
        super().__init__(lambda request: f"in {stretch}")
        self.stretch = stretch

    def facts(self, variant: str) -> dict[str, str]:
        return super().facts(variant) | {"stretch": self.stretch}


def test_answers_of_one_server_lie_in_a_file_for_each_stretch(tmp_path: Path) -> None:
    """Even under one key: the key holds the stretch as well, and the file does not rely on it."""
    for stretch in ("first", "second", "first"):
        assert texts(Server(stretch), [request("a")], tmp_path) == {"a": f"in {stretch}"}
    assert len(list(tmp_path.iterdir())) == 2


@pytest.mark.parametrize(
    "first_line", [b'{"tunegate_answers":99,"checkpoint":"","engine":"","version":""}', b"{}", b""]
)
def test_a_file_of_another_layout_is_refused_and_left_alone(first_line: bytes, tmp_path: Path) -> None:
    texts(FakeEngine(), [request("a")], tmp_path)
    (file,) = tmp_path.iterdir()
    file.write_bytes(first_line + b"\n")
    with pytest.raises(UserError) as caught:
        texts(FakeEngine(), [request("a")], tmp_path)
    said = str(caught.value)
    assert said.startswith(f"{file}:1: layout ") and "expected 1" in said and "move the file away" in said
    assert file.read_bytes() == first_line + b"\n"


def test_a_full_disk_is_one_line_and_finished_answers_stay(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real = os.write
    count = iter(range(100))

    def write(handle: int, line: bytes) -> int:
        if next(count) >= 2:
            raise OSError(28, "No space left on device")
        return real(handle, line)

    monkeypatch.setattr(os, "write", write)
    with pytest.raises(UserError, match="No space left on device") as caught:
        texts(FakeEngine(), requests(5), tmp_path)
    assert "\n" not in str(caught.value)
    monkeypatch.undo()
    resumed = FakeEngine()
    assert len(texts(resumed, requests(5), tmp_path)) == 10
    assert len(resumed.asked) == 8


def test_a_short_write_is_a_full_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real = os.write
    monkeypatch.setattr(os, "write", lambda handle, line: real(handle, line[:5]))
    with pytest.raises(UserError, match="the disk is full"):
        texts(FakeEngine(), requests(1), tmp_path)


def test_a_folder_that_cannot_be_made_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(UserError, match="answers cannot be kept"):
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
    (file,) = tmp_path.iterdir()
    assert len(file.read_bytes().splitlines()) == 601


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
    assert keys[0] == request_key(**base)  # type: ignore[arg-type]


def test_a_checkpoint_of_equal_content_and_another_name_has_the_same_key() -> None:
    twin = Checkpoint(name="elsewhere", kind="scripted", path="/x", digest="d" * 64)
    arguments = ({"engine": "fake"}, [1], Sampling(max_tokens=1))
    assert request_key(twin, *arguments) == request_key(CHECKPOINTS["tuned"], *arguments)


def test_answers_whose_places_collide_are_told_apart_by_their_keys(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("harness.engines.cache._code", lambda key: 1)
    asked = requests(4)
    first = texts(FakeEngine(), asked, tmp_path)
    untouched = FakeEngine(interrupt_after=0)
    assert texts(untouched, asked, tmp_path) == first
    assert cache(tmp_path).get(request("another")) is None


def test_an_answer_is_found_right_after_it_was_kept_though_another_process_writes_too(tmp_path: Path) -> None:
    one, other = cache(tmp_path), cache(tmp_path)
    for number in range(6):
        asked = request(f"key {number}")
        (one, other)[number % 2].add(asked, completion(asked.key, f"answer {number}"))
        kept = (one, other)[number % 2].get(asked)
        assert kept is not None and kept.text == f"answer {number}"
    one.close()
    other.close()
