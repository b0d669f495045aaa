"""A deployment from verdict to record: what is refused, what a dry run says, and a whole one with a stub server."""

import os
import shutil
import signal
import socket
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from msgspec import structs

from harness.approval.approve import Approval
from harness.checkpoints.merge import merged_folder, merged_path
from harness.checkpoints.resolve import resolve
from harness.engines.base import installed
from harness.errors import EngineFailed, GateFailed, UserError
from harness.progress.progress import Progress
from harness.runs.folder import check_seal, load_manifest
from harness.runs.history import past_runs
from harness.serving import deploy, judge_merged, server
from harness.serving.deploy import DeployOptions, plan_deployment, serve
from harness.serving.routing import Access, Route, find_route
from harness.serving.server import Child
from harness.suites.prompts import Renderer, load
from tests.support.adapters import change_json, save_adapter
from tests.support.command import Fork, run_tunegate
from tests.support.gated import change, write_project, write_run
from tests.support.processes import free_port, runs

pytestmark = pytest.mark.skipif(not installed("vllm"), reason="what is served is served by vLLM, which is not here")
ROOT = Path(__file__).parents[3]
KEY = "a-long-random-text"
QUIET = Progress(quiet=True)


@pytest.fixture
def tiny_model(tiny_models: dict[str, Path]) -> Path:
    """One whose tokenizer loads quickly once it is known."""
    return tiny_models["smollm2"]


@pytest.fixture
def port() -> int:
    return free_port()


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, tiny_model: Path) -> None:
    """An own cache, no key and nothing that a server is not given, in a project with an approval policy."""
    write_project(tmp_path)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("TUNEGATE_CACHE", str(tmp_path / "cache"))
    load(tiny_model)
    for name in ("TUNEGATE_SERVE_KEY", "VLLM_API_KEY", *server.LEFT_OUT):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def adapter(tiny_model: Path, tmp_path: Path) -> Path:
    return save_adapter(tiny_model, tmp_path / "adapter")


@pytest.fixture
def wanted(tiny_model: Path, tmp_path: Path, port: int) -> Any:
    """Makes what is asked for: a tiny model, served on this machine."""

    def make(**changes: Any) -> DeployOptions:
        given = {"checkpoint": str(tiny_model), "host": "127.0.0.1", "port": port, "runs": tmp_path / "runs"}
        return DeployOptions(**given | {"start_timeout_s": 120} | changes)

    return make


@pytest.fixture
def nothing_starts(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*given: Any) -> None:
        raise AssertionError("a server was started")

    monkeypatch.setattr(deploy, "Child", refuse)


def said(wanted: DeployOptions) -> list[str]:
    lines: list[str] = []
    plan_deployment(wanted, QUIET, lines.append)
    return lines


def test_a_server_stops_at_a_turn_end_that_only_the_chat_template_names(tiny_model: Path, tmp_path: Path) -> None:
    """As in Phi-3, where no name but the flag in tokenizer.json makes the token that closes a turn a special one."""
    folder = tmp_path / "base"
    shutil.copytree(tiny_model, folder)
    other = Renderer(tiny_model).tokenizer.convert_tokens_to_ids("<|endoftext|>")
    named = {"eos_token": "<|endoftext|>", "pad_token": "<|endoftext|>", "extra_special_tokens": []}
    change_json(folder / "tokenizer_config.json", **named)
    for name in ("config.json", "generation_config.json"):
        change_json(folder / name, eos_token_id=other)
    found = [find_route(resolve(str(each)), None, "auto", None).end_ids for each in (tiny_model, folder)]
    turn_end = Renderer(tiny_model).tokenizer.convert_tokens_to_ids("<|im_end|>")
    assert found == [(), (other, turn_end)]


def test_a_model_with_longrope_is_served_with_its_short_factors_by_default(tiny_model: Path, tmp_path: Path) -> None:
    folder = tmp_path / "phi"
    shutil.copytree(tiny_model, folder)
    rope = {"rope_type": "longrope", "rope_theta": 10_000.0, "original_max_position_embeddings": 128}
    rope |= {"short_factor": [1.0] * 8, "long_factor": [2.0] * 8}
    change_json(folder / "config.json", rope_parameters=rope)
    lengths = [find_route(resolve(str(folder)), None, "auto", given).max_model_len for given in (None, 512)]
    assert lengths == [128, 512]


@pytest.mark.usefixtures("nothing_starts")
class TestRefused:
    """Nothing starts, and no record is made."""

    def refused(self, wanted: DeployOptions, kind: type[UserError], words: str) -> None:
        for dry in (True, False):
            with pytest.raises(kind, match=words) as caught:
                plan_deployment(wanted, QUIET, lambda line: None) if dry else serve(wanted, QUIET, print, leave=True)
            assert "\n" not in str(caught.value)
        assert not [run for run in past_runs(wanted.runs) if run.kind == "serve"]

    @pytest.mark.slow
    def test_a_model_that_was_never_gated(self, wanted: Any) -> None:
        self.refused(wanted(), GateFailed, "not approved by .*or serve with --ungated REASON")

    @pytest.mark.slow
    def test_one_that_did_not_pass(self, wanted: Any, tiny_model: Path) -> None:
        write_run(wanted().runs, tiny_model, "pass", "fail")
        self.refused(wanted(), GateFailed, "1 of 2 gates not passed")

    def test_a_reason_that_is_empty(self, wanted: Any) -> None:
        self.refused(wanted(ungated=" "), UserError, "--ungated needs a reason")

    def test_a_host_that_others_reach_without_a_key(self, wanted: Any) -> None:
        self.refused(wanted(host="0.0.0.0", ungated="pilot"), UserError, "no key is set. Set TUNEGATE_SERVE_KEY")

    def test_a_port_in_use(self, wanted: Any, port: int) -> None:
        with socket.socket() as other:
            other.bind(("127.0.0.1", port))
            other.listen()
            self.refused(wanted(ungated="pilot"), UserError, f"--port {port}: something listens")

    @pytest.mark.parametrize(
        ("changes", "words"),
        [
            ({"checkpoint": "./nowhere"}, "no such checkpoint"),
            ({"name": "a b"}, "--name 'a b': expected letters"),
            ({"lora": "maybe"}, "--lora maybe: expected one of: auto, force, merge"),
            ({"max_model_len": 4096}, "--max-model-len 4,096: the model reads 512 tokens"),
        ],
    )
    def test_what_cannot_be(self, wanted: Any, changes: dict[str, Any], words: str) -> None:
        self.refused(wanted(ungated="pilot", **changes), UserError, words)

    def test_an_adapter_under_its_bases_name(self, wanted: Any, adapter: Path) -> None:
        own = wanted(checkpoint=str(adapter), lora="force", name="base", ungated="pilot")
        self.refused(own, UserError, "--name base: the adapter's base is served under that name")


@pytest.mark.usefixtures("nothing_starts")
class TestOnAPlatform:
    """A platform's own address, port and routes, and a key in spite of it."""

    def test_a_platform_still_needs_a_key(self, wanted: Any) -> None:
        own = wanted(host=None, platform="sagemaker", trust_platform=True, ungated="pilot")
        with pytest.raises(UserError, match=r"--host 0.0.0.0: other machines reach it, and no key is set"):
            said(own)

    def test_it_says_address_and_port_and_the_routes_reach_the_server(
        self, wanted: Any, port: int, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("TUNEGATE_SERVE_KEY", KEY)
        monkeypatch.setenv("AIP_HTTP_PORT", str(port))
        lines = said(wanted(host=None, port=None, platform="vertex", trust_platform=True, ungated="pilot"))
        command_line = next(line for line in lines if line.startswith("command: "))
        assert f"--host 0.0.0.0 --port {port}" in command_line and "GUARD_ROUTES=" in command_line
        assert any(line.startswith("note: /predict answers without a key") for line in lines)


@pytest.mark.slow
@pytest.mark.usefixtures("nothing_starts")
def test_merged_weights_that_do_not_pass_are_not_served(
    wanted: Any, adapter: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    own = wanted(checkpoint=str(adapter), lora="merge")
    original = write_run(own.runs, adapter, "pass", "pass")
    asked: list[Any] = []

    def judge(folder: Path, base: str, approval: Approval, *more: Any) -> Approval:
        asked.append((folder, [run.name for run in approval.runs]))
        raise GateFailed("the merged weights do not pass")

    monkeypatch.setattr(judge_merged, "judge", judge)
    with pytest.raises(GateFailed, match="the merged weights do not pass"):
        serve(own, QUIET, print, leave=True)
    assert asked == [(merged_folder(resolve(str(adapter))), [original.name])]
    write_run(own.runs, merged_folder(resolve(str(adapter))), "pass", "pass")
    with pytest.raises(AssertionError, match="a server was started"):
        serve(structs.replace(own, questions=0), QUIET, print, leave=True)
    assert len(asked) == 1


@pytest.mark.usefixtures("nothing_starts")
class TestDryRun:
    """Everything is said, and nothing is started or written."""

    @pytest.mark.slow
    def test_of_a_model_that_passed(self, wanted: Any, tiny_model: Path, port: int) -> None:
        run = write_run(wanted().runs, tiny_model, "pass", "pass")
        lines = said(wanted(name="clauses"))
        policy = "evalsuites/approval.toml"
        assert lines[0] == f"verdict: approved by {policy}: legal/mini by run {run.name}, 2 gates passed"
        assert lines[1].startswith("route: 'clauses' on the ") and "the weights as they are" in lines[1]
        typed = lines[-1]
        assert f"{tiny_model} --served-model-name clauses --host 127.0.0.1 --port {port} " in typed
        assert [path.name for path in wanted().runs.iterdir()] == [run.name]

    def test_of_a_model_that_was_judged_in_the_data_type_of_its_baseline(self, wanted: Any, tiny_model: Path) -> None:
        run = write_run(wanted().runs, tiny_model, "pass", "pass")
        change(run, lambda m: structs.replace(m, engine=m.engine | {"dtype": "bfloat16"}))
        lines = said(wanted())
        assert "; bfloat16, up to " in lines[1] and " --dtype bfloat16 " in lines[-1]

    @pytest.mark.slow
    def test_without_a_verdict_says_the_rest_too(self, wanted: Any) -> None:
        lines: list[str] = []
        with pytest.raises(GateFailed):
            plan_deployment(wanted(), QUIET, lines.append)
        assert lines[0] == "nothing would be served: no verdict allows it"
        assert [line.split(":")[0] for line in lines[1:]] == ["route", "note", "environment", "command"]

    def test_never_says_the_key(self, wanted: Any, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("TUNEGATE_SERVE_KEY", KEY)
        lines = said(wanted(host="0.0.0.0", ungated="pilot"))
        assert KEY not in "".join(lines) and "VLLM_API_KEY" in lines[-2]
        assert lines[0] == "verdict: served without a passing verdict: pilot"

    def test_of_an_adapter_as_lora(self, wanted: Any, adapter: Path) -> None:
        lines = said(wanted(checkpoint=str(adapter), lora="force", ungated="pilot"))
        assert "--max-loras 2 --max-cpu-loras 2 --max-lora-rank 8 " in lines[-1]
        assert f"--lora-modules adapter={adapter}" in lines[-1] and "served too, as 'base'" in lines[1]

    @pytest.mark.slow
    def test_of_an_adapter_that_is_merged(self, wanted: Any, adapter: Path, tmp_path: Path) -> None:
        own = wanted(checkpoint=str(adapter), lora="merge")
        write_run(own.runs, adapter, "pass", "pass")
        assert said(own)[1] == "merged weights would be judged by the same gates first"
        assert not (tmp_path / "cache" / "merged").exists()
        folder = merged_folder(resolve(str(adapter)))
        run = write_run(own.runs, folder, "pass", "pass")
        lines = said(own)
        policy = "evalsuites/approval.toml"
        assert lines[1] == f"merged weights: approved by {policy}: legal/mini by run {run.name}, 2 gates passed"
        assert f"{folder} --served-model-name adapter " in lines[-1]

    @pytest.mark.slow
    def test_of_merged_weights_that_are_known_to_fail(self, wanted: Any, adapter: Path) -> None:
        own = wanted(checkpoint=str(adapter), lora="merge")
        write_run(own.runs, adapter, "pass", "pass")
        write_run(own.runs, merged_folder(resolve(str(adapter))), "pass", "fail")
        with pytest.raises(GateFailed, match="1 of 2 gates not passed"):
            said(own)

    def test_of_merged_weights_without_a_verdict(self, wanted: Any, adapter: Path) -> None:
        lines = said(wanted(checkpoint=str(adapter), lora="merge", ungated="pilot"))
        assert lines[1] == "merged weights are not judged, because --ungated was given"


def stub_command(route: Route, access: Access) -> list[str]:
    """In place of vLLM's server, one that answers at once."""
    known = f"TUNEGATE_CACHE={os.environ['TUNEGATE_CACHE']}"
    stub = ["env", f"PYTHONPATH={ROOT}", known, sys.executable, "-m", "tests.harness.serving.stub"]
    return [*stub, str(access.port), str(route.folder), route.name]


@pytest.fixture
def with_stub(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """A stub for vLLM's server; returns the ids of its processes."""
    started: list[int] = []

    def start(*given: Any) -> Child:
        child = Child(*given)
        started.append(child._process.pid)
        return child

    monkeypatch.setattr(server, "command", stub_command)
    monkeypatch.setattr(deploy, "Child", start)
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    monkeypatch.setenv("TUNEGATE_SERVE_KEY", KEY)
    return started


def record(runs: Path) -> Path:
    (found,) = [path for path in runs.iterdir() if load_manifest(path).kind == "serve"]
    return found


@pytest.mark.slow
def test_a_deployment_is_checked_recorded_and_leaves_nothing_behind(
    wanted: Any, with_stub: list[int], capfd: pytest.CaptureFixture[str], port: int, tiny_model: Path
) -> None:
    lines: list[str] = []
    serve(wanted(ungated="pilot", name="clauses"), Progress(), lines.append, leave=True)
    assert [line.split(":")[0] for line in lines] == ["command", "record", "url", "example"]
    steps = [line for line in capfd.readouterr().err.splitlines() if line.startswith("[")]
    assert [step[:6] for step in steps] == ["[1/5] ", "[2/5] ", "[3/5] ", "[4/5] ", "[5/5] "]
    assert steps[3] == "[4/5] smoke test: 7 of 7 checks passed"
    folder = record(wanted().runs)
    kept = load_manifest(folder)
    assert (kept.status, check_seal(folder)) == ("finished", [])
    assert kept.checkpoints["tuned"].digest == resolve(str(tiny_model)).digest == kept.engine["served"]["content"]
    assert kept.notes == ["served without a passing verdict: pilot"] and kept.engine["command"][-1] == "clauses"
    assert [finding["ok"] for finding in kept.engine["smoke"]["findings"]] == [True] * 7
    everything = "".join(path.read_text() for path in folder.iterdir()) + "".join(lines)
    assert KEY not in everything and "VLLM_API_KEY" in kept.engine["environment"]
    assert not any(map(runs, with_stub)) and len(with_stub) == 1
    (listed,) = past_runs(wanted().runs)
    assert (listed.name, listed.kind, listed.status) == (folder.name, "serve", "finished")
    assert listed.models["tuned"].name == str(tiny_model)


@pytest.mark.slow
def test_merged_weights_that_change_before_the_server_loads_them_are_not_served(
    wanted: Any, adapter: Path, with_stub: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    start = deploy.Child

    def late(*given: Any) -> Child:
        weights = merged_path(resolve(str(adapter))) / "model.safetensors"
        content = weights.read_bytes()
        weights.write_bytes(content[:-1] + bytes([content[-1] ^ 1]))
        return start(*given)

    monkeypatch.setattr(deploy, "Child", late)
    with pytest.raises(UserError, match="its files changed while they were in use"):
        serve(wanted(checkpoint=str(adapter), lora="merge", ungated="pilot"), QUIET, print, leave=True)
    assert load_manifest(record(wanted().runs)).status == "failed" and not any(map(runs, with_stub))


@pytest.mark.slow
def test_a_smoke_test_that_fails_stops_the_server(
    wanted: Any, with_stub: list[int], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(server, "command", lambda of, access: [*stub_command(of, access)[:-1], "another-name"])
    with pytest.raises(EngineFailed, match="the smoke test failed, and the server is stopped: models: served: another"):
        serve(wanted(ungated="pilot"), QUIET, print, leave=False)
    folder = record(wanted().runs)
    assert load_manifest(folder).status == "failed" and check_seal(folder) == []
    assert load_manifest(folder).engine["smoke"]["findings"][0]["ok"] is False
    assert not any(map(runs, with_stub))


def test_a_server_that_does_not_start_is_one_line_and_a_record(
    wanted: Any, with_stub: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    code = "raise ValueError('no room for the KV cache')"
    monkeypatch.setattr(server, "command", lambda of, access: [sys.executable, "-c", code])
    with pytest.raises(EngineFailed, match="Its last output: ValueError: no room for the KV cache"):
        serve(wanted(ungated="pilot"), QUIET, print, leave=True)
    kept = load_manifest(record(wanted().runs))
    assert kept.status == "failed" and "no room for the KV cache" in kept.notes[-1]


def test_answers_that_cannot_be_compared_are_refused_before_the_start(
    wanted: Any, tiny_model: Path, with_stub: list[int]
) -> None:
    write_run(wanted().runs, tiny_model, "pass", "pass")
    with pytest.raises(UserError, match="nowhere: no suite was found"):
        serve(wanted(suites=("nowhere",)), QUIET, print, leave=True)
    assert with_stub == []


@pytest.mark.slow
def test_the_command_serves_until_it_is_asked_to_end(
    tmp_path: Path, tiny_model: Path, port: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(server, "command", stub_command)
    words = ["tunegate", "serve", str(tiny_model), "--port", str(port), "--ungated", "pilot"]
    process = Fork(*words, cwd=tmp_path, env=os.environ)
    end = time.monotonic() + 300
    while "[5/5] serving until interrupted" not in process.output()[1]:
        assert process.poll() is None and time.monotonic() < end, process.output()
        time.sleep(0.2)
    folder = record(tmp_path / "runs")
    assert load_manifest(folder).status == "running" and "smoke" in load_manifest(folder).engine
    os.kill(process.pid or 0, signal.SIGTERM)
    process.join(300)
    assert process.poll() == 0, process.output()
    assert process.output()[1].rstrip().endswith("interrupted: the server is stopped")
    assert (load_manifest(folder).status, check_seal(folder)) == ("finished", [])
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", port))


@pytest.mark.slow
def test_the_commands_exit_codes(tmp_path: Path, tiny_model: Path, port: int) -> None:
    def code(*more: str) -> int:
        words = ["serve", str(tiny_model), "--port", str(port), "--dry-run", *more]
        return run_tunegate(*words, cwd=tmp_path).returncode

    assert code() == 1
    assert code("--ungated", " ") == 4
    write_run(tmp_path / "runs", tiny_model, "pass", "pass")
    assert code() == 0
