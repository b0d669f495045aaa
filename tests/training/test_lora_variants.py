"""Variants of LoRA: each is the sum its paper gives, and what it means for serving is said before the first step."""

import pytest
import torch
from safetensors.torch import load_file

from harness.checkpoints.model_files import CheckpointFolder
from harness.engines.vllm.adapters import examine
from harness.errors import UserError
from tests.training.conftest import save_filled
from training import lora as training_lora
from training import model as models
from training.config import Config, Data, Lora, Model, Output
from training.config_file import load
from training.estimate import shapes
from training.job import prepare
from training.merge import merge
from training.model_checks import model_problems

Q_PROJ, UP_PROJ = "model.layers.0.self_attn.q_proj", "model.layers.1.mlp.up_proj"
IDS = torch.tensor([[5, 9, 60, 3, 17, 44, 8]])
PATTERNS = Lora(r=4, alpha=8, rank_pattern={"q_proj": 6, "layers.1.mlp.up_proj": 2}, alpha_pattern={"q_proj": 30})

# Name, settings, and the scale of q_proj and up_proj in the second layer.
VARIANTS = [
    ("plain", Lora(r=4, alpha=8), 2.0, 2.0),
    ("rslora", Lora(r=4, alpha=8, rslora=True), 4.0, 4.0),
    ("patterns", PATTERNS, 5.0, 4.0),
    ("dora", Lora(r=4, alpha=8, dora=True), 2.0, 2.0),
]


def logits(model):
    with torch.inference_mode():
        return model.eval()(input_ids=IDS).logits


@pytest.mark.parametrize(("lora", "q_scale", "up_scale"), [v[1:] for v in VARIANTS], ids=[v[0] for v in VARIANTS])
def test_each_variant_is_the_sum_of_its_paper_trained_written_and_merged(tiny_model, tmp_path, lora, q_scale, up_scale):
    """LoRA: W + s B A. DoRA (section 4.1): the same, each row then brought to the learnt length."""
    from peft import PeftModel
    from transformers import AutoModelForCausalLM

    model = save_filled(tiny_model, lora, tmp_path / "adapter")
    parts = load_file(tmp_path / "adapter" / "adapter_model.safetensors")
    report = merge(str(tmp_path / "adapter"), tmp_path / "merged")
    before, after = load_file(tiny_model / "model.safetensors"), load_file(tmp_path / "merged" / "model.safetensors")
    for name, scale in ((Q_PROJ, q_scale), (UP_PROJ, up_scale)):
        prefix = f"base_model.model.{name}"
        a, b = (parts[f"{prefix}.lora_{side}.weight"] for side in "AB")
        expected = before[f"{name}.weight"] + scale * (b @ a)
        if lora.dora:
            lengths = parts[f"{prefix}.lora_magnitude_vector"]
            expected = expected * (lengths / expected.norm(dim=1))[:, None]
        assert torch.allclose(after[f"{name}.weight"], expected, atol=1e-5)
    base = AutoModelForCausalLM.from_pretrained(tiny_model, dtype=torch.float32)
    by_peft = logits(PeftModel.from_pretrained(base, tmp_path / "adapter"))
    assert torch.allclose(logits(model.model), by_peft, atol=1e-4)
    assert report.max_kl < 1e-4 < report.effect_kl


def test_dora_on_nf4_keeps_every_adapter_tensor_in_float32(tiny_model):
    model = models.load(tiny_model, Lora(r=4, dora=True), "bfloat16", seed=0, form=Model(quantise="nf4"))
    assert any("magnitude" in name for name, _ in model.adapter())
    assert {p.dtype for _, p in model.adapter()} == {torch.float32}


def test_an_output_head_that_is_trained_whole_is_saved_and_merged(tiny_models, tmp_path):
    lora = Lora(r=4, target_modules=["q_proj"], modules_to_save=["lm_head"])
    save_filled(tiny_models["mixtral"], lora, tmp_path / "adapter")
    head = load_file(tmp_path / "adapter" / "adapter_model.safetensors")["base_model.model.lm_head.weight"]
    report = merge(str(tmp_path / "adapter"), tmp_path / "merged")
    assert torch.equal(load_file(tmp_path / "merged" / "model.safetensors")["lm_head.weight"], head)
    assert report.max_kl < 1e-4 < report.effect_kl


def config_of(lora, quantise="none", serve="auto"):
    return Config(
        base="b", data=Data(train=["t"]), lora=lora, model=Model(quantise=quantise), output=Output(serve=serve)
    )


# Settings, form of the base, and a word of what is said.
CONSEQUENCES = [
    (Lora(), "none", ""),
    (Lora(rslora=True), "none", ""),
    (PATTERNS, "none", ""),
    (Lora(r=512), "none", ""),
    (Lora(dora=True), "none", "DoRA"),
    (Lora(r=600), "none", "rank 600 is above vLLM's 512"),
    (Lora(rank_pattern={"q_proj": 1024}), "none", "rank 1024"),
    (Lora(modules_to_save=["lm_head"]), "none", "modules_to_save"),
    (Lora(), "nf4", "NF4 base"),
]


@pytest.mark.parametrize(("lora", "quantise", "word"), CONSEQUENCES)
def test_what_vllm_cannot_serve_is_said_one_line_each(tiny_model, lora, quantise, word):
    facts = shapes.of_folder(tiny_model)
    warnings = training_lora.consequences(config_of(lora, quantise), facts)
    assert len(warnings) == bool(word) and all(word in text for text in warnings)
    assert training_lora.consequences(config_of(lora, quantise, "merge"), facts) == []
    refused = training_lora.problems(config_of(lora, quantise, "lora"), facts)
    assert any("'output.serve' is lora" in text and word in text for text in refused) == bool(word)


@pytest.mark.parametrize("lora", [v[1] for v in VARIANTS], ids=[v[0] for v in VARIANTS])
def test_what_is_said_before_training_is_what_preflight_finds_after_it(tiny_model, tmp_path, lora):
    save_filled(tiny_model, lora, tmp_path / "adapter")
    found = examine(CheckpointFolder(tmp_path / "adapter"), CheckpointFolder(tiny_model))
    assert found.reasons == training_lora.why_merged(config_of(lora))
    assert found.way == ("merge" if lora.dora else "lora")


@pytest.mark.slow
def test_consequences_are_said_before_a_weight_is_loaded(write_config):
    lines = []
    prepare(load(write_config(lora__dora=True), model_problems), lines.append)
    assert any("must be merged before vLLM can serve it: it uses DoRA" in text for text in lines)


def test_a_device_without_bfloat16_is_told_for_both_settings_that_need_it(write_config, monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda: False)
    with pytest.raises(UserError) as refused:
        load(write_config(model__quantise="nf4", train__dtype="bfloat16"), model_problems)
    assert "'train.dtype' is bfloat16; it needs bfloat16, which this device does not support" in str(refused.value)
    assert "'model.quantise' is nf4; it needs bfloat16" in str(refused.value)
