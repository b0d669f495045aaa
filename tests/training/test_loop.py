"""One step of the loop: its gradient does not depend on micro-batches, and AdamW applies its settings."""

import msgspec
import pytest
import torch

from harness.errors import UserError
from tests.training.conftest import fill_adapter
from training import model as models
from training.batching import pack
from training.checkpointing import TrainingState
from training.config import Lora, Optim, Train
from training.data.tokenize import Document
from training.estimate import shapes
from training.hooks import Hooks
from training.loop import Loop

ROWS, LENGTH, HEAD = 8, 40, 24
PASSES = {"8 of 1": 0, "4 of 2": 2 * LENGTH, "2 of 4": 4 * LENGTH, "1 of 8": ROWS * LENGTH}
RATE = 1e-3
FINAL_CAP = {"attn_logit_softcapping": None, "final_logit_softcapping": 2.0}
SHAPE = {
    "vocab_size": 320,
    "hidden_size": 64,
    "intermediate_size": 96,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "head_dim": 16,
    "pad_token_id": 0,
}


def documents():
    """Equally long, so that the packing is the one wanted; with one beginning, and 1 to 8 learnt tokens."""
    generator = torch.Generator().manual_seed(5)
    head = torch.randint(3, 300, (HEAD,), generator=generator).tolist()
    made = []
    for answers in range(1, ROWS + 1):
        ids = head + torch.randint(3, 300, (LENGTH - HEAD,), generator=generator).tolist()
        made.append(Document(ids=ids, mask=[0] * (LENGTH - answers) + [1] * answers))
    return made


def save_family(folder, family, **settings):
    """A model of any family, whose weights are so large that every part of it matters to the loss."""
    from transformers import AutoConfig, AutoModelForCausalLM

    torch.manual_seed(0)
    model = AutoModelForCausalLM.from_config(AutoConfig.for_model(family, **SHAPE | settings))
    with torch.no_grad():
        for parameter in model.parameters():
            if parameter.ndim > 1:
                parameter.normal_(0, 0.15)
    model.save_pretrained(folder)
    return folder


class Step:
    """One step of the loop: weights before and after it, its gradient as one vector, its passes and its log line."""

    def __init__(self, tiny_model, rows=None, optim=None, **train):
        model = fill_adapter(models.load(tiny_model, Lora(r=4, alpha=8), "float32", seed=1))
        settings = Train(rows_per_step=ROWS, **({"share_prefix": False} | train))
        loop = Loop(model, settings, optim or Optim(max_grad_norm=0.0), Hooks(), TrainingState())
        passes, gradients = [], []
        model.register_forward_pre_hook(lambda *_: passes.append(1))
        loop.optimizer.optimizer.register_step_pre_hook(
            lambda *_: gradients.append(torch.cat([p.grad.flatten() for p in loop.adapter.values()]))
        )
        self.before = torch.cat([p.detach().flatten().clone() for p in loop.adapter.values()])
        self.line = loop._step(0, rows or documents(), RATE)
        self.after = torch.cat([p.detach().flatten() for p in loop.adapter.values()])
        (self.gradient,) = gradients
        self.passes = len(passes)


def apart(found, expected):
    """Distance relative to the size of what is expected."""
    return float((found - expected).norm() / expected.norm())


@pytest.mark.parametrize("passes", PASSES)
def test_the_gradient_is_that_of_one_row_a_pass(tiny_model, passes):
    expected = Step(tiny_model, pack_tokens=0)
    packed = Step(tiny_model, pack_tokens=PASSES[passes])
    assert (expected.passes, packed.passes) == (8, int(passes.split()[0]))
    assert apart(packed.gradient, expected.gradient) < 1e-6


@pytest.mark.parametrize("pack_tokens", [HEAD + 2 * (LENGTH - HEAD), 1000])
def test_a_shared_beginning_does_not_change_the_gradient(tiny_model, pack_tokens):
    expected = Step(tiny_model, pack_tokens=0)
    shared = Step(tiny_model, pack_tokens=pack_tokens, share_prefix=True)
    assert shared.passes == (4 if pack_tokens < 1000 else 1)
    assert shared.line["loss"] == pytest.approx(expected.line["loss"], rel=1e-5)
    assert apart(shared.gradient, expected.gradient) < 1e-6


def test_the_mean_loss_does_not_depend_on_packing(tiny_model):
    """Rows have 1 to 8 learnt tokens: a mean of means would differ from the mean over tokens."""
    model = fill_adapter(models.load(tiny_model, Lora(r=4), "float32", seed=1))
    loop = Loop(model, Train(), Optim(), Hooks(), TrainingState())
    alone, packed = (loop.mean_loss(pack(documents(), pack_tokens)) for pack_tokens in (0, 3 * LENGTH))
    assert packed == pytest.approx(alone, rel=1e-5)


def test_a_damaged_model_is_found_by_rows_that_have_a_loss_before_the_first_step(tiny_model):
    """Replay rows have none, whatever the attention does with a shared beginning."""
    model = models.load(tiny_model, Lora(r=4), "float32", seed=1)
    loop = Loop(model, Train(rows_per_step=ROWS), Optim(), Hooks(), TrainingState())
    rows = documents()
    losses = []
    measured = loop.mean_loss
    loop.mean_loss = lambda micros: losses.append(measured(micros)) or losses[-1]
    loop._check([*(msgspec.structs.replace(row, is_distilled=True) for row in rows[:4]), *rows[4:]])
    assert len(losses) == 1 and min(losses) > 1


def test_a_gradient_longer_than_max_grad_norm_is_cut_to_it(tiny_model):
    whole = Step(tiny_model)
    norm = float(whole.gradient.norm())
    assert whole.line["grad_norm"] == pytest.approx(norm, rel=1e-5)
    cut = Step(tiny_model, optim=Optim(max_grad_norm=norm / 4))
    torch.testing.assert_close(cut.gradient, whole.gradient / 4, rtol=1e-4, atol=1e-8)
    assert cut.line["grad_norm"] == pytest.approx(norm, rel=1e-5)
    torch.testing.assert_close(Step(tiny_model, optim=Optim(max_grad_norm=norm * 4)).gradient, whole.gradient)


def test_weight_decay_shrinks_the_weights_apart_from_the_gradient(tiny_model):
    """Loshchilov and Hutter 2019: the decayed step differs from the plain one by rate * decay * weight."""
    plain, decayed = (Step(tiny_model, optim=Optim(weight_decay=decay)) for decay in (0.0, 0.5))
    torch.testing.assert_close(plain.after - decayed.after, RATE * 0.5 * plain.before, rtol=1e-2, atol=1e-7)
    assert float((plain.after - decayed.after).norm()) > 1e-4


def begin(base, rows=None, *, say=lambda text: None, dtype="float32", **train):
    """The loop after its checks of the model."""
    model = models.load(base, Lora(r=4), dtype, seed=1)
    loop = Loop(model, Train(**train), Optim(), Hooks(say=say), TrainingState())
    loop._check(rows or documents()[:2])
    return loop


def plain_loss(base, row):
    from transformers import AutoModelForCausalLM

    model = AutoModelForCausalLM.from_pretrained(base, dtype=torch.float32, attn_implementation="eager").eval()
    ids = torch.tensor([row.ids])
    return float(model(input_ids=ids, labels=ids.masked_fill(torch.tensor([row.mask]) == 0, -100)).loss)


@pytest.mark.parametrize(
    ("family", "scaled"),
    [("granite", {"logits_scaling": 8.0}), ("cohere", {"logit_scale": 0.25}), ("gemma2", FINAL_CAP)],
)
def test_a_model_that_scales_or_caps_its_logits_has_transformers_loss(tmp_path, family, scaled):
    base = save_family(tmp_path, family, **scaled)
    row = documents()[-1]
    loop = begin(base)
    assert loop.mean_loss(pack([row], 0)) == pytest.approx(plain_loss(base, row), rel=1e-5)


@pytest.mark.parametrize(
    ("family", "settings", "names"),
    [
        ("gemma2", {"attn_logit_softcapping": 2.0}, "a soft cap"),
        ("gpt_oss", {"num_local_experts": 4, "num_experts_per_tok": 2}, "sinks"),
        ("bloom", {"n_head": 4, "n_layer": 2}, r"'base' is a bloom.* nats per token .*transformers' own"),
    ],
)
def test_a_model_whose_attention_is_computed_otherwise_is_refused(tmp_path, family, settings, names):
    with pytest.raises(UserError, match=names):
        begin(save_family(tmp_path, family, **settings))


CONVOLUTION = {"full_attn_idxs": [1]}
RECURRENT = {
    "layer_types": ["linear_attention", "full_attention"],
    "linear_num_value_heads": 4,
    "linear_num_key_heads": 2,
    "linear_key_head_dim": 16,
    "linear_value_head_dim": 16,
}


@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
@pytest.mark.parametrize(
    ("family", "settings", "packs", "says"),
    [
        ("lfm2", CONVOLUTION, False, "packed rows see each other"),
        ("qwen3_5_text", RECURRENT, False, "packed rows see each other"),
        ("stablelm", {}, True, "cannot share the beginning"),
        ("nemotron", {}, True, "cannot share the beginning"),
    ],
)
def test_a_model_whose_rows_would_see_each_other_trains_without(tmp_path, family, settings, packs, says, dtype):
    """Whether or not the first two rows share a beginning."""
    said = []
    base = save_family(tmp_path, family, **settings)
    apart = [documents()[0], Document(ids=documents()[1].ids[::-1], mask=documents()[1].mask)]
    for rows in (documents()[:2], apart):
        loop = begin(base, rows, say=said.append, dtype=dtype)
        assert (loop.pack_tokens, loop.share_prefix) == (loop.train.pack_tokens if packs else 0, False)
    assert len(said) == 2 and all(says in text for text in said)


def test_a_convolution_is_no_mixture_of_experts_whose_layers_get_no_adapter(tmp_path):
    from transformers import AutoModelForCausalLM

    base = AutoModelForCausalLM.from_pretrained(save_family(tmp_path, "lfm2", **CONVOLUTION))
    assert {"w1", "w2", "w3"} <= set(models.linear_ends(base))


def test_a_base_for_text_and_images_gets_its_adapter_on_every_layer_for_text():
    """The layers for images of Gemma 3 have the same names, and a parameter of three dimensions."""
    from transformers import AutoModelForCausalLM, Gemma3Config

    tower = {name: SHAPE[name] for name in ("hidden_size", "intermediate_size", "num_attention_heads")}
    tower |= {"num_hidden_layers": 1, "image_size": 28, "patch_size": 14}
    config = Gemma3Config(text_config=SHAPE, vision_config=tower, mm_tokens_per_image=4)
    model = models.attach(AutoModelForCausalLM.from_config(config), Lora(), 0)
    adapted = {name.partition(".lora_")[0].removeprefix("base_model.model.") for name, _ in model.adapter()}
    assert adapted == {linear.name for linear in shapes.of(config.to_dict()).targets("all-linear")}
    assert len(adapted) == 7 * SHAPE["num_hidden_layers"] and all(".language_model." in name for name in adapted)


@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
@pytest.mark.parametrize("family", ["llama", "granite"])
def test_a_model_whose_rows_do_not_see_each_other_packs_and_shares(tmp_path, family, dtype):
    said = []
    loop = begin(save_family(tmp_path, family), say=said.append, dtype=dtype)
    assert (loop.pack_tokens, loop.share_prefix, said) == (loop.train.pack_tokens, True, [])
