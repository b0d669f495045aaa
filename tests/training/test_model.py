"""The loss is the one transformers computes, however rows are packed and whatever path the adapter takes."""

import re

import msgspec
import pytest
import torch

from tests.training.conftest import fill_adapter
from training import kernels, model_checks
from training import model as models
from training.batching import pack
from training.config import Lora
from training.data.tokenize import Document

LENGTHS = (31, 12, 23, 9, 40, 17, 28, 14)
CPU = torch.device("cpu")


@pytest.fixture
def documents():
    generator = torch.Generator().manual_seed(5)
    made = []
    for number, length in enumerate(LENGTHS):
        ids = torch.randint(3, 300, (length,), generator=generator).tolist()
        answers = 2 + number % 5
        made.append(Document(ids=ids, mask=[0] * (length - answers) + [1] * answers))
    return made


@pytest.fixture
def loss_model(tiny_model):
    """An adapter with random values on both sides, so that every gradient says something."""
    return fill_adapter(models.load(tiny_model, Lora(r=4, alpha=8), "float32", seed=1))


def summed(model, micros):
    """Loss and gradients of one step."""
    model.zero_grad()
    answers = sum(len(m.answers) for m in micros)
    total = 0.0
    for micro in micros:
        loss = model(*models.tensors(micro, CPU)) / answers
        loss.backward()
        total += float(loss.detach())
    return total, {name: p.grad.clone() for name, p in model.adapter()}


def reference(tiny_model, documents, lora):
    """The same by transformers' own loss and PEFT's own layers, one document at a time."""
    from peft import LoraConfig, get_peft_model
    from transformers import AutoModelForCausalLM

    base = AutoModelForCausalLM.from_pretrained(tiny_model, dtype=torch.float32, attn_implementation="eager")
    settings = LoraConfig(r=lora.r, lora_alpha=lora.alpha, target_modules="all-linear", task_type="CAUSAL_LM")
    model = get_peft_model(base, settings)
    trainable = {name: p for name, p in model.named_parameters() if p.requires_grad}
    generator = torch.Generator().manual_seed(2)
    for parameter in trainable.values():
        parameter.data = torch.randn(parameter.shape, generator=generator) * 0.1
    answers = sum(d.answers for d in documents)
    total = 0.0
    for document in documents:
        ids = torch.tensor([document.ids])
        labels = ids.masked_fill(torch.tensor([document.mask]) == 0, -100)
        loss = model(input_ids=ids, labels=labels).loss * document.answers / answers
        loss.backward()
        total += float(loss.detach())
    return total, {name: p.grad for name, p in trainable.items()}


@pytest.mark.parametrize("pack_tokens", [0, 60, 10_000])
def test_loss_and_gradients_equal_transformers_and_peft_however_rows_are_packed(
    tiny_model, loss_model, documents, pack_tokens
):
    micros = pack(documents, pack_tokens)
    assert len(micros) == {0: 8, 60: 3, 10_000: 1}[pack_tokens]
    loss, gradients = summed(loss_model, micros)
    expected, reference_gradients = reference(tiny_model, documents, Lora(r=4, alpha=8))
    assert loss == pytest.approx(expected, abs=1e-5)
    assert gradients.keys() == reference_gradients.keys()
    for name, gradient in gradients.items():
        assert torch.allclose(gradient, reference_gradients[name], atol=1e-6), name
        assert gradient.abs().max() > 1e-5, name


def after(document: Document, context: list[int]) -> Document:
    """The document as the base reads it after a context: longer, with the same learnt tokens."""
    return Document(ids=[*context, *document.ids], mask=[*[0] * len(context), *document.mask])


@pytest.mark.parametrize("context", [[], [5, 9, 11, 40, 3]])
def test_replay_rows_have_the_divergence_from_the_base_as_loss(tiny_model, documents, context):
    """Kullback and Leibler's, by PEFT's own layers; other rows of the step keep their cross entropy.

    The base may read more turns than the model that is trained.
    """
    from peft import LoraConfig, get_peft_model
    from transformers import AutoModelForCausalLM

    replay = [msgspec.structs.replace(d, is_distilled=True) for d in documents[:4]]
    untrained = models.load(tiny_model, Lora(r=4, alpha=8), "float32", seed=1)
    assert summed(untrained, pack(replay, 60))[0] == pytest.approx(0, abs=1e-6)
    if context:
        replay = [msgspec.structs.replace(d, in_context=after(d, context)) for d in replay]
        assert summed(untrained, pack(replay, 60))[0] > 1e-6
    trained = fill_adapter(untrained)
    base = AutoModelForCausalLM.from_pretrained(tiny_model, dtype=torch.float32, attn_implementation="eager")
    model = get_peft_model(base, LoraConfig(r=4, lora_alpha=8, target_modules="all-linear", task_type="CAUSAL_LM"))
    values = (p for _, p in trained.adapter())
    for parameter in (p for p in model.parameters() if p.requires_grad):
        parameter.data = next(values).detach().clone()
    divergence = torch.zeros(())
    for document in replay:
        ids = torch.tensor([document.ids])
        at = torch.tensor(document.mask[1:]).nonzero()[:, 0]
        tuned = model(ids).logits[0, at].log_softmax(-1)
        with model.disable_adapter():
            read = torch.tensor([[*context, *document.ids]])
            kept = model(read).logits[0, at + len(context)].log_softmax(-1).detach()
        divergence = divergence + (kept.exp() * (kept - tuned)).sum()
    (divergence / sum(d.answers for d in replay)).backward()
    loss, gradients = summed(trained, pack(replay, 60))
    assert loss == pytest.approx(float(divergence.detach()) / sum(d.answers for d in replay), rel=1e-4)
    for (name, gradient), p in zip(gradients.items(), (p for p in model.parameters() if p.requires_grad), strict=True):
        assert torch.allclose(gradient, p.grad, atol=1e-6), name
    mixed, _ = summed(trained, pack([*replay, *documents[4:]], 10_000, True))
    plain, _ = summed(trained, pack(documents[4:], 10_000))
    distilled, others = (sum(d.answers for d in part) for part in (replay, documents[4:]))
    assert mixed == pytest.approx((loss * distilled + plain * others) / (distilled + others), rel=1e-4)


@torch.no_grad()
def test_packed_documents_do_not_see_each_other(loss_model, documents):
    """Also by transformers' own attention, which tells documents apart by position alone."""
    single = sum(float(loss_model(*models.tensors(m, CPU))) for m in pack(documents, 0))
    ids, positions, answers, lengths, *_ = models.tensors(pack(documents, 10_000)[0], CPU)
    for known in (lengths, []):
        assert float(loss_model(ids, positions, answers, known)) == pytest.approx(single, rel=1e-6)
    leaking = torch.arange(len(ids))
    assert abs(float(loss_model(ids, leaking, answers, [])) - single) > 1e-3


@torch.no_grad()
@pytest.mark.parametrize("rows", [1, 3])
def test_passes_of_a_cpu_have_few_numbers_of_tokens(loss_model, rows):
    """oneDNN compiles for each: 180 here. Nothing is read at positions that the model does not have (512)."""
    filled = {}
    for tokens in range(300, 480):
        ids = torch.full((tokens,), 5)
        lengths = [tokens - 20 * (rows - 1), *[20] * (rows - 1)]
        positions = torch.cat([torch.arange(length) for length in lengths])
        ids, positions, lengths = loss_model._filled(ids, positions, lengths, 0)
        assert sum(lengths) == len(ids) == len(positions)
        filled[tokens] = len(ids)
    assert len(set(filled.values())) == 12 and max(filled[n] / n for n in filled) < 1.06
    assert len(loss_model._filled(torch.arange(500), torch.arange(500), [500], 0)[0]) == 512
    loss_model._positions = 511
    assert len(loss_model._filled(torch.arange(500), torch.arange(500), [500], 0)[0]) == 500


@pytest.mark.parametrize("dropout", [0.0, 0.2])
def test_the_short_path_is_taken_without_dropout_only(tiny_model, dropout):
    model = models.load(tiny_model, Lora(r=4, dropout=dropout), "float32", seed=0)
    assert kernels.apply(model.model) == (14 if dropout == 0 else 0)


@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
def test_the_adapter_is_float32_and_the_base_is_frozen_in_its_own_format(tiny_model, dtype):
    model = models.load(tiny_model, Lora(r=4), dtype, seed=0)
    assert {p.dtype for _, p in model.adapter()} == {torch.float32}
    frozen = [p for p in model.parameters() if not p.requires_grad]
    assert {p.dtype for p in frozen} == {getattr(torch, dtype)}
    assert not any("lm_head" in name or "embed" in name for name, _ in model.adapter())


@pytest.mark.parametrize("dora", [False, True])
def test_bfloat16_gives_nearly_the_float32_loss(tiny_model, documents, dora):
    """Also where PEFT's layers multiply by float32 adapters, which needs mixed precision."""
    full, half = (
        fill_adapter(models.load(tiny_model, Lora(r=4, alpha=8, dora=dora), dtype, seed=1))
        for dtype in ("float32", "bfloat16")
    )
    assert half.autocast == dora and not full.autocast
    exact, gradients = summed(full, pack(documents, 60))
    near, rounded = summed(half, pack(documents, 60))
    assert near == pytest.approx(exact, rel=0.01)
    for name, gradient in gradients.items():
        cosine = torch.nn.functional.cosine_similarity(gradient.flatten(), rounded[name].flatten(), dim=0)
        assert cosine > 0.98, name


@pytest.mark.parametrize("family", ["qwen", "llama3", "mistral"])
def test_a_beginning_is_shared_only_where_every_token_may_see_all_before_it(tiny_models, family):
    """The tiny Mistral attends through a sliding window, which a shared beginning would ignore."""
    model = models.load(tiny_models[family], Lora(r=4), "float32", seed=0)
    assert model.can_share_prefix == (family != "mistral")


def test_layers_computed_again_give_the_same_gradients_and_keep_less(loss_model, documents):
    """Counted are the bytes that the backward pass is handed by the forward pass."""
    micros = pack(documents, 128, True)

    def kept():
        sizes = {}

        def note(tensor):
            sizes[tensor.data_ptr()] = tensor.untyped_storage().nbytes()
            return tensor

        with torch.autograd.graph.saved_tensors_hooks(note, lambda tensor: tensor):
            loss_model(*models.tensors(micros[0], CPU))
        return sum(sizes.values())

    loss_model.train()
    plain, whole = summed(loss_model, micros), kept()
    loss_model.checkpoint_layers()
    again, less = summed(loss_model, micros), kept()
    assert again[0] == plain[0]
    for name, gradient in plain[1].items():
        assert torch.equal(again[1][name], gradient)
    assert less < whole / 2


@pytest.mark.slow
@pytest.mark.skipif(not model_checks.compiler(), reason="torch.compile needs a C++ compiler on a processor")
def test_compiled_layers_give_the_same_loss_and_gradients(loss_model, documents):
    loss_model.train()
    plain = summed(loss_model, pack(documents, 64, True))
    loss_model.compile_layers()
    compiled = summed(loss_model, pack(documents, 64, True))
    assert compiled[0] == pytest.approx(plain[0], rel=1e-5)
    for name, gradient in plain[1].items():
        torch.testing.assert_close(compiled[1][name], gradient, rtol=1e-4, atol=1e-6)
    layer = loss_model.model.get_base_model().get_decoder().layers[0].mlp
    assert layer._compiled_call_impl is not None


def test_an_output_head_with_the_name_decoder_is_not_the_decoder():
    from transformers import ModernBertDecoderConfig, ModernBertDecoderForCausalLM

    sizes = {"hidden_size": 16, "intermediate_size": 16, "num_hidden_layers": 2, "num_attention_heads": 2}
    base = ModernBertDecoderForCausalLM(ModernBertDecoderConfig(**sizes, vocab_size=64, pad_token_id=0))
    ends = models.linear_ends(base)
    assert {"q_proj", "Wo", "Wi"} <= set(ends) and "decoder" not in ends
    assert not re.fullmatch(models._for_images(base), "model.layers.0.attn.q_proj")
