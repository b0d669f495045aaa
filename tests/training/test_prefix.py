"""A beginning that rows share is computed once, and nothing else changes."""

from pathlib import Path

import pytest
import torch

from training.batching import Micro, common_prefix, pack
from training.config import Lora
from training.data.tokenize import Document
from training.model import AnswerLoss, load, tensors

HEAD = list(range(40, 64))


def document(*rest: int, answers: int = 2) -> Document:
    ids = [*HEAD, *rest]
    return Document(ids=ids, mask=[0] * (len(ids) - answers) + [1] * answers)


ROWS = [document(70, 71, 72, 5, 2), document(80, 81, 6, 2), document(90, 91, 92, 93, 94, 7, 2), document(75, 8, 2)]


def losses(model: AnswerLoss, micros: list[Micro]) -> tuple[float, dict[str, torch.Tensor]]:
    """Summed loss and the gradient of every adapter weight."""
    model.zero_grad()
    total = sum(model(*tensors(m, torch.device("cpu"))) for m in micros)
    total.backward()  # type: ignore[union-attr]
    return float(total.detach()), {name: p.grad.clone() for name, p in model.adapter() if p.grad is not None}


@pytest.fixture(scope="module")
def model(tiny_model: Path) -> AnswerLoss:
    loaded = load(tiny_model, Lora(r=4, alpha=8.0), "float32", seed=1)
    for name, parameter in loaded.adapter():
        if "lora_B" in name:
            torch.nn.init.normal_(parameter, std=0.05)
    return loaded


@pytest.mark.parametrize("pack_tokens", [30, 40, 512])
def test_loss_and_gradients_are_those_of_rows_alone(model: AnswerLoss, pack_tokens: int) -> None:
    alone, expected = losses(model, pack(ROWS, 0))
    shared = pack(ROWS, pack_tokens, share_prefix=True)
    assert all(m.prefix == len(HEAD) for m in shared)
    together, found = losses(model, shared)
    assert together == pytest.approx(alone, rel=1e-5)
    assert found.keys() == expected.keys() and found
    for name, gradient in expected.items():
        torch.testing.assert_close(found[name], gradient, rtol=1e-4, atol=1e-6)


def test_the_prefix_stands_once_in_each_micro_batch() -> None:
    (micro,) = pack(ROWS, 512, share_prefix=True)
    assert len(micro.ids) == len(HEAD) + sum(len(r.ids) - len(HEAD) for r in ROWS)
    learnt = [[i for i, m in zip(r.ids, r.mask, strict=True) if m] for r in sorted(ROWS, key=lambda r: -len(r.ids))]
    assert [micro.ids[at] for at in micro.answers] == [i for row in learnt for i in row]


def test_the_token_before_an_answer_is_never_shared() -> None:
    same = [Document(ids=[*HEAD, 5, 2], mask=[0] * len(HEAD) + [1, 1])] * 2
    assert common_prefix(same) == len(HEAD) - 1


SHORT_HEADS = [Document(ids=[9, *row.ids[at:]], mask=row.mask[at - 1 :]) for at, row in enumerate(ROWS[:3], 18)]


@pytest.mark.parametrize("rows", [ROWS[:1], SHORT_HEADS])
def test_rows_with_little_in_common_share_nothing(rows: list[Document]) -> None:
    assert common_prefix(rows) == 0
    assert all(m.prefix == 0 for m in pack(rows, 512, share_prefix=True))
