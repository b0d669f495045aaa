"""The code on the pages about a scorer and an engine of one's own does what the pages say."""

import json
import re
import sys
from collections.abc import Iterator
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from types import ModuleType

import pytest

from harness.checkpoints.resolve import resolve
from harness.engines import ENGINES, Engine, open_engine
from harness.engines.base import EngineEntry
from harness.engines.config import EngineConfig
from harness.errors import UserError
from harness.schema import Request, Sampling
from tests.docs.blocks import files_of
from tests.support.mini import pytest_in, write_script

DOCS = Path(__file__).parents[2] / "docs"
CASES = [
    {"id": f"c{n}", "input": {"document": f"Lamp {n} is broken."}, "expected": [], "cluster": f"k{n}"}
    for n in range(60)
]


def test_the_scorer_of_the_page_judges_a_suite(tmp_path: Path) -> None:
    for path, text in files_of("docs/own-scorer.md").items():
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_text(text, "utf-8")
    folder = tmp_path / "evalsuites" / "letters" / "tone"
    (folder / "cases.jsonl").write_text("\n".join(json.dumps(case) for case in CASES), "utf-8")
    (folder / "prompt.jinja").write_text("Answer: {{ document }}", "utf-8")
    answers = {f"c{n}": "Kindly wait, please." if n else "Wait." for n in range(60)}
    write_script(tmp_path, tuned=answers)
    done = pytest_in(tmp_path, "-v")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "test_asks_politely[c0] MISS" in done.stdout and "test_asks_politely[c1] PASSED" in done.stdout
    (run,) = (tmp_path / "runs").glob("*-eval-*")
    (verdict,) = json.loads((run / "verdicts.json").read_text("utf-8"))
    assert (verdict["outcome"], verdict["observed"]["value"]) == ("pass", pytest.approx(59 / 60))
    second = json.loads((run / "scores.jsonl").read_text("utf-8").splitlines()[1])["score"]
    assert second["extracted"] == {"words": ["Kindly", "please"]}
    assert [span["quote"] for span in second["spans"]] == ["Kindly", "please"]


@pytest.fixture
def parrot(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[ModuleType]:
    """The engine of the page, with the line of the table that the page shows."""
    module, line = re.findall(r"^```python\n(.*?)^```", (DOCS / "own-engine.md").read_text("utf-8"), re.M | re.S)
    file = tmp_path / "parrot.py"
    file.write_text(module, "utf-8")
    spec = spec_from_file_location("harness.engines.parrot", file)
    assert spec and spec.loader
    made = module_from_spec(spec)
    monkeypatch.setitem(sys.modules, "harness.engines.parrot", made)
    spec.loader.exec_module(made)
    monkeypatch.setitem(ENGINES, "parrot", ENGINES["fake"])
    exec(line, {"ENGINES": ENGINES, "EngineEntry": EngineEntry})
    yield made


def request(name: str, ids: tuple[int, ...], **sampling: object) -> Request:
    return Request(key=name, ids=ids, sampling=Sampling(**({"max_tokens": 2} | sampling)), variant="tuned")  # type: ignore[arg-type]


def test_the_engine_of_the_page_keeps_what_the_page_says(parrot: ModuleType, tiny_model: Path) -> None:
    checkpoint = resolve(str(tiny_model))
    engine: Engine = open_engine(EngineConfig(name="parrot"), {"tuned": checkpoint}, max_model_len=8)
    assert isinstance(engine, parrot.Parrot)
    asked = [request("a", (5, 6, 7)), request("a", (5, 6, 7)), request("long", tuple(range(9)))]
    found = {one.key: one for one in engine.generate(asked)}
    assert (found["a"].output_tokens, found["a"].finish_reason, found["a"].prompt_tokens) == (2, "length", 3)
    assert found["long"].finish_reason == "error" and "8" in str(found["long"].error)
    assert engine.facts("tuned")["engine"] == engine.describe()["name"] == "parrot"
    with pytest.raises(UserError, match="parrot"):
        list(engine.generate([request("held", (5,), choice=("yes", "no"))]))
    engine.close()
    engine.close()


def test_the_engine_of_the_page_refuses_adapters(parrot: ModuleType, tiny_model: Path) -> None:
    import msgspec

    adapter = msgspec.structs.replace(resolve(str(tiny_model)), kind="adapter", name="mine")
    with pytest.raises(UserError, match="serves no adapters: mine"):
        open_engine(EngineConfig(name="parrot"), {"tuned": adapter}, max_model_len=8)
