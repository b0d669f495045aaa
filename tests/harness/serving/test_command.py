"""What vLLM's server is started with, on each route; and what it must never get."""

import json
import os
import shlex
import sys
from pathlib import Path

import pytest
from msgspec import structs

from harness.errors import UserError
from harness.serving import deploy, server
from harness.serving.path_guard import ROUTES
from harness.serving.platforms import find_platform
from harness.serving.routing import Route
from tests.harness.serving.routes import access, as_lora, route

KEY = "a-long-random-text"


def options(words: list[str]) -> dict[str, str | bool]:
    """Options by name; one without a value is True."""
    found: dict[str, str | bool] = {}
    for word, following in zip(words, [*words[1:], "--"], strict=True):
        if word.startswith("--"):
            found[word] = True if following.startswith("--") else following
    return found


def test_on_a_cpu_the_server_is_started_by_its_module() -> None:
    words = server.command(route(), access())
    start = [sys.executable, "-m", "vllm.entrypoints.openai.api_server", "--model", "/models/clauses"]
    assert words[:5] == start
    assert options(words[3:]) == {
        "--model": "/models/clauses",
        "--served-model-name": "clauses",
        "--host": "127.0.0.1",
        "--port": "8000",
        "--generation-config": "vllm",
        "--dtype": "bfloat16",
        "--seed": "0",
        "--max-model-len": "512",
        "--structured-outputs-config": '{"backend": "xgrammar", "disable_any_whitespace": true}',
        "--kv-cache-memory-bytes": str(1 << 28),
        "--enforce-eager": True,
        "--enable-prefix-caching": True,
        "--language-model-only": True,
        "--max-num-seqs": "64",
        "--block-size": "32",
        "--load-format": "safetensors",
        "--config-format": "hf",
        "--no-enable-log-requests": True,
        "--disable-access-log-for-endpoints": "/health,/metrics,/ping,/version",
        "--disable-fastapi-docs": True,
        "--middleware": "harness.serving.path_guard.PathGuard",
    }


def test_ids_that_end_an_answer_are_given_where_the_server_would_not_find_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TUNEGATE_CACHE", str(tmp_path))
    folder = Path(str(options(server.command(route(end_ids=(0, 2)), access()))["--generation-config"]))
    file = folder / "generation_config.json"
    assert json.loads(file.read_text("utf-8")) == {"eos_token_id": [0, 2]}
    for name in (".generation_config.json.part", f".generation_config.json.{os.getpid()}.part"):
        (folder / name).mkdir()  # As where the folder is another user's: nothing can be written.
    server.command(route(end_ids=(0, 2)), access())
    file.unlink()
    with pytest.raises(UserError, match=r"generation_config.json: cannot be written .*set TUNEGATE_CACHE"):
        server.command(route(end_ids=(0, 2)), access())


def test_on_a_gpu_it_is_vllm_serve() -> None:
    words = server.command(route(on_cpu=False), access(host="0.0.0.0", port=9000))
    assert words[:5] == [sys.executable, "-m", "vllm.entrypoints.cli.main", "serve", "/models/clauses"]
    found = options(words)
    assert (found["--host"], found["--port"]) == ("0.0.0.0", "9000")
    assert "--no-enforce-eager" in found and "--max-num-seqs" not in found


@pytest.mark.parametrize("on_cpu", [True, False])
def test_an_adapter_has_a_slot_more_than_it_needs_and_its_base_beside_it(on_cpu: bool) -> None:
    found = options(server.command(as_lora(on_cpu=on_cpu), access()))
    assert found["--served-model-name"] == "base" and found["--lora-modules"] == "clauses=/a/clauses"
    assert found["--enable-lora"] is True and found["--max-lora-rank"] == "16"
    assert found["--max-loras"] == found["--max-cpu-loras"] == "2"
    assert found.get("--max-num-batched-tokens") == ("512" if on_cpu else None)


def test_an_adapter_in_a_folder_with_a_comma_is_given_as_json() -> None:
    found = options(server.command(structs.replace(as_lora(), adapter=Path("/a,b/c")), access()))
    assert json.loads(str(found["--lora-modules"])) == {"name": "clauses", "path": "/a,b/c"}


def test_merged_weights_are_served_from_their_folder_under_the_models_name() -> None:
    found = options(server.command(route(way="merged", folder=Path("/cache/merged/x")), access()))
    assert (found["--model"], found["--served-model-name"]) == ("/cache/merged/x", "clauses")
    assert not [name for name in found if "lora" in name]


@pytest.mark.parametrize("name", ["TUNEGATE_SERVE_KEY", "VLLM_API_KEY"])
def test_the_key_goes_by_the_environment_and_is_typed_as_a_variable(name: str) -> None:
    given, reach = {name: KEY, "PATH": "/bin"}, access(host="0.0.0.0", key_from=name)
    words, own = server.command(route(), reach), server.environment(given, route(), reach)
    assert own["VLLM_API_KEY"] == KEY and "TUNEGATE_SERVE_KEY" not in own and own["PATH"] == "/bin"
    typed = server.as_typed(words, given, own, reach)
    assert f'VLLM_API_KEY="${name}"' in typed and KEY not in typed and KEY not in " ".join(words)
    asked = deploy.request(route(), reach)
    assert f'"Authorization: Bearer ${name}"' in asked and KEY not in asked


def test_a_key_of_the_shell_never_reaches_a_server_that_is_to_have_none() -> None:
    assert "VLLM_API_KEY" not in server.environment({"VLLM_API_KEY": " "}, route(), access())


def test_nothing_leaves_the_machine_and_threads_sleep_while_they_wait() -> None:
    own = server.environment({}, route(), access())
    assert own | {"VLLM_NO_USAGE_STATS": "1", "DO_NOT_TRACK": "1", "HF_HUB_OFFLINE": "1"} == own
    assert (own["OMP_WAIT_POLICY"], own["VLLM_CPU_OMP_THREADS_BIND"]) == ("PASSIVE", "nobind")
    assert "OMP_WAIT_POLICY" not in server.environment({}, route(on_cpu=False), access())


def test_switches_that_open_doors_are_kept_from_the_server_and_named() -> None:
    given = {"VLLM_ALLOW_RUNTIME_LORA_UPDATING": "1", "VLLM_SERVER_DEV_MODE": "1", "VLLM_LOGGING_LEVEL": "DEBUG"}
    given["VLLM_SKIP_MODEL_NAME_VALIDATION"] = "1"
    own = server.environment(given, route(), access())
    assert "VLLM_LOGGING_LEVEL" in own and given.keys() - own.keys() == set(given) - {"VLLM_LOGGING_LEVEL"}
    said = server.left_out(given)
    assert len(said) == 3 and said[0].startswith("VLLM_ALLOW_RUNTIME_LORA_UPDATING is not passed on")
    typed = server.as_typed(["server"], given, own, access())
    assert typed.startswith(
        "env -u VLLM_ALLOW_RUNTIME_LORA_UPDATING -u VLLM_SERVER_DEV_MODE -u VLLM_SKIP_MODEL_NAME_VALIDATION "
        "DO_NOT_TRACK=1 "
    )


def test_no_script_of_a_model_folder_runs_in_the_server() -> None:
    """vLLM's SageMaker module runs model.py of /opt/ml/model, or of the folder that this variable names."""
    given = {"SAGEMAKER_MODEL_PATH": "/models/clauses", "CUSTOM_SCRIPT_FILENAME": "x.py", "CUSTOM_PRE_PROCESS": "m:f"}
    own = server.environment(given, route(), access())
    assert own["SAGEMAKER_MODEL_PATH"] == "/dev/null"
    assert own.keys().isdisjoint({"CUSTOM_SCRIPT_FILENAME", "CUSTOM_PRE_PROCESS"})


def test_the_server_learns_the_model_of_nameless_requests_and_a_platforms_routes_from_tunegate_alone() -> None:
    given = {ROUTES: '{"health": "/x", "predict": "/y", "model": "z", "is_open": true}'}
    for of in (route(), as_lora()):
        plain = json.loads(server.environment(given, of, access())[ROUTES])
        assert plain == {"health": None, "predict": None, "model": "clauses", "is_open": False}
    sagemaker = find_platform("sagemaker", False, {})
    own = server.environment(given, route(), access(platform=sagemaker))
    assert json.loads(own[ROUTES]) == {
        "health": "/ping", "predict": "/invocations", "model": "clauses", "is_open": False,
    }  # fmt: skip


def test_a_model_is_split_over_as_many_devices_as_were_asked_for() -> None:
    words = server.command(route(on_cpu=False, tensor_parallel=4), access())
    assert options(words)["--tensor-parallel-size"] == "4" and "4 GPUs" in route(on_cpu=False, tensor_parallel=4).says
    assert "--tensor-parallel-size" not in options(server.command(route(), access()))


def test_what_is_typed_is_what_is_run() -> None:
    words = server.command(route(folder=Path("/with space/model")), access())
    own = server.environment({}, route(), access())
    split = shlex.split(server.as_typed(words, {}, own, access()))
    assert split == [*(f"{name}={own[name]}" for name in sorted(own)), *words]


def test_the_example_asks_as_the_suites_do() -> None:
    words = shlex.split(deploy.request(route(), access()))
    body = json.loads(words[-1])
    assert words[:2] == ["curl", "http://127.0.0.1:8000/v1/chat/completions"]
    assert body["model"] == "clauses" and body["temperature"] == 0


@pytest.mark.slow
@pytest.mark.vllm
@pytest.mark.parametrize("of", [route(), route(on_cpu=False, tensor_parallel=2), as_lora(), as_lora(on_cpu=False)])
def test_this_vllm_knows_every_option(of: Route) -> None:
    pytest.importorskip("vllm")
    from vllm.entrypoints.launchers.cli_args import make_arg_parser
    from vllm.utils.argparse_utils import FlexibleArgumentParser

    words = server.command(of, access())
    read = make_arg_parser(FlexibleArgumentParser()).parse_args(words[4 if not of.on_cpu else 3 :])
    assert read.kv_cache_memory_bytes == 1 << 28 and read.enable_log_requests is False
    assert read.tensor_parallel_size == of.tensor_parallel
    assert read.disable_fastapi_docs and read.middleware == ["harness.serving.path_guard.PathGuard"]
    assert [(m.name, m.path) for m in read.lora_modules or []] == ([("clauses", "/a/clauses")] if of.adapter else [])
