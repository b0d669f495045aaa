"""The smoke test against a server that does everything right, and against each thing that it can do wrong."""

import shutil
from collections.abc import Callable, Iterator
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from msgspec import structs

from harness.evaluation.requests import PlannedRequest
from harness.runs.folder import RunFolder, stream
from harness.schema import Case, Completion, Record, Sampling
from harness.serving.platforms import find_platform
from harness.serving.routing import Access, Route
from harness.serving.smoke_test import Recorded, SmokeCheck, ask, likeness, smoke
from tests.harness.serving.routes import access, route
from tests.harness.serving.stub import ServingStub
from tests.support.adapters import save_adapter

KEY = "a-long-random-text"
OTHER = "another-servers-key"


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A key for the server, one for others, and a proxy that nothing may go through."""
    monkeypatch.setenv("TUNEGATE_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("TUNEGATE_SERVE_KEY", KEY)
    monkeypatch.setenv("OPENAI_API_KEY", OTHER)
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")


@pytest.fixture(scope="module")
def folder(tiny_model: Path) -> Path:
    return tiny_model


@pytest.fixture
def stubs() -> Iterator[list[ServingStub]]:
    made: list[ServingStub] = []
    yield made
    for stub in made:
        stub.stop()


@pytest.fixture
def stub(stubs: list[ServingStub], folder: Path) -> ServingStub:
    """A plain model under the name `clauses`."""
    stubs.append(ServingStub({"clauses": 2}, {"clauses": folder}, folder, KEY))
    return stubs[-1]


def reach(stub: ServingStub) -> Access:
    return access(port=stub.port, key_from="TUNEGATE_SERVE_KEY" if stub.key else None)


def quiet(text: str) -> None:
    pass


def questions(of: Route, stub: ServingStub, other: str | None = None) -> list[Recorded]:
    """Twelve questions, recorded as the stub answers them now; `other` is a model that counts as the baseline."""
    how = Sampling(max_tokens=6, stop_ids=stub.renderer.stop_ids)
    asks = [
        PlannedRequest(
            suite=0,
            case=Case(id=f"c{i}", input={}, expected=[], cluster="k"),
            variant="tuned",
            repeat=1,
            ids=(3 + i, 7, 9),
            sampling=how,
        )
        for i in range(12)
    ]
    _, found = ask(of, reach(stub), asks, quiet)
    return [Recorded(ask=ask, approved=found[place].text, baseline=other) for place, ask in enumerate(asks)]


def as_record(one: Recorded) -> Record:
    text = Completion(key="k", text=one.approved, finish_reason="stop", prompt_tokens=3, output_tokens=6)
    return Record(
        case=one.ask.case,
        variant="tuned",
        repeat=1,
        input_hash="",
        prompt_hash="",
        expected_hash="",
        completion=text,
        scores={},
    )


def checked(of: Route, stub: ServingStub, recorded: list[Recorded]) -> dict[str, SmokeCheck]:
    return {finding.check: finding for finding in smoke(of, reach(stub), recorded, quiet)}


def failing(found: dict[str, SmokeCheck]) -> list[str]:
    return [name for name, finding in found.items() if not finding.ok]


@pytest.fixture
def of(folder: Path) -> Route:
    return route(folder=folder)


def test_a_server_that_is_right_passes_every_check(of: Route, stub: ServingStub) -> None:
    found = checked(of, stub, questions(of, stub))
    assert failing(found) == []
    assert list(found) == ["models", "unknown model", "no model", "key", "closed paths", "chat template", "answers"]
    assert found["key"].says == "HTTP 401 without it, HTTP 401 with another, expected 401"
    assert "12 of 12 answers equal the recorded ones, 12 begin alike" in found["answers"].says
    assert found["chat template"].says == "6 of 6 chats become the token ids that were judged"


def test_a_chat_template_gets_the_servers_day_as_the_server_gives_it(
    stubs: list[ServingStub], folder: Path, tmp_path: Path
) -> None:
    model = shutil.copytree(folder, tmp_path / "model")
    dated = "{{ strftime_now('%d %b %Y') }}{% for m in messages %}{{ m['content'] }}{% endfor %}"
    (model / "chat_template.jinja").write_text(dated)
    stubs.append(ServingStub({"clauses": 2}, {"clauses": model}, model, KEY))
    stubs[-1].renderer.today = date.today()
    assert checked(route(folder=model), stubs[-1], [])["chat template"].ok


def test_answers_are_masked_as_the_recorded_ones_are(
    of: Route, stub: ServingStub, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    recorded = questions(of, stub)
    monkeypatch.chdir(tmp_path)
    (tmp_path / "redact.toml").write_text("[patterns]\nname = '[^ -~]+'\n")
    folder = RunFolder.create(tmp_path / "runs", "eval")
    folder.append_records("legal/mini", [as_record(one) for one in recorded])
    texts = [record.completion.text for _, record in stream(folder.path)]
    assert sum("█" in text for text in texts) >= 6
    masked = [structs.replace(one, approved=text) for one, text in zip(recorded, texts, strict=True)]
    assert "12 of 12 answers equal the recorded ones, 12 begin alike" in checked(of, stub, masked)["answers"].says


def test_no_other_servers_key_is_sent_and_the_key_is_said_nowhere(of: Route, stub: ServingStub) -> None:
    found = checked(of, stub, questions(of, stub))
    sent = {headers.get("Authorization") for _, headers, _ in stub.seen}
    assert f"Bearer {KEY}" in sent and not [value for value in sent if value and OTHER in value]
    assert KEY not in repr(found)


def test_without_a_key_no_key_is_sent(of: Route, stubs: list[ServingStub], folder: Path) -> None:
    stubs.append(ServingStub({"clauses": 2}, {"clauses": folder}, folder))
    found = checked(of, stubs[-1], [])
    assert failing(found) == [] and found["key"].says.startswith("none is set")
    assert {headers.get("Authorization") for _, headers, _ in stubs[-1].seen} == {None}


@pytest.mark.parametrize(("trusted", "without"), [(False, 401), (True, 200)])
def test_the_routes_of_a_platform_are_checked_with_the_key_and_without(
    trusted: bool, without: int, of: Route, stub: ServingStub
) -> None:
    stub.platform = find_platform("sagemaker", trusted, {})
    reached = structs.replace(reach(stub), platform=stub.platform)
    found = {finding.check: finding for finding in smoke(of, reached, [], quiet)}
    assert failing(found) == [] and "/invocations" not in found["closed paths"].says
    assert found["routes of sagemaker"].says == (
        "/ping gives HTTP 200; /invocations gives HTTP 200 by 'clauses' with the key and "
        f"HTTP {without} without it, expected {without}"
    )
    stub.keyed = False
    again = {finding.check: finding for finding in smoke(of, reached, [], quiet)}
    assert ("routes of sagemaker" in failing(again)) is not trusted


def change(what: str, value: Any) -> Callable[[ServingStub], None]:
    return lambda stub: setattr(stub, what, value)


@pytest.mark.parametrize(
    ("fault", "check", "says"),
    [
        (change("keyed", False), "key", "HTTP 200 without it, HTTP 200 with another, expected 401"),
        (change("closed", False), "closed paths", "not closed: /invocations (HTTP 200)"),
        (change("stands_in", True), "unknown model", "HTTP 200, expected 404"),
        (change("nameless", "base"), "no model", "/v1/completions gives 'base', expected 'clauses'"),
        (change("before_chat", (1,)), "chat template", "0 of 6 chats"),
        (change("roots", {"clauses": "/models/old"}), "models", "'clauses' is from /models/old"),
    ],
)
def test_what_is_wrong_fails_its_own_check_alone(
    of: Route, stub: ServingStub, fault: Callable[[ServingStub], None], check: str, says: str
) -> None:
    recorded = questions(of, stub)
    fault(stub)
    found = checked(of, stub, recorded)
    assert failing(found) == [check] and says in found[check].says


def test_a_model_too_many_is_found(of: Route, stub: ServingStub) -> None:
    stub.models["spare"], stub.roots = 9, stub.roots | {"spare": Path("/spare")}
    found = checked(of, stub, [])
    assert failing(found) == ["models"] and found["models"].says == "served: clauses, spare"


def test_other_weights_are_unlike(of: Route, stub: ServingStub) -> None:
    recorded = questions(of, stub)
    stub.models["clauses"] = 3
    found = checked(of, stub, recorded)
    assert failing(found) == ["answers"] and "0 of 12 answers equal the recorded ones" in found["answers"].says


def test_a_question_without_an_answer_fails(of: Route, stub: ServingStub) -> None:
    recorded = questions(of, stub)
    stub.fault = lambda body: (400, {}, b"{}") if body["prompt"][0] == 5 else None
    found = checked(of, stub, recorded)
    assert failing(found) == ["answers"] and "1 of 12 questions got no answer" in found["answers"].says


def test_a_server_that_is_gone_fails_without_being_waited_for(of: Route, stub: ServingStub) -> None:
    recorded = questions(of, stub)
    stub.stop()
    found = checked(of, stub, recorded)
    assert set(failing(found)) == set(found)
    assert found["models"].says == "served: nothing (HTTP 0)"


@pytest.fixture
def beside_its_base(stubs: list[ServingStub], folder: Path, tmp_path: Path) -> tuple[Route, ServingStub]:
    adapter = save_adapter(folder, tmp_path / "adapter")
    stubs.append(ServingStub({"clauses": 2, "base": 1}, {"base": folder, "clauses": adapter}, folder, KEY))
    stubs[-1].parents["clauses"] = "base"
    return route(way="lora", folder=folder, adapter=adapter), stubs[-1]


def test_an_adapter_must_move_its_base_and_leave_it_alone(beside_its_base: tuple[Route, ServingStub]) -> None:
    of, stub = beside_its_base
    found = checked(of, stub, questions(of, stub))
    assert failing(found) == [] and "the adapter moves log probabilities by up to" in found["answers"].says
    stub.models["clauses"] = stub.models["base"]
    found = checked(of, stub, [])
    assert failing(found) == ["answers"] and "answers exactly like its base model" in found["answers"].says


def test_a_base_that_stands_in_for_its_adapter_is_found(beside_its_base: tuple[Route, ServingStub]) -> None:
    """As vLLM does without the guard."""
    of, stub = beside_its_base
    stub.models, stub.nameless = {"base": 1, "clauses": 2}, "base"
    found = checked(of, stub, [])
    assert failing(found) == ["models", "no model"]
    assert found["models"].says == "served: base, clauses; 'clauses' is not listed first"
    assert found["no model"].says == (
        "/v1/chat/completions gives 'base', /v1/completions gives 'base', expected 'clauses'"
    )


def test_an_adapter_that_leaks_into_its_base_fails(beside_its_base: tuple[Route, ServingStub]) -> None:
    of, stub = beside_its_base
    stub.mixes, stub.slow_s = True, 0.02
    found = checked(of, stub, [])
    assert failing(found) == ["answers"] and "mixes adapter weights into base rows" in found["answers"].says


LONG = "The tenant shall pay rent on the first day of each month, and"


APPROVED, BASELINE = ["none"] * 7 + ["holdover"] * 3, ["none"] * 7 + ["as is"] * 3


@pytest.mark.parametrize(
    ("approved", "served", "baseline", "counts", "unlike", "says"),
    [
        (["none", "holdover"], ["none", "holdover"], None, (2, 2, 0, 0, 0), False,
         "2 of 2 answers equal the recorded ones, 2 begin alike"),
        # Answers that differ late are not equal, and still alike; a short answer that is continued is not.
        ([f"{LONG} more"] * 4, [f"{LONG} otherwise"] * 4, None, (0, 4, 0, 0, 0), False,
         "4 begin alike; not equal: c0, c1, c2, c3"),
        (["none"], ["none of the clauses"], None, (0, 0, 0, 0, 0), True, "not equal: c0"),
        # Half of the answers must begin alike.
        (["none"] * 4, ["none"] * 2 + ["something"] * 2, None, (2, 2, 0, 0, 0), False, "not equal: c2, c3"),
        (["none"] * 4, ["none"] + ["something"] * 3, None, (1, 1, 0, 0, 0), True, "not equal: c1, c2, c3"),
        # Three answers of the baseline are no rounding, though most begin alike; two may be.
        (APPROVED, BASELINE, BASELINE, (7, 7, 3, 0, 3), True, "0 of 3 are the approved weights' and 3 the baseline's"),
        (APPROVED, APPROVED, BASELINE, (10, 10, 3, 3, 0), False, "3 of 3 are the approved weights'"),
        (APPROVED[1:9], BASELINE[1:9], BASELINE[1:9], (6, 6, 2, 0, 2), False, "0 of 2 are the approved weights'"),
    ],
)  # fmt: skip
def test_served_answers_are_held_against_the_recorded_ones(
    approved: list[str], served: list[str], baseline: list[str] | None, counts: tuple[int, ...], unlike: bool, says: str
) -> None:
    recorded = []
    for i, text in enumerate(approved):
        case = Case(id=f"c{i}", input={}, expected=[], cluster="k")
        ask = PlannedRequest(suite=0, case=case, variant="tuned", repeat=1, ids=(1,), sampling=Sampling(max_tokens=4))
        recorded.append(Recorded(ask=ask, approved=text, baseline=baseline[i] if baseline else None))
    found = likeness(recorded, dict(enumerate(served)))
    assert (found.equal, found.alike, found.apart, found.as_approved, found.as_baseline) == counts
    assert found.unlike is unlike and says in found.says
