"""Llama 3, Mistral, Mixtral, Qwen 2 and 3, tiny and random: both engines give the same tokens, whole runs through.

So do they where baseline and tuned model have different tokenizers or chat templates.
"""

import json
import os
from pathlib import Path
from typing import Any

import pytest

from tests.support import command
from tests.support.family_scenarios import WAYS

ROOT = Path(__file__).parents[3]
FAMILIES = ["llama3", "mistral", "mixtral", "qwen", "qwen3"]
LIMIT_S = 900
pytestmark = [pytest.mark.slow, pytest.mark.vllm]


@pytest.fixture(scope="module")
def every(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """The runs of all families, made in one process: most of the time goes into loading what they share."""
    root = tmp_path_factory.mktemp("families")
    settings = os.environ | {
        "TUNEGATE_CACHE": str(root / "cache"), "OMP_WAIT_POLICY": "PASSIVE", "VLLM_ENABLE_V1_MULTIPROCESSING": "0",
    }  # fmt: skip
    words = ["-m", "tests.support.family_scenarios", str(root), *FAMILIES]
    done = command.run(*words, cwd=ROOT, env=settings, timeout=LIMIT_S)
    assert done.returncode == 0, done.stderr[-3000:]
    loaded: dict[str, Any] = json.loads((root / "found.json").read_text())
    return loaded


@pytest.fixture(params=FAMILIES)
def found(request: pytest.FixtureRequest, every: dict[str, Any]) -> dict[str, Any]:
    """The runs of one family."""
    runs: dict[str, Any] = every[request.param]
    return runs


def part(found: dict[str, Any], way: str, what: str, variant: str = "") -> dict[str, Any]:
    return {key: a[what] for key, a in found[way]["answers"].items() if key.startswith(variant)}


def test_both_engines_give_the_same_tokens_of_base_and_adapter(found: dict[str, Any]) -> None:
    """Greedy, float32; with transformers the adapter is both put on and merged."""
    tokens = part(found, "transformers", "ids")
    assert len(tokens) == 24 and all(len(set(ids)) > 1 for ids in tokens.values())
    assert part(found, "peft", "ids") == tokens
    assert part(found, "vllm", "ids") == tokens
    for what in ("text", "finish"):
        assert part(found, "vllm", what) == part(found, "transformers", what)


def test_every_engine_and_variant_receives_the_same_prompts(found: dict[str, Any]) -> None:
    by_variant = [[*part(found, way, "prompt", v).values()] for way in WAYS for v in ("baseline", "tuned")]
    assert all(sorted(prompts) == sorted(by_variant[0]) for prompts in by_variant)


def test_the_adapter_answers_otherwise_than_its_base(found: dict[str, Any]) -> None:
    base, tuned = (part(found, "vllm", "ids", variant) for variant in ("baseline", "tuned"))
    same = [key for key, ids in base.items() if tuned[key.replace("baseline", "tuned")] == ids]
    assert len(same) < len(base) / 2


@pytest.mark.parametrize("pair", ["apart", "twin", "own template"])
def test_models_with_other_prompts_get_the_same_tokens_of_both_engines(pair: str, every: dict[str, Any]) -> None:
    """Two families; one model under two chat templates; an adapter with a chat template that is not its base's."""
    found = every[pair]
    tokens = part(found, "transformers", "ids")
    assert len(tokens) == 24 and all(len(set(ids)) > 1 for ids in tokens.values())
    for way in WAYS:
        assert part(found, way, "ids") == tokens
        assert part(found, way, "text") == part(found, "transformers", "text")
        prompts = part(found, way, "prompt")
        assert all(prompts[f"baseline c{i}"] != prompts[f"tuned c{i}"] for i in range(12))
        assert found[way]["status"] == "finished" and not any(part(found, way, "error").values())


@pytest.mark.parametrize("way", WAYS)
def test_the_run_is_whole(way: str, found: dict[str, Any]) -> None:
    made = found[way]
    assert made["status"] == "finished" and made["changed"] == [] and made["verdicts"] > 0
    assert all(a["error"] is None and a["scored"] for a in made["answers"].values())
    engine, served = made["engine"], {"peft": "lora", "transformers": "merged", "vllm": "merged"}[way]
    assert engine["dtype"] == "float32" and engine["generated"] == 24
    assert engine["ways"] == {"baseline": "plain", "tuned": served} and list(engine["canary"]) == ["tuned"]
