"""Several servers: load is shared, and what is slow, down or wrong is left out and said."""

import threading
import time
from functools import partial
from typing import Any

import pytest

from harness.engines.base import open_engine
from harness.engines.config import EngineConfig, Servers
from harness.engines.openai import pool
from harness.errors import EngineFailed, UserError
from harness.schema import Completion
from tests.harness.engines.openai.project import LIMIT_S, Project, answers, at, once, texts
from tests.harness.engines.openai.stub_server import CUT, Body, as_json, is_canary


def test_a_request_that_takes_too_long_is_given_to_another_server(serve: Any, project: Project) -> None:
    slow, well = serve(), serve()
    engine = project.open(slow, well, batch=2)
    engine.pool.timeout_s = 1.0
    slow.fault = once(3.0)
    found = answers(engine, project.requests(10))
    assert all(c.error is None for c in found.values()) and len(found) == 10
    assert engine.describe()["servers"][slow.url]["faults"]["timeout"] >= 1


@pytest.mark.parametrize("fault", [1.0, CUT, as_json(500, {"error": "boom"})])
def test_a_request_that_only_ever_fails_fails_alone(fault: Any, serve: Any, project: Project) -> None:
    stub = serve()
    engine = project.open(stub)
    engine.pool.timeout_s = 0.5
    asked = project.requests(6)
    stub.fault = lambda body: fault if body["prompt"] == list(asked[2].ids) else None
    found = answers(engine, asked)
    assert [key for key, c in found.items() if c.error] == ["tuned-2"]
    assert "4 times, while other requests were answered" in str(found["tuned-2"].error)


def test_load_is_shared_and_never_above_the_limit(serve: Any, project: Project) -> None:
    stubs = [serve(), serve(), serve()]
    engine = project.open(*stubs, batch=6)
    for stub in stubs:
        stub.slow_s, stub.most_busy = 0.01, 0
    assert len(answers(engine, project.requests(120))) == 120
    counts = [len(stub.questions) for stub in stubs]
    assert sum(counts) == 120 and min(counts) >= 30
    assert sum(stub.most_busy for stub in stubs) <= 12  # at different times; 6 each would be 18


def test_a_server_that_dies_is_left_out_and_another_one_answers_what_it_had_answered(
    serve: Any, project: Project
) -> None:
    dies, stays, third = serve(), serve(), serve()
    expected = texts(project.open(third), project.requests(60))
    engine = project.open(dies, stays, batch=8)
    for stub in (dies, stays):
        stub.slow_s = 0.005
    at(dies, 10, dies.stop)
    found = list(engine.generate(project.requests(60)))
    assert {c.key: c.text for c in found} == expected and len(found) == 60
    assert len(dies.questions) >= 10 and len(stays.questions) == 60
    dies.start()


def test_answers_of_swapped_weights_do_not_count_where_the_final_canary_gets_an_error(
    serve: Any, project: Project
) -> None:
    swapped, well, third = serve(), serve(), serve()
    expected = texts(project.open(third), project.requests(40))
    engine = project.open(swapped, well, batch=4)
    swap = partial(swapped.models.update, clauses=3)
    swapped.fault = lambda body: as_json(500, {}) if is_canary(body) else swap() if swapped.questions else None
    assert texts(engine, project.requests(40)) == expected
    assert swapped.models["clauses"] == 3 and len(swapped.questions) > 5 and len(well.questions) == 40


def test_a_model_from_another_folder_under_the_same_name_ends_the_run(serve: Any, project: Project) -> None:
    """Even where it is so much alike that the canary passes."""
    stub = serve()
    engine, card = project.open(stub, batch=2), stub._card
    stub._card = lambda name: card(name) | ({"root": "/models/newer"} if stub.questions else {})
    found: list[Completion] = []
    with pytest.raises(EngineFailed, match=r"'clauses' was loaded from /models/.* and is from /models/newer now"):
        found.extend(engine.generate(project.requests(10)))
    assert found == []


def test_answers_of_a_server_that_no_longer_has_the_model_are_asked_again(serve: Any, project: Project) -> None:
    stub = serve()
    engine = project.open(stub, batch=2)

    def change(answer: Body) -> Body:
        if len(stub.questions) == 10:
            stub.models.pop("clauses", None)
        return answer

    stub.change = change
    found: list[Completion] = []
    with pytest.raises(EngineFailed, match="no server has the model 'clauses' any longer"):
        found.extend(engine.generate(project.requests(10)))
    assert found == []


def test_a_server_that_is_down_at_the_start_is_left_out_and_said(serve: Any, project: Project) -> None:
    down, up = serve(), serve()
    down.stop()
    engine = project.open(down, up)
    assert any(text.startswith(f"{down.url} does not answer (connection: ") for text in project.said)
    assert len(answers(engine, project.requests(5))) == 5 and len(up.questions) == 5
    down.start()


def test_a_server_that_fails_while_it_is_met_is_left_out_too(serve: Any, project: Project) -> None:
    fails, up = serve(), serve()
    fails.fault = lambda body: as_json(500, {"error": "boom"}) if is_canary(body) else None
    engine = project.open(fails, up)
    assert any(
        text.startswith(f"{fails.url} does not answer the canary (5xx: HTTP 500: boom)") for text in project.said
    )
    assert len(answers(engine, project.requests(5))) == 5 and fails.questions == []
    with pytest.raises(EngineFailed, match=rf"no server answers the canary: {fails.url}: 5xx: HTTP 500: boom"):
        project.open(fails)


def test_a_server_that_hangs_when_it_is_met_is_left_out_soon(
    serve: Any, project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pool, "LOOK_S", 0.1)
    hangs, up = serve(), serve()
    is_over = threading.Event()
    monkeypatch.setattr(hangs, "_response", lambda path, body, life: is_over.wait(LIMIT_S) and CUT)

    def say(text: str) -> None:
        """Once the one that hangs is left out, the other one has time to answer."""
        project.said.append(text)
        monkeypatch.setattr(pool, "LOOK_S", LIMIT_S)

    start = time.monotonic()
    project.open(hangs, up, say=say)
    assert time.monotonic() - start < LIMIT_S
    is_over.set()
    assert f"{hangs.url} does not answer (timeout: no answer in 0.1 s): left out until it does" in project.said


def test_a_server_with_none_of_the_models_is_said_and_not_asked(serve: Any, project: Project) -> None:
    other, up = serve({"something": 9}), serve()
    other.version = "0.1"
    engine = project.open(other, up)
    assert f"{other.url} has none of the models and is not used" in project.said
    assert len(answers(engine, project.requests(5))) == 5 and other.answered == []


def test_how_an_adapter_is_served_is_not_for_this_engine_to_say(serve: Any, project: Project) -> None:
    stub = serve()
    with pytest.raises(UserError, match=r"--lora merge: .*Leave --lora out"):
        open_engine(
            EngineConfig(name="openai", lora="merge", servers=Servers(urls=(stub.url,))),
            project.checkpoints(),
            max_model_len=64,
        )
