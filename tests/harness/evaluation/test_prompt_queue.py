"""The questions of a run: made one at a time, in one order, from token ids that may lie on a disk."""

import tempfile
from array import array

import pytest

from harness.engines.dispatch import windows
from harness.errors import UserError
from harness.evaluation.requests import RequestQueue, SuiteRequests, TokenFile, longest
from harness.schema import Case, Sampling


def case(name: str) -> Case:
    return Case(id=name, input={"text": name}, expected=[], cluster="c")


def planned(variants: tuple[str, ...] = ("baseline", "tuned"), repeats: int = 2) -> RequestQueue:
    """Two suites; the second one's middle case is not asked."""
    spool = TokenFile()
    for ids in ([1, 2, 3], [4], [], [2**31], [7] * 50):
        spool.add(ids)
    parts = [
        SuiteRequests(cases=[case("a"), case("b"), case("c")], asked=array("Q", [0, 1, 2]), first=0,
             sampling=Sampling(max_tokens=5, seed=3), repeats=repeats),
        SuiteRequests(cases=[case("d"), case("e"), case("f")], asked=array("Q", [0, 2]), first=3,
             sampling=Sampling(max_tokens=9), repeats=1),
    ]  # fmt: skip
    return RequestQueue(dict.fromkeys(variants, parts), spool)


def test_questions_come_variant_by_variant_suite_by_suite_case_by_case() -> None:
    found = [(a.variant, a.suite, a.case.id, a.repeat, a.ids[:3], a.sampling.seed) for a in planned()]
    of_one = [
        (0, "a", 1, (1, 2, 3), 3), (0, "a", 2, (1, 2, 3), 4), (0, "b", 1, (4,), 3), (0, "b", 2, (4,), 4),
        (0, "c", 1, (), 3), (0, "c", 2, (), 4), (1, "d", 1, (2**31,), 0), (1, "f", 1, (7, 7, 7), 0),
    ]  # fmt: skip
    assert found == [(variant, *rest) for variant in ("baseline", "tuned") for rest in of_one]


def test_the_questions_of_one_variant() -> None:
    assert [a for a in planned() if a.variant == "tuned"] == list(planned().of("tuned"))


def test_ids_that_do_not_fit_into_memory_come_back_from_the_disk(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("harness.evaluation.requests.MEMORY_BYTES", 10)
    on_disk = planned()
    assert on_disk._tokens._file._rolled
    monkeypatch.undo()
    in_memory = planned()
    assert not in_memory._tokens._file._rolled
    assert list(on_disk) == list(in_memory)


def test_a_disk_without_room_is_one_clear_line(monkeypatch: pytest.MonkeyPatch) -> None:
    def full(**_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("harness.evaluation.requests.MEMORY_BYTES", 10)
    monkeypatch.setattr("tempfile.TemporaryFile", full)
    with pytest.raises(
        UserError, match=f"{tempfile.gettempdir()}: token ids cannot be stored .No space left.*TMPDIR .*four bytes"
    ):
        planned()


def test_the_longest_is_known_without_reading_the_questions() -> None:
    assert longest(planned()) == 59 == longest(list(planned()))
    assert longest([]) == 1


def test_windows_hold_every_question_once_and_no_more_than_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("harness.engines.dispatch.WINDOW_QUESTIONS", 3)
    found = list(windows(planned()))
    assert [len(window) for window in found] == [3, 3, 3, 3, 3, 1]
    assert [ask for window in found for ask in window] == list(planned())
    monkeypatch.setattr("harness.engines.dispatch.WINDOW_TOKENS", 50)
    assert [len(window) for window in windows(planned())] == [3, 3, 2, 3, 3, 2]
    assert [len(window) for window in windows(planned(), times=2)] == [6, 6, 4]


def test_equal_ids_of_two_questions_are_one_object() -> None:
    spool = TokenFile()
    for _ in range(2):
        spool.add([70_000, 2**31])
    assert all(one is other for one, other in zip(spool[0], spool[1], strict=True))
