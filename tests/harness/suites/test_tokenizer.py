"""The tokenizer that is loaded quickly is the one that transformers itself chooses."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from harness.checkpoints.resolve import embedded_model
from harness.suites import prompts
from tests.support.adapters import change_json

pytest.importorskip("transformers")

LOAD = (
    "import sys; from pathlib import Path; from harness.suites.prompts import Renderer; "
    "made = Renderer(Path(sys.argv[1])); print(*made.prompt([{'role': 'user', 'content': 'Who pays?'}]).ids); "
    "print(type(made.tokenizer).__name__, 'torch' in sys.modules)"
)


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of the embedded model's tokenizer, and a cache that holds nothing."""
    folder = tmp_path / "model"
    folder.mkdir()
    for file in embedded_model().iterdir():
        if file.suffix in (".json", ".jinja"):
            shutil.copy(file, folder)
    monkeypatch.setenv("TUNEGATE_CACHE", str(tmp_path / "cache"))
    return folder


def load_alone(folder: Path) -> tuple[str, str]:
    """Token ids, and class and whether torch was loaded, in a new process."""
    done = subprocess.run([sys.executable, "-c", LOAD, str(folder)], capture_output=True, text=True, check=True)
    ids, what = done.stdout.splitlines()[-2:]
    return ids, what


@pytest.mark.slow
def test_a_known_tokenizer_loads_without_torch_and_gives_the_same_ids_until_its_config_changes(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = prompts.Renderer(home).prompt([{"role": "user", "content": "Who pays?"}]).ids
    assert load_alone(home) == (" ".join(map(str, first)), "TokenizersBackend False")
    chosen: list[str] = []
    monkeypatch.setattr("transformers.AutoTokenizer.from_pretrained", lambda folder, **_: chosen.append(folder))
    prompts.load(home)
    assert chosen == []
    change_json(home / "config.json", model_type="qwen2")
    prompts.load(home)
    assert chosen == [str(home)]


def test_another_version_of_transformers_is_asked_again(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = prompts._choice_file(home)
    monkeypatch.setattr("harness.suites.prompts.metadata.version", lambda name: "99")
    assert prompts._choice_file(home) != before
