"""optim.max_grad_norm and optim.weight_decay reach the optimizer and change the update as AdamW's paper says."""

import pytest
import torch

from tests.training.test_accumulation import documents
from training import model as models
from training.checkpointing import TrainingState
from training.config import Lora, Optim, Train
from training.hooks import Hooks
from training.loop import Loop

RATE = 1e-3


def step(tiny_model, **options):
    """One step: weights before and after it, the gradient that the optimizer saw, and the line of the log."""
    model = models.load(tiny_model, Lora(r=4, alpha=8), "float32", seed=1)
    generator = torch.Generator().manual_seed(2)
    for _, parameter in model.adapter():
        parameter.data = torch.randn(parameter.shape, generator=generator) * 0.1
    nothing = Hooks(log=lambda row: None, save=lambda state: None, progress=lambda update: None, stop=lambda: False)
    loop = Loop(model, Train(rows_per_step=8), Optim(**options), nothing, TrainingState())
    seen = []
    loop.optimizer.optimizer.register_step_pre_hook(
        lambda *_: seen.append(torch.cat([p.grad.flatten() for p in loop.adapter.values()]))
    )
    before = torch.cat([p.detach().flatten().clone() for p in loop.adapter.values()])
    line = loop._step(0, documents(), RATE)
    return before, torch.cat([p.detach().flatten() for p in loop.adapter.values()]), seen[0], line


def test_a_gradient_longer_than_max_grad_norm_is_cut_to_it(tiny_model):
    _, _, whole, line = step(tiny_model, max_grad_norm=0.0)
    norm = float(whole.norm())
    assert line["grad_norm"] == pytest.approx(norm, rel=1e-5)
    _, _, cut, line = step(tiny_model, max_grad_norm=norm / 4)
    torch.testing.assert_close(cut, whole / 4, rtol=1e-4, atol=1e-8)
    assert line["grad_norm"] == pytest.approx(norm, rel=1e-5)
    _, _, kept, _ = step(tiny_model, max_grad_norm=norm * 4)
    torch.testing.assert_close(kept, whole)


def test_weight_decay_shrinks_the_weights_apart_from_the_gradient(tiny_model):
    """Loshchilov and Hutter 2019: the decayed step differs from the plain one by rate * decay * weight."""
    before, plain, _, _ = step(tiny_model, weight_decay=0.0)
    _, decayed, _, _ = step(tiny_model, weight_decay=0.5)
    torch.testing.assert_close(plain - decayed, RATE * 0.5 * before, rtol=1e-2, atol=1e-7)
    assert float((plain - decayed).norm()) > 1e-4
