"""Requests in batches: what shares one, how large it may be, and what happens where it does not fit."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from harness.engines.transformers import generate as transformers_generate
from harness.engines.transformers.generate import BATCH, BATCH_TOKENS, Answerer, alike, left_padded, room
from harness.engines.vllm.memory import is_out_of_memory
from harness.schema import Request, Sampling
from harness.suites.prompts import Renderer


def test_padding_is_on_the_left_and_masked() -> None:
    assert left_padded([(1, 2, 3), (4,)], 0) == ([[1, 2, 3], [0, 0, 4]], [[1, 1, 1], [0, 0, 1]])


def asked(n: int, how: Sampling, longest: int = 7) -> list[Request]:
    """Prompts of mixed lengths."""
    return [Request(key=f"{how}-{i}", ids=(1,) * (i % longest + 1), sampling=how, variant="v") for i in range(n)]


def test_requests_of_other_sampling_or_length_of_answer_never_share_a_batch() -> None:
    kinds = [
        Sampling(max_tokens=4), Sampling(max_tokens=9), Sampling(max_tokens=4, logprobs=True),
        Sampling(max_tokens=4, stop_ids=(3,)), Sampling(max_tokens=4, logprob_ids=(1, 2)),
    ]  # fmt: skip
    given = [request for how in kinds for request in asked(10, how)]
    groups = alike(given)
    assert sorted(r.key for group in groups for r in group) == sorted(r.key for r in given)
    assert len(groups) == len(kinds) and all(len({r.sampling for r in group}) == 1 for group in groups)
    for group in groups:
        lengths = [len(r.ids) for r in group]
        assert lengths == sorted(lengths, reverse=True)


def test_greedy_requests_share_a_batch_whatever_their_seed_and_sampled_ones_never_do() -> None:
    greedy_ones = [r for seed in range(3) for r in asked(2, Sampling(max_tokens=4, seed=seed))]
    sampled = [r for seed in range(3) for r in asked(2, Sampling(max_tokens=4, seed=seed, temperature=1.0))]
    assert [len(group) for group in alike(greedy_ones)] == [6]
    assert [len(group) for group in alike(sampled)] == [1] * 6


class Model:
    """In a model's place: generates token 3, needs `memory` tokens at most, and keeps the shape of what it was given.

    torch raises its own error where a device has no memory left.
    """

    def __init__(self, memory: int = 1 << 30) -> None:
        self.memory = memory
        self.shapes: list[tuple[int, int]] = []

    def generate(self, input_ids: Any, max_new_tokens: int, **_: Any) -> Any:
        import torch

        rows, width = input_ids.shape
        self.shapes.append((rows, width))
        if rows * (width + max_new_tokens) > self.memory:
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB.")
        new = torch.full((rows, max_new_tokens), 3)
        return SimpleNamespace(sequences=torch.cat([input_ids, new], dim=1), logits=None)


@pytest.fixture
def said() -> list[str]:
    return []


@pytest.fixture
def answerer(tiny_model: Path, said: list[str]) -> Answerer:
    return Answerer(Renderer(tiny_model), "cpu", 512, say=said.append)


def test_a_batch_counts_the_answers_it_makes_room_for_and_not_the_prompts_alone(answerer: Answerer) -> None:
    stub = Model()
    given = asked(100, Sampling(max_tokens=500), longest=12)
    assert len(list(answerer.answers(stub, given))) == 100
    tokens = [rows * (width + 500) for rows, width in stub.shapes]
    assert max(tokens) <= BATCH_TOKENS < min(tokens[:-1]) + 512
    assert [width for _, width in stub.shapes] == sorted((w for _, w in stub.shapes), reverse=True)


def test_a_batch_has_no_more_requests_than_were_set(tiny_model: Path, answerer: Answerer) -> None:
    few = Answerer(Renderer(tiny_model), "cpu", 512, batch=3)
    for given, most in ((answerer, BATCH), (few, 3)):
        stub = Model()
        list(given.answers(stub, asked(70, Sampling(max_tokens=4))))
        assert max(rows for rows, _ in stub.shapes) == most


def test_one_request_that_is_larger_than_a_batch_may_be_is_asked_alone(answerer: Answerer) -> None:
    answerer.tokens = 10
    stub = Model()
    assert len(list(answerer.answers(stub, asked(3, Sampling(max_tokens=40))))) == 3
    assert [rows for rows, _ in stub.shapes] == [1, 1, 1]


def test_a_batch_that_does_not_fit_is_halved_until_it_does_and_later_ones_begin_there(
    answerer: Answerer, said: list[str]
) -> None:
    stub = Model(memory=100)
    given = asked(64, Sampling(max_tokens=5), longest=5)
    found = list(answerer.answers(stub, given))
    assert sorted(c.key for c in found) == sorted(r.key for r in given) and all(c.error is None for c in found)
    assert [rows for rows, _ in stub.shapes][:4] == [32, 16, 8, 8]
    assert sum(rows * (width + 5) > 100 for rows, width in stub.shapes) == 2
    assert said == ["transformers: 32 requests at once need too much memory; smaller batches follow"]


def test_a_request_that_does_not_fit_alone_fails_alone_and_says_why(answerer: Answerer, said: list[str]) -> None:
    stub = Model(memory=10)
    given = asked(8, Sampling(max_tokens=5), longest=8)
    found = {c.key: c for c in answerer.answers(stub, given)}
    for request in given:
        assert (found[request.key].error is None) == (room(request) <= 10)
    error = str(found[given[7].key].error)
    assert error.startswith("8 tokens and an answer of 5 at most need too much memory (CUDA out of memory.")
    assert "shorten prompt or answer" in error and len(said) == 1


def test_a_machine_without_memory_is_known_by_what_torch_says() -> None:
    import torch

    with pytest.raises(RuntimeError) as caught:
        torch.empty(1 << 50, dtype=torch.uint8)
    assert is_out_of_memory(str(caught.value))
    assert not is_out_of_memory("RuntimeError: mat1 and mat2 shapes cannot be multiplied")


def test_another_error_of_a_batch_fails_its_requests_and_is_not_tried_again(
    answerer: Answerer, said: list[str]
) -> None:
    class Broken(Model):
        def generate(self, **given: Any) -> Any:
            super().generate(**given)
            raise RuntimeError("a kernel is missing\nand a long trace")

    stub = Broken()
    found = list(answerer.answers(stub, asked(3, Sampling(max_tokens=5))))
    assert [c.error for c in found] == ["transformers: a kernel is missing"] * 3
    assert len(stub.shapes) == 1 and said == []


@pytest.mark.parametrize(("device", "sampling", "expected"), [
    ("cuda", Sampling(max_tokens=4, stop_ids=(2,)), True),
    ("cpu", Sampling(max_tokens=4), False),
    ("cuda", Sampling(max_tokens=4, temperature=0.5), False),
    ("cuda", Sampling(max_tokens=4, logprobs=True), False),
    ("cuda", Sampling(max_tokens=1, logprob_ids=(5, 6)), False),
])  # fmt: skip
def test_greedy_answers_on_a_device_are_batched_continuously_and_no_others(
    device: str, sampling: Sampling, expected: bool, tiny_model: Path
) -> None:
    many, few = asked(BATCH + 1, sampling), asked(BATCH, sampling)
    assert Answerer(Renderer(tiny_model), device, 512).is_continuous(many) is expected
    assert not Answerer(Renderer(tiny_model), device, 512).is_continuous(few)
    assert not Answerer(Renderer(tiny_model), device, 512, batch=1).is_continuous(many)


def test_what_continuous_batching_leaves_is_answered_in_padded_batches(
    answerer: Answerer, said: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def half(model: Any, given: Sequence[Request]) -> Iterator[tuple[Request, list[int]]]:
        yield from ((request, [7]) for request in given[: len(given) // 2])
        raise RuntimeError("CUDA out of memory\nand more")

    monkeypatch.setattr(transformers_generate, "generated", half)
    monkeypatch.setattr(answerer, "is_continuous", lambda group: True)
    stub = Model()
    given = asked(BATCH + 8, Sampling(max_tokens=2, stop_ids=(7,)))
    found = list(answerer.answers(stub, given))
    assert sorted(c.key for c in found) == sorted(r.key for r in given)
    assert [c.finish_reason for c in found] == ["stop"] * 20 + ["length"] * 20
    assert sum(rows for rows, _ in stub.shapes) == 20
    assert said == ["transformers cannot batch continuously (CUDA out of memory); padded batches take over"]
