"""One step's gradient is the same however its rows are cut into micro-batches, by the loop's own accumulation."""

import pytest
import torch

from training import model as models
from training.checkpointing import TrainingState
from training.config import Lora, Optim, Train
from training.data.tokenize import Document
from training.hooks import Hooks
from training.loop import Loop

ROWS, LENGTH, HEAD = 8, 40, 24
PASSES = {"8 of 1": 0, "4 of 2": 2 * LENGTH, "2 of 4": 4 * LENGTH, "1 of 8": ROWS * LENGTH}


def documents():
    """Equally long, so that the packing is the one wanted; with one beginning, and 1 to 8 learnt tokens."""
    generator = torch.Generator().manual_seed(5)
    head = torch.randint(3, 300, (HEAD,), generator=generator).tolist()
    made = []
    for answers in range(1, ROWS + 1):
        ids = head + torch.randint(3, 300, (LENGTH - HEAD,), generator=generator).tolist()
        made.append(Document(ids=ids, mask=[0] * (LENGTH - answers) + [1] * answers))
    return made


def gradients(tiny_model, pack_tokens, share_prefix=False, rows=None):
    """Gradients that the optimiser sees in one step of the loop, as one vector, and the number of forward passes."""
    model = models.load(tiny_model, Lora(r=4, alpha=8), "float32", seed=1)
    generator = torch.Generator().manual_seed(2)
    for _, parameter in model.adapter():
        parameter.data = torch.randn(parameter.shape, generator=generator) * 0.1
    nothing = Hooks(log=lambda row: None, save=lambda state: None, progress=lambda update: None, stop=lambda: False)
    settings = Train(rows_per_step=ROWS, pack_tokens=pack_tokens, share_prefix=share_prefix)
    loop = Loop(model, settings, Optim(max_grad_norm=0.0), nothing, TrainingState())
    passes, seen = [], []
    model.register_forward_pre_hook(lambda *_: passes.append(1))
    loop.optimizer.optimizer.register_step_pre_hook(
        lambda *_: seen.append(torch.cat([p.grad.flatten() for p in loop.adapter.values()]))
    )
    loop._step(0, rows or documents(), 1e-3)
    (gradient,) = seen
    return gradient, len(passes)


def apart(found, expected):
    """Distance relative to the size of what is expected."""
    return float((found - expected).norm() / expected.norm())


@pytest.mark.parametrize("passes", PASSES)
def test_it_is_that_of_one_row_a_pass(tiny_model, passes):
    expected, eight = gradients(tiny_model, 0)
    found, count = gradients(tiny_model, PASSES[passes])
    assert (eight, count) == (8, int(passes.split()[0]))
    assert apart(found, expected) < 1e-6


@pytest.mark.parametrize("pack_tokens", [HEAD + 2 * (LENGTH - HEAD), 1000])
def test_a_shared_beginning_changes_nothing(tiny_model, pack_tokens):
    expected, _ = gradients(tiny_model, 0)
    found, count = gradients(tiny_model, pack_tokens, share_prefix=True)
    assert count == (4 if pack_tokens < 1000 else 1)
    assert apart(found, expected) < 1e-6


def test_a_mean_of_means_would_be_another_gradient(tiny_model):
    """The rows tell the two apart: each row's own mean, averaged, is far from the mean over all learnt tokens."""
    expected, _ = gradients(tiny_model, 0)
    means = [gradients(tiny_model, 0, rows=[row])[0] for row in documents()]
    assert apart(sum(means) / ROWS, expected) > 0.05
