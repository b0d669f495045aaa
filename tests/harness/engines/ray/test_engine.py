"""The engine on Ray with a pipeline in Ray's place: proofs come before answers, and every key is answered once."""

import json
import shutil
from array import array
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

from harness.checkpoints.resolve import resolve
from harness.engines.base import open_engine
from harness.engines.config import EngineConfig
from harness.engines.ray import engine as ray_engine
from harness.engines.ray.cluster import ADDRESS, Cluster, Workers
from harness.errors import CanaryFailed, EngineFailed
from harness.schema import Completion, Request, Sampling
from tests.support.adapters import change_json, save_adapter

Row = dict[str, Any]
pytestmark = pytest.mark.skipif(find_spec("ray") is None, reason="ray is not installed: pip install '.[ray]'")


class Pipelines:
    """Pipelines that were asked, and how they answer: with a log probability by model, on `engines` in turn."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, list[str]]] = []
        self.canaries: list[list[list[Row]]] = []
        self.logprobs: dict[str, float] = {}
        self.apart = ("", 0.0)
        """Part of a model's name, and how far the second engine's log probabilities of it differ from the first's."""
        self.engines = ["h/1/a", "h/2/b"]
        self.without_proof: set[str] = set()
        self.lose: set[str] = set()
        self.twice: set[str] = set()
        self.vllm = "1"

    def processor(self, folder: Path, arguments: Row, dealt: Any, calls: list[list[Row]], *rest: Any) -> Any:
        self.canaries.append(calls)
        return folder, calls

    def answered(self, made: Any, tables: Iterator[Any]) -> Iterator[list[Row]]:
        folder, calls = made
        proofs = {
            engine: json.dumps({
                "vllm": self.vllm,
                "calls": [[[self._answer(r, engine), ""] for r in call] for call in calls],
            })
            for engine in self.engines
        }  # fmt: skip
        self.asked.append((folder.name, []))
        for i, table in enumerate(tables):
            engine = self.engines[i % len(self.engines)]
            rows = [row for row in table.to_pylist() if row["key"] not in self.lose]
            self.asked[-1][1].extend(row["key"] for row in rows)
            found = [
                {"key": row["key"], "engine": engine, "answer": self._answer(row), "__inference_error__": "",
                 "proof": proofs[engine] if not j and engine not in self.without_proof else ""}
                for j, row in enumerate(rows)
            ]  # fmt: skip
            yield found + [row | {"proof": ""} for row in found if row["key"] in self.twice]

    def _answer(self, row: Row, engine: str = "") -> str:
        how = json.loads(row["sampling_params"])
        ids = array("i", row["tokenized_prompt"]).tolist()[:1] * how["max_tokens"]
        logprob = next((value for part, value in self.logprobs.items() if part in row["model"]), -1.0)
        part, apart = self.apart
        logprob += apart if engine == self.engines[1] and part in row["model"] else 0.0
        return json.dumps({"ids": ids, "logprobs": [logprob] * len(ids)} if how["logprobs"] else {"ids": ids})


@pytest.fixture
def pipelines(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Pipelines:
    """A cluster of two engines without a GPU that starts nothing."""
    pytest.importorskip("pyarrow")
    found = Pipelines()
    workers = Workers(vllm="1", on_cpu=True, invariant=False, engines=2, device_bytes=None, devices=["cpu"])
    monkeypatch.setenv("TUNEGATE_CACHE", str(tmp_path / "cache"))
    monkeypatch.delenv(ADDRESS, raising=False)
    monkeypatch.setattr(Cluster, "_local_workers", lambda cluster, engines: workers)
    monkeypatch.setattr(Cluster, "open", lambda cluster: None)
    monkeypatch.setattr(ray_engine, "engine_version", lambda name: "2.60.0")
    monkeypatch.setattr(ray_engine, "processor", found.processor)
    monkeypatch.setattr(ray_engine, "answered", found.answered)
    return found


def requests(variant: str, n: int = 20, **how: Any) -> list[Request]:
    sampling = Sampling(max_tokens=2, **how)
    return [Request(key=f"{variant}-{i}", ids=(5 + i, 6), sampling=sampling, variant=variant) for i in range(n)]


def opened(model: Path, adapter: Path | None = None, lora: str = "auto") -> Any:
    checkpoints = {"baseline": resolve(str(model))}
    if adapter:
        checkpoints["tuned"] = resolve(str(adapter))
    return open_engine(EngineConfig(name="ray", lora=lora, kv_cache_bytes=1 << 20), checkpoints, max_model_len=64)


def keys(found: list[Completion]) -> list[str]:
    return sorted(c.key for c in found)


def test_every_key_is_answered_once_and_engines_are_counted(tiny_model: Path, pipelines: Pipelines) -> None:
    engine = opened(tiny_model)
    pipelines.twice = {"baseline-3"}
    found = list(engine.generate(requests("baseline")))
    assert keys(found) == sorted(r.key for r in requests("baseline"))
    assert engine.describe()["engines"] == {"h/1/a": 12, "h/2/b": 8}
    assert engine.version == "2.60.0+vllm1" and engine.facts("baseline")["way"] == "plain"


def test_no_answer_is_handed_on_of_an_engine_without_its_canary(tiny_model: Path, pipelines: Pipelines) -> None:
    pipelines.without_proof = {"h/1/a"}
    arriving = opened(tiny_model).generate(requests("baseline"))
    with pytest.raises(EngineFailed, match="h/1/a answered without its canary"):
        next(arriving)


@pytest.mark.parametrize(("dtype", "calls"), [("float32", [6, 12, 6]), ("bfloat16", [6, 12, 12, 6, 12])])
def test_the_canary_on_a_cpu_measures_the_noise_of_bfloat16(
    tiny_model: Path, pipelines: Pipelines, tmp_path: Path, dtype: str, calls: list[int]
) -> None:
    """Its matrix products depend on the size of a batch, so that no base row equals one next to adapter rows."""
    change_json(shutil.copytree(tiny_model, tmp_path / dtype) / "config.json", dtype=dtype)
    pipelines.logprobs = {"adapter": -2.0}
    engine = opened(tmp_path / dtype, save_adapter(tmp_path / dtype, tmp_path / "adapter"), lora="force")
    list(engine.generate(requests("tuned")))
    assert [len(call) for call in pipelines.canaries[0]] == calls


def test_an_engine_of_another_vllm_ends_the_run_before_any_answer(tiny_model: Path, pipelines: Pipelines) -> None:
    pipelines.vllm = "2"
    with pytest.raises(EngineFailed, match="has vLLM 2"):
        next(opened(tiny_model).generate(requests("baseline")))


def test_rows_that_never_come_back_are_missed(tiny_model: Path, pipelines: Pipelines) -> None:
    pipelines.lose = {"baseline-7"}
    with pytest.raises(EngineFailed, match="ray did not answer 1 request\\."):
        list(opened(tiny_model).generate(requests("baseline")))


def test_a_request_that_no_engine_can_take_fails_alone_and_is_not_sent(tiny_model: Path, pipelines: Pipelines) -> None:
    long = Request(key="long", ids=(5,) * 90, sampling=Sampling(max_tokens=2), variant="baseline")
    foreign = Request(key="foreign", ids=(10**6,), sampling=Sampling(max_tokens=2), variant="baseline")
    found = {c.key: c for c in opened(tiny_model).generate([long, foreign, *requests("baseline", 2)])}
    assert "together more than the engine's 64" in str(found["long"].error)
    assert "outside the model's vocabulary" in str(found["foreign"].error)
    assert pipelines.asked[0][1] == ["baseline-0", "baseline-1"]


def test_an_adapter_goes_through_the_base_s_pipeline_under_a_name_of_its_content(
    tiny_model: Path, pipelines: Pipelines, tmp_path: Path
) -> None:
    adapter = save_adapter(tiny_model, tmp_path / "a0", seed=1)
    engine = opened(tiny_model, adapter, lora="force")
    digest = engine.served.checkpoints["tuned"].adapter_digest
    pipelines.logprobs = {f"adapters/a0-{digest[:12]}": -1.5}
    found = list(engine.generate([*requests("tuned"), *requests("baseline", logprobs=True)]))
    assert len(found) == 40 and [name for name, _ in pipelines.asked] == [tiny_model.name]
    assert pipelines.asked[0][1] == [r.key for r in (*requests("baseline"), *requests("tuned"))]
    link = ray_engine.named(engine.served.checkpoints["tuned"])
    assert link.name == f"a0-{digest[:12]}" and link.resolve() == adapter.resolve()
    described = engine.describe()
    assert described["canary"]["tuned"]["effect"] == {"tuned": 0.5}
    assert described["arguments"]["baseline,tuned"]["max_loras"] == 2


def test_an_adapter_that_changes_nothing_ends_the_run_before_any_answer(
    tiny_model: Path, pipelines: Pipelines, tmp_path: Path
) -> None:
    engine = opened(tiny_model, save_adapter(tiny_model, tmp_path / "a0"), lora="force")
    arriving = engine.generate([*requests("baseline"), *requests("tuned")])
    with pytest.raises(CanaryFailed, match="answers exactly like its base model"):
        next(arriving)


@pytest.mark.parametrize(("apart", "stops"), [(0.2, False), (0.3, True)])
@pytest.mark.parametrize("what", ["baseline", "tuned"])
def test_engines_whose_answers_differ_by_more_than_rounding_end_the_run(
    tiny_model: Path, pipelines: Pipelines, tmp_path: Path, what: str, apart: float, stops: bool
) -> None:
    """As machines do that have other weights, or another adapter, under the same path."""
    adapter = save_adapter(tiny_model, tmp_path / "a0", seed=1) if what == "tuned" else None
    pipelines.logprobs = {"adapters/a0-": -1.5}
    pipelines.apart = ("adapters/a0-" if adapter else tiny_model.name, apart)
    engine = opened(tiny_model, adapter, lora="force" if adapter else "auto")
    arriving = engine.generate(requests(what))
    if not stops:
        assert len(list(arriving)) == 20 and engine.describe()["engines_apart"] == pytest.approx(apart)
        return
    with pytest.raises(CanaryFailed, match=f"'{what}' at h/2/b does not answer as before, or as at other engines"):
        list(arriving)


def test_a_merged_adapter_is_held_against_the_base_s_canary_which_is_asked_for_that_alone(
    tiny_model: Path, pipelines: Pipelines, tmp_path: Path
) -> None:
    adapter = save_adapter(tiny_model, tmp_path / "a0", seed=1)
    engine = opened(tiny_model, adapter)
    pipelines.logprobs = {"/merged/": -1.25}
    assert len(list(engine.generate(requests("tuned")))) == 20
    assert [(name == tiny_model.name, len(asked)) for name, asked in pipelines.asked] == [(True, 1), (False, 20)]
    assert engine.describe()["canary"]["tuned"] == {"check": "against the plain base engine", "effect": 0.25}
    again = opened(tiny_model, adapter)
    list(again.generate(requests("tuned")))
    assert [name == tiny_model.name for name, _ in pipelines.asked[2:]] == [False]


def test_a_link_follows_an_adapter_that_moved(tiny_model: Path, pipelines: Pipelines, tmp_path: Path) -> None:
    first = resolve(str(save_adapter(tiny_model, tmp_path / "x" / "a0", seed=1)))
    (tmp_path / "y").mkdir()
    link = ray_engine.named(first)
    (tmp_path / "x" / "a0").rename(tmp_path / "y" / "a0")
    moved = resolve(str(tmp_path / "y" / "a0"))
    assert ray_engine.named(moved) == link and link.resolve() == tmp_path / "y" / "a0"


def test_engines_get_larger_windows_because_they_start_anew_for_each(tiny_model: Path, pipelines: Pipelines) -> None:
    assert opened(tiny_model).windows == 2 * ray_engine.WINDOWS
