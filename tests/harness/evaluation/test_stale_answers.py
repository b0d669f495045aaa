"""No old answer: whatever changes what a model would say is asked anew, through whole runs on a real tiny model.

Each test first shows that the same run again reads every answer, so that reading none afterwards means something.
"""

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from harness.engines.config import EngineConfig
from harness.engines.transformers import engine as transformers_engine
from tests.support.adapters import enliven, save_adapter
from tests.support.mini import make_run, rows, write_suite

pytestmark = pytest.mark.usefixtures("own_cache", "one_thread")

CASES = 4


@pytest.fixture(scope="module")
def lively(tiny_model: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return enliven(tiny_model, tmp_path_factory.mktemp("model") / "lively")


@pytest.fixture
def model(lively: Path, tmp_path: Path) -> Path:
    """A copy to change."""
    return Path(shutil.copytree(lively, tmp_path / "model"))


Ask = Callable[..., tuple[int, dict[str, str]]]


@pytest.fixture
def ask(tmp_path: Path) -> Ask:
    """Runs one suite on a checkpoint; returns how many completions were read from the cache, and all completions."""
    write_suite(tmp_path, rows(CASES))

    def ask(checkpoint: Path, **engine: Any) -> tuple[int, dict[str, str]]:
        found = make_run(tmp_path, candidate=str(checkpoint), engine=EngineConfig(name="transformers", **engine))
        counts = found.manifest.engine
        assert counts["cached"] + counts["generated"] == CASES
        assert all(record.completion.error is None for record in found.records)
        return counts["cached"], {r.case.id: r.completion.text for r in found.records}

    return ask


@pytest.mark.slow
@pytest.mark.parametrize("lora", ["auto", "merge"])
def test_retraining_to_the_same_path(lora: str, ask: Ask, model: Path, tmp_path: Path) -> None:
    adapter = save_adapter(model, tmp_path / "adapter", seed=1)
    first = ask(adapter, lora=lora)
    assert ask(adapter, lora=lora) == (CASES, first[1])
    before = {file.name: file.stat().st_size for file in adapter.iterdir()}
    save_adapter(model, adapter, seed=2)
    assert {file.name: file.stat().st_size for file in adapter.iterdir()} == before
    second = ask(adapter, lora=lora)
    assert second[0] == 0
    assert second[1] == ask(adapter, lora=lora, use_cache=False)[1] != first[1]
    save_adapter(model, adapter, seed=1)
    assert ask(adapter, lora=lora) == (CASES, first[1])


@pytest.mark.slow
def test_another_chat_template(ask: Ask, model: Path) -> None:
    first = ask(model)
    assert ask(model) == (CASES, first[1])
    template = model / "chat_template.jinja"
    before = template.read_text()
    template.write_text("{# no word of a prompt changes #}" + before)
    assert ask(model) == (0, first[1])
    template.write_text(before)
    assert ask(model) == (CASES, first[1])


@pytest.mark.slow
def test_another_version_of_the_engine(ask: Ask, model: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first = ask(model)
    assert ask(model) == (CASES, first[1])
    monkeypatch.setattr(transformers_engine, "engine_version", lambda name: "99.0")
    assert ask(model) == (0, first[1])
    assert ask(model) == (CASES, first[1])


@pytest.mark.slow
def test_another_data_type(ask: Ask, model: Path) -> None:
    first = ask(model)
    assert ask(model) == (CASES, first[1])
    for dtype in ("bfloat16", "float16"):
        assert ask(model, dtype=dtype)[0] == 0
        assert ask(model, dtype=dtype)[0] == CASES
    assert ask(model, dtype="float32") == (CASES, first[1])
