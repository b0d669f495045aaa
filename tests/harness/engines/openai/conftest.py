"""A tokenizer without weights, stub servers, and engines that are closed after a test."""

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from harness.engines.openai import engine as openai_engine
from harness.engines.openai import pool
from harness.engines.openai.config import KEYS
from tests.conftest import save_tokenizer
from tests.harness.engines.openai.project import MODELS, Project
from tests.harness.engines.openai.stub_server import Stub


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
    monkeypatch.setattr(pool, "PAUSE_S", 0.02)
    monkeypatch.setattr(pool, "MAX_PAUSE_S", 0.1)
    monkeypatch.setattr(openai_engine, "START_PAUSE_S", 0.01)


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


@pytest.fixture
def project(tokenizer: Path) -> Iterator[Project]:
    found = Project(tokenizer)
    yield found
    for engine in found.opened:
        engine.close()
