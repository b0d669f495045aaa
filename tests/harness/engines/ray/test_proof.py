"""The canary's way to the workers and back: which calls travel, and which answers end a run."""

import json
from typing import Any

import pytest

from harness.engines import canary
from harness.engines.ray.canary import calls_of, check, examination
from harness.errors import CanaryFailed, EngineFailed
from harness.schema import Checkpoint

TEXTS = [(5, 6, 7), (8, 9)]
MODELS = {"baseline": "/base", "a0": "/adapters/a0-1"}
A0 = Checkpoint(name="a0", kind="adapter", path="/base", adapter_path="/a0", digest="d")


def models_of(exact: bool, adapters: dict[str, Checkpoint]) -> list[list[str]]:
    calls = calls_of(examination(TEXTS, "baseline", adapters, exact), MODELS)
    return [[row["model"] for row in call] for call in calls]


def test_base_rows_are_asked_alone_and_then_among_adapter_rows() -> None:
    base, adapter = "/base", "/adapters/a0-1"
    assert models_of(True, {"a0": A0}) == [[base] * 2, [base, adapter] * 2, [base] * 2]
    assert models_of(True, {}) == [[base] * 2]


def test_where_results_are_not_exact_base_rows_are_repeated_to_know_the_noise() -> None:
    assert [len(call) for call in models_of(False, {"a0": A0})] == [2, 4, 4, 2, 4]


def test_the_calls_carry_the_canary_s_own_rows() -> None:
    (call,) = calls_of(examination(TEXTS, "baseline", {}, True), MODELS)
    how = json.loads(call[0]["sampling_params"])
    assert how["max_tokens"] == canary.MAX_TOKENS and how["logprobs"] == 1


def proof(by_model: dict[str, float], moved: float = 0.0, vllm: str = "1") -> str:
    """Answers of an engine whose log probabilities tell the model; `moved` is added to base rows among others."""
    told = []
    for call in calls_of(examination(TEXTS, "baseline", {"a0": A0}, True), MODELS):
        mixed = len({row["model"] for row in call}) > 1
        said = []
        for row in call:
            logprob = by_model[row["model"]] + (moved if mixed and row["model"] == "/base" else 0.0)
            ids = [3] * canary.MAX_TOKENS
            said.append([json.dumps({"ids": ids, "logprobs": [logprob] * len(ids)}), ""])
        told.append(said)
    return json.dumps({"vllm": vllm, "calls": told})


def checked(told: str) -> Any:
    return check(examination(TEXTS, "baseline", {"a0": A0}, True), told, "host/1/x", "1")


def test_an_engine_passes_whose_base_rows_stay_and_whose_adapter_has_an_effect() -> None:
    found = checked(proof({"/base": -1.0, "/adapters/a0-1": -1.5}))
    assert found.shared["base_moved"] == 0.0 and found.shared["effect"] == {"a0": 0.5}
    assert [row.logprobs[0] for row in found.own.rows] == [-1.0, -1.0]


def test_base_rows_that_move_end_the_run() -> None:
    with pytest.raises(CanaryFailed, match="mixes adapter weights into base rows"):
        checked(proof({"/base": -1.0, "/adapters/a0-1": -1.5}, moved=0.25))


def test_an_adapter_without_effect_ends_the_run() -> None:
    with pytest.raises(CanaryFailed, match="answers exactly like its base model"):
        checked(proof({"/base": -1.0, "/adapters/a0-1": -1.0}))


def test_canary_rows_that_failed_end_the_run() -> None:
    told = json.loads(proof({"/base": -1.0, "/adapters/a0-1": -1.5}))
    told["calls"][1][1] = ["", "ValueError: no such adapter"]
    with pytest.raises(CanaryFailed, match="no log probabilities to compare"):
        checked(json.dumps(told))


def test_an_engine_of_another_vllm_ends_the_run() -> None:
    with pytest.raises(EngineFailed, match="host/1/x: has vLLM 2, and the other answers are from 1"):
        checked(proof({"/base": -1.0, "/adapters/a0-1": -1.5}, vllm="2"))
