"""One kernel over sequences of many lengths gives what one attention a document gives, with a shared start or not."""

from types import SimpleNamespace

import pytest
import torch
from torch.nn import functional

from training import kernels

SHAPES = [(0, (5,)), (0, (3, 7, 1)), (4, (3, 7, 1)), (16, (2, 2, 9))]


def drawn(prefix, lengths, dtype=torch.float32, device="cpu"):
    """Query of 4 heads, key and value of 2, over the prefix and all documents."""
    generator = torch.Generator().manual_seed(3)
    tokens = prefix + sum(lengths)
    made = [torch.randn(1, heads, tokens, 8, generator=generator) for heads in (4, 2, 2)]
    return [x.to(device=device, dtype=dtype).requires_grad_() for x in made]


def one_by_one(query, key, value, prefix, lengths):
    """The definition: each token sees the prefix and what precedes it in its own document."""
    tokens = prefix + sum(lengths)
    owner = torch.tensor([-1] * prefix + [n for n, length in enumerate(lengths) for _ in range(length)])
    sees = (owner[None, :] == owner[:, None]) | (owner[None, :] == -1)
    mask = sees & torch.ones(tokens, tokens, dtype=torch.bool).tril()
    found = functional.scaled_dot_product_attention(query, key, value, attn_mask=mask.to(query.device), enable_gqa=True)
    return found.transpose(1, 2)


def by_sequence(query, key, value, queries_at, keys_at, most_queries, most_keys, *, scale, window_size, enable_gqa):
    """What torch documents of varlen_attn, sequence by sequence; causal from the end of the keys."""
    assert window_size == (-1, 0)
    assert most_queries == int(queries_at.diff().max()) and most_keys >= int(keys_at.diff().max())
    parts = []
    for n in range(len(queries_at) - 1):
        q, k = slice(queries_at[n], queries_at[n + 1]), slice(keys_at[n], keys_at[n + 1])
        count, seen = int(queries_at[n + 1] - queries_at[n]), int(keys_at[n + 1] - keys_at[n])
        mask = torch.ones(count, seen, dtype=torch.bool).tril(seen - count)
        heads = [x.transpose(0, 1)[None] for x in (query[q], key[k], value[k])]
        done = functional.scaled_dot_product_attention(*heads, attn_mask=mask, scale=scale, enable_gqa=enable_gqa)
        parts.append(done[0].transpose(0, 1))
    return torch.cat(parts)


@pytest.mark.parametrize(("prefix", "lengths"), SHAPES)
def test_the_pieces_handed_to_the_kernel_are_the_right_ones(prefix, lengths, monkeypatch):
    monkeypatch.setattr("torch.nn.attention.varlen.varlen_attn", by_sequence)
    tensors = drawn(prefix, lengths)
    found = kernels._varlen(*tensors, prefix, lengths, None)
    expected = one_by_one(*tensors, prefix, lengths)
    torch.testing.assert_close(found, expected)
    weights = torch.randn(found.shape, generator=torch.Generator().manual_seed(4))
    for mine, theirs in zip(
        torch.autograd.grad((found * weights).sum(), tensors),
        torch.autograd.grad((expected * weights).sum(), tensors),
        strict=True,
    ):
        torch.testing.assert_close(mine, theirs)


@pytest.mark.parametrize(("prefix", "lengths"), SHAPES)
def test_document_by_document_is_the_same(prefix, lengths):
    tensors = drawn(prefix, lengths)
    found, _ = kernels.attention(
        torch.nn.Module(), *tensors, None, document_lengths=list(lengths), shared_prefix=prefix
    )
    torch.testing.assert_close(found, one_by_one(*tensors, prefix, lengths))


@pytest.mark.parametrize("family", ["mistral", "phi3"])
def test_the_kernel_is_not_for_documents_longer_than_a_sliding_window(family):
    from transformers import AutoConfig, AutoModelForCausalLM

    sizes = {"hidden_size": 8, "intermediate_size": 8, "vocab_size": 8, "head_dim": 4, "pad_token_id": 0}
    heads = {"num_hidden_layers": 1, "num_attention_heads": 2, "num_key_value_heads": 1}
    config = AutoConfig.for_model(family, sliding_window=4, **sizes, **heads)
    attention = AutoModelForCausalLM.from_config(config).model.layers[0].self_attn
    on_cuda = SimpleNamespace(is_cuda=True, dtype=torch.bfloat16)
    assert kernels._has_kernel(attention, on_cuda, 0.0, longest=4)
    assert not kernels._has_kernel(attention, on_cuda, 0.0, longest=5)


@pytest.mark.gpu
@pytest.mark.parametrize(("prefix", "lengths"), SHAPES)
def test_the_kernel_gives_what_one_attention_a_document_gives(prefix, lengths):
    tensors = drawn(prefix, lengths, torch.bfloat16, "cuda")
    layer = torch.nn.Module()
    longest = max(lengths)
    assert kernels._has_kernel(layer, tensors[0], 0.0, longest)
    assert not kernels._has_kernel(layer, tensors[0], 0.1, longest)
    layer.sliding_window = 4
    assert not kernels._has_kernel(layer, tensors[0], 0.0, longest)
    found = kernels._varlen(*tensors, prefix, lengths, None)
    torch.testing.assert_close(found, one_by_one(*tensors, prefix, lengths), rtol=2e-2, atol=2e-2)
