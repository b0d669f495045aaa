"""Completions of a server are reused only where its process proves its weights; a server that changes stops the run."""

import threading
import time
from contextlib import closing
from functools import partial
from itertools import islice
from typing import Any

import pytest
from msgspec import structs

from harness.engines.canary import MAX_ROUNDING
from harness.engines.config import EngineConfig, Servers
from harness.engines.dispatch import Dispatcher
from harness.engines.openai import pool, served_weights
from harness.errors import CanaryFailed, EngineFailed, UserError
from harness.evaluation.requests import PlannedRequest
from harness.schema import Case, Checkpoint, Completion, Sampling
from tests.harness.engines.openai.project import LIMIT_S, MODELS, Project, at, texts
from tests.harness.engines.openai.stub_server import CUT, Body, Stub, as_json, is_canary


def asked(project: Project, n: int) -> list[PlannedRequest]:
    how = Sampling(max_tokens=6, stop_ids=project.renderer.stop_ids)
    cases = [Case(id=f"case-{i}", input={}, expected=[], cluster="c") for i in range(n)]
    return [
        PlannedRequest(suite=0, case=case, variant="tuned", repeat=1, ids=(3 + i, 7, 9 + i % 5), sampling=how)
        for i, case in enumerate(cases)
    ]


def answered(
    project: Project, stub: Stub, checkpoint: Checkpoint, n: int, stop_after: int | None = None
) -> dict[str, str]:
    """Completions of a run, through the cache, by case; it is interrupted after so many."""
    config = EngineConfig(name="openai", servers=Servers(urls=(stub.url,)), batch=2)
    dispatcher = Dispatcher(config, {"tuned": checkpoint}, max_model_len=64, say=project.said.append)
    stub.answered.clear()
    with closing(dispatcher.answers(asked(project, n))) as arriving:
        return {question.case.id: completion.text for question, completion in islice(arriving, stop_after)}


@pytest.fixture
def proven(project: Project, monkeypatch: pytest.MonkeyPatch) -> Checkpoint:
    """The model as a server process on this machine pins it."""
    weights = structs.replace(project.checkpoints()["tuned"], digest="d", pinned_by="server process")
    monkeypatch.setattr(served_weights, "behind", lambda url, name, cards: weights)
    return weights


@pytest.mark.parametrize("pin", ["name", "trusted canary"])
def test_completions_of_a_server_that_does_not_prove_its_weights_are_not_reused(
    pin: Any, serve: Any, project: Project
) -> None:
    stub = serve()
    why = "http://192.0.2.1:8000 is not on this machine"
    weights = structs.replace(project.checkpoints()["tuned"], pinned_by=pin, unpinned_because=why)
    for _ in range(2):
        assert len(answered(project, stub, weights, 10)) == 10
        assert len(stub.questions) == 10
    said = f"completions of 'clauses' are not reused, even after an interruption: weights not proven ({why})"
    assert project.said.count(said) == 2


def test_completions_of_proven_weights_are_reused_while_the_command_line_is_the_same(
    serve: Any, project: Project, proven: Checkpoint, monkeypatch: pytest.MonkeyPatch
) -> None:
    stub = serve()
    expected = answered(project, stub, proven, 10)
    assert len(stub.questions) == 10
    assert answered(project, stub, proven, 12).items() >= expected.items()
    assert len(stub.questions) == 2
    real = served_weights.listening
    monkeypatch.setattr(served_weights, "listening", lambda url: structs.replace(real(url), words=["vllm", "--dtype"]))
    assert answered(project, stub, proven, 10) == expected
    assert len(stub.questions) == 10
    assert not any("not reused" in text for text in project.said)


def test_an_interrupted_run_of_proven_weights_resumes(serve: Any, project: Project, proven: Checkpoint) -> None:
    stub = serve()
    first = answered(project, stub, proven, 30, stop_after=9)
    before = {tuple(body["prompt"]) for body in stub.questions}
    rest = answered(project, stub, proven, 30)
    after = {tuple(body["prompt"]) for body in stub.questions}
    assert len(first) == 9 and rest.items() >= first.items() and len(rest) == 30
    assert len(after) <= 30 - 9 and len(before | after) == 30


def test_a_run_whose_servers_are_all_down_says_so(serve: Any, project: Project) -> None:
    stub = serve()
    engine = project.open(stub, batch=2, patience_s=0.3)
    stub.answered.clear()
    stub.fault = lambda body: CUT if len(stub.questions) >= 12 else None
    with pytest.raises(EngineFailed) as caught:
        texts(engine, project.requests(30))
    said = str(caught.value)
    assert f"no server has answered for 0.3 s: {stub.url}: connection: " in said and "re-run the command" in said


def test_a_server_that_is_killed_and_comes_back_with_the_same_weights_goes_on(serve: Any, project: Project) -> None:
    stub = serve()
    engine = project.open(stub, batch=4)
    expected = texts(engine, project.requests(40))
    stub.answered.clear()
    stub.slow_s = 0.005

    def restart() -> None:
        stub.stop()
        time.sleep(0.3)
        stub.start()

    at(stub, 10, restart)
    found = list(engine.generate(project.requests(40)))
    assert {c.key: c.text for c in found} == expected and len(found) == 40
    assert len(stub.questions) <= 40 + 4


def wait_until_it_is_missed(engine: Any) -> None:
    """A stop that no request met is no fault, and weights that came with it are found by the next canary alone."""
    end = time.monotonic() + LIMIT_S
    while not any(server.faults for server in engine.pool.servers):
        assert time.monotonic() < end
        time.sleep(0.01)


@pytest.mark.parametrize(("what", "value", "error", "says"), [
    ("models", MODELS | {"clauses": 3}, CanaryFailed, "'clauses' at .* does not answer as before"),
    ("version", "0.33.0", EngineFailed, "is vllm 0.33.0, and the other answers are from vllm 0.32.0"),
])  # fmt: skip
def test_a_server_that_comes_back_as_another_one_is_asked_nothing_more(
    what: str, value: Any, error: type[UserError], says: str, serve: Any, project: Project
) -> None:
    stub = serve()
    engine = project.open(stub, batch=2)

    def come_back() -> None:
        stub.stop()
        wait_until_it_is_missed(engine)
        setattr(stub, what, value)
        stub.answered.clear()
        stub.start()

    at(stub, 5, come_back)
    found: list[Completion] = []
    with pytest.raises(error, match=says):
        found.extend(engine.generate(project.requests(40)))
    assert stub.questions == [] and found == []


@pytest.mark.slow
def test_answers_arrive_during_a_run_each_after_a_canary(
    serve: Any, project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pool, "PROVE_EVERY_S", 0.05)
    stub = serve()
    engine = project.open(stub, batch=2)
    stub.slow_s = 0.02
    arrived = threading.Event()

    def fault(body: Body) -> None:
        """The last questions wait for the first answer, which a busy machine may deliver late."""
        if len(stub.questions) >= 90 and not is_canary(body):
            arrived.wait(LIMIT_S)

    stub.fault = fault
    stub.answered.clear()
    generated = engine.generate(project.requests(100))
    next(generated)
    first = list(stub.answered)
    arrived.set()
    assert any(map(is_canary, first)) and len([body for body in first if not is_canary(body)]) < 100
    assert len(list(generated)) == 99 and len(stub.questions) == 100


@pytest.mark.slow
def test_a_canary_that_other_requests_of_its_batch_change_is_repeated_without_them(
    serve: Any, project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pool, "PROVE_EVERY_S", 0.05)
    stub = serve()
    engine = project.open(stub, batch=4)
    expected = texts(engine, project.requests(30))
    disturbed: list[Body] = []

    def change(answer: Body) -> Body:
        (choice,) = answer["choices"]
        if stub.busy and "logprobs" in choice:
            disturbed.append(answer)
            choice["logprobs"]["token_logprobs"] = [-9.0 - place for place, _ in enumerate(choice["token_ids"])]
        return answer

    stub.fault = lambda body: None if is_canary(body) else 0.1 * (body["prompt"][0] % 4)
    stub.change = change
    assert texts(engine, project.requests(30)) == expected
    assert disturbed
    assert engine.describe()["canary"]["largest difference"][stub.url]["clauses"] < MAX_ROUNDING


def swapped_midway(project: Project, stub: Stub, checkpoint: Checkpoint, patience_s: float = LIMIT_S) -> None:
    """A run through the cache whose server has other weights after the fifth of 20 answers."""
    config = EngineConfig(name="openai", servers=Servers(urls=(stub.url,)), batch=1, patience_s=patience_s)
    dispatcher = Dispatcher(config, {"tuned": checkpoint}, max_model_len=64, say=project.said.append)
    swap = partial(stub.models.update, clauses=3)
    before = stub.fault
    stub.fault = lambda body: (swap() if len(stub.questions) == 5 else None) or before(body)
    list(dispatcher.answers(asked(project, 20)))


def test_answers_of_proven_weights_are_not_kept_where_the_final_canary_finds_others(
    serve: Any, project: Project, proven: Checkpoint
) -> None:
    stub, well = serve(), serve()
    expected = texts(project.open(well), project.requests(20)).values()
    with pytest.raises(CanaryFailed, match=rf"'clauses' at {stub.url} does not answer as before"):
        swapped_midway(project, stub, proven)
    stub.models["clauses"], stub.fault = MODELS["clauses"], lambda body: None
    again = answered(project, stub, proven, 20)
    assert len(stub.questions) == 20 and sorted(again.values()) == sorted(expected)


def test_answers_are_neither_used_nor_kept_where_the_final_canary_is_not_answered(
    serve: Any, project: Project, proven: Checkpoint
) -> None:
    stub = serve()
    stub.fault = lambda body: as_json(500, {}) if is_canary(body) and len(stub.questions) >= 20 else None
    with pytest.raises(EngineFailed, match=rf"no server has answered for 0.3 s: {stub.url}: 5xx: HTTP 500"):
        swapped_midway(project, stub, proven, patience_s=0.3)
    stub.models["clauses"], stub.fault = MODELS["clauses"], lambda body: None
    answered(project, stub, proven, 20)
    assert len(stub.questions) == 20


def test_a_final_canary_that_fails_once_is_asked_again(serve: Any, project: Project, proven: Checkpoint) -> None:
    stub, faults = serve(), [as_json(503, {})]
    stub.fault = lambda body: faults.pop() if faults and is_canary(body) and len(stub.questions) >= 10 else None
    assert len(answered(project, stub, proven, 10)) == 10
    assert not faults and len(stub.questions) == 10
