"""The model in training: a base with a LoRA adapter (arXiv 2106.09685), and the summed loss of a micro-batch."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from pathlib import Path
from typing import Any

import torch
from torch.nn import functional

from harness.checkpoints import quantization
from harness.checkpoints.weights import load_model
from harness.errors import UserError
from training import kernels
from training import lora as training_lora
from training.batching import Micro
from training.config import ALL_LINEAR, Lora, Model
from training.estimate.shapes import decoder_of

PLAIN = Model()
LENGTHS = 32
"""On a CPU, the tokens of a pass are filled up to a multiple of this part of the next power of two: oneDNN compiles its
products for every number of tokens, each in 9 ms and 0.9 MiB, and SmolLM2 has 19 (docs/notebook.md, section 29)."""
EXPERT_NAMES = {"gate", "gate_proj", "up_proj", "down_proj", "w1", "w2", "w3"}
"""Names that PEFT 0.21 maps to parameters of fused experts (utils/transformers_weight_conversion.py)."""


Inputs = tuple[torch.Tensor, torch.Tensor, torch.Tensor, list[int], int]
"""Tensors of the IDs, positions and places of learnt tokens, the documents' lengths and the shared prefix's."""


class AnswerLoss(torch.nn.Module):
    """A causal model whose forward returns the sum of its answer tokens' losses.

    The output head runs on answer positions only, and the cross entropy in float32. It is one module because the hooks
    of distributed wrappers only run in the wrapped module's forward.
    """

    def __init__(self, model: Any, autocast: bool) -> None:
        super().__init__()
        self.model = model
        self.autocast = autocast
        self._positions = _positions(model.get_base_model().config.get_text_config())
        self._switches = [module for module in model.modules() if hasattr(module, "_disable_adapters")]
        # FSDP reads which modules to shard, and how to tie weights after moving them.
        self._no_split_modules = model.get_base_model()._no_split_modules
        self.tie_weights = model.get_base_model().tie_weights

    def forward(
        self,
        ids: torch.Tensor,
        positions: torch.Tensor,
        answers: torch.Tensor,
        lengths: list[int],
        prefix: int = 0,
        is_distilled: bool = False,
        in_context: Inputs | None = None,
        each: bool = False,
        reference: bool = False,
    ) -> torch.Tensor:
        """Return the sum of losses, a scalar, or with `each` the losses of the learnt tokens, (answer tokens,).

        `ids` and `positions` have shape (tokens,), `answers` (answer tokens,) the indices of the learnt tokens, and
        `lengths` the documents' lengths after a shared prefix of `prefix` tokens. Positions alone separate packed
        documents: without attention_mask and cache, transformers builds a block-diagonal mask from them.

        The loss of a token is its cross entropy, or with `is_distilled` the Kullback-Leibler divergence of the model's
        distribution from that of the base without its adapter, which reads `in_context` if that is given.

        With `reference`, transformers computes one document's logits as it does without this package.
        """
        logits = self._reference(ids, answers) if reference else self._logits(ids, positions, answers, lengths, prefix)
        if not is_distilled:
            return functional.cross_entropy(logits, ids[answers], reduction="none" if each else "sum")
        with torch.no_grad(), self._base():
            base = self._logits(*(in_context or (ids, positions, answers, lengths, prefix)))
        return functional.kl_div(logits.log_softmax(-1), base.log_softmax(-1), reduction="sum", log_target=True)

    def _logits(
        self, ids: torch.Tensor, positions: torch.Tensor, answers: torch.Tensor, lengths: list[int], prefix: int
    ) -> torch.Tensor:
        """Return the logits of the answer tokens in float32, of shape (answer tokens, vocabulary).

        The model's own forward makes them from the hidden states: some scale or cap them.
        """
        ids, positions, lengths = self._filled(ids, positions, lengths, prefix)
        with self.mixed(ids.device):
            output = self.model.get_base_model()(
                input_ids=ids[None],
                position_ids=positions[None],
                use_cache=False,
                logits_to_keep=answers - 1,
                document_lengths=lengths,
                shared_prefix=prefix,
            )
        logits: torch.Tensor = output.logits[0].float()
        return logits

    def _filled(
        self, ids: torch.Tensor, positions: torch.Tensor, lengths: list[int], prefix: int
    ) -> tuple[torch.Tensor, torch.Tensor, list[int]]:
        """Append tokens that no other sees, on a CPU, so that passes have few different numbers of tokens.

        They are a document of their own, or the end of a lone one: without a second, attention needs no mask.
        """
        tokens = len(ids)
        count = -tokens % max(16, (1 << tokens.bit_length()) // LENGTHS)
        first = tokens if len(lengths) == 1 and not prefix else 0
        if not count or ids.device.type != "cpu" or first + count > self._positions:
            return ids, positions, lengths
        more = torch.arange(first, first + count)
        lengths = [tokens + count] if first else [*lengths, count]
        return torch.cat((ids, torch.zeros_like(more))), torch.cat((positions, more)), lengths

    def _reference(self, ids: torch.Tensor, answers: torch.Tensor) -> torch.Tensor:
        """Return the same by the model's own attention, all positions through its output head."""
        base = self.model.get_base_model()
        ours = base.config._attn_implementation
        base.config._attn_implementation = "eager"
        try:
            with self.mixed(ids.device):
                logits: torch.Tensor = base(input_ids=ids[None], use_cache=False).logits
        finally:
            base.config._attn_implementation = ours
        return logits[0, answers - 1].float()

    def mixed(self, device: torch.device) -> AbstractContextManager[None]:
        """Return the context in which the model computes: float32 parts of an adapter do not fit a bfloat16 base."""
        return torch.autocast(device.type, dtype=torch.bfloat16) if self.autocast else nullcontext()

    @contextmanager
    def _base(self) -> Iterator[None]:
        """Switch the adapter off; PEFT's own switch asks every layer for its state, which takes as long as a pass."""
        for module in self._switches:
            module._disable_adapters = True
        try:
            yield
        finally:
            for module in self._switches:
                module._disable_adapters = False

    def checkpoint_layers(self) -> None:
        """Enable gradient checkpointing: keep the inputs of layers, and recompute the rest in the backward pass."""
        base = self.model.get_base_model()
        base.gradient_checkpointing_enable(gradient_checkpointing_kwargs={"use_reentrant": False})

    def compile_layers(self) -> None:
        """Compile the feed-forward part of every layer with torch.compile, for any number of tokens."""
        for layer in self.model.get_base_model().get_decoder().layers:
            layer.mlp.compile(dynamic=True)

    @property
    def can_share_prefix(self) -> bool:
        """Whether attention is plainly causal; sliding windows need transformers' mask."""
        return not getattr(self.model.get_base_model().config.get_text_config(), "sliding_window", None)

    def adapter(self) -> Iterator[tuple[str, torch.nn.Parameter]]:
        """Return names and trainable parameters."""
        return ((name, p) for name, p in self.model.named_parameters() if p.requires_grad)


def _positions(config: Any) -> int:
    """Return how many positions a model reads with the same factors; 0 if unknown."""
    rope = getattr(config, "rope_parameters", None) or {}
    tables = [
        vars(config),
        rope,
        *(each for each in rope.values() if isinstance(each, dict)),
    ]  # Or one a kind of layer.
    stated = [table.get("original_max_position_embeddings") for table in tables]
    return min(filter(None, stated), default=getattr(config, "max_position_embeddings", None) or 0)


def linear_ends(base: Any) -> list[str]:
    """Return the last parts of the names of all linear layers for text but the output head.

    In a mixture of experts, PEFT's own `all-linear` also adapts the router and fused experts, and maps some names to
    them. They are excluded here: experts get an adapter by `target_parameters` only.
    """
    head, decoder = base.get_output_embeddings(), decoder_of(base)
    layers = (name for name, m in decoder.named_modules() if isinstance(m, torch.nn.Linear) and m is not head)
    ends = {name.rpartition(".")[2] for name in layers}
    others = (m for m in decoder.modules() if not isinstance(m, torch.nn.Conv1d))  # Its weight has 3 dimensions, too.
    mixture = any(p.ndim == 3 for m in others for p in m.parameters(recurse=False))
    return sorted(ends - EXPERT_NAMES if mixture else ends)


def _for_images(base: Any) -> str | None:
    """Return an expression for the layers that no text passes, which get no adapter; None where there are none."""
    head, decoder = base.get_output_embeddings(), decoder_of(base)
    text = {id(module) for module in (head, *decoder.modules())}
    if all(id(module) in text for module in base.modules() if isinstance(module, torch.nn.Linear)):
        return None
    name = next(name for name, module in base.named_modules() if module is decoder)
    return rf"(?!{re.escape(name)}\.|{'|'.join(training_lora.OUTPUT_HEADS)}).*"


def _refuse_additional(model: Any, lora: Lora) -> None:
    """Raise UserError where PEFT maps names of layers to parameters that the configuration does not target."""
    adapted = model.peft_config["default"].target_parameters or []
    additional = sorted(set(adapted) - set(lora.target_parameters))
    if additional:
        raise UserError(
            f"'lora.target_modules' names layers that this model keeps as bare parameters: {', '.join(additional)}. "
            "Name attention layers there, and experts in lora.target_parameters"
        )


def tensors(micro: Micro, device: torch.device) -> tuple[*Inputs, bool, Inputs | None]:
    """Convert a micro-batch to the arguments of `AnswerLoss.forward`."""
    in_context = _inputs(micro.in_context, device) if micro.in_context else None
    return *_inputs(micro, device), micro.is_distilled, in_context


def _inputs(micro: Micro, device: torch.device) -> Inputs:
    parts = (micro.ids, micro.positions, micro.answers)
    ids, positions, answers = (torch.tensor(part, device=device) for part in parts)
    return ids, positions, answers, micro.lengths, micro.prefix


def load(folder: Path, lora: Lora, dtype: str, seed: int, form: Model = PLAIN) -> AnswerLoss:
    """Load the base model in `dtype`, or in NF4 by `form`, frozen, with a new float32 adapter drawn from `seed`."""
    from transformers.utils import logging

    logging.disable_progress_bar()
    attention = kernels.register()
    if form.quantise == quantization.NF4:
        from accelerate import PartialState

        device = PartialState().device
        base = quantization.load_nf4(folder, device, form.quant_storage, attn_implementation=attention)
    else:
        base = load_model(folder, dtype=getattr(torch, dtype), attn_implementation=attention)
    base.config.use_cache = False
    return attach(base, lora, seed)


def attach(base: Any, lora: Lora, seed: int) -> AnswerLoss:
    """Add a new adapter to a loaded model."""
    from peft import LoraConfig, get_peft_model

    torch.manual_seed(seed)
    arguments = training_lora.arguments(lora)
    if lora.target_modules == ALL_LINEAR:
        arguments["target_modules"] = linear_ends(base)
    arguments["exclude_modules"] = _for_images(base)
    is_bfloat16 = base.dtype == torch.bfloat16
    model = get_peft_model(base, LoraConfig(**arguments, task_type="CAUSAL_LM"))
    _refuse_additional(model, lora)
    for parameter in model.parameters():
        if parameter.requires_grad:
            parameter.data = parameter.data.float()
    plain = kernels.apply(model)
    trainable = sum(parameter.requires_grad for parameter in model.parameters())
    return AnswerLoss(model, autocast=is_bfloat16 and trainable > 2 * plain)  # A plain layer converts its own two.
