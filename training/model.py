"""Loads a base model, adds a LoRA adapter, and computes the summed loss of one micro-batch. Knows no optimiser."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import torch
from torch.nn import functional

from harness.checkpoints import quantization, safety
from harness.errors import UserError
from training import kernels
from training import lora as training_lora
from training.batching import Micro
from training.config import ALL_LINEAR, Lora, Model

PLAIN = Model()
EXPERT_NAMES = {"gate", "gate_proj", "up_proj", "down_proj", "w1", "w2", "w3"}
"""What PEFT 0.21 turns into parameters of fused experts (utils/transformers_weight_conversion.py)."""


class AnswerLoss(torch.nn.Module):
    """A causal model whose forward gives the SUM of its answer tokens' losses.

    The output head runs on answer positions only, and the cross entropy in float32. One module holds all, since the
    hooks of distributed wrappers run only through the wrapped module's forward.
    """

    def __init__(self, model: Any, autocast: bool) -> None:
        super().__init__()
        self.model = model
        self.autocast = autocast
        # What FSDP shards one by one, and how it ties weights that it has moved.
        self._no_split_modules = model.get_base_model()._no_split_modules
        self.tie_weights = model.get_base_model().tie_weights

    def forward(
        self, ids: torch.Tensor, positions: torch.Tensor, answers: torch.Tensor, lengths: list[int], prefix: int = 0
    ) -> torch.Tensor:
        """ids, positions: (tokens,); answers: indices of the learnt tokens; lengths: of the documents after a shared
        prefix of `prefix` tokens. Gives a scalar.

        Packed documents are told apart by their positions alone: without attention_mask and cache, transformers builds
        a mask that is block-diagonal over documents.
        """
        inner = self.model.get_base_model()
        mixed = torch.autocast(ids.device.type, dtype=torch.bfloat16) if self.autocast else nullcontext()
        with mixed:
            hidden = inner.get_decoder()(
                input_ids=ids[None],
                position_ids=positions[None],
                use_cache=False,
                document_lengths=lengths,
                shared_prefix=prefix,
            )
            logits = inner.get_output_embeddings()(hidden.last_hidden_state[0, answers - 1])
        return functional.cross_entropy(logits.float(), ids[answers], reduction="sum")

    def checkpoint_layers(self) -> None:
        """Keep only the inputs of layers for the backward pass, which computes the rest again."""
        base = self.model.get_base_model()
        base.gradient_checkpointing_enable(gradient_checkpointing_kwargs={"use_reentrant": False})

    def compile_layers(self) -> None:
        """Let torch.compile fuse the feed-forward part of every layer, for any number of tokens."""
        for layer in self.model.get_base_model().get_decoder().layers:
            layer.mlp.compile(dynamic=True)

    @property
    def can_share_prefix(self) -> bool:
        """Whether every token sees all before it, with plain scores; windows and soft caps need transformers' mask."""
        config = self.model.get_base_model().config.get_text_config()
        return not getattr(config, "sliding_window", None) and not getattr(config, "attn_logit_softcapping", None)

    def adapter(self) -> Iterator[tuple[str, torch.nn.Parameter]]:
        """Names and trainable parameters."""
        return ((name, p) for name, p in self.model.named_parameters() if p.requires_grad)


def linear_ends(base: Any) -> list[str]:
    """Last names of the linear layers but the output head.

    In a mixture, PEFT's own `all-linear` also adapts the router and the fused experts, and takes some names to mean
    them. Those are left out: experts get an adapter by `target_parameters` alone.
    """
    head = base.get_output_embeddings()
    layers = (name for name, m in base.named_modules() if isinstance(m, torch.nn.Linear) and m is not head)
    ends = {name.rpartition(".")[2] for name in layers}
    mixture = any(p.ndim == 3 for p in base.parameters())
    return sorted(ends - EXPERT_NAMES if mixture else ends)


def _refuse_more(model: Any, lora: Lora) -> None:
    """PEFT gives names that a model once had a new meaning: nothing but what was asked for may carry an adapter."""
    found = model.peft_config["default"].target_parameters or []
    more = sorted(set(found) - set(lora.target_parameters))
    if more:
        raise UserError(
            f"'lora.target_modules' names layers that this model keeps as bare parameters: {', '.join(more)}. Name "
            "attention layers, and the experts in lora.target_parameters"
        )


def tensors(micro: Micro, device: torch.device) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor, list[int], int]:
    """A micro-batch as the arguments of `AnswerLoss.forward`."""
    parts = (micro.ids, micro.positions, micro.answers)
    ids, positions, answers = (torch.tensor(part, device=device) for part in parts)
    return ids, positions, answers, micro.lengths, micro.prefix


def load(folder: Path, lora: Lora, dtype: str, seed: int, form: Model = PLAIN) -> AnswerLoss:
    """The base model in `dtype`, frozen, with a float32 adapter drawn from `seed`; or in NF4, as `form` says."""
    from transformers import AutoModelForCausalLM
    from transformers.utils import logging

    logging.disable_progress_bar()
    own = kernels.register()
    if form.quantise == quantization.NF4:
        from accelerate import PartialState

        device = PartialState().device
        base = quantization.load_nf4(folder, device, form.quant_storage, attn_implementation=own)
    else:
        base = AutoModelForCausalLM.from_pretrained(
            str(folder), dtype=getattr(torch, dtype), attn_implementation=own, **safety.MODEL
        )
    base.config.use_cache = False
    return attach(base, lora, seed)


def attach(base: Any, lora: Lora, seed: int) -> AnswerLoss:
    """Add a fresh adapter to a loaded model."""
    from peft import LoraConfig, get_peft_model

    torch.manual_seed(seed)
    arguments = training_lora.arguments(lora)
    if lora.target_modules == ALL_LINEAR:
        arguments["target_modules"] = linear_ends(base)
    half = base.dtype == torch.bfloat16
    model = get_peft_model(base, LoraConfig(**arguments, task_type="CAUSAL_LM"))
    _refuse_more(model, lora)
    for parameter in model.parameters():
        if parameter.requires_grad:
            parameter.data = parameter.data.float()
    kernels.apply(model)
    return AnswerLoss(model, autocast=half)
