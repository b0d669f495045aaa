"""What is sent to a server and what comes back: ids as they are, and a refusal is the refusal of one question."""

import time
from collections.abc import Callable
from typing import Any

import msgspec
import pytest

from harness.engines.base import finished
from harness.errors import EngineFailed, UserError
from harness.schema import Completion
from tests.harness.engines.openai.project import LIMIT_S, Project, answers, once, texts
from tests.harness.engines.openai.stub_server import CUT, Body, as_json, is_canary

TRY_AGAIN = [(429, {"Retry-After": "0"}), (500, {}), (503, {"Retry-After": "0.01"})]


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
    assert found == []  # no canary came after them
    assert {body["model"] for body in stub.questions} == {"clauses"}


def with_choice(**fields: Any) -> Callable[[Body], Body]:
    """Changes an answer's choice; a function makes the new value of the old one."""

    def change(answer: Body) -> Body:
        (choice,) = answer["choices"]
        new = {name: value(choice[name]) if callable(value) else value for name, value in fields.items()}
        return answer | {"choices": [choice | new]}

    return change


def with_usage(**counts: int) -> Callable[[Body], Body]:
    return lambda answer: answer | {"usage": answer["usage"] | counts}


@pytest.mark.parametrize(("change", "says"), [
    (lambda answer: answer | {"model": "base"}, "'clauses' was requested and 'base' answered"),
    (with_usage(prompt_tokens=99), "the answer is to 99 other tokens.*accepts a list of token ids"),
    (with_choice(prompt_token_ids=lambda ids: ids[::-1]), "other tokens"),
])  # fmt: skip
def test_an_answer_of_another_model_or_to_other_ids_ends_the_run(
    change: Callable[[Body], Body], says: str, serve: Any, project: Project
) -> None:
    stub = serve()
    engine = project.open(stub)
    stub.change = change
    with pytest.raises(EngineFailed, match=says):
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


@pytest.mark.parametrize(("fault", "change", "says"), [
    (as_json(400, {"error": {"message": "prompt must be a string"}}), dict,
     "prompt must be a string.*token ids as the prompt"),
    (None, with_usage(prompt_tokens=99), "the answer is to 99 other tokens"),
    (None, with_choice(logprobs=None), "returned no log probabilities"),
    (None, with_choice(logprobs={"tokens": ["a"] * 8, "token_logprobs": [0.0] * 8}), "every token the same"),
])  # fmt: skip
def test_a_server_that_cannot_be_used_is_named_at_the_start(
    fault: Any, change: Callable[[Body], Body], says: str, serve: Any, project: Project
) -> None:
    stub = serve()
    stub.fault, stub.change = lambda body: fault, change
    with pytest.raises(EngineFailed, match=says):
        project.open(stub)


@pytest.mark.parametrize(("owned_by", "change", "tokens", "said"), [
    ("vllm", {"finish_reason": "abort"}, 6, "ended the answer with 'abort'"),
    ("vllm", {"finish_reason": "stop", "token_ids": [5] * 6}, 6, "not one of the model's end tokens"),
    ("vllm", {"finish_reason": "length", "token_ids": [5]}, 6, "reports 6 generated tokens and returned 1"),
    ("someone", {}, 2, "cut the answer at 2 of 6 tokens"),
    ("someone", {"text": None}, 6, "the response is not a completion: TypeError its text is 'None'"),
    ("someone", {"text": ["a"]}, 6, "the response is not a completion"),
    ("vllm", {"text": 7}, 6, "the response is not a completion"),
])  # fmt: skip
def test_an_answer_that_did_not_end_as_it_should_is_an_error(
    owned_by: str, change: Body, tokens: int, said: str, serve: Any, project: Project
) -> None:
    stub = serve(owned_by=owned_by)
    engine = project.open(stub)

    def changed(answer: Body) -> Body:
        is_of_canary = "logprobs" in answer["choices"][0]
        return answer if is_of_canary else with_usage(completion_tokens=tokens)(with_choice(**change)(answer))

    stub.change = changed
    (found,) = answers(engine, project.requests(1)).values()
    assert found.finish_reason == "error" and said in str(found.error)


def test_half_a_character_of_a_server_can_be_stored(serve: Any, project: Project) -> None:
    """JSON may escape one half of an emoji, as where a server cuts a text; no file of UTF-8 can hold it."""
    stub = serve(owned_by="someone")
    engine = project.open(stub)
    stub.change = with_choice(text=lambda text: f"{text} \ud83d")
    stub.fault = once(as_json(400, {"error": {"message": "not \ud83d"}}))
    found = answers(engine, project.requests(2)).values()
    assert {c.error or c.text[-2:] for c in found} == {" \ufffd", "HTTP 400: not ⟨U+D83D⟩"}
    assert msgspec.json.decode(msgspec.json.encode([*found]), type=list[Completion]) == [*found]


def test_a_server_that_answers_nothing_at_all_is_named_within_a_moment(serve: Any, project: Project) -> None:
    stub = serve()
    stub.stop()
    start = time.monotonic()
    with pytest.raises(
        EngineFailed, match=rf"no server answers: {stub.url}: connection: .*Start one, or correct --url"
    ):
        project.open(stub)
    assert time.monotonic() - start < LIMIT_S
