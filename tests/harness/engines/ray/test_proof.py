"""The canary's way to the workers and back: which calls travel, and how their answers are read."""

import json

from harness.engines import canary
from harness.engines.ray.canary import calls_of, check, examination
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


def test_an_engine_s_answers_are_checked_as_the_canary_s() -> None:
    """Log probabilities tell the model."""
    by_model = {"/base": -1.0, "/adapters/a0-1": -1.5}
    calls = calls_of(examination(TEXTS, "baseline", {"a0": A0}, True), MODELS)
    told = [
        [[json.dumps({"ids": [3] * canary.MAX_TOKENS, "logprobs": [by_model[row["model"]]] * canary.MAX_TOKENS}), ""]
         for row in call] for call in calls
    ]  # fmt: skip
    proof = json.dumps({"vllm": "1", "calls": told})
    found = check(examination(TEXTS, "baseline", {"a0": A0}, True), proof, "host/1/x", "1")
    assert found.shared and found.shared["base_moved"] == 0.0 and found.shared["effect"] == {"a0": 0.5}
    assert [row.logprobs[0] for row in found.own.rows] == [-1.0, -1.0]
