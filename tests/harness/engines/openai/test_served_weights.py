"""The weights behind a server on this machine are known from its process, or it is said why they are not."""

import errno
import json
import os
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from msgspec import structs

from harness.checkpoints.resolve import resolve
from harness.engines.config import EngineConfig, Servers
from harness.engines.openai import served_weights
from harness.engines.openai.config import endpoint
from harness.engines.openai.served_weights import pinned
from harness.errors import EngineFailed, UserError
from harness.evaluation.plan import Job, variants
from harness.runs.folder import load_manifest
from harness.schema import Checkpoint
from tests.harness.engines.openai.project import Project, answers
from tests.harness.engines.openai.stub_server import Stub
from tests.support.adapters import change_json, save_adapter
from tests.support.mini import pytest_in, rows, write_suite
from tests.support.processes import free_port

pytestmark = pytest.mark.usefixtures("own_cache")

LISTING = """
import http.server, os
class Models(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.end_headers()
        self.wfile.write(CARDS)
    def log_message(self, *words):
        pass
CARDS = os.environ["CARDS"].encode()
server = http.server.HTTPServer(("127.0.0.1", 0), Models)
print(server.server_port, flush=True)
server.serve_forever()
"""
"""A server that lists models, as vLLM does; its command line is what the tests say."""

SETTLED_S = 0.05
"""Longer than the steps in which the kernel counts the times of files and processes."""

Listen = Callable[..., str]


@pytest.fixture
def listen() -> Iterator[Listen]:
    """Starts the server with further words on its command line; returns its URL."""
    started: list[subprocess.Popen[bytes]] = []

    def start(cards: list[dict[str, Any]], *words: str, cwd: Path | None = None, **environment: str) -> str:
        command = [sys.executable, "-S", "-c", LISTING, *words]
        time.sleep(SETTLED_S)
        environment["CARDS"] = json.dumps({"data": cards})
        started.append(subprocess.Popen(command, cwd=cwd, env=os.environ | environment, stdout=subprocess.PIPE))
        assert started[-1].stdout is not None
        return f"http://127.0.0.1:{int(started[-1].stdout.readline())}"

    yield start
    for process in started:
        process.kill()
        process.communicate()


@pytest.fixture
def model(tiny_model: Path, tmp_path: Path) -> Path:
    """A model folder of this test's own."""
    return Path(shutil.copytree(tiny_model, tmp_path / "model"))


@pytest.fixture
def other(model: Path, tmp_path: Path) -> Path:
    """A folder with other weights."""
    folder = Path(shutil.copytree(model, tmp_path / "other"))
    change_json(folder / "config.json", rms_norm_eps=0.125)
    return folder


def found(url: str, local: Path, name: str = "clauses", trust: bool = False) -> Checkpoint:
    return pinned(endpoint(name, str(local)), str(local), Servers(urls=(url,), trust=trust))


def listed(root: Path | str, name: str = "clauses", **more: Any) -> dict[str, Any]:
    return {"id": name, "root": str(root), **more}


def test_a_server_on_this_machine_has_the_digest_of_the_folder_that_it_loaded(listen: Listen, model: Path) -> None:
    served = found(listen([listed(model)], "--model", str(model)), model)
    assert (served.pin, served.unpinned_because, served.name) == ("server process", "", "clauses")
    assert (served.digest, served.base_digest) == (resolve(str(model)).digest, resolve(str(model)).base_digest)


def test_a_folder_is_found_from_where_the_server_was_started(listen: Listen, model: Path) -> None:
    assert found(listen([listed("model")], "--model=model", cwd=model.parent), model).pin == "server process"


def test_localhost_is_this_machine_where_ipv6_is_off(
    listen: Listen, model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    url = listen([listed(model)], str(model)).replace("127.0.0.1", "localhost")
    real = socket.socket

    def no_ipv6(family: int = socket.AF_INET, *more: Any, **named: Any) -> socket.socket:
        if family == socket.AF_INET6:
            raise OSError(errno.EAFNOSUPPORT, os.strerror(errno.EAFNOSUPPORT))
        return real(family, *more, **named)

    both = [(socket.AF_INET6, 1, 6, "", ("::1", 0, 0, 0)), (socket.AF_INET, 1, 6, "", ("127.0.0.1", 0))]
    monkeypatch.setattr(served_weights, "cards", lambda url: {"clauses": listed(model)})
    monkeypatch.setattr(socket, "socket", no_ipv6)
    monkeypatch.setattr(socket, "getaddrinfo", lambda host, port: both)
    assert found(url, model).pin == "server process"


def test_the_digest_is_of_the_served_folder_and_not_of_the_one_that_is_named(
    listen: Listen, model: Path, other: Path
) -> None:
    """A baseline under another name: the run is bound to what answered."""
    served = found(listen([listed(other)], str(other)), model)
    assert served.digest == resolve(str(other)).digest != resolve(str(model)).digest


def test_an_adapter_is_pinned_with_its_base(listen: Listen, model: Path, tmp_path: Path) -> None:
    adapter = save_adapter(model, tmp_path / "adapter")
    cards = [listed(model, "base"), listed(adapter, parent="base")]
    url = listen(cards, "--model", str(model), "--lora-modules", f"clauses={adapter}")
    served = found(url, adapter)
    assert (served.pin, served.digest) == ("server process", resolve(str(adapter)).digest)
    assert served.adapter_digest == resolve(str(adapter)).adapter_digest


def test_an_adapter_over_another_base_than_it_names_is_not_pinned(
    listen: Listen, model: Path, other: Path, tmp_path: Path
) -> None:
    adapter = save_adapter(model, tmp_path / "adapter")
    url = listen([listed(other, "base"), listed(adapter, parent="base")], str(other), f"clauses={adapter}")
    assert "names another base than the server loaded" in unpinned(url, adapter)


def unpinned(url: str, local: Path) -> str:
    """Why a server is not pinned; its digest is then of a name."""
    served = found(url, local)
    assert served.pin == "name" and served.digest == endpoint("clauses", str(local)).digest
    return served.unpinned_because


def rewritten(folder: Path) -> None:
    (folder / "config.json").write_text((folder / "config.json").read_text())


def replaced(folder: Path) -> None:
    """Other weights under the old name, with their old time of change."""
    new, old = folder.parent / "new.safetensors", folder / "model.safetensors"
    shutil.copy2(old, new)
    new.replace(old)


def exchanged(folder: Path) -> None:
    """Another folder, whose files are as old as the server, under the old name."""
    folder.rename(folder.with_name("before"))
    folder.with_name("spare").rename(folder)


def linked_elsewhere(folder: Path) -> None:
    link = folder.with_name("link")
    link.unlink()
    link.symlink_to(folder.with_name("spare"))


@pytest.mark.parametrize("change", [rewritten, replaced, exchanged, linked_elsewhere])
def test_files_that_changed_after_the_start_are_not_those_that_were_loaded(
    change: Callable[[Path], None], listen: Listen, model: Path, tmp_path: Path
) -> None:
    shutil.copytree(model, tmp_path / "spare")
    (tmp_path / "link").symlink_to(model)
    root = tmp_path / "link" if change is linked_elsewhere else model
    url = listen([listed(root)], str(root))
    assert found(url, model).pin == "server process"
    time.sleep(SETTLED_S)
    change(model)
    assert "changed after process" in unpinned(url, model)


MODEL = "the model folder"


@pytest.mark.parametrize(
    ("card", "words", "environment", "says"),
    [
        ({}, [MODEL, "--quantization", "fp8"], {}, "with --quantization, so it may compute with other weights"),
        ({}, [MODEL, "--quant=fp8"], {}, "was started with --quant, so"),
        ({}, [MODEL, "-q", "fp8"], {}, "was started with -q, so"),
        ({}, [MODEL, "--hf_overrides", "{}"], {}, "was started with --hf-overrides, so"),
        ({}, [MODEL, "--config", "x.yaml"], {}, "was started with --config, so"),
        ({}, [MODEL, "--load-format", "dummy"], {}, "with --load-format dummy, so it may have other weights"),
        ({}, [MODEL], {"VLLM_SERVER_DEV_MODE": "1"}, "was started with VLLM_SERVER_DEV_MODE, so a request can change"),
        ({}, [MODEL], {"VLLM_ALLOW_RUNTIME_LORA_UPDATING": "1"}, "VLLM_ALLOW_RUNTIME_LORA_UPDATING"),
        # Such as a proxy or a tunnel to a server elsewhere, which has a folder of the same name.
        ({}, [], {}, "was not started with the folder"),
        ({"root": "owner/name"}, ["owner/name"], {}, "Start the server with a local folder"),
        ({"id": "other"}, [MODEL], {}, "does not list 'clauses'"),
    ],
)  # fmt: skip
def test_a_server_that_may_compute_with_other_weights_is_not_pinned(
    card: dict[str, str], words: list[str], environment: dict[str, str], says: str, listen: Listen, model: Path
) -> None:
    words = [str(model) if word == MODEL else word for word in words]
    assert says in unpinned(listen([listed(model) | card], *words, **environment), model)


def test_options_that_change_no_weights_do_no_harm(listen: Listen, model: Path) -> None:
    words = ["--load-format", "safetensors", "--tensor-parallel-size", "2", "--dtype", "bfloat16", "--enable-lora"]
    assert found(listen([listed(model)], str(model), *words, VLLM_SERVER_DEV_MODE="0"), model).pin == "server process"


def test_a_folder_with_weights_that_only_some_options_load_is_not_pinned(listen: Listen, model: Path) -> None:
    (model / "model.safetensors").rename(model / "shard.safetensors")
    (model / "model.safetensors.index.json").write_text(json.dumps({"weight_map": {"a": "shard.safetensors"}}))
    assert found(url := listen([listed(model)], str(model)), model).pin == "server process"
    shutil.copy(model / "shard.safetensors", model / "consolidated.safetensors")
    assert "consolidated.safetensors and not the other weights" in unpinned(listen([listed(model)], str(model)), model)
    assert "changed after process" in unpinned(url, model)


def test_another_machines_weights_are_not_known(model: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(served_weights, "cards", lambda url: {"clauses": listed(model)})
    assert unpinned("http://192.0.2.1:8000", model) == "http://192.0.2.1:8000 is not on this machine"


def test_a_tokenizer_of_another_folder_renders_other_prompts(listen: Listen, model: Path, other: Path) -> None:
    template = other / "chat_template.jinja"
    template.write_text(template.read_text() + " ")
    assert "another tokenizer" in unpinned(listen([listed(other)], str(other)), model)


def test_servers_with_different_weights_are_not_pinned(listen: Listen, model: Path, other: Path) -> None:
    urls = (listen([listed(model)], str(model)), listen([listed(other)], str(other)))
    served = pinned(endpoint("clauses", str(model)), str(model), Servers(urls=urls))
    assert (served.pin, served.unpinned_because) == ("name", "the servers loaded different weights")


def test_a_server_that_is_trusted_has_the_digest_of_the_weights_that_are_named(listen: Listen, model: Path) -> None:
    url = listen([listed("owner/name")])
    served = found(url, model, trust=True)
    assert (served.pin, served.digest) == ("trusted canary", resolve(str(model)).digest)
    assert "was not started with the folder" in served.unpinned_because


def test_trust_refuses_one_served_name_for_two_sets_of_weights(listen: Listen, model: Path, other: Path) -> None:
    servers = Servers(urls=(listen([listed("somewhere/else")]),), model="clauses", baseline="clauses", trust=True)
    config = EngineConfig(name="openai", servers=servers)
    with pytest.raises(UserError, match="--trust-server: 'clauses' is the served name of baseline and tuned model"):
        variants(Job(suites=[], candidate=str(other), baseline=str(model), engine=config))
    assert variants(Job(suites=[], candidate=str(model), baseline=str(model), engine=config)).keys() == {
        "baseline", "tuned"
    }  # fmt: skip


def test_trust_does_not_outweigh_what_the_process_shows(listen: Listen, model: Path, other: Path) -> None:
    served = found(listen([listed(other)], str(other)), model, trust=True)
    assert (served.pin, served.digest) == ("server process", resolve(str(other)).digest)


def test_trust_needs_the_weights_that_it_speaks_of(listen: Listen, model: Path) -> None:
    url = listen([listed("owner/name")])
    (model / "model.safetensors").unlink()
    with pytest.raises(UserError, match=r"--trust-server states that 'clauses' has the weights of .*, which are not"):
        found(url, model, trust=True)


def test_a_run_stops_where_the_server_got_other_weights_meanwhile(
    serve: Callable[..., Stub], project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The canary's answers may be the same; what the process loaded is not."""
    stub, seen = serve(), ["d", "d"]
    weights = structs.replace(project.checkpoints()["tuned"], digest="d", pinned_by="server process")
    monkeypatch.setattr(project, "checkpoints", lambda tuned, baseline: {"tuned": weights})

    def behind(url: str, name: str, cards: Any) -> Checkpoint:
        return structs.replace(weights, digest=seen.pop() if seen else "other")

    monkeypatch.setattr(served_weights, "behind", behind)
    assert len(answers(project.open(stub), project.requests(4))) == 4
    with pytest.raises(EngineFailed, match=r"the weights of 'clauses' are no longer known: it loaded other weights"):
        project.open(stub)


@pytest.mark.parametrize("trusted", [False, True])
def test_a_run_records_what_pins_the_weights_and_may_then_approve_them(
    trusted: bool, model: Path, tmp_path: Path, serve: Callable[..., Stub]
) -> None:
    """A server in a process of its own is pinned by it; one in the test's process is not, and is trusted."""
    write_suite(tmp_path, rows(4))
    time.sleep(SETTLED_S)
    port = str(free_port())
    program = subprocess.Popen([sys.executable, "-m", "tests.harness.serving.stub", port, str(model), "clauses"])
    try:
        stub = serve({"clauses": 2}) if trusted else None
        url = stub.url if stub else f"http://127.0.0.1:{port}"
        end = time.monotonic() + 300
        while not served_weights.cards(url):
            assert program.poll() is None and time.monotonic() < end
            time.sleep(0.2)
        words = ["--engine", "openai", "--eval-url", url, "--checkpoint", str(model), "--eval-served-model", "clauses"]
        done = pytest_in(tmp_path, "-q", *words, *(["--eval-trust-server"] if trusted else []))
    finally:
        program.kill()
        program.wait()
    (folder,) = [path for path in (tmp_path / "runs").iterdir() if path.is_dir()]
    manifest = load_manifest(folder)
    kept = manifest.checkpoints["tuned"]
    assert kept.pin == ("trusted canary" if trusted else "server process"), done.stdout + done.stderr
    assert (kept.kind, kept.digest) == ("endpoint", resolve(str(model)).digest)
    says = "is trusted to have the weights" if trusted else "loaded them from files that have not changed since"
    assert any(says in note for note in manifest.notes) and manifest.engine["unpinned"] is False
