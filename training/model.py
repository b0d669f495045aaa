"""Loads a base model, adds a LoRA adapter, and computes the summed loss of one micro-batch. Knows no optimiser."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import torch
from torch.nn import functional

from training import attention, lean
from training.config import Lora
from training.plan import Micro


class AnswerLoss(torch.nn.Module):
    """A causal model whose forward gives the SUM of its answer tokens' losses.

    The output head runs on answer positions only, and the cross entropy in float32. One module holds all, since the
    hooks of distributed wrappers run only through the wrapped module's forward.
    """

    def __init__(self, model: Any, autocast: bool) -> None:
        super().__init__()
        self.model = model
        self.autocast = autocast

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

    @property
    def can_share_prefix(self) -> bool:
        """Whether every token sees all before it, with plain scores; windows and soft caps need transformers' mask."""
        config = self.model.get_base_model().config.get_text_config()
        return not getattr(config, "sliding_window", None) and not getattr(config, "attn_logit_softcapping", None)

    def adapter(self) -> Iterator[tuple[str, torch.nn.Parameter]]:
        """Names and trainable parameters."""
        return ((name, p) for name, p in self.model.named_parameters() if p.requires_grad)


def tensors(micro: Micro, device: torch.device) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor, list[int], int]:
    """A micro-batch as the arguments of `AnswerLoss.forward`."""
    parts = (micro.ids, micro.positions, micro.answers)
    ids, positions, answers = (torch.tensor(part, device=device) for part in parts)
    return ids, positions, answers, micro.lengths, micro.prefix


def load(folder: Path, lora: Lora, dtype: str, seed: int) -> AnswerLoss:
    """The base model in `dtype`, frozen, with a float32 adapter drawn from `seed`."""
    from transformers import AutoModelForCausalLM
    from transformers.utils import logging

    logging.disable_progress_bar()
    base = AutoModelForCausalLM.from_pretrained(
        str(folder),
        dtype=getattr(torch, dtype),
        attn_implementation=attention.register(),
        local_files_only=True,
    )
    base.config.use_cache = False
    return attach(base, lora, seed)


def attach(base: Any, lora: Lora, seed: int) -> AnswerLoss:
    """Add a fresh adapter to a loaded model."""
    from peft import LoraConfig, get_peft_model

    torch.manual_seed(seed)
    settings = LoraConfig(
        r=lora.r,
        lora_alpha=lora.alpha,
        lora_dropout=lora.dropout,
        target_modules=lora.target_modules,
        task_type="CAUSAL_LM",
    )
    half = base.dtype == torch.bfloat16
    model = get_peft_model(base, settings)
    for parameter in model.parameters():
        if parameter.requires_grad:
            parameter.data = parameter.data.float()
    lean.apply(model)
    return AnswerLoss(model, autocast=half)
