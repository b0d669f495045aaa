"""A merge keeps what the adapter learnt, says how far it is off, and never overwrites."""

import json
import math

import pytest
import torch

from harness.errors import UserError
from tests.training.conftest import save_filled
from training.config import Lora
from training.merge import _divergence, merge


@pytest.fixture(scope="module")
def adapter(tiny_model, tmp_path_factory):
    """An adapter with a large effect: random values on both sides."""
    out = tmp_path_factory.mktemp("adapter") / "adapter"
    save_filled(tiny_model, Lora(r=4, alpha=16), out, std=0.3)
    return out


def test_merged_folder_holds_tokenizer_generation_config_and_the_approval(adapter, tmp_path):
    out = tmp_path / "merged"
    report = merge(str(adapter), out, approval="approved by run 1")
    assert {"tokenizer.json", "generation_config.json", "chat_template.jinja"} <= {p.name for p in out.iterdir()}
    assert "approved by run 1" in (out / "README.md").read_text()
    assert json.loads((out / "parity.json").read_text())["mean_kl"] == report.mean_kl


def test_merge_refuses_a_folder_that_exists_and_a_whole_model(adapter, tiny_model, tmp_path):
    with pytest.raises(UserError, match="already exists"):
        merge(str(adapter), tmp_path)
    with pytest.raises(UserError, match="whole model"):
        merge(str(tiny_model), tmp_path / "new")


def test_weights_that_changed_after_their_approval_are_not_merged(adapter, tmp_path):
    with pytest.raises(UserError, match="changed after they were approved"):
        merge(str(adapter), tmp_path / "new", approved_digest="d" * 64)
    assert not (tmp_path / "new").exists()


def test_divergence_is_the_textbook_sum():
    p, q = [0.7, 0.2, 0.1], [0.25, 0.25, 0.5]
    expected = sum(a * math.log(a / b) for a, b in zip(p, q, strict=True))
    assert _divergence([torch.tensor([p]).log()], [torch.tensor([q]).log()])[0] == pytest.approx(expected, rel=1e-5)
