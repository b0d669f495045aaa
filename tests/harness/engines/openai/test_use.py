"""Names, keys, URLs and commands: how people ask servers."""

import json
import logging
import shutil
from functools import partial
from pathlib import Path
from typing import Any

import pytest

import tunegate
from harness.engines.base import open_engine
from harness.engines.canary import TEXTS
from harness.engines.config import EngineConfig, Servers
from harness.engines.openai.config import KEYS, endpoint, shown
from harness.engines.openai.engine import percentiles
from harness.engines.options import engine_config
from harness.errors import CanaryFailed, EngineFailed, UserError
from harness.runs.folder import load_run
from harness.suites.prompts import Renderer
from tests.conftest import save_tokenizer
from tests.harness.engines.openai.project import LIMIT_S, MODELS, Project, answers, once, texts
from tests.harness.engines.openai.stub_server import as_json, is_canary
from tests.support.command import run_tunegate
from tests.support.mini import pytest_in, write_suite

SECRET = "sk-secret-of-the-test-0123456789"


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


def test_models_of_two_families_answer_each_with_the_tokenizer_of_its_own(
    serve: Any, project: Project, tmp_path: Path
) -> None:
    other = tmp_path / "llama3"
    config = {"model_type": "llama", "vocab_size": save_tokenizer(other, "llama3")["size"]}
    (other / "config.json").write_text(json.dumps(config | {"max_position_embeddings": 100}))
    stub = serve(limit=200)
    engine = open_engine(
        EngineConfig(name="openai", servers=Servers(urls=(stub.url,)), timeout_s=LIMIT_S, patience_s=LIMIT_S),
        {"baseline": endpoint("base", str(other)), "tuned": endpoint("clauses", str(project.folder))},
        max_model_len=200,
    )
    project.opened.append(engine)
    asked = project.requests(6, variants=("baseline", "tuned"), stop_ids=())
    found = answers(engine, asked)
    canaries = {(b["model"], tuple(b["prompt"])) for b in stub.answered if is_canary(b)}
    for variant, name, renderer in (("baseline", "base", Renderer(other)), ("tuned", "clauses", project.renderer)):
        ids = {tuple(renderer.tokenizer.encode(text, add_special_tokens=False)[:32]) for text in TEXTS}
        assert {prompt for model, prompt in canaries if model == name} == ids
        for request in asked:
            if request.variant == variant:
                body = next(b for b in stub.questions if (b["model"], tuple(b["prompt"])) == (name, request.ids))
                said = stub._answer(body, False)["choices"][0]["token_ids"]
                assert found[request.key].text == renderer.decode(said)


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
    with pytest.raises(EngineFailed, match=r"takes 63 tokens, .* have 64. Start it with --max-model-len 64"):
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
    "ftp://host", "host:8000", "http://", "http://host:port", "http://999.1.1.1:8000", "http://ho\tst", "http://a..b",
    "http://xn--a", "http://\u2603",
])  # fmt: skip
def test_urls_with_secrets_in_them_and_what_is_no_url_are_refused(url: str) -> None:
    with pytest.raises(UserError) as caught:
        engine_config("openai", url=[url], served_model="m")
    assert "hidden" not in str(caught.value) and "--url" in str(caught.value)


def test_urls_are_taken_with_and_without_their_version_and_once() -> None:
    urls = ["http://h:1/", "http://h:1/v1", "http://h:1\r\n", "https://g/llm/v1/"]
    config = engine_config("openai", url=urls, served_model="m")
    assert config.servers == Servers(urls=("http://h:1", "https://g/llm"), model="m")
    assert shown("https://a:b@host:8/x?y=z") == "https://host:8/x"


def test_server_options_belong_to_the_engine_that_asks_servers() -> None:
    with pytest.raises(UserError, match=r"no server is named\. Add --url"):
        engine_config("openai", served_model="m")
    with pytest.raises(UserError, match=r"--url, --trust-server: only for servers. Add --engine openai"):
        engine_config("vllm", url=["http://h"], trust_server=True)
    assert engine_config(None).servers is None


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


@pytest.mark.slow
def test_a_run_asks_a_server_and_its_manifest_says_which(serve: Any, tokenizer: Path, tmp_path: Path) -> None:
    stub = serve()
    stub.parents = {"clauses": "base"}
    write_suite(tmp_path)
    shutil.copytree(tokenizer, tmp_path / "tokenizer")
    words = ["--engine", "openai", "--eval-url", stub.url, "--checkpoint", "tokenizer"]
    pytest_here = partial(
        pytest_in, tmp_path, "-q", *words, "--eval-served-model", "clauses", "--eval-served-baseline", "base"
    )
    done = pytest_here(env={"TUNEGATE_API_KEY": SECRET})
    assert "tunegate: 80 answers for baseline base and tuned clauses" in done.stdout, done.stdout + done.stderr
    assert f"generated by {stub.url}" in done.stdout
    (folder,) = [p for p in (tmp_path / "runs").iterdir() if p.is_dir()]
    run = load_run(folder)
    assert {v: (c.name, c.kind, c.pin) for v, c in run.manifest.checkpoints.items()} == {
        "baseline": ("base", "endpoint", "name"), "tuned": ("clauses", "endpoint", "name"),
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
    again = pytest_here()
    assert len(stub.questions) == 160, again.stdout + again.stderr
    assert "completions of 'clauses' are not reused, even after an interruption" in again.stdout + again.stderr


@pytest.mark.slow
def test_compare_asks_servers_too_and_its_report_says_what_they_are(
    serve: Any, tokenizer: Path, tmp_path: Path
) -> None:
    stub = serve()
    write_suite(tmp_path)
    shutil.copytree(tokenizer, tmp_path / "tokenizer")
    command = ["compare", "tokenizer", "tokenizer", "--engine", "openai"]
    command += ["--url", stub.url, "--served-baseline", "base", "--served-model", "clauses"]
    done = run_tunegate(*command, cwd=tmp_path)
    assert done.returncode == 1 and "report.md" in done.stdout, done.stdout + done.stderr
    (page,) = tmp_path.rglob("report.md")
    text = page.read_text("utf-8")
    assert "a server's model; its weights are unknown" in text and f"127.0.0.1:{stub.port}" in text and "p95" in text


def test_a_script_asks_servers_by_an_engine_with_options(
    serve: Any, tokenizer: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TUNEGATE_CACHE", str(tmp_path / "cache"))
    monkeypatch.chdir(tmp_path)
    stub, suite = serve(), write_suite(tmp_path)
    engine = tunegate.engine_config("openai", url=[stub.url], served_baseline="base", served_model="clauses")
    made = tunegate.compare(tokenizer, tokenizer, suite, engine=engine, quiet=True)
    assert {body["model"] for body in stub.questions} == {"base", "clauses"}
    assert {model.kind for model in made.manifest.checkpoints.values()} == {"endpoint"}
