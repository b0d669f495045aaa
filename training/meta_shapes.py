"""Lays out any model that transformers knows, built without memory for weights. Loads torch, which takes seconds."""

from __future__ import annotations

from typing import Any

import torch

from training.shapes import Linear, Shapes


def build(config: dict[str, Any]) -> Shapes:
    """Shapes from the fields of a config.json. ValueError where transformers does not know the architecture."""
    from transformers import AutoConfig, AutoModelForCausalLM

    fields = dict(config)
    known = AutoConfig.for_model(fields.pop("model_type"), **fields)
    with torch.device("meta"):
        model = AutoModelForCausalLM.from_config(known)
    text = known.get_text_config()
    heads, width = text.num_attention_heads, text.hidden_size
    size = getattr(text, "head_dim", None) or width // heads
    tables = {id(m.weight) for m in (model.get_input_embeddings(), model.get_output_embeddings()) if m is not None}
    linears = list(_linears(model, text, tables))
    mixture = any(x.copies > 1 for x in linears)
    total = sum({id(p): p.numel() for p in model.parameters()}.values())
    embeddings = sum({id(p): p.numel() for p in model.parameters() if id(p) in tables}.values())
    return Shapes(
        model_type=known.model_type,
        layers=text.num_hidden_layers,
        width=width,
        attention_width=heads * size,
        key_width=(getattr(text, "num_key_value_heads", None) or heads) * size,
        inner=(getattr(text, "moe_intermediate_size", None) if mixture else None) or text.intermediate_size,
        query_norm=any(name.endswith("q_norm") for name, _ in model.named_modules()),
        vocabulary=text.vocab_size,
        tied=len(tables) == 1,
        context=getattr(text, "max_position_embeddings", None),
        linears=tuple(linears),
        rest=total - embeddings - sum(x.parameters for x in linears),
    )


def _linears(model: Any, text: Any, tables: set[int]) -> Any:
    """Linear layers but the output head; a bare three-dimensional tensor holds experts, one a row."""
    every = next((n for k in ("num_local_experts", "num_experts") if (n := getattr(text, k, None))), 0)
    active = getattr(text, "num_experts_per_tok", None) or 1
    for name, module in model.named_modules():
        if isinstance(module, torch.nn.Linear):
            if id(module.weight) not in tables:
                bias = module.bias is not None
                yield Linear(name=name, inputs=module.in_features, outputs=module.out_features, bias=bias)
            continue
        for part, p in module.named_parameters(recurse=False):
            if p.ndim == 3 and p.shape[0] == every:
                yield Linear(
                    name=f"{name}.{part}",
                    inputs=p.shape[2],
                    outputs=p.shape[1],
                    copies=every,
                    active=active,
                    own=False,
                )
            elif p.ndim == 2 and every and tuple(p.shape) == (every, text.hidden_size):
                yield Linear(name=name, inputs=p.shape[1], outputs=every, own=False)
