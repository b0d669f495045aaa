"""What runs on the workers, around a stage in Ray's place: the canary comes first, alone, and travels with batches."""

import asyncio
import json
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from harness.engines.ray import worker as ray_worker
from harness.engines.ray.rows import row_of
from harness.schema import Request, Sampling

INDEX = "__idx_in_batch"


class Engine:
    """vLLM's engine as far as the canary needs it; `told` is what happened to it, in order."""

    def __init__(self) -> None:
        self.told: list[Any] = []
        self.unfinished = 0
        self.running = asyncio.Event()
        self.running.set()

    async def pause_generation(self, mode: str, clear_cache: bool) -> None:
        assert mode == "keep" and clear_cache
        self.running.clear()

    async def resume_generation(self) -> None:
        self.told.append(("together", self.unfinished))
        self.running.set()

    def get_num_unfinished_requests(self) -> int:
        return self.unfinished


class Stage:
    """Ray's stage: answers with the prompt's first id, last row first; an id of 99 fails."""

    IDX_IN_BATCH_COLUMN = INDEX

    def __init__(self) -> None:
        self.llm = type("Wrapper", (), {"engine": Engine()})()
        self.max_pending_requests = 1000

    async def udf(self, batch: list[dict[str, Any]]) -> AsyncIterator[dict[str, Any]]:
        engine = self.llm.engine
        engine.unfinished += len(batch)
        await engine.running.wait()
        engine.told.append([row["key"] for row in batch])
        await asyncio.sleep(0.01)
        engine.unfinished -= len(batch)
        for row in reversed(batch):
            assert isinstance(row["sampling_params"], dict) and isinstance(row["tokenized_prompt"], list)
            first = row["tokenized_prompt"][0]
            error = "ValueError: no" if first == 99 else ""
            yield {INDEX: row[INDEX], "generated_tokens": [] if error else [first], "__inference_error__": error}


def row(key: str, first: int, index: int | None = None) -> dict[str, Any]:
    made = row_of(Request(key=key, ids=(first, 1), sampling=Sampling(max_tokens=1), variant="baseline"), "/m")
    return made if index is None else made | {INDEX: index}


def made(calls: list[list[dict[str, Any]]]) -> Any:
    return ray_worker.proving(Stage, calls)()


async def answers(worker: Any, *batches: list[dict[str, Any]]) -> list[list[dict[str, Any]]]:
    async def one(batch: list[dict[str, Any]]) -> list[dict[str, Any]]:
        return [found async for found in worker.udf(batch)]

    return list(await asyncio.gather(*map(one, batches)))


CALLS = [[row("c", 4)], [row("c", 4), row("d", 5)]]


def test_the_canary_is_alone_in_the_engine_and_each_call_is_taken_up_at_once() -> None:
    worker = made(CALLS)
    asyncio.run(answers(worker, [row("a", 7, 0)], [row("b", 8, 0)]))
    told = worker.llm.engine.told
    assert told[:4] == [("together", 1), ["c"], ("together", 2), ["c", "d"]]
    assert sorted(told[4:]) == [["a"], ["b"]]


def test_what_it_answered_goes_out_once_with_each_batch() -> None:
    found = asyncio.run(answers(made(CALLS), [row("a", 7, 0), row("b", 8, 1)], [row("e", 9, 0)]))
    proofs = [[bool(one["proof"]) for one in batch] for batch in found]
    assert proofs == [[True, False], [True]]
    told = json.loads(found[0][0]["proof"])
    assert [[json.loads(one)["ids"] for one, _ in call] for call in told["calls"]] == [[[4]], [[4], [5]]]
    assert len({one["engine"] for batch in found for one in batch}) == 1
    assert made(CALLS)._name != made(CALLS)._name


def test_rows_come_back_under_their_own_index_and_a_failed_one_alone_fails() -> None:
    (found,) = asyncio.run(answers(made([]), [row("a", 7, 0), row("bad", 99, 1), row("b", 8, 2)]))
    by_index = {one[INDEX]: one for one in found}
    assert [by_index[i]["__inference_error__"] for i in range(3)] == ["", "ValueError: no", ""]
    assert [json.loads(by_index[i]["answer"])["ids"] for i in (0, 2)] == [[7], [8]] and by_index[1]["answer"] == ""
    assert all(one["tokenized_prompt"] == b"" and one["sampling_params"] == "" for one in found)


def test_a_call_that_never_fills_the_engine_goes_on_all_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ray_worker, "STEPS", 3)
    worker = made(CALLS)
    worker.llm.engine.get_num_unfinished_requests = lambda: 0
    (found,) = asyncio.run(answers(worker, [row("a", 7, 0)]))
    assert found[0]["proof"]


def test_why_vllm_s_own_process_failed_is_read_from_the_log() -> None:
    log = (
        "Traceback (most recent call last):\n  File x.py\n    raise ValueError(\nValueError: no room for the cache\n"
        "Traceback:\nRuntimeError: Engine core initialization failed. See root cause above.\n"
    )
    assert ray_worker.raised_in(log) == "ValueError: no room for the cache"
    assert ray_worker.raised_in("INFO all is well\n") == ""


def test_an_engine_that_does_not_start_raises_its_own_error_where_no_log_says_more(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    class Broken(Stage):
        def __init__(self) -> None:
            raise RuntimeError("Engine core initialization failed")

    monkeypatch.setattr(ray_worker, "own_log", lambda: "")
    with pytest.raises(RuntimeError, match="Engine core initialization failed"):
        ray_worker.proving(Broken, [])()
    monkeypatch.setattr(ray_worker, "own_log", lambda: "ValueError: no room\n")
    with pytest.raises(RuntimeError, match="ValueError: no room"):
        ray_worker.proving(Broken, [])()


def test_workers_need_nothing_of_ours(tmp_path: Path) -> None:
    cloudpickle = pytest.importorskip("ray.cloudpickle")
    cloudpickle.register_pickle_by_value(ray_worker)
    sent = tmp_path / "sent"
    sent.write_bytes(cloudpickle.dumps((ray_worker.proving(object, CALLS), ray_worker.look)))
    code = (
        "import sys, pickle, pathlib; sys.modules['harness'] = None; "
        "made, look = pickle.loads(pathlib.Path(sys.argv[1]).read_bytes()); "
        "found = look(['/', '/not-there'], False); "
        "print(made()._name.count('/'), found['lacks'], len(found['weights']))"
    )
    done = subprocess.run([sys.executable, "-c", code, str(sent)], capture_output=True, text=True, check=False)
    assert done.stdout.split() == ["2", "['/not-there']", "2"], done.stderr
