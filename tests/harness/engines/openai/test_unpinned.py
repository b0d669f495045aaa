"""Answers of a server are kept and read again only while its weights answer the canary as they did."""

import time
from collections.abc import Iterator
from typing import Any

import pytest

from harness.engines.cache import AnswerCache, answered
from harness.engines.openai import canary
from harness.errors import CanaryFailed, EngineFailed
from harness.schema import Checkpoint, Completion, Request
from tests.harness.engines.openai.project import Project, texts
from tests.harness.engines.openai.stub_server import CUT, Stub


def kept_answers(engine: Any, requests: list[Request], checkpoints: dict[str, Checkpoint]) -> dict[str, str]:
    cache = AnswerCache(engine, checkpoints)
    try:
        return {"-".join(map(str, r.ids)): c.text for r, c in by_request(requests, answered(engine, requests, cache))}
    finally:
        cache.close()


def by_request(requests: list[Request], found: Iterator[Completion]) -> Iterator[tuple[Request, Completion]]:
    of = {request.key: request for request in requests}
    for completion in found:
        yield of[completion.key], completion


def interrupted(project: Project, stub: Stub, n: int, after: int) -> None:
    """A run whose only server dies for good after some answers."""
    engine = project.open(stub, batch=2, patience_s=0.3)
    stub.answered.clear()
    stub.fault = lambda body: CUT if len(stub.questions) >= after else None
    with pytest.raises(EngineFailed) as caught:
        kept_answers(engine, project.keyed(engine, n), project.checkpoints())
    said = str(caught.value)
    assert f"no server has answered for 0.3 s: {stub.url}: connection: " in said and "run the same command" in said
    stub.fault = lambda body: None
    engine.close()


def finish(engine: Any) -> None:
    canary.finish(engine.describe()["stretches"].values())


def test_when_all_are_down_what_was_answered_is_kept_and_the_next_start_asks_the_rest(
    serve: Any, project: Project
) -> None:
    stub = serve()
    unbroken = project.open(stub)
    expected = kept_answers(unbroken, project.keyed(unbroken, 30), project.checkpoints())
    finish(unbroken)
    interrupted(project, stub, 30, after=12)
    before = {tuple(body["prompt"]) for body in stub.questions}
    stub.answered.clear()
    again = project.open(stub)
    assert kept_answers(again, project.keyed(again, 30), project.checkpoints()) == expected
    asked = [tuple(body["prompt"]) for body in stub.questions]
    assert len(asked) == 30 - len(before) and not before & set(asked)


def test_answers_of_a_finished_run_are_not_read_unless_asked_for(serve: Any, project: Project) -> None:
    stub = serve()
    for reuse, expected in ((False, 10), (False, 10), (True, 0), (False, 10)):
        engine = project.open(stub, reuse=reuse)
        stub.answered.clear()
        kept_answers(engine, project.keyed(engine, 10), project.checkpoints())
        assert len(stub.questions) == expected
        finish(engine)


@pytest.mark.parametrize("reuse", [True, False])
def test_a_model_trained_anew_under_the_same_name_never_gets_old_answers(
    reuse: bool, serve: Any, project: Project
) -> None:
    stub = serve()
    interrupted(project, stub, 20, after=9)
    stub.models["clauses"] = 3
    stub.answered.clear()
    engine = project.open(stub, reuse=reuse)
    found = kept_answers(engine, project.keyed(engine, 20), project.checkpoints())
    assert len(stub.questions) == 20
    assert any("not gone on with, because the canary is answered otherwise now" in text for text in project.said)
    assert found == {"-".join(map(str, r.ids)): c.text for r, c in _plain(project, engine, 20)}


def _plain(project: Project, engine: Any, n: int) -> Iterator[tuple[Request, Completion]]:
    requests = project.requests(n)
    return by_request(requests, engine.generate(requests))


def test_an_interrupted_run_of_long_ago_is_not_gone_on_with(
    serve: Any, project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    stub = serve()
    interrupted(project, stub, 20, after=9)
    monkeypatch.setattr(canary, "OPEN_FOR", canary.timedelta(0))
    stub.answered.clear()
    engine = project.open(stub)
    kept_answers(engine, project.keyed(engine, 20), project.checkpoints())
    assert len(stub.questions) == 20


def test_a_run_that_keeps_no_answers_leaves_the_interrupted_one_as_it_is(serve: Any, project: Project) -> None:
    stub = serve()
    interrupted(project, stub, 20, after=9)
    project.said.clear()
    unkept = project.open(stub, keep=False)
    texts(unkept, project.requests(3))
    finish(unkept)
    assert project.said == []
    stub.answered.clear()
    engine = project.open(stub)
    kept_answers(engine, project.keyed(engine, 20), project.checkpoints())
    assert len(stub.questions) <= 20 - 9
    assert any("interrupted run of" in text and "UTC is gone on with" in text for text in project.said)


def test_a_server_that_is_killed_and_comes_back_with_the_same_weights_goes_on(serve: Any, project: Project) -> None:
    stub = serve()
    engine = project.open(stub, batch=4)
    expected = texts(engine, project.requests(40))
    found: list[Completion] = []
    stub.slow_s = 0.005
    for completion in engine.generate(project.requests(40)):
        found.append(completion)
        if len(found) == 10:
            stub.stop()
            time.sleep(0.3)
            stub.start()
    assert {c.key: c.text for c in found} == expected and len(found) == 40


def begun(project: Project, stub: Stub) -> tuple[Iterator[Completion], Any]:
    """The answers of a slow run, of which one has come, and its engine."""
    engine = project.open(stub, batch=2)
    stub.slow_s = 0.1
    generated: Iterator[Completion] = engine.generate(project.requests(40))
    next(generated)
    return generated, engine


def wait_until_it_is_missed(engine: Any) -> None:
    """A stop that no request met is no fault, and weights that came with it are found at the end alone."""
    end = time.monotonic() + 60
    while not any(server.faults for server in engine.pool.servers):
        assert time.monotonic() < end
        time.sleep(0.01)


def test_a_server_that_comes_back_with_other_weights_is_asked_nothing_more(serve: Any, project: Project) -> None:
    stub = serve()
    generated, engine = begun(project, stub)
    stub.stop()
    wait_until_it_is_missed(engine)
    stub.models["clauses"] = 3
    stub.answered.clear()
    stub.start()
    with pytest.raises(CanaryFailed, match=rf"'clauses' at {stub.url} does not answer as it did"):
        list(generated)
    assert stub.answered and stub.questions == []


def test_weights_that_are_swapped_under_a_running_server_are_found_at_the_end(serve: Any, project: Project) -> None:
    stub = serve()
    engine = project.open(stub, batch=2)
    generated = engine.generate(project.requests(10))
    next(generated)
    stub.models["clauses"] = 3
    with pytest.raises(CanaryFailed, match=rf"'clauses' at {stub.url} does not answer as it did"):
        list(generated)


def test_a_server_that_comes_back_as_another_version_is_asked_nothing_more(serve: Any, project: Project) -> None:
    stub = serve()
    generated, engine = begun(project, stub)
    stub.stop()
    wait_until_it_is_missed(engine)
    stub.version = "0.33.0"
    stub.answered.clear()
    stub.start()
    with pytest.raises(EngineFailed, match=r"is vllm 0.33.0, and the other answers are of vllm 0.32.0"):
        list(generated)
    assert stub.answered == []
