"""The engine that asks servers, against a small server with faults: nothing is lost, mixed up or asked twice."""

import json
import logging
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from msgspec import structs

from harness.engines import openai_engine, openai_servers, unpinned
from harness.engines.answers import AnswerCache, answered
from harness.engines.base import Settings, finished, open_engine, request_key
from harness.engines.endpoints import KEYS, endpoint, servers_of, shown
from harness.engines.openai_engine import percentiles
from harness.errors import CanaryFailed, EngineFailed, UserError
from harness.prompts import Renderer
from harness.schema import Checkpoint, Completion, Request, Sampling
from harness.store import load_run
from tests.conftest import save_tokenizer
from tests.harness.mini import pytest_in, write_suite
from tests.harness.stub_server import CUT, Body, Stub, as_json, is_canary

SECRET = "sk-secret-of-the-test-0123456789"
MODELS = {"base": 1, "clauses": 2}
TRY_AGAIN = [(429, {"Retry-After": "0"}), (500, {}), (503, {"Retry-After": "0.01"})]


@pytest.fixture(scope="module")
def tokenizer(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with tokenizer and configuration; no weights."""
    folder = tmp_path_factory.mktemp("tokenizer")
    ids = save_tokenizer(folder, "qwen")
    config = {"model_type": "qwen2", "vocab_size": ids["size"], "max_position_embeddings": 512}
    (folder / "config.json").write_text(json.dumps(config | {"eos_token_id": ids["<|im_end|>"]}))
    return folder


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """An own cache, no proxy, no key, and short rests."""
    monkeypatch.setenv("TUNEGATE_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    for name in KEYS:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(openai_servers, "REST_S", 0.02)
    monkeypatch.setattr(openai_servers, "MOST_REST_S", 0.1)
    monkeypatch.setattr(openai_engine, "KNOCK_S", 0.01)


@pytest.fixture
def serve() -> Iterator[Callable[..., Stub]]:
    """Starts stub servers and stops them after the test."""
    made: list[Stub] = []

    def one(models: dict[str, int] = MODELS, **more: Any) -> Stub:
        made.append(Stub(models, **more))
        return made[-1]

    yield one
    for stub in made:
        stub.stop()


class Project:
    """A tokenizer, and engines that are closed after the test."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.renderer = Renderer(folder)
        self.said: list[str] = []
        self.opened: list[Any] = []

    def checkpoints(self, tuned: str = "clauses", baseline: str | None = None) -> dict[str, Checkpoint]:
        found = {"baseline": endpoint(baseline, str(self.folder))} if baseline else {}
        return found | {"tuned": endpoint(tuned, str(self.folder))}

    def open(self, *stubs: Stub, baseline: str | None = None, tuned: str = "clauses", **settings: Any) -> Any:
        given: dict[str, Any] = {"timeout_s": 5.0, "patience_s": 5.0, "say": self.said.append} | settings
        urls = tuple(stub.url for stub in stubs)
        checkpoints = self.checkpoints(tuned, baseline)
        engine = open_engine("openai", checkpoints, max_model_len=64, settings=Settings(urls=urls, **given))
        self.opened.append(engine)
        return engine

    def requests(self, n: int, variants: tuple[str, ...] = ("tuned",), **sampling: Any) -> list[Request]:
        how = Sampling(**({"max_tokens": 6, "stop_ids": self.renderer.stop_ids} | sampling))
        return [
            Request(key=f"{variant}-{i}", ids=(3 + i, 7, 9 + i % 5), sampling=how, variant=variant)
            for variant in variants
            for i in range(n)
        ]

    def keyed(self, engine: Any, n: int) -> list[Request]:
        """The same with the keys that the answer cache goes by."""
        checkpoint, facts = self.checkpoints()["tuned"], engine.facts("tuned")
        return [structs.replace(r, key=request_key(checkpoint, facts, r.ids, r.sampling)) for r in self.requests(n)]


@pytest.fixture
def project(tokenizer: Path) -> Iterator[Project]:
    found = Project(tokenizer)
    yield found
    for engine in found.opened:
        engine.close()


def answers(engine: Any, requests: list[Request]) -> dict[str, Completion]:
    return {completion.key: completion for completion in engine.generate(requests)}


def texts(engine: Any, requests: list[Request]) -> dict[str, str]:
    return {key: completion.text for key, completion in answers(engine, requests).items()}


def once(*faults: Any) -> Callable[[Body], Any]:
    """Each fault once, for the first questions; the canary is spared."""
    waiting = list(faults)
    return lambda body: waiting.pop(0) if waiting and not is_canary(body) else None


def test_ids_go_in_as_they_are_and_text_follows_from_the_ids_that_come_back(serve: Any, project: Project) -> None:
    stub = serve()
    engine = project.open(stub)
    asked = project.requests(12)
    found = answers(engine, asked)
    sent = {tuple(body["prompt"]): body for body in stub.questions}
    assert set(sent) == {request.ids for request in asked}
    assert {found[r.key].finish_reason for r in asked} == {"stop", "length"}
    for request in asked:
        body = sent[request.ids]
        ids = stub._answer(body, False)["choices"][0]["token_ids"]
        expected = finished(request, ids, project.renderer.decode)
        got = found[request.key]
        assert (got.text, got.finish_reason, got.output_tokens) == (expected.text, expected.finish_reason, len(ids))
        assert got.latency_ms is not None and got.latency_ms > 0 and got.error is None


def test_every_field_that_changes_an_answer_is_sent(serve: Any, project: Project) -> None:
    stub = serve()
    answers(project.open(stub), project.requests(1, temperature=0.7, seed=5))
    (body,) = stub.questions
    expected = {
        "model": "clauses", "max_tokens": 6, "temperature": 0.7, "seed": 5, "top_p": 1.0, "top_k": 0, "min_p": 0.0,
        "repetition_penalty": 1.0, "frequency_penalty": 0.0, "presence_penalty": 0.0, "ignore_eos": True,
        "stop_token_ids": list(project.renderer.stop_ids), "add_special_tokens": False, "stream": False, "n": 1,
    }  # fmt: skip
    assert {name: body[name] for name in expected} == expected
    assert not any("prompt_logprobs" in name for name in body)


def test_a_server_without_token_ids_gives_its_own_text_and_gets_no_foreign_field(serve: Any, project: Project) -> None:
    stub = serve(owned_by="someone")
    found = answers(project.open(stub), project.requests(3))
    assert all(c.text.startswith("text of [") and c.finish_reason == "length" for c in found.values())
    known = {"model", "prompt", "max_tokens", "temperature", "seed", "top_p", "frequency_penalty", "presence_penalty"}
    assert all(set(body) == known | {"n", "stream"} for body in stub.questions)


def test_option_log_probabilities_come_back_in_the_order_of_the_options(serve: Any, project: Project) -> None:
    found = answers(project.open(serve()), project.requests(1, max_tokens=1, logprob_ids=(11, 5, 8)))
    assert found["tuned-0"].option_logprobs == (-11.5, -5.5, -8.5)


def test_multiple_choice_is_refused_where_the_server_cannot_be_asked_for_options(serve: Any, project: Project) -> None:
    engine = project.open(serve(owned_by="someone"))
    with pytest.raises(UserError, match="logprob_token_ids"):
        answers(engine, project.requests(1, max_tokens=1, logprob_ids=(11, 5)))


@pytest.mark.parametrize("fault", [*(as_json(s, {}, **h) for s, h in TRY_AGAIN), CUT])
def test_busy_servers_errors_of_servers_and_cut_connections_are_tried_again(
    fault: Any, serve: Any, project: Project
) -> None:
    stub = serve()
    engine = project.open(stub)
    expected = texts(engine, project.requests(8))
    stub.fault = once(fault, fault, fault)
    assert texts(engine, project.requests(8)) == expected
    assert sum(engine.describe()["servers"][stub.url]["faults"].values()) == 3


@pytest.mark.parametrize("status", [400, 413, 422])
def test_other_refusals_are_not_tried_again_and_fail_alone(status: int, serve: Any, project: Project) -> None:
    stub = serve()
    engine = project.open(stub)
    stub.fault = once(as_json(status, {"error": {"message": "no such thing"}}))
    found = answers(engine, project.requests(8))
    wrong = [c for c in found.values() if c.error]
    assert [c.error for c in wrong] == [f"HTTP {status}: no such thing"]
    assert len([b for p, _, b in stub.seen if p == "/v1/completions" and not is_canary(b)]) == 8


def test_a_server_that_asks_to_wait_is_left_alone_so_long(serve: Any, project: Project) -> None:
    stub = serve()
    engine = project.open(stub)
    times: list[float] = []
    first = once(as_json(429, {}, **{"Retry-After": "0.6"}))

    def fault(body: Body) -> Any:
        times.append(time.monotonic())
        return first(body)

    stub.fault = fault
    texts(engine, project.requests(1))
    assert times[1] - times[0] >= 0.6


def test_a_busy_server_gets_fewer_requests_at_a_time(serve: Any, project: Project) -> None:
    stub = serve()
    engine = project.open(stub)
    stub.slow_s = 0.02
    stub.fault = lambda body: as_json(429, {}) if stub.busy > 4 and not is_canary(body) else None
    found = answers(engine, project.requests(60))
    assert all(c.error is None for c in found.values()) and len(found) == 60
    assert engine.describe()["servers"][stub.url]["faults"]["429"] < 130


def test_an_unknown_model_is_an_error_and_the_base_is_not_asked_in_its_place(serve: Any, project: Project) -> None:
    stub = serve({"base": 1})
    with pytest.raises(UserError, match=r"no server has the model 'clauses' \(HTTP 404\); served: base") as caught:
        project.open(stub)
    assert "--served-model" in str(caught.value)
    assert not [path for path, _, _ in stub.seen if path == "/v1/completions"]


def test_a_model_that_vanishes_in_mid_run_ends_it_and_the_base_is_not_asked(serve: Any, project: Project) -> None:
    stub = serve()
    engine = project.open(stub, batch=1)

    def fault(body: Body) -> None:
        if len(stub.questions) == 3:
            stub.models.pop("clauses", None)

    stub.fault = fault
    found: list[Completion] = []
    with pytest.raises(EngineFailed, match=r"HTTP 404: The model `clauses` does not exist"):
        found.extend(engine.generate(project.requests(8)))
    assert len(found) == 3
    assert {body["model"] for body in stub.questions} == {"clauses"}


def test_another_model_in_the_answer_ends_the_run(serve: Any, project: Project) -> None:
    stub = serve()
    engine = project.open(stub)
    stub.change = lambda answer: answer | {"model": "base"}
    with pytest.raises(EngineFailed, match="'clauses' was asked and 'base' answered"):
        answers(engine, project.requests(2))


@pytest.mark.parametrize("at_start", [True, False])
def test_an_answer_to_other_ids_than_were_sent_ends_the_run(at_start: bool, serve: Any, project: Project) -> None:
    stub = serve()
    engine = None if at_start else project.open(stub)
    stub.change = lambda answer: answer | {"usage": answer["usage"] | {"prompt_tokens": 99}}
    with pytest.raises(EngineFailed, match="the answer is to 99 tokens") as caught:
        answers(engine or project.open(stub), project.requests(2))
    assert "takes a list of token ids" in str(caught.value)


def test_as_many_tokens_that_are_other_ids_end_the_run_too(serve: Any, project: Project) -> None:
    stub = serve()
    engine = project.open(stub)

    def change(answer: Body) -> Body:
        answer["choices"][0]["prompt_token_ids"] = answer["choices"][0]["prompt_token_ids"][::-1]
        return answer

    stub.change = change
    with pytest.raises(EngineFailed, match="that are not these"):
        answers(engine, project.requests(2))


@pytest.mark.parametrize(
    "content", [b"<html>", b"[]", b'{"choices": []}', b'{"choices": [{"text": "x"}], "usage": {}}']
)
def test_an_answer_that_cannot_be_read_is_an_error_of_that_question(
    content: bytes, serve: Any, project: Project
) -> None:
    stub = serve()
    engine = project.open(stub)
    stub.fault = once((200, {}, content))
    found = answers(engine, project.requests(4))
    assert [c.finish_reason for c in found.values()].count("error") == 1
    assert all(c.text == "" and c.error and "\n" not in c.error for c in found.values() if c.finish_reason == "error")


@pytest.mark.parametrize("content", [b"<html>", b"[]", b'{"data": 3}', b'{"data": [{"name": "x"}]}'])
def test_another_service_at_the_url_is_named_at_the_start(
    content: bytes, serve: Any, project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    stub = serve()
    monkeypatch.setattr(stub, "_response", lambda path, body, life: (200, {}, content))
    with pytest.raises(EngineFailed, match=rf"{stub.url}: /v1/models does not list models .* Correct --url"):
        project.open(stub)


def test_a_server_that_refuses_token_ids_is_named_at_the_start(serve: Any, project: Project) -> None:
    stub = serve()
    stub.fault = lambda body: as_json(400, {"error": {"message": "prompt must be a string"}})
    with pytest.raises(EngineFailed, match=r"prompt must be a string.*token ids as the prompt"):
        project.open(stub)


def test_a_server_without_log_probabilities_is_named_at_the_start(serve: Any, project: Project) -> None:
    stub = serve()

    def change(answer: Body) -> Body:
        answer["choices"][0].pop("logprobs", None)
        return answer

    stub.change = change
    with pytest.raises(EngineFailed, match="gave no log probabilities"):
        project.open(stub)


@pytest.mark.parametrize(("change", "said"), [
    ({"finish_reason": "abort"}, "ended the answer with 'abort'"),
    ({"finish_reason": "stop", "token_ids": [5] * 6}, "none of the model's end tokens"),
    ({"finish_reason": "length", "token_ids": [5]}, "counts 6 generated tokens and gave 1"),
])  # fmt: skip
def test_an_answer_that_did_not_end_as_it_should_is_an_error(
    change: Body, said: str, serve: Any, project: Project
) -> None:
    stub = serve()
    engine = project.open(stub)

    def changed(answer: Body) -> Body:
        answer["choices"][0] |= change
        answer["usage"]["completion_tokens"] = 6
        return answer

    asked = project.requests(1)
    generated = engine.generate(asked)
    stub.change = changed
    found = next(generated)
    stub.change = lambda answer: answer
    assert found.finish_reason == "error" and said in str(found.error)


def test_an_answer_cut_below_its_limit_is_an_error_and_not_a_short_answer(serve: Any, project: Project) -> None:
    stub = serve(owned_by="someone")
    engine = project.open(stub)
    stub.change = lambda answer: answer | {"usage": answer["usage"] | {"completion_tokens": 2}}
    found = next(engine.generate(project.requests(1)))
    stub.change = lambda answer: answer
    assert found.finish_reason == "error" and "cut the answer at 2 of 6 tokens" in str(found.error)


def test_a_server_that_answers_nothing_at_all_is_named_within_a_moment(serve: Any, project: Project) -> None:
    stub = serve()
    stub.stop()
    start = time.monotonic()
    with pytest.raises(
        EngineFailed, match=rf"no server answers: {stub.url}: connection: .*Start one, or correct --url"
    ):
        project.open(stub)
    assert time.monotonic() - start < 3


def test_a_request_that_takes_too_long_is_given_to_another_server(serve: Any, project: Project) -> None:
    slow, well = serve(), serve()
    engine = project.open(slow, well, timeout_s=1.0, batch=2)
    slow.fault = once(3.0)
    found = answers(engine, project.requests(10))
    assert all(c.error is None for c in found.values()) and len(found) == 10
    assert engine.describe()["servers"][slow.url]["faults"]["timeout"] >= 1


@pytest.mark.parametrize("fault", [1.0, CUT, as_json(500, {"error": "boom"})])
def test_a_request_that_only_ever_fails_fails_alone(fault: Any, serve: Any, project: Project) -> None:
    stub = serve()
    engine = project.open(stub, timeout_s=0.5)
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


def test_a_server_that_dies_is_left_out_and_every_answer_arrives_once(serve: Any, project: Project) -> None:
    dies, stays = serve(), serve()
    engine = project.open(dies, stays)
    expected = texts(engine, project.requests(60))
    for stub in (dies, stays):
        stub.slow_s = 0.005
    found: list[Completion] = []
    for completion in engine.generate(project.requests(60)):
        found.append(completion)
        if len(found) == 10:
            dies.stop()
    assert {c.key: c.text for c in found} == expected and len(found) == 60
    dies.start()


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
    monkeypatch.setattr(openai_servers, "LOOK_S", 0.1)
    hangs, up = serve(), serve()
    monkeypatch.setattr(hangs, "_response", lambda path, body, life: time.sleep(0.5) or CUT)
    start = time.monotonic()
    project.open(hangs, up, timeout_s=60.0)
    assert time.monotonic() - start < 10
    assert f"{hangs.url} does not answer (timeout: no answer in 0.1 s): left out until it does" in project.said


def test_a_server_with_none_of_the_models_is_said_and_not_asked(serve: Any, project: Project) -> None:
    other, up = serve({"something": 9}), serve()
    other.version = "0.1"
    engine = project.open(other, up)
    assert f"{other.url} has none of the models and is not asked" in project.said
    assert len(answers(engine, project.requests(5))) == 5 and other.answered == []


def test_how_an_adapter_is_served_is_not_for_this_engine_to_say(serve: Any, project: Project) -> None:
    stub = serve()
    with pytest.raises(UserError, match=r"--lora merge: .*Leave --lora out"):
        open_engine(
            "openai", project.checkpoints(), max_model_len=64, lora="merge", settings=Settings(urls=(stub.url,))
        )


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
    unpinned.finish(engine.describe()["spans"].values())


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
    monkeypatch.setattr(unpinned, "OPEN_FOR", unpinned.timedelta(0))
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


def test_a_server_that_comes_back_with_other_weights_is_asked_nothing_more(serve: Any, project: Project) -> None:
    stub = serve()
    engine = project.open(stub, batch=2)
    stub.slow_s = 0.1
    generated = engine.generate(project.requests(40))
    next(generated)
    stub.stop()
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
    engine = project.open(stub, batch=2)
    stub.slow_s = 0.1
    generated = engine.generate(project.requests(40))
    next(generated)
    stub.stop()
    stub.version = "0.33.0"
    stub.answered.clear()
    stub.start()
    with pytest.raises(EngineFailed, match=r"is vllm 0.33.0, and the other answers are of vllm 0.32.0"):
        list(generated)
    assert stub.answered == []


def test_servers_with_other_weights_under_one_name_stop_the_run(serve: Any, project: Project) -> None:
    one, other = serve(), serve(MODELS | {"clauses": 3})
    with pytest.raises(CanaryFailed, match=rf"'clauses' at {other.url} does not answer"):
        project.open(one, other)


def test_baseline_and_tuned_are_asked_by_their_own_names(serve: Any, project: Project) -> None:
    stub = serve()
    stub.parents = {"clauses": "base"}
    engine = project.open(stub, baseline="base")
    found = texts(engine, project.requests(6, variants=("baseline", "tuned")))
    assert {body["model"] for body in stub.questions} == {"base", "clauses"}
    assert all(found[f"baseline-{i}"] != found[f"tuned-{i}"] for i in range(6))
    record = engine.describe()["canary"]
    assert record[f"clauses at {stub.url}"]["base_moved"] == 0 and record["tuned"]["effect"] > 0.1


@pytest.mark.parametrize("parents", [{}, {"clauses": "base"}])
def test_a_tuned_model_that_answers_like_the_base_stops_the_run(
    parents: dict[str, str], serve: Any, project: Project
) -> None:
    stub = serve({"base": 1, "clauses": 1})
    stub.parents = parents
    with pytest.raises(CanaryFailed, match="answers exactly like its base model"):
        project.open(stub, baseline="base")


def test_base_answers_that_change_beside_an_adapter_stop_the_run(serve: Any, project: Project) -> None:
    stub = serve()
    stub.parents, stub.mixes, stub.slow_s = {"clauses": "base"}, True, 0.05
    with pytest.raises(CanaryFailed, match=r"the answers of 'base' change .* --max-loras one above"):
        project.open(stub, baseline="base")


def test_models_may_stand_at_servers_of_their_own(serve: Any, project: Project) -> None:
    base, tuned = serve({"base": 1}), serve({"clauses": 2})
    engine = project.open(base, tuned, baseline="base")
    assert len(answers(engine, project.requests(5, variants=("baseline", "tuned")))) == 10
    assert {b["model"] for b in base.questions} == {"base"} and {b["model"] for b in tuned.questions} == {"clauses"}


def test_a_server_too_small_for_the_longest_question_is_refused(serve: Any, project: Project) -> None:
    with pytest.raises(EngineFailed, match=r"holds 63 tokens, .* have 64. Start it with --max-model-len 64"):
        project.open(serve(limit=63))


def test_the_key_comes_from_the_environment_and_shows_up_nowhere(
    serve: Any, project: Project, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    stub = serve()
    monkeypatch.setenv("OPENAI_API_KEY", "sk-of-another-service")
    monkeypatch.setenv("TUNEGATE_API_KEY", SECRET)
    engine = project.open(stub)
    stub.fault = once(as_json(400, {"error": {"message": f"bad key {SECRET}"}}))
    found = answers(engine, project.requests(3))
    assert {headers["Authorization"] for _, headers, _ in stub.seen} == {f"Bearer {SECRET}"}
    assert any("bad key [TUNEGATE_API_KEY]" in str(c.error) for c in found.values())
    said = [repr(found), json.dumps(engine.describe()), repr(vars(engine)), repr(vars(engine.pool)), caplog.text]
    assert not any(SECRET in text for text in [*said, *project.said])
    stub.fault = lambda body: as_json(401, {"error": {"message": f"Incorrect API key provided: {SECRET}"}})
    with pytest.raises(EngineFailed) as caught:
        answers(engine, project.requests(1))
    assert SECRET not in str(caught.value) and "HTTP 401" in str(caught.value) and KEYS[0] in str(caught.value)


def test_the_key_is_not_sent_where_a_server_points_to(
    serve: Any, project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TUNEGATE_API_KEY", SECRET)
    other, stub = serve(), serve()
    engine = project.open(stub)
    stub.fault = lambda body: (307, {"Location": f"{other.url}/v1/completions"}, b"")
    with pytest.raises(EngineFailed, match="HTTP 307"):
        answers(engine, project.requests(1))
    assert other.seen == []


def test_a_key_that_no_header_carries_is_refused_without_being_repeated(
    serve: Any, project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TUNEGATE_API_KEY", "sk-one\nsk-two")
    with pytest.raises(UserError) as caught:
        project.open(serve())
    assert "TUNEGATE_API_KEY" in str(caught.value) and "sk-" not in str(caught.value)


@pytest.mark.parametrize("url", [
    "http://user:hidden@host:8000", "http://hidden@host", "http://host/v1?api_key=hidden", "http://host#hidden",
    "ftp://host", "host:8000", "http://", "http://host:port",
])  # fmt: skip
def test_urls_with_secrets_in_them_and_what_is_no_url_are_refused(url: str) -> None:
    with pytest.raises(UserError) as caught:
        servers_of("openai", [url], "m")
    assert "hidden" not in str(caught.value) and "--url" in str(caught.value)


def test_urls_are_taken_with_and_without_their_version_and_once() -> None:
    found = servers_of("openai", ["http://h:1/", "http://h:1/v1", "https://g/llm/v1/"], "m")
    assert found is not None and found.urls == ("http://h:1", "https://g/llm")
    assert shown("https://a:b@host:8/x?y=z") == "https://host:8/x"


def test_server_options_belong_to_the_engine_that_asks_servers() -> None:
    with pytest.raises(UserError, match=r"no server is named\. Add --url"):
        servers_of("openai", None, "m")
    with pytest.raises(UserError, match=r"--url, --reuse-unpinned: only for servers. Add --engine openai"):
        servers_of("vllm", ["http://h"], None, None, True)
    assert servers_of(None, None, None) is None


def test_percentiles_are_values_that_were_measured() -> None:
    """Nearest rank: the 95th percentile of 1 to 100 is 95."""
    assert percentiles([float(i) for i in range(100, 0, -1)]) == {"answers": 100, "p50": 50.0, "p95": 95.0, "p99": 99.0}
    assert percentiles([7.0]) == {"answers": 1, "p50": 7.0, "p95": 7.0, "p99": 7.0}


def test_an_engine_stopped_half_way_leaves_no_thread_behind(serve: Any, project: Project) -> None:
    import threading

    engine = project.open(serve(), batch=2)
    generated = engine.generate(project.requests(30))
    next(generated)
    generated.close()
    engine.close()
    assert not [t for t in threading.enumerate() if t.name == "tunegate-servers"]
    assert len(answers(engine, project.requests(4))) == 4


def test_a_run_asks_a_server_and_its_manifest_says_which(serve: Any, tokenizer: Path, tmp_path: Path) -> None:
    stub = serve()
    stub.parents = {"clauses": "base"}
    write_suite(tmp_path)
    shutil.copytree(tokenizer, tmp_path / "tokenizer")
    words = ["--engine", "openai", "--url", stub.url, "--checkpoint", "tokenizer", "--served-model", "clauses"]
    done = pytest_in(tmp_path, "-q", *words, "--served-baseline", "base", env={"TUNEGATE_API_KEY": SECRET})
    assert "tunegate: 80 answers for baseline base and tuned clauses" in done.stdout, done.stdout + done.stderr
    assert f"asked of {stub.url}" in done.stdout
    (folder,) = [p for p in (tmp_path / "runs").iterdir() if p.is_dir()]
    run = load_run(folder)
    assert {v: (c.name, c.kind) for v, c in run.manifest.checkpoints.items()} == {
        "baseline": ("base", "endpoint"), "tuned": ("clauses", "endpoint"),
    }  # fmt: skip
    engine = run.manifest.engine
    assert engine["unpinned"] is True and engine["generated"] == 80 and engine["version"] == "vllm 0.32.0"
    assert engine["servers"][stub.url]["models"]["clauses"]["parent"] == "base"
    assert engine["latency_ms"]["tuned"]["answers"] == 40 and engine["latency_ms"]["tuned"]["p50"] > 0
    assert any("weights are not known" in note for note in run.manifest.notes)
    assert len(stub.questions) == 80
    for file in [*tmp_path.rglob("*.json*"), *tmp_path.rglob("*.toml")]:
        assert SECRET not in file.read_text("utf-8")
    assert SECRET not in done.stdout + done.stderr
    again = pytest_in(tmp_path, "-q", *words, "--served-baseline", "base", "--reuse-unpinned")
    assert len(stub.questions) == 80, again.stdout + again.stderr
    anew = pytest_in(tmp_path, "-q", *words, "--served-baseline", "base")
    assert len(stub.questions) == 160, anew.stdout + anew.stderr


def test_compare_asks_servers_too_and_its_report_says_what_they_are(
    serve: Any, tokenizer: Path, tmp_path: Path
) -> None:
    stub = serve()
    write_suite(tmp_path)
    shutil.copytree(tokenizer, tmp_path / "tokenizer")
    command = [sys.executable, "-m", "harness.cli", "compare", "tokenizer", "tokenizer", "--engine", "openai"]
    command += ["--url", stub.url, "--served-baseline", "base", "--served-model", "clauses"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False, timeout=120)
    assert done.returncode == 1 and "report.md" in done.stdout, done.stdout + done.stderr
    (page,) = tmp_path.rglob("report.md")
    text = page.read_text("utf-8")
    assert "a server's model, its weights not known" in text and f"127.0.0.1:{stub.port}" in text and "p95" in text


def test_a_url_without_the_engine_and_the_engine_without_a_url_are_usage_errors(tmp_path: Path) -> None:
    write_suite(tmp_path)
    for words in (["--engine", "openai"], ["--engine", "vllm", "--url", "http://h:1"]):
        done = pytest_in(tmp_path, *words)
        assert done.returncode == 4 and ("--url" in done.stderr + done.stdout)
