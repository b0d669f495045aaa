"""Load the models of support_models.py, and ask them how probable it is that a source supports a sentence."""

from __future__ import annotations

import inspect
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import lru_cache
from itertools import groupby, takewhile
from pathlib import Path
from typing import Any, NamedTuple

from harness.checkpoints import safety
from harness.checkpoints.merge import load_tuned
from harness.checkpoints.model_files import CheckpointFolder
from harness.errors import MissingExtra, UserError, first_line
from harness.scoring.support_models import PLACEHOLDER, SupportModel, onnx_files
from harness.suites.prompts import Renderer
from harness.suites.prompts import load as load_tokenizer
from harness.threads import before_torch, has_bfloat16

INPUTS = ("input_ids", "attention_mask", "token_type_ids")
HHEM_NAMES = {r"^t5\.": ""}
"""HHEM's weights are those of a T5ForTokenClassification under the prefix `t5.`."""
BATCH = 16
LARGE = 10**9
"""Parameters from which a model is read in bfloat16 where the processor has instructions for it."""
LEAST_SHARED = 16
"""A beginning of at least so many tokens that all prompts of a batch have in common is read once."""

Pair = tuple[str, str]
"""Passages of a source, and a sentence."""
Inputs = Mapping[str, Any]
Logits = Callable[[Inputs], Any]
"""Gives an array (texts, outputs), or (texts, tokens, outputs)."""


class Reader(NamedTuple):
    """A loaded model."""

    model: SupportModel
    tokenizer: Any
    renderer: Renderer
    logits: Logits
    max_tokens: int
    """Tokens of the longest text, or pair of texts, that the model reads."""
    batch: int
    """Texts in one forward pass."""

    def support(self, pairs: Sequence[Pair]) -> list[float | None]:
        """Return the probability that each sentence is supported; None if it leaves no room for passages.

        Raises UserError for passages and a sentence that are longer than the model reads.
        """
        found: list[float | None] = [None] * len(pairs)
        fit = [
            at for at, (_, said) in enumerate(pairs) if len(self.tokenizer(said)["input_ids"]) * 2 <= self.max_tokens
        ]
        for batch in self._batches(pairs, fit):
            read = self._encode([pairs[at] for at in batch])
            tokens = max(map(len, read["input_ids"]))
            if tokens > self.max_tokens:
                raise UserError(
                    f"entailment.by_model: passages with a sentence are {tokens} tokens; the model reads "
                    f"{self.max_tokens}. Nothing is cut: set fewer windows, or a smaller window_tokens"
                )
            logits = self.logits(read)
            first = logits[:, 0] if logits.ndim == 3 else logits  # of a classifier of tokens, the first token
            for at, row in zip(batch, first.tolist(), strict=True):
                found[at] = _probability(row, self.model.column)
        return found

    def _batches(self, pairs: Sequence[Pair], of: Sequence[int]) -> Iterator[list[int]]:
        """Yield batches: the pairs with the same passages, whose prompts begin alike, then all others by length."""
        alone = []
        for _, group in groupby(sorted(of, key=lambda at: pairs[at]), key=lambda at: pairs[at][0]):
            same = list(group)
            yield from (same[at : at + self.batch] for at in range(0, len(same) if len(same) > 1 else 0, self.batch))
            alone += same if len(same) == 1 else []
        alone.sort(key=lambda at: sum(map(len, pairs[at])))
        yield from (alone[at : at + self.batch] for at in range(0, len(alone), self.batch))

    def _encode(self, pairs: Sequence[Pair]) -> Inputs:
        """Token ids of texts; those of a causal model are not padded."""
        model = self.model
        texts = [list(column) for column in zip(*pairs, strict=True)]
        if model.prompt is not None:
            texts = [[_filled(model.prompt, source, sentence) for source, sentence in pairs]]
        if model.chat:
            head = [{"role": "system", "content": model.system}] if model.system else []
            chats = [[*head, {"role": "user", "content": text}] for text in texts[0]]
            return {"input_ids": [list(self.renderer.prompt(chat).ids) for chat in chats]}
        read: Inputs = self.tokenizer(*texts, padding=model.kind != "causal" and len(pairs) > 1)
        return read


def _filled(prompt: str, source: str, sentence: str) -> str:
    return PLACEHOLDER.sub(lambda found: source if found[1] == "source" else sentence, prompt)


def _probability(logits: list[float], column: int) -> float:
    """Softmax of one column, without the digits that vary within a batch.

    A single logit is compared with zero, which is the sigmoid.
    """
    compared = logits if len(logits) > 1 else [logits[0], 0.0]
    weights = [math.exp(value - max(compared)) for value in compared]
    return round(weights[column] / sum(weights), 6)


@lru_cache(maxsize=2)
def load(model: SupportModel) -> Reader:
    """Load a model. Raises UserError in one line for a folder that cannot be loaded as its kind."""
    try:
        before_torch()
        from transformers import AutoConfig
        from transformers.utils import logging

        logging.disable_progress_bar()
        tokenizer = load_tokenizer(Path(model.tokenizer))
        config = AutoConfig.from_pretrained(model.folder, **safety.TOKENIZER).get_text_config()
        logits = _graph(model) if model.kind == "onnx" else _network(model, tokenizer)
    except UserError:
        raise
    except ImportError as error:
        extra = "onnx" if model.kind == "onnx" else "train"
        raise MissingExtra("claim support", error.name or "transformers", extra) from None
    except Exception as error:  # The libraries raise many types; users get one line for any.
        raise UserError(
            f"entailment.by_model: {model.folder}: cannot be loaded as {model.kind}: {type(error).__name__}: "
            f"{first_line(error)}. Expected a model of a type that transformers has, with its tokenizer"
        ) from None
    max_tokens = min(int(tokenizer.model_max_length), int(getattr(config, "max_position_embeddings", 0) or 10**9))
    pads = tokenizer.pad_token is not None and getattr(config, "pad_token_id", None) is not None
    batch = BATCH if pads or model.kind == "causal" else 1
    renderer = Renderer(model.folder, CheckpointFolder(model.tokenizer))
    return Reader(model, tokenizer, renderer, logits, max_tokens, batch)


def _network(model: SupportModel, tokenizer: Any) -> Logits:
    """Load a model with torch, in float32 but for LARGE ones; an adapter is merged in memory."""
    import torch

    if model.adapter:
        network = load_tuned(Path(model.folder), CheckpointFolder(model.adapter)).merge_and_unload()
    else:
        network = _untuned(model)
    network.eval()
    if has_bfloat16() and sum(weights.numel() for weights in network.parameters()) >= LARGE:
        _to_bfloat16(network)
    parameters = inspect.signature(network.forward).parameters
    answers = _answer_ids(model, tokenizer) if model.answers else []

    def logits(read: Inputs) -> Any:
        with torch.inference_mode():
            if model.kind == "causal":
                return _next_token(network, parameters, read["input_ids"])[:, answers]
            given = {name: torch.tensor(read[name]) for name in INPUTS if name in read and name in parameters}
            if model.kind == "seq2seq":
                start = network.generation_config.decoder_start_token_id
                first = torch.full((len(given["input_ids"]), 1), start)
                return network(**given, decoder_input_ids=first).logits[:, 0, answers]
            return network(**given).logits

    return logits


def _to_bfloat16(network: Any) -> None:
    """Round the weights to bfloat16 but for the output head, whose logits would have three digits."""
    import torch

    network.to(torch.bfloat16)
    head = network.get_output_embeddings()
    if head is not None:
        head.weight = torch.nn.Parameter(head.weight.float(), requires_grad=False)
        head.register_forward_pre_hook(lambda _, given: tuple(each.float() for each in given))


def _untuned(model: SupportModel) -> Any:
    import torch
    import transformers

    architecture = (CheckpointFolder(model.folder).config.get("architectures") or [""])[0]
    by_token = "Token" if architecture.endswith("ForTokenClassification") else "Sequence"
    loader = {"classifier": f"For{by_token}Classification", "causal": "ForCausalLM", "seq2seq": "ForSeq2SeqLM"}
    network, report = getattr(transformers, f"AutoModel{loader[model.kind]}").from_pretrained(
        model.folder, dtype=torch.float32, output_loading_info=True, key_mapping=HHEM_NAMES, **safety.MODEL
    )
    if report["missing_keys"]:
        raise UserError(
            f"entailment.by_model: {model.folder}: as {model.kind} it lacks {len(report['missing_keys'])} weights, "
            f"such as {min(report['missing_keys'])}; they would be random. Name a model that was trained for it"
        )
    return network


def _next_token(network: Any, parameters: Mapping[str, Any], ids: Sequence[list[int]]) -> Any:
    """Return the logits after each prompt, shape (prompts, vocabulary).

    Prompts are padded on the right, which a causal model never looks at. What all begin with is read once.
    """
    import torch

    begins = [token[0] for token in takewhile(lambda column: len(set(column)) == 1, zip(*ids, strict=False))]
    shared, given = min(len(begins), *(len(row) - 1 for row in ids)), {}
    if len(ids) > 1 and shared >= LEAST_SHARED and "past_key_values" in parameters:
        beginning = network(input_ids=torch.tensor([begins[:shared]]), use_cache=True)
        beginning.past_key_values.batch_repeat_interleave(len(ids))
        given["past_key_values"] = beginning.past_key_values
    rest = [row[shared if given else 0 :] for row in ids]
    longest = max(map(len, rest))
    kept, places = torch.unique(torch.tensor([len(row) - 1 for row in rest]), return_inverse=True)
    if "logits_to_keep" in parameters:
        given["logits_to_keep"] = kept
    else:
        places = kept[places]
    padded = torch.tensor([row + [0] * (longest - len(row)) for row in rest])
    return network(input_ids=padded, **given).logits[torch.arange(len(rest)), places]


def _answer_ids(model: SupportModel, tokenizer: Any) -> list[int]:
    """Return the first token of each answer: after a colon, as plain prompts end, or at the start of a turn."""
    before = ":" if model.kind == "causal" and not model.chat else ""
    skipped = len(tokenizer.encode(before, add_special_tokens=False))
    ids = [tokenizer.encode(before + text, add_special_tokens=False)[skipped:] for text in model.answers or ()]
    if not all(ids) or not len(ids) == len({found[0] for found in ids}) > 1:
        raise UserError(
            f"entailment.by_model: {model.folder}: answers are {model.answers}; expected two or more texts that begin "
            "with different tokens of the model. Name them with answers="
        )
    return [found[0] for found in ids]


def _graph(model: SupportModel) -> Logits:
    """Load an ONNX graph from its bytes, with the weights that the digest covers; other files it names are not read."""
    import numpy as np
    import onnxruntime

    graph, *data = onnx_files(Path(model.folder))
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4
    weights = [file.read_bytes() for file in data]
    if data:
        options.add_external_initializers_from_files_in_memory(
            [file.name for file in data], weights, [len(part) for part in weights]
        )
    session = onnxruntime.InferenceSession(graph.read_bytes(), options, providers=["CPUExecutionProvider"])
    inputs = {found.name: np.int32 if "int32" in found.type else np.int64 for found in session.get_inputs()}
    sizes = [size for found in session.get_inputs() for size in found.shape]
    outputs = [found.name for found in session.get_outputs()]
    if not set(inputs) <= set(INPUTS) or any(isinstance(size, int) for size in sizes):
        raise UserError(
            f"entailment.by_model: {graph}: inputs are {', '.join(inputs)} with sizes {sizes}; expected only "
            f"{', '.join(INPUTS)}, of any number and length. Export it as a classifier, with dynamic axes"
        )
    output = "logits" if "logits" in outputs else outputs[0]

    def logits(read: Inputs) -> Any:
        ids = np.asarray(read["input_ids"])
        given = {name: np.asarray(read.get(name, np.zeros_like(ids)), kind) for name, kind in inputs.items()}
        found = session.run([output], given)[0]
        if (len(found), found.shape[-1]) != (len(ids), model.outputs) or found.ndim not in (2, 3):
            raise UserError(
                f"entailment.by_model: {graph}: its output {output} has the shape {found.shape} for {len(ids)} texts; "
                f"expected one number for each of the {model.outputs} labels of config.json"
            )
        return found

    return logits
