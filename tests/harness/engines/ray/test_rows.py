"""Requests as rows, how rows are dealt to engines, and answers as completions; no cluster, no model."""

import json
from array import array
from typing import Any

import pytest

from harness.engines.ray.rows import completion_of, fitting, row_of, shape, tables
from harness.engines.ray.worker import answer
from harness.schema import Request, Sampling

END = 2


MANY = 10_000


def request(key: str = "k", max_tokens: int = 4, **how: Any) -> Request:
    sampling = Sampling(max_tokens=max_tokens, stop_ids=(END,), **how)
    return Request(key=key, ids=(5, 70_000), sampling=sampling, variant="tuned")


def decode(ids: list[int]) -> str:
    return " ".join(map(str, ids))


@pytest.mark.parametrize(("rows", "engines", "on_cpu", "most", "expected"), [
    (24, 2, True, MANY, (2, 8, 2, 2)),        # engines, rows of a batch, batches at once, batches dealt
    (1, 8, False, MANY, (1, 1, 1, 1)),
    (100, 64, False, MANY, (50, 2, 1, 1)),
    (1_000_000, 64, False, MANY, (64, 32, 32, 64)),
    (1_000_000, 64, False, 95, (64, 32, 3, 6)),
    (72, 2, True, 8, (2, 8, 1, 2)),
    (72, 2, True, 1, (2, 8, 1, 2)),
])  # fmt: skip
def test_rows_are_dealt_so_that_every_engine_has_its_share(
    rows: int, engines: int, on_cpu: bool, most: int, expected: tuple[int, ...]
) -> None:
    found = shape(rows, engines, on_cpu, most)
    assert (found.engines, found.rows, found.concurrent_batches, found.queued_batches) == expected


@pytest.mark.parametrize("engines", [1, 3, 8])
@pytest.mark.parametrize("rows", [1, 7, 8, 9, 500, 5000])
def test_no_engine_can_take_more_than_its_share_and_none_starts_for_nothing(rows: int, engines: int) -> None:
    found = shape(rows, engines, False, MANY)
    batches = -(-rows // found.rows)
    assert 1 <= found.engines <= min(engines, batches)
    assert found.concurrent_batches <= found.queued_batches <= -(-batches // found.engines)


def test_requests_that_fit_into_a_kv_cache_are_counted_by_their_mean_length() -> None:
    """Llama-3.1-8B: 131,072 bytes a token; 4,100 tokens a request take 537 MB, and 51 GB hold 94 of them."""
    asked = [Request(key=str(n), ids=(1,) * n, sampling=Sampling(max_tokens=100), variant="v") for n in (3000, 5000)]
    assert fitting(asked, 51_000_000_000, 131_072) == 94 + 1


def test_a_row_carries_ids_of_four_bytes_the_model_and_all_of_the_sampling() -> None:
    row = row_of(request(temperature=0.5, logprobs=True), "/adapters/a-0123")
    assert array("i", row["tokenized_prompt"]).tolist() == [5, 70_000] and len(row["tokenized_prompt"]) == 8
    assert row["model"] == "/adapters/a-0123" and row["key"] == "k"
    how = json.loads(row["sampling_params"])
    assert {how[name] for name in ("max_tokens", "temperature", "logprobs")} == {4, 0.5, 1}
    assert how["stop_token_ids"] == [END] and how["logprob_token_ids"] is None and how["detokenize"] is False


def test_a_table_is_one_batch_and_keeps_the_order() -> None:
    pytest.importorskip("pyarrow")
    asked = [request(key=str(i), logprob_ids=(1,) if i % 2 else ()) for i in range(5)]
    made = list(tables(asked, {"tuned": "/m"}, 2))
    assert [table.num_rows for table in made] == [2, 2, 1]
    assert [row["key"] for table in made for row in table.to_pylist()] == ["0", "1", "2", "3", "4"]


def vllm_output(ids: list[int], options: tuple[int, ...] = ()) -> dict[str, Any]:
    """As Ray's stage gives it: log probabilities by step and token id, with their rank."""
    steps = [{t: {"logprob": -t / 100, "rank": 1, "decoded_token": None} for t in (token, *options)} for token in ids]
    return {"generated_tokens": ids, "logprobs": steps}


def test_an_answer_comes_back_with_its_log_probabilities() -> None:
    told = answer(vllm_output([7, 8, END]), {"logprobs": 1})
    found = completion_of(request(logprobs=True), told, "", decode)
    assert (found.text, found.finish_reason, found.output_tokens) == ("7 8", "stop", 3)
    assert found.logprobs == (-0.07, -0.08, -0.02) and found.output_ids == (7, 8, END)


def test_options_come_back_in_the_order_asked() -> None:
    told = answer(vllm_output([7], options=(30, 20)), {"logprob_token_ids": [30, 20], "logprobs": None})
    found = completion_of(request(max_tokens=1, logprob_ids=(30, 20)), told, "", decode)
    assert found.option_logprobs == (-0.3, -0.2) and found.logprobs == () and found.finish_reason == "length"


def test_a_row_that_failed_is_a_failed_completion_of_its_own_key() -> None:
    found = completion_of(request(key="bad"), "", "ValueError: too\nlong", decode)
    assert found.key == "bad" and found.finish_reason == "error" and found.error == "vllm: ValueError: too long"


def test_an_answer_that_ends_early_for_no_reason_is_no_answer() -> None:
    found = completion_of(request(max_tokens=4), json.dumps({"ids": [7, 8]}), "", decode)
    assert found.error == "vllm ended the answer after 2 of 4 tokens"
    assert completion_of(request(max_tokens=2), json.dumps({"ids": [7, 8]}), "", decode).error is None


def test_an_answer_that_is_held_to_a_choice_may_end_with_it() -> None:
    held = request(max_tokens=4, choice=("yes", "no"))
    assert json.loads(row_of(held, "/m")["sampling_params"])["structured_outputs"] == {"choice": ["yes", "no"]}
    assert completion_of(held, json.dumps({"ids": [7]}), "", decode).text == "7"
