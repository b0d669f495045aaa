"""The memory estimate is what PEFT and torch hold, part by part, and near what a process takes in all."""

import pytest

from tests.benchmarks.test_injected import load
from tests.training.estimate.test_flops import LLAMA_31_8B, SMOLLM2_135M, TINY
from training.config import Lora
from training.estimate import memory, shapes
from training.estimate.memory import Pass

SMALL = shapes.of(SMOLLM2_135M)
benchmark = load("memory_estimate")


def test_nf4_holds_linear_layers_in_half_a_byte_and_the_rest_in_two():
    """transformers' own footprint of SmolLM2 in NF4, 109.8 MB, leaves the scales out: 1/64 byte a weight and more."""
    scales = SMALL.linear_parameters * (1 / 64 + 4 / (64 * 256))
    assert (memory.weights(SMALL, "bfloat16", "nf4") - scales) / 1e6 == pytest.approx(109.8, abs=0.05)
    assert memory.weights(SMALL, "bfloat16") == 2 * 134_515_008
    assert memory.weights(SMALL, "float32") == 4 * 134_515_008


def test_experts_stay_16_bit():
    mixture = shapes.of(LLAMA_31_8B | {"model_type": "mixtral", "num_local_experts": 8, "num_experts_per_tok": 2})
    whole, quantised = (memory.weights(mixture, "bfloat16", form) for form in ("none", "nf4"))
    attention = 32 * 4096 * (2 * 4096 + 2 * 1024)
    assert whole - quantised == pytest.approx(attention * (2 - memory.NF4_BYTES))


def test_an_adapter_costs_16_bytes_a_parameter():
    needs = memory.estimate(SMALL, Lora(r=8), "float32", "none", Pass(tokens=64, answers=8), on_cpu=False)
    assert needs.adapter + needs.gradients + needs.optimizer == 16 * 2_442_240


@pytest.mark.parametrize(
    "lora",
    [
        Lora(r=4),
        Lora(r=4, dora=True),
        Lora(r=4, rank_pattern={"q_proj": 7}),
        Lora(r=4, rank_pattern={r"layers\.1\..*": 2}),
        Lora(r=3, target_modules=["q_proj", "down_proj"]),
    ],
)
def test_the_size_of_an_adapter_is_pefts(tiny_model, lora):
    from training import model as models

    made = models.load(tiny_model, lora, "float32", seed=0)
    assert memory.adapter_size(shapes.of_folder(tiny_model), lora) == sum(p.numel() for _, p in made.adapter())


def attached(config, lora, dtype):
    """A random model with an adapter, ready for a forward pass."""
    import torch
    from transformers import AutoConfig, AutoModelForCausalLM

    from training import kernels
    from training import model as models

    fields = dict(config)
    known = AutoConfig.for_model(fields.pop("model_type"), **fields)
    base = AutoModelForCausalLM.from_config(known, dtype=getattr(torch, dtype), attn_implementation=kernels.register())
    return models.attach(base, lora, seed=0)


def test_the_size_of_an_adapter_on_experts_is_pefts():
    config = TINY | {"model_type": "mixtral", "num_local_experts": 4, "num_experts_per_tok": 2}
    experts = ["mlp.experts.gate_up_proj", "mlp.experts.down_proj"]
    lora = Lora(r=3, target_modules=["q_proj"], target_parameters=experts)
    made = attached(config, lora, "float32")
    assert memory.adapter_size(shapes.of(config), lora) == sum(p.numel() for _, p in made.adapter())


def test_the_size_of_an_adapter_on_an_untied_output_head_is_pefts():
    config, lora = TINY | {"model_type": "llama"}, Lora(r=3, target_modules=["q_proj", "lm_head"])
    made = attached(config, lora, "float32")
    assert memory.adapter_size(shapes.of(config), lora) == sum(p.numel() for _, p in made.adapter())


def saved(config, dtype, tokens):
    """Bytes that torch saves for the backward pass, each storage once, parameters left out."""
    import torch

    from training import model as models
    from training.batching import pack
    from training.data.tokenize import Document

    model = attached(config, Lora(r=8), dtype)
    parameters = {p.untyped_storage().data_ptr() for p in model.parameters()}
    kept = {}

    def keep(tensor):
        storage = tensor.untyped_storage()
        if storage.data_ptr() not in parameters:
            kept[storage.data_ptr()] = (storage.nbytes(), tensor)
        return tensor

    document = Document(ids=[3 + i % 90 for i in range(tokens)], mask=[0] * (tokens - 4) + [1] * 4)
    with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
        model(*models.tensors(pack([document], 0)[0], torch.device("cpu")))
    return sum(size for size, _ in kept.values())


@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
@pytest.mark.parametrize("model_type", ["llama", "qwen3"])
def test_activations_are_what_torch_saves_for_the_backward_pass(model_type, dtype):
    """By the difference of two depths, so that what is no layer's does not count."""
    config = TINY | {
        "model_type": model_type,
        "hidden_size": 192,
        "head_dim": 48,
        "intermediate_size": 512,
        "max_position_embeddings": 512,
    }
    tokens, shallow, deep = 288, config | {"num_hidden_layers": 2}, config | {"num_hidden_layers": 4}
    by_torch = (saved(deep, dtype, tokens) - saved(shallow, dtype, tokens)) / tokens
    ours = [memory.activations(shapes.of(c), Lora(r=8), dtype, "none") for c in (shallow, deep)]
    assert ours[1] - ours[0] == pytest.approx(by_torch, rel=0.05)


def test_more_tokens_cost_activations_and_more_answers_cost_logits():
    def needs(tokens, answers):
        return memory.estimate(SMALL, Lora(r=8), "float32", "none", Pass(tokens=tokens, answers=answers), True)

    base, longer, wordier = needs(100, 10), needs(200, 10), needs(100, 20)
    assert longer.activations == 2 * base.activations and longer.head == base.head
    assert wordier.head == 2 * base.head and wordier.activations == base.activations
    assert base.head == 10 * 49152 * 12


def test_reading_the_weights_can_be_the_peak_of_a_short_training():
    short = memory.estimate(SMALL, Lora(r=8), "float32", "none", Pass(tokens=16, answers=2), True)
    assert short.total == short.loading == (4 + 2) * 134_515_008
    assert memory.estimate(SMALL, Lora(r=8), "float32", "none", Pass(tokens=16, answers=2), False).loading == 0


@pytest.mark.slow
@pytest.mark.parametrize(
    "case",
    [
        {"rows": 3, "tokens": 128, "answers": 32},
        {"rows": 3, "tokens": 128, "answers": 32, "quantise": "nf4", "dtype": "bfloat16"},
    ],
)
def test_the_estimate_is_within_a_quarter_of_what_a_process_takes(tmp_path, case):
    folder = benchmark.make_model(tmp_path / "model", benchmark.MODELS["deep"])
    found = benchmark.measure({"model": "deep", "steps": 1, "folder": str(folder), **case})
    assert found["measured"] > 100 * 2**20
    assert found["estimated"] == pytest.approx(found["measured"], rel=benchmark.BOUND)
