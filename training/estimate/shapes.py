"""Shapes of a model from its config.json alone: linear layers, embeddings, attention.

Llama-like decoders are computed directly. Any other model is built by transformers on the meta device, without memory
for its weights, which takes seconds; both give the same shapes.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from msgspec import Struct

from harness.checkpoints.model_files import CheckpointFolder
from harness.errors import UserError, typed_line


class Linear(Struct, frozen=True, kw_only=True):
    """One linear layer, or the experts of a mixture under one name."""

    name: str
    """Full module name, such as `model.layers.0.self_attn.q_proj`."""
    inputs: int
    """Input width."""
    outputs: int
    """Output width."""
    bias: bool = False
    """Whether it has a bias."""
    copies: int = 1
    """Matrices of this shape under the name: the experts of a mixture."""
    active: int = 1
    """Number of them that one token passes."""
    own: bool = True
    """Whether it is a module, which can have an adapter and be held in 4 bits. transformers keeps routers and experts
    as bare parameters, which cannot."""

    @property
    def parameters(self) -> int:
        """Number of parameters, biases included."""
        return self.copies * (self.inputs * self.outputs + (self.outputs if self.bias else 0))


class Shapes(Struct, frozen=True, kw_only=True):
    """The shapes of one model."""

    model_type: str
    """Name of the architecture in transformers."""
    layers: int
    """Decoder layers."""
    width: int
    """Size of a hidden state."""
    attention_width: int
    """Query heads times head size."""
    key_width: int
    """Key heads times head size; the cache holds twice as much per token."""
    inner: int
    """Width inside a feed-forward block, or inside one expert of it."""
    query_norm: bool
    """Whether queries and keys are normalised."""
    vocabulary: int
    """Rows of the embedding."""
    tied: bool
    """Whether the output head shares the embedding's weights."""
    context: int | None
    """Most tokens that the model reads; None where config.json does not say."""
    linears: tuple[Linear, ...]
    """Every linear layer but the output head."""
    rest: int
    """Parameters of norms and of anything else that is neither linear nor embedding."""
    can_pack: bool = True
    """Whether rows can share a pass; with convolutions or recurrent layers, a row would see the one before it."""
    can_share_prefix: bool = True
    """Whether rows can share a prefix: no layer has a sliding window."""

    @property
    def embeddings(self) -> int:
        """Parameters of the embedding, and of the output head where it is another matrix."""
        return self.vocabulary * self.width * (1 if self.tied else 2)

    @property
    def linear_parameters(self) -> int:
        return sum(x.parameters for x in self.linears)

    @property
    def parameters(self) -> int:
        """Number of all parameters."""
        return self.embeddings + self.linear_parameters + self.rest

    @property
    def idle(self) -> int:
        """Number of parameters of the experts that a token does not pass."""
        return sum((x.copies - x.active) * (x.parameters // x.copies) for x in self.linears)

    @property
    def active_parameters(self) -> int:
        """Number of parameters that a token passes."""
        return self.parameters - self.idle

    def targets(self, wanted: str | Sequence[str]) -> list[Linear]:
        """Return the layers that get an adapter, by PEFT's rule: `all-linear`, or a full name or its ending."""
        names = [wanted] if isinstance(wanted, str) else list(wanted)
        own = [x for x in self.linears if x.own]
        if names == ["all-linear"]:
            return own
        return [x for x in own if any(x.name == n or x.name.endswith(f".{n}") for n in names)]


class Family(Struct, frozen=True, kw_only=True):
    """Differences of an architecture from Llama."""

    biased: tuple[str, ...] = ()
    """Attention layers that always have a bias."""
    tied: bool = False
    """Whether the output head shares the embedding's weights by default."""
    query_norm: bool = False
    """Whether queries and keys are normalised per head."""
    experts: str = ""
    """Key of config.json with the number of experts; empty if there are none."""
    expert_width: str = "intermediate_size"
    """Key of config.json with an expert's inner width."""
    has_window: bool = False
    """Whether `sliding_window` counts where config.json has no `use_sliding_window`."""


FAMILIES = {
    "llama": Family(),
    "mistral": Family(has_window=True),
    "smollm3": Family(tied=True),
    "qwen2": Family(biased=("q_proj", "k_proj", "v_proj")),
    "qwen3": Family(query_norm=True),
    "mixtral": Family(experts="num_local_experts", has_window=True),
    "qwen3_moe": Family(query_norm=True, experts="num_experts", expert_width="moe_intermediate_size"),
}
RECURRENT = {"conv", "linear_attention"}
"""Types of layers that carry what they read of a row into the next one."""


def of_folder(folder: Path) -> Shapes:
    """Return the shapes of a model folder from its config.json. Raises UserError where they cannot be read."""
    return of(CheckpointFolder(folder).config, str(folder / "config.json"))


def of(config: dict[str, Any], where: str = "config.json") -> Shapes:
    """Return the shapes from the fields of a config.json. Raises UserError that names `where` if a field is missing."""
    family = FAMILIES.get(config.get("model_type", ""))
    try:
        if family is None or config.get("mlp_only_layers") or config.get("decoder_sparse_step", 1) != 1:
            return build(config)
        return _lay_out(config, family)
    except Exception as error:  # transformers raises many types for fields that it cannot use.
        raise UserError(
            f"{where}: cannot derive the model's shapes: {typed_line(error)}. Expected the "
            "config.json of a causal language model that transformers knows"
        ) from None


def _lay_out(config: dict[str, Any], family: Family) -> Shapes:
    width, heads, layers = config["hidden_size"], config["num_attention_heads"], config["num_hidden_layers"]
    key_heads = config.get("num_key_value_heads") or heads
    size = config.get("head_dim") or width // heads
    biased = ("q_proj", "k_proj", "v_proj", "o_proj") if config.get("attention_bias") else family.biased
    attention = {
        "q_proj": (width, heads * size),
        "k_proj": (width, key_heads * size),
        "v_proj": (width, key_heads * size),
        "o_proj": (heads * size, width),
    }
    linears = []
    for layer in range(layers):
        prefix = f"model.layers.{layer}"
        linears += [
            Linear(name=f"{prefix}.self_attn.{name}", inputs=i, outputs=o, bias=name in biased)
            for name, (i, o) in attention.items()
        ]
        linears += _feed_forward(config, family, f"{prefix}.mlp")
    return Shapes(
        model_type=config["model_type"],
        layers=layers,
        width=width,
        attention_width=heads * size,
        key_width=key_heads * size,
        inner=config[family.expert_width],
        query_norm=family.query_norm,
        vocabulary=config["vocab_size"],
        tied=bool(config.get("tie_word_embeddings", family.tied)),
        context=config.get("max_position_embeddings"),
        linears=tuple(linears),
        rest=(2 * layers + 1) * width + (2 * layers * size if family.query_norm else 0),
        can_share_prefix=not (config.get("sliding_window") and config.get("use_sliding_window", family.has_window)),
    )


def _feed_forward(config: dict[str, Any], family: Family, prefix: str) -> list[Linear]:
    width, inner = config["hidden_size"], config[family.expert_width]
    if not family.experts:
        bias = bool(config.get("mlp_bias"))
        sizes = {"gate_proj": (width, inner), "up_proj": (width, inner), "down_proj": (inner, width)}
        return [Linear(name=f"{prefix}.{n}", inputs=i, outputs=o, bias=bias) for n, (i, o) in sizes.items()]
    count, active = config[family.experts], config["num_experts_per_tok"]
    experts = {"gate_up_proj": (width, 2 * inner), "down_proj": (inner, width)}
    return [
        Linear(name=f"{prefix}.gate", inputs=width, outputs=count, own=False),
        *(
            Linear(name=f"{prefix}.experts.{n}", inputs=i, outputs=o, copies=count, active=active, own=False)
            for n, (i, o) in experts.items()
        ),
    ]


def build(config: dict[str, Any]) -> Shapes:
    """Return the shapes of a model that transformers builds on the meta device.

    Raises ValueError for an architecture that transformers does not support.
    """
    import torch
    from transformers import AutoConfig, AutoModelForCausalLM

    fields = dict(config)
    config_object = AutoConfig.for_model(fields.pop("model_type"), **fields)
    with torch.device("meta"):
        model = AutoModelForCausalLM.from_config(config_object)
    text = config_object.get_text_config()
    heads, width = text.num_attention_heads, text.hidden_size
    size = getattr(text, "head_dim", None) or width // heads
    tables = {id(m.weight) for m in (model.get_input_embeddings(), model.get_output_embeddings()) if m is not None}
    linears = list(_linears(model, text, tables))
    mixture = any(x.copies > 1 for x in linears)
    total = sum({id(p): p.numel() for p in model.parameters()}.values())
    embeddings = sum({id(p): p.numel() for p in model.parameters() if id(p) in tables}.values())
    return Shapes(
        model_type=config_object.model_type,
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
        can_pack=not (model._is_stateful or RECURRENT & set(getattr(text, "layer_types", None) or ())),
        can_share_prefix=not getattr(text, "sliding_window", None),
    )


def decoder_of(model: Any) -> Any:
    """Return the part of a causal model that reads text; an output head may have the name `decoder`, too."""
    return model.base_model.get_decoder()


def _linears(model: Any, text: Any, tables: set[int]) -> Any:
    """Yield linear layers without the output head; a bare three-dimensional tensor has one expert per row."""
    import torch

    decoder = set(decoder_of(model).modules())  # Layers for images get no adapter.
    experts = next((n for k in ("num_local_experts", "num_experts") if (n := getattr(text, k, None))), 0)
    active = getattr(text, "num_experts_per_tok", None) or 1
    for name, module in model.named_modules():
        if isinstance(module, torch.nn.Linear):
            if id(module.weight) not in tables:
                bias, own, inputs = module.bias is not None, module in decoder, module.in_features
                yield Linear(name=name, inputs=inputs, outputs=module.out_features, bias=bias, own=own)
            continue
        for part, p in module.named_parameters(recurse=False):
            if p.ndim == 3 and p.shape[0] == experts:
                yield Linear(
                    name=f"{name}.{part}",
                    inputs=p.shape[2],
                    outputs=p.shape[1],
                    copies=experts,
                    active=active,
                    own=False,
                )
            elif p.ndim == 2 and experts and tuple(p.shape) == (experts, text.hidden_size):
                yield Linear(name=name, inputs=p.shape[1], outputs=experts, own=False)
