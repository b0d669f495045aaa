"""Llama 3, Mistral, Mixtral, Qwen 2 and 3 and SmolLM2, tiny and random: rendered, trained, merged and loaded again.

Between them: a tokenizer that adds BOS, two end tokens, a template that refuses system messages, tied and untied
output heads, a sliding window, fused experts.
"""

import json

import pytest
import torch

from harness.errors import UserError
from harness.suites.prompts import Renderer
from tests.conftest import FAMILIES
from tests.training.conftest import SUITE
from training import lora as training_lora
from training import model as models
from training.batching import pack
from training.config import Config, Data, Lora
from training.config_file import load
from training.data.rows import load_rows
from training.data.tokenize import encode
from training.estimate import shapes
from training.model_checks import model_problems

TOLERANCE = 1e-4
"""Largest difference of a logit, base plus adapter against merged, all in float32; the logits are of size 1."""
TURN_ENDS = {"llama3": "<|eot_id|>", "mistral": "</s>", "mixtral": "</s>"}
EXPERTS = ["mlp.experts.gate_up_proj", "mlp.experts.down_proj"]
CPU = torch.device("cpu")


def row(number):
    asked = [{"role": "system", "content": "Name clauses."}, {"role": "user", "content": f"Which clause is {number}?"}]
    return {"messages": [*asked, {"role": "assistant", "content": f"due on sale {number}" * (1 + number % 3)}]}


@pytest.fixture(scope="module")
def rows(tmp_path_factory):
    path = tmp_path_factory.mktemp("rows") / "train.jsonl"
    path.write_text("".join(json.dumps(row(n)) + "\n" for n in range(6)))
    return path


def write(folder, base, rows, lora=""):
    """A configuration of three steps."""
    path = folder / "train.toml"
    path.write_text(
        f'base = "{base}"\n[data]\ntrain = ["{rows}"]\nmax_length = 256\nsuites = ["{SUITE}"]\n'
        f"[lora]\nr = 4\nalpha = 8\n{lora}\n"
        '[optim]\nlr = 0.01\nwarmup_ratio = 0.0\n[train]\nrows_per_step = 4\nmax_steps = 3\ndtype = "float32"\n'
    )
    return path


@pytest.fixture(scope="module", params=sorted(FAMILIES))
def family(request):
    return request.param


@pytest.fixture(scope="module")
def base(tiny_models, family):
    return tiny_models[family]


@pytest.fixture(scope="module")
def documents(base, rows):
    return encode(load_rows([str(rows)]), Renderer(base), 256).documents


def logits(model, ids):
    with torch.inference_mode():
        return model.eval()(input_ids=torch.tensor([ids])).logits


def test_the_last_trained_token_is_the_one_that_ends_the_turn(base, family, documents):
    end = Renderer(base).tokenizer.convert_tokens_to_ids(TURN_ENDS.get(family, "<|im_end|>"))
    for document in documents:
        learnt = [i for i, m in zip(document.ids, document.mask, strict=True) if m]
        assert learnt[-1] == document.ids[-1] == end
        assert end not in learnt[:-1]


def test_a_training_row_begins_with_the_ids_that_an_engine_receives(base, family, documents):
    renderer = Renderer(base)
    for number, document in enumerate(documents):
        prompt = list(renderer.prompt(row(number)["messages"][:-1]).ids)
        assert document.ids[: len(prompt)] == prompt
        assert document.mask == [0] * len(prompt) + [1] * (len(document.ids) - len(prompt))
        bos = renderer.tokenizer.bos_token_id
        if FAMILIES[family]["adds_bos"]:
            assert document.ids[0] == bos and document.ids.count(bos) == 1


def test_every_layer_that_should_learn_has_a_gradient_after_one_step(base, family, documents):
    model = models.load(base, Lora(r=4), "float32", seed=0)
    for micro in pack(documents, 128):
        model(*models.tensors(micro, CPU)).backward()
    gradients = {name: p.grad for name, p in model.adapter() if "lora_B" in name}
    assert len(gradients) == len(shapes.of_folder(base).targets("all-linear")) == (8 if family == "mixtral" else 14)
    assert [name for name, g in gradients.items() if g is None or not g.abs().max() > 0] == []


@pytest.mark.slow
def test_trained_merged_and_loaded_again_it_gives_the_adapters_logits(base, rows, documents, tmp_path):
    from peft import PeftModel
    from transformers import AutoModelForCausalLM

    from training.merge import merge
    from training.run import train

    run = train(write(tmp_path, base, rows), progress=lambda update: None)
    report = merge(str(run), tmp_path / "merged")
    ids = documents[0].ids
    loaded = AutoModelForCausalLM.from_pretrained(base, dtype=torch.float32)
    plain = logits(loaded, ids)
    tuned = logits(PeftModel.from_pretrained(loaded, run / "adapter"), ids)
    merged = logits(AutoModelForCausalLM.from_pretrained(tmp_path / "merged", dtype=torch.float32), ids)
    assert (tuned - plain).abs().max() > 100 * TOLERANCE
    assert (tuned - merged).abs().max() < TOLERANCE
    assert report.equal_top == 1.0 and report.max_kl < TOLERANCE < report.effect_kl
    assert Renderer(tmp_path / "merged").stop_ids == Renderer(base).stop_ids


def test_an_untied_output_head_may_be_a_target(tiny_models, rows, tmp_path):
    path = write(tmp_path, tiny_models["mixtral"], rows, 'target_modules = ["q_proj", "lm_head"]')
    assert load(path, model_problems).lora.target_modules == ["q_proj", "lm_head"]


def config_of(lora):
    return Config(base="b", data=Data(train=["t"]), lora=lora)


@pytest.mark.parametrize("targets", [[], EXPERTS])
def test_experts_get_an_adapter_only_where_they_are_named(tiny_models, targets):
    """PEFT's own all-linear would also train the router."""
    base = tiny_models["mixtral"]
    model = models.load(base, Lora(r=4, target_parameters=targets), "float32", seed=0)
    names = [name for name, _ in model.adapter()]
    assert any(".experts." in name for name in names) == bool(targets)
    assert not any(".gate." in name for name in names)
    warnings = training_lora.consequences(config_of(Lora(target_parameters=targets)), shapes.of_folder(base))
    assert any("are experts, which get no adapter" in text for text in warnings) != bool(targets)
    assert any("bare parameters" in text for text in warnings) == bool(targets)


@pytest.mark.slow
def test_experts_with_an_adapter_learn_and_merge(tiny_models, rows, tmp_path):
    from training.merge import merge
    from training.run import train

    settings = f"target_parameters = {json.dumps(EXPERTS)}"
    run = train(write(tmp_path, tiny_models["mixtral"], rows, settings), progress=lambda update: None)
    record = json.loads((run / "run.json").read_text())["training"]
    report = merge(str(run), tmp_path / "merged")
    attention, experts = 2 * 4 * (2 * (64 + 64) + 2 * (64 + 32)), 2 * 4 * 4 * (64 + 256 + 128 + 64)
    assert record["trainable_parameters"] == attention + experts
    assert report.max_kl < TOLERANCE < report.effect_kl


def test_a_name_that_means_experts_to_peft_is_refused(tiny_models):
    with pytest.raises(UserError, match="keeps as bare parameters: down_proj"):
        models.load(tiny_models["mixtral"], Lora(r=4, target_modules=["q_proj", "w2"]), "float32", seed=0)
