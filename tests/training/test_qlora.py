"""An NF4 base: the adapter learns against the rounded weights, says so, and is served on nothing else."""

import json
import shutil
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from harness.checkpoints import merge as checkpoints_merge
from harness.checkpoints import quantization
from harness.checkpoints.model_files import CheckpointFolder
from harness.checkpoints.resolve import resolve
from harness.checkpoints.weights import load_adapter
from harness.engines.base import model_folders
from harness.errors import UserError
from tests.support.adapters import change_json, without_weights
from tests.training.conftest import fill_adapter, quiet, save_filled
from training import model as models
from training import session
from training.batching import pack
from training.config import Lora, Model
from training.config_file import load
from training.data.tokenize import Document
from training.merge import merge, parity
from training.model_checks import chosen_dtype, model_problems
from training.run import train

pytestmark = pytest.mark.usefixtures("own_cache")

NF4 = Model(quantise="nf4")
Q_PROJ = "model.layers.0.self_attn.q_proj"
DEVICE = torch.device("cuda" if torch.cuda.is_available() else "cpu")


@pytest.fixture(scope="module")
def base(tiny_model, tmp_path_factory):
    """The tiny model in bfloat16 with weights large enough that what 4 bits round away shows in its answers."""
    from transformers import AutoModelForCausalLM

    folder = Path(shutil.copytree(tiny_model, tmp_path_factory.mktemp("base") / "lively"))
    torch.manual_seed(3)
    model = AutoModelForCausalLM.from_pretrained(folder)
    for parameter in model.parameters():
        if parameter.dim() == 2:
            torch.nn.init.normal_(parameter, std=0.1)
    model.bfloat16().save_pretrained(folder)
    return folder


@pytest.fixture(scope="module")
def adapter(base, tmp_path_factory):
    """An adapter with random values on both sides, written as a training on NF4 writes it."""
    out = tmp_path_factory.mktemp("adapter") / "adapter"
    save_filled(base, Lora(r=4, alpha=8), out, quantise="nf4", std=0.1)
    return out


@pytest.fixture(scope="module")
def merged(adapter, tmp_path_factory):
    """Folder and parity of the merge."""
    out = tmp_path_factory.mktemp("merged") / "merged"
    return out, merge(str(adapter), out)


def documents():
    generator = torch.Generator().manual_seed(5)
    ids = [torch.randint(3, 300, (length,), generator=generator).tolist() for length in (31, 12, 23)]
    return [Document(ids=i, mask=[0] * (len(i) - 5) + [1] * 5) for i in ids]


def gradients(model):
    model.train()
    model.zero_grad()
    for micro in pack(documents(), 60):
        model(*models.tensors(micro, DEVICE)).backward()
    return {name: p.grad.clone() for name, p in model.adapter()}


def once_rounded(weight):
    """What bitsandbytes itself makes of a weight: 4 bits and back, one time."""
    import bitsandbytes.functional as bnb

    packed, state = bnb.quantize_4bit(weight.to(DEVICE), blocksize=64, compress_statistics=True, quant_type="nf4")
    return bnb.dequantize_4bit(packed, state).cpu()


def weights(folder):
    return load_file(folder / "model.safetensors")


def test_the_base_is_in_four_bits_and_frozen_and_the_adapter_in_float32(base):
    model = models.load(base, Lora(r=4), "bfloat16", seed=0, form=NF4)
    assert {p.dtype for _, p in model.adapter()} == {torch.float32}
    frozen = {name: p for name, p in model.named_parameters() if not p.requires_grad}
    packed = {name for name, p in frozen.items() if p.dtype == torch.uint8}
    assert len(packed) == 14
    assert {p.dtype for name, p in frozen.items() if name not in packed} == {torch.bfloat16}
    layer = model.model.get_base_model().model.layers[0].mlp.up_proj.base_layer
    assert (layer.weight.quant_type, layer.weight.quant_state.nested, layer.compute_dtype) == (
        "nf4", True, torch.bfloat16,
    )  # fmt: skip


def test_a_base_that_lacks_a_weight_is_refused(base, tmp_path):
    broken = without_weights(base, tmp_path / "broken", f"{Q_PROJ}.weight")
    with pytest.raises(UserError, match=rf"broken: its files lack 1 weight of the model, such as {Q_PROJ}\.weight"):
        quantization.load_nf4(broken)


def test_storage_for_fsdp_changes_no_value(base):
    plain, packed = (
        quantization.load_nf4(base, storage=storage).model.layers[0].mlp.up_proj for storage in ("uint8", "bfloat16")
    )
    assert packed.weight.dtype == torch.bfloat16
    x = torch.randn(3, 64, dtype=torch.bfloat16, device=DEVICE)
    assert torch.equal(plain(x), packed(x))


def test_a_validation_before_a_step_leaves_its_gradients_as_they_were(base):
    """On a CPU with AVX512-BF16, bitsandbytes repacks weights when it first evaluates, and gradients end there."""
    model = fill_adapter(models.load(base, Lora(r=4), "bfloat16", seed=1, form=NF4))
    before = gradients(model)
    model.eval()
    with torch.no_grad():
        for micro in pack(documents(), 60):
            model(*models.tensors(micro, DEVICE))
    after = gradients(model)
    assert all(torch.equal(before[name], after[name]) for name in before)
    assert len(after) == 28 and [name for name, g in after.items() if not g.abs().max() > 0] == []


def test_dequantised_weights_are_the_original_ones_rounded_once(base, tmp_path):
    quantization.dequantise_to(base, tmp_path / "out")
    before, after = weights(base), weights(tmp_path / "out")
    assert before.keys() == after.keys()
    for name in (f"{Q_PROJ}.weight", "model.layers.1.mlp.down_proj.weight"):
        assert torch.equal(after[name], once_rounded(before[name]))
        assert not torch.equal(after[name], once_rounded(after[name]))
        assert not torch.equal(after[name], before[name])
    for name in ("model.embed_tokens.weight", "model.norm.weight", f"{Q_PROJ}.bias"):
        assert torch.equal(after[name], before[name])
    assert "quantization_config" not in (tmp_path / "out" / "config.json").read_text()


def test_merged_weights_are_rounded_base_plus_scaled_product_cast_once(base, adapter, merged):
    parts = load_file(adapter / "adapter_model.safetensors")
    before, after = weights(base), weights(merged[0])
    for name in (Q_PROJ, "model.layers.1.mlp.down_proj"):
        a, b = (parts[f"base_model.model.{name}.lora_{side}.weight"] for side in "AB")
        expected = once_rounded(before[f"{name}.weight"]).float() + 2.0 * (b @ a)
        assert torch.equal(after[f"{name}.weight"], expected.bfloat16())


def test_a_merge_into_the_dequantised_base_is_nearer_to_the_adapter_than_one_into_the_16_bit_base(
    adapter, merged, tmp_path
):
    report = merged[1]
    unaware = Path(shutil.copytree(adapter, tmp_path / "unaware"))
    change_json(unaware / "adapter_config.json", base_quantisation=None)
    checkpoints_merge.merge_into(resolve(str(unaware)), tmp_path / "wrong")
    wrong = parity(resolve(str(adapter)), tmp_path / "wrong", "bfloat16")
    assert report.base_quantisation == wrong.base_quantisation == "nf4"
    assert report.mean_kl < wrong.mean_kl / 10
    assert report.max_kl < wrong.max_kl / 10
    assert report.mean_kl < report.effect_kl / 10


def test_the_merge_writes_its_parity_and_what_base_it_took(merged):
    folder, report = merged
    kept = json.loads((folder / "parity.json").read_text())
    assert kept["mean_kl"] == report.mean_kl and kept["base_quantisation"] == "nf4"
    facts = checkpoints_merge.read_facts(folder)
    assert (facts.base_quantisation, facts.dtype) == ("nf4", "bfloat16")
    assert "on the dequantised NF4 base" in facts.says and "on its NF4 base" in report.summary
    assert [p.name for p in folder.parent.iterdir()] == ["merged"]


def test_an_adapter_without_effect_is_not_taken_for_one_because_its_base_was_rounded(base, tmp_path):
    model = models.load(base, Lora(r=4), "bfloat16", seed=0, form=NF4)
    session.write_adapter(model, str(base), tmp_path / "fresh", "nf4")
    assert checkpoints_merge.merge_into(resolve(str(tmp_path / "fresh")), tmp_path / "out").changed_tensors == 0


def test_what_an_adapter_was_trained_on_is_part_of_its_digest(adapter, tmp_path):
    twin = Path(shutil.copytree(adapter, tmp_path / "twin"))
    change_json(twin / "adapter_config.json", base_quantisation=None)
    assert [quantization.of_adapter(CheckpointFolder(folder)) for folder in (adapter, twin)] == ["nf4", None]
    assert resolve(str(adapter)).adapter_digest != resolve(str(twin)).adapter_digest


def test_every_engine_merges_it_into_its_own_base_and_says_so(base, adapter):
    from harness.engines.config import EngineConfig
    from harness.engines.transformers.engine import start
    from harness.engines.vllm.adapters import plan

    found = {"baseline": resolve(str(base)), "tuned": resolve(str(adapter))}
    by_vllm = plan(found, model_folders(found), "auto", on_cpu=False)
    assert by_vllm.ways == {"baseline": "plain", "tuned": "merged"}
    assert "trained on an NF4 base" in by_vllm.reasons["tuned"][0]
    lines = []
    engine = start(found, 64, EngineConfig(say=lines.append))
    assert engine.ways == {"baseline": "plain", "tuned": "merged"}
    assert any("trained on an NF4 base" in text for text in lines)


def test_its_answers_through_an_engine_are_those_of_the_base_it_was_trained_on(base, adapter):
    from transformers import AutoModelForCausalLM

    from harness.engines import open_engine
    from harness.engines.config import EngineConfig
    from harness.schema import Request, Sampling

    prompts = [(5, 17, 42, 9, 60), (33, 8), (7, 7, 90, 200, 12, 4)]
    how = Sampling(max_tokens=1, logprob_ids=tuple(range(3, 103)))
    found = {"baseline": resolve(str(base)), "tuned": resolve(str(adapter))}
    asked = [Request(key=f"{v}{i}", ids=p, sampling=how, variant=v) for v in found for i, p in enumerate(prompts)]
    engine = open_engine(EngineConfig(name="transformers", dtype="bfloat16"), found, max_model_len=64)
    answers = {c.key: c.option_logprobs for c in engine.generate(asked)}
    assert engine.describe()["ways"] == {"baseline": "plain", "tuned": "merged"}

    def distance(model):
        """Mean difference of a log probability."""
        tuned = load_adapter(model, adapter).eval()
        far = []
        for i, ids in enumerate(prompts):
            with torch.inference_mode():
                logprobs = torch.log_softmax(
                    tuned(input_ids=torch.tensor([ids], device=DEVICE)).logits[0, -1].float(), -1
                ).cpu()
            far.append((logprobs[3:103] - torch.tensor(answers[f"tuned{i}"])).abs().mean())
        return float(sum(far)) / len(far)

    wrong = distance(AutoModelForCausalLM.from_pretrained(base, dtype=torch.bfloat16).to(DEVICE))
    assert distance(quantization.load_nf4(base)) < wrong / 3


@pytest.mark.parametrize("engine", ["vllm", "transformers"])
def test_serving_it_as_lora_on_the_16_bit_base_is_refused(adapter, engine):
    from harness.engines.vllm import adapters

    found = {"tuned": resolve(str(adapter))}
    with pytest.raises(UserError, match="cannot be served as LoRA: it was trained on an NF4 base"):
        if engine == "vllm":
            adapters.plan(found, model_folders(found), "force", on_cpu=False)
        else:
            adapters.peft_ways(found, "force", print)


def test_an_unknown_form_of_base_is_refused(base, adapter, tmp_path):
    from harness.engines.vllm.adapters import examine

    twin = Path(shutil.copytree(adapter, tmp_path / "twin"))
    change_json(twin / "adapter_config.json", base_quantisation="int3")
    assert examine(CheckpointFolder(twin), CheckpointFolder(base)).way == "refuse"
    with pytest.raises(UserError, match="'base_quantisation' is 'int3'"):
        checkpoints_merge.merge_into(resolve(str(twin)), tmp_path / "out")


@pytest.mark.slow
def test_a_training_on_nf4_ends_as_an_adapter_that_merges(write_config):
    config = write_config(train__dtype="auto", train__max_steps=2, model__quantise="nf4")
    run = train(config, progress=quiet)
    record = json.loads((run / "run.json").read_text())["training"]
    assert (record["dtype"], record["fingerprint"]["model.quantise"]) == ("bfloat16", "nf4")
    assert quantization.of_adapter(CheckpointFolder(run / "adapter")) == "nf4"
    assert merge(str(run), config.parent / "merged").base_quantisation == "nf4"


@pytest.mark.parametrize("feature", ["_is_amx_tile_supported", "_is_avx512_bf16_supported", "neither"])
def test_auto_is_bfloat16_on_a_cpu_with_instructions_for_it(write_config, monkeypatch, feature):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    for name in ("_is_amx_tile_supported", "_is_avx512_bf16_supported"):
        monkeypatch.setattr(torch.cpu, name, lambda name=name: name == feature)
    expected = "float32" if feature == "neither" else "bfloat16"
    assert chosen_dtype(load(write_config(train__dtype="auto"), model_problems)) == expected
    assert chosen_dtype(load(write_config(train__dtype="auto", model__quantise="nf4"), model_problems)) == "bfloat16"
