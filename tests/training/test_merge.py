"""A merge keeps what the adapter learnt, says how far it is off, and never overwrites."""

import json
import math
import shutil

import pytest
import torch

from harness.checkpoints import merge as checkpoints_merge
from harness.checkpoints.resolve import resolve
from harness.errors import UserError
from harness.suites.prompts import Renderer
from tests.support.adapters import change_json
from tests.training.conftest import save_filled
from training.config import Lora
from training.merge import QUESTIONS, _divergence, merge


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
    (tmp_path / "link").symlink_to(tmp_path / "nowhere")
    with pytest.raises(UserError, match="link: already exists"):
        merge(str(adapter), tmp_path / "link")
    with pytest.raises(UserError, match="whole model"):
        merge(str(tiny_model), tmp_path / "new")


def test_weights_that_changed_after_their_approval_are_not_merged(adapter, tmp_path):
    with pytest.raises(UserError, match="changed after they were approved"):
        merge(str(adapter), tmp_path / "new", approved_digest="d" * 64)
    assert not (tmp_path / "new").exists()


def test_a_merged_model_reads_prompts_as_its_adapter_does(tiny_model, tmp_path):
    base = tmp_path / "base"
    shutil.copytree(tiny_model, base)
    (base / "added_tokens.json").write_text(json.dumps({"tenant": 6}))
    save_filled(base, Lora(r=4, alpha=16), tmp_path / "adapter")
    merge(str(tmp_path / "adapter"), tmp_path / "merged")
    chat = [{"role": "user", "content": QUESTIONS[1]}]
    read = [Renderer.of(resolve(str(tmp_path / name))).prompt(chat).ids for name in ("adapter", "merged")]
    assert read[0] == read[1] != Renderer(tiny_model).prompt(chat).ids


def test_a_tokenizer_file_that_is_not_carried_stops_the_merge(tiny_model, tmp_path, monkeypatch):
    base = tmp_path / "base"
    shutil.copytree(tiny_model, base)
    (base / "added_tokens.json").write_text(json.dumps({"tenant": 6}))
    save_filled(base, Lora(r=4, alpha=16), tmp_path / "adapter")
    monkeypatch.setattr(checkpoints_merge, "CARRIED", tuple(set(checkpoints_merge.CARRIED) - {"added_tokens.json"}))
    with pytest.raises(UserError, match="reads prompts as other tokens"):
        merge(str(tmp_path / "adapter"), tmp_path / "merged")
    assert not (tmp_path / "merged").exists()


def test_weights_that_the_number_format_cannot_hold_are_not_written(tiny_model, tmp_path):
    base = tmp_path / "base"
    shutil.copytree(tiny_model, base)
    change_json(base / "config.json", dtype="float16")
    save_filled(base, Lora(r=4, alpha=4_000_000), tmp_path / "adapter")
    with pytest.raises(UserError, match=r"tensors of the merged model exceed float16 \(.*Save the base as bfloat16"):
        merge(str(tmp_path / "adapter"), tmp_path / "merged")
    assert not (tmp_path / "merged").exists()


def test_divergence_is_the_textbook_sum():
    p, q = [0.7, 0.2, 0.1], [0.25, 0.25, 0.5]
    expected = sum(a * math.log(a / b) for a, b in zip(p, q, strict=True))
    assert _divergence([torch.tensor([p]).log()], [torch.tensor([q]).log()])[0] == pytest.approx(expected, rel=1e-5)
