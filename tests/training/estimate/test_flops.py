"""Shapes, parameters and arithmetic are those of transformers, PEFT and torch's own counters."""

import json

import msgspec
import pytest

from harness.errors import UserError
from training.batching import Micro
from training.config import Config, Data, Train
from training.estimate import duration, flops, shapes

SMOLLM2_135M = {
    "model_type": "llama",
    "hidden_size": 576,
    "num_hidden_layers": 30,
    "num_attention_heads": 9,
    "num_key_value_heads": 3,
    "intermediate_size": 1536,
    "vocab_size": 49152,
    "tie_word_embeddings": True,
}
LLAMA_31_8B = {
    "model_type": "llama",
    "hidden_size": 4096,
    "num_hidden_layers": 32,
    "num_attention_heads": 32,
    "num_key_value_heads": 8,
    "intermediate_size": 14336,
    "vocab_size": 128256,
}
TINY = {
    "hidden_size": 48,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "head_dim": 16,
    "intermediate_size": 80,
    "vocab_size": 128,
    "max_position_embeddings": 64,
    "pad_token_id": 0,
    "bos_token_id": 1,
    "eos_token_id": 2,
}
MIXTURE = {"num_experts_per_tok": 2, "moe_intermediate_size": 24}
VARIANTS = [
    {"model_type": "llama"},
    {"model_type": "llama", "attention_bias": True, "mlp_bias": True, "tie_word_embeddings": True},
    {"model_type": "mistral", "num_key_value_heads": 4},
    {"model_type": "smollm3"},
    {"model_type": "qwen2", "head_dim": 12, "tie_word_embeddings": True},
    {"model_type": "qwen3"},
    {"model_type": "mixtral", "num_local_experts": 4, **MIXTURE},
    {"model_type": "qwen3_moe", "num_experts": 4, **MIXTURE},
]


def lora(config, rank):
    laid_out = shapes.of(config)
    added = flops.adapter_parameters(laid_out.targets("all-linear"), rank)
    return laid_out, added, flops.count(laid_out, added)


def test_the_published_fixed_points_of_lora_training():
    small, added, count = lora(SMOLLM2_135M, 8)
    assert (small.parameters, small.linear_parameters, added) == (134_515_008, 106_168_320, 2_442_240)
    assert count.token / 1e6 == pytest.approx(439.3, abs=0.05)
    assert count.answer_token / 1e6 == pytest.approx(113.2, abs=0.05)
    large, _, count = lora(LLAMA_31_8B, 16)
    assert large.parameters == 8_030_261_248
    assert count.token / 1e9 == pytest.approx(28.2, abs=0.05)
    assert count.answer_token / 1e9 == pytest.approx(2.10, abs=0.005)


@pytest.mark.parametrize("variant", VARIANTS, ids=lambda v: "-".join(map(str, v.values())))
def test_arithmetic_lays_a_model_out_as_transformers_does(variant):
    from training.estimate.shapes import build

    config = TINY | variant
    ours, theirs = shapes.of(config), build(config)
    assert {x.name: x for x in ours.linears} == {x.name: x for x in theirs.linears}
    assert ours.parameters == theirs.parameters
    for name in ("width", "attention_width", "key_width", "vocabulary", "tied", "layers", "rest", "context"):
        assert getattr(ours, name) == getattr(theirs, name), name


def test_a_model_that_no_family_describes_is_laid_out_by_transformers():
    phi = shapes.of({"model_type": "phi3"} | {k: v for k, v in TINY.items() if k != "head_dim"})
    assert {x.name.rpartition(".")[2] for x in phi.linears} == {"qkv_proj", "o_proj", "gate_up_proj", "down_proj"}
    assert phi.linear_parameters == 2 * (48 * 96 + 48 * 48 + 48 * 160 + 80 * 48)


def test_experts_count_as_far_as_one_token_passes_them_and_take_no_adapter():
    """Mixtral 8x7B: 46.7B parameters, of which a token uses 12.9B (arXiv 2401.04088, section 2)."""
    config = LLAMA_31_8B | {
        "model_type": "mixtral",
        "vocab_size": 32000,
        "num_local_experts": 8,
        "num_experts_per_tok": 2,
    }
    mixtral, added, count = lora(config, 16)
    assert mixtral.parameters / 1e9 == pytest.approx(46.7, abs=0.05)
    assert mixtral.active_parameters / 1e9 == pytest.approx(12.9, abs=0.05)
    attention_only = 32 * 16 * (2 * (4096 + 4096) + 2 * (4096 + 1024))
    assert added == attention_only
    active = mixtral.active_parameters - 2 * 32000 * 4096 - mixtral.rest
    assert count.token == 4 * active + 6 * added


@pytest.mark.parametrize(
    ("wanted", "found"),
    [
        ("all-linear", 60 // 2 * 7),
        (["q_proj", "v_proj"], 60),
        (["model.layers.3.self_attn.q_proj"], 1),
        (["proj"], 0),
        (["mlp.down_proj"], 30),
    ],
)
def test_targets_go_by_the_end_of_a_name(wanted, found):
    assert len(shapes.of(SMOLLM2_135M).targets(wanted)) == found


def test_the_count_is_what_torch_counts_in_a_pass_of_peft(tiny_model):
    """Only what the first layer's input would get as gradient is not computed: embeddings are frozen."""
    import torch
    from peft import LoraConfig, get_peft_model
    from torch.utils.flop_counter import FlopCounterMode
    from transformers import AutoModelForCausalLM

    base = AutoModelForCausalLM.from_pretrained(tiny_model, dtype=torch.float32, attn_implementation="eager")
    model = get_peft_model(base, LoraConfig(r=4, target_modules="all-linear", task_type="CAUSAL_LM"))
    tokens = 40
    ids = torch.arange(3, 3 + tokens)[None]
    with FlopCounterMode(display=False) as counter:
        model(input_ids=ids, use_cache=False).logits.sum().backward()
    counted = {str(op).rpartition(".")[2]: n for op, n in counter.get_flop_counts()["Global"].items()}
    laid_out = shapes.of_folder(tiny_model)
    count = flops.count(laid_out, flops.adapter_parameters(laid_out.targets("all-linear"), 4))
    first = laid_out.targets([f"layers.0.self_attn.{name}" for name in ("q_proj", "k_proj", "v_proj")])
    not_needed = sum(2 * x.inputs * x.outputs + 2 * 4 * x.inputs for x in first)
    assert counted["mm"] + counted["addmm"] == tokens * (count.token + count.answer_token - not_needed)
    square = 2 * count.pair * flops.pairs(0, [tokens])
    assert counted["bmm"] == pytest.approx(square, rel=1e-3), "eager attention computes the whole square"


def test_attention_goes_by_a_documents_own_length_and_a_shared_beginning_counts_once():
    _, _, count = lora(SMOLLM2_135M, 8)
    assert count.pair * flops.pairs(0, [100]) == 100 * 6 * 30 * 576 * 100
    assert flops.pairs(0, [100, 50]) == flops.pairs(0, [100]) + flops.pairs(0, [50])
    assert flops.pairs(20, [80, 30]) == 20**2 / 2 + (100**2 - 20**2) / 2 + (50**2 - 20**2) / 2


def test_fillers_count_nothing():
    _, _, count = lora(SMOLLM2_135M, 8)
    real = Micro(ids=[1] * 10, positions=list(range(10)), answers=[8, 9], lengths=[10])
    filler = Micro(ids=[1] * 10, positions=list(range(10)), answers=[8, 9], lengths=[10], weight=0.0)
    expected = 10 * count.token + 2 * count.answer_token + count.pair * 10 * 10 // 2
    assert count.of([real, filler]) == count.of([real]) == expected


def test_rows_whose_probabilities_are_learnt_need_the_bases_pass_and_logits_too(tmp_path):
    file = tmp_path / "replay.jsonl"
    file.write_text(json.dumps({"instruction": "a" * 400, "output": "b" * 40, "source": "replay"}))

    def work(replay):
        config = Config(base="", data=Data(train=[str(file)]), train=Train(replay=replay))
        return duration.workload(config, None, flops.Flops(token=4, answer_token=4, pair=0))

    plain, distilled = work("answers"), work("probabilities")
    assert distilled.flops == 1.5 * plain.flops
    for size in ("largest", "longest"):
        once = getattr(plain, size)
        assert getattr(distilled, size) == msgspec.structs.replace(once, answers=2 * once.answers)


def test_a_config_without_shapes_is_refused_by_name():
    with pytest.raises(UserError, match=r"here/config\.json: cannot derive the model's shapes"):
        shapes.of({"model_type": "llama"}, "here/config.json")
    with pytest.raises(UserError, match="cannot derive the model's shapes"):
        shapes.of({"model_type": "no-such-model"})


@pytest.mark.parametrize("fields", [{"model_type": "rwkv"}, {"model_type": "gpt2", "n_embd": "wide"}])
def test_a_config_that_transformers_cannot_use_is_refused_in_one_line(fields):
    with pytest.raises(UserError, match=r"^here: cannot derive the model's shapes: .*Expected the config\.json"):
        shapes.of(fields, "here")
