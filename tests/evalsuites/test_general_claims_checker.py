"""Installing a checker: it reads what its training rows say, and validation rows choose its threshold."""

import tomllib
from pathlib import Path

import pytest

from evalsuites.general.claims import checker as built
from harness.schema import Case
from harness.scoring import checker, support_models, support_readers
from harness.suites.prompts import Renderer, load_template, messages
from tests.conftest import save_tiny_model
from tests.support.adapters import save_adapter

SUITE = Path(built.__file__).parent
ROOT = SUITE.parents[2]


def case(number):
    inputs = {"document": f"The rent is {number} dollars, due on sale.", "sentence": f"Rent of {number} is due."}
    return Case(id=str(number), input=inputs, expected=["Yes"], cluster="c")


@pytest.fixture(scope="module")
def adapter(tmp_path_factory):
    root = tmp_path_factory.mktemp("built")
    return save_adapter(save_tiny_model(root / "base", "qwen", initializer_range=0.2), root / "adapter")


def test_a_checker_receives_the_token_ids_of_its_training_rows(adapter):
    how = built.how_asked(1)
    model = support_models.choose(adapter, prompt=how.prompt, answers=how.answers, system=how.system)
    pairs = [(case(n).document, case(n).input["sentence"]) for n in range(3)]
    asked = support_readers.load(model)._encode(pairs)["input_ids"]
    renderer, template = Renderer(model.folder), load_template(SUITE / "prompt.jinja")
    trained = []
    for number in range(3):
        ids, mask = renderer.training(
            [*messages(template, case(number)), {"role": "assistant", "content": how.answers[number]}]
        )
        trained.append(ids[: mask.index(1)])
    assert asked == trained


def test_installing_replaces_the_checker_and_prints_path_digest_and_threshold(adapter, tmp_path, monkeypatch, capsys):
    rows = [(case(n), "Yes" if n % 2 else "No") for n in range(40)]
    monkeypatch.setattr(built, "training_pairs", lambda split, count, seed, windows: rows[:count])
    monkeypatch.setattr(checker, "installed", lambda: tmp_path / "cache" / "checker")
    for _ in range(2):
        built.main([str(adapter), "--windows", "1"])
    path, digest, threshold = (line.partition(": ")[2] for line in capsys.readouterr().out.splitlines()[:3])
    how = checker.read(Path(path))
    assert (how.digest, f"{how.threshold:.3f}") == (digest, threshold.split(",")[0])
    model = support_models.choose(Path(path), prompt=how.prompt, answers=how.answers, system=how.system)
    pairs = [(each.document, each.input["sentence"]) for each, said in rows if said == "Yes"]
    found = support_readers.load(model).support(pairs)
    assert sum(support < how.threshold for support in found) == 2 == 0.1 * len(found)


@pytest.mark.parametrize(("name", "folder"), [("checker", "claims"), ("checker-large", "claims/large")])
def test_make_writes_the_rows_of_the_committed_configurations(name, folder):
    data = tomllib.loads((SUITE / f"{name}.toml").read_text("utf-8"))["data"]
    makefile = (ROOT / "Makefile").read_text("utf-8")
    for path in [*data["train"], *data["validation"]]:
        assert (SUITE / path).resolve().parent == ROOT / "build" / folder
        assert f"$(CLAIMS)/{Path(path).name}" in makefile
