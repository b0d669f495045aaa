"""Completions of a server are reused only where its process proves its weights; a server that changes stops the run."""

import time
from collections.abc import Iterator
from contextlib import closing
from itertools import islice
from typing import Any

import pytest
from msgspec import structs

from harness.engines.config import EngineConfig, Servers
from harness.engines.dispatch import Dispatcher
from harness.engines.openai import served_weights
from harness.errors import CanaryFailed, EngineFailed, UserError
from harness.evaluation.requests import PlannedRequest
from harness.schema import Case, Checkpoint, Completion, Sampling
from tests.harness.engines.openai.project import MODELS, Project, texts
from tests.harness.engines.openai.stub_server import CUT, Stub


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


@pytest.mark.parametrize(("what", "value", "error", "says"), [
    ("models", MODELS | {"clauses": 3}, CanaryFailed, "'clauses' at .* does not answer as before"),
    ("version", "0.33.0", EngineFailed, "is vllm 0.33.0, and the other answers are from vllm 0.32.0"),
])  # fmt: skip
def test_a_server_that_comes_back_as_another_one_is_asked_nothing_more(
    what: str, value: Any, error: type[UserError], says: str, serve: Any, project: Project
) -> None:
    stub = serve()
    generated, engine = begun(project, stub)
    stub.stop()
    wait_until_it_is_missed(engine)
    setattr(stub, what, value)
    stub.answered.clear()
    stub.start()
    with pytest.raises(error, match=says):
        list(generated)
    assert stub.questions == []


def test_weights_that_are_swapped_under_a_running_server_are_found_at_the_end(serve: Any, project: Project) -> None:
    stub = serve()
    engine = project.open(stub, batch=2)
    generated = engine.generate(project.requests(10))
    next(generated)
    stub.models["clauses"] = 3
    with pytest.raises(CanaryFailed, match=rf"'clauses' at {stub.url} does not answer as before"):
        list(generated)
