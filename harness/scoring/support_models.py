"""Local models that state how probable it is that a source supports a sentence; entailment.py makes a scorer of one.

| kind | what it is | probability of support |
|---|---|---|
| classifier | a sequence classifier, or a token classifier's first token | of the label that means support |
| onnx | such a classifier as model.onnx, run on the CPU | in the same way |
| causal | a language model that answers yes or no | of the first token of yes against that of no |
| seq2seq | an encoder-decoder that answers, such as MiniCheck | in the same way |

No code of a folder runs: weights are safetensors, or an ONNX graph that may use only onnxruntime's own operators.
"""

from __future__ import annotations

import inspect
import math
import re
from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any, NamedTuple

from msgspec import Struct

from harness.checkpoints import safety
from harness.checkpoints.model_files import MODEL_CONFIG, CheckpointFolder, read_json
from harness.checkpoints.resolve import resolve
from harness.errors import MissingExtra, UserError, first_line
from harness.files import digest, file_sha256
from harness.suites.prompts import Renderer
from harness.suites.prompts import load as load_tokenizer
from harness.threads import before_torch

ARCHITECTURES = {
    "ForSequenceClassification": "classifier",
    "ForTokenClassification": "classifier",
    "ForCausalLM": "causal",
    "LMHeadModel": "causal",
    "ForConditionalGeneration": "seq2seq",
}
"""Kind of model, by the end of its architecture's name in config.json."""
KINDS = ("classifier", "onnx", "causal", "seq2seq")
ONNX_FILES = ("model.onnx", "onnx/model.onnx")
INPUTS = ("input_ids", "attention_mask", "token_type_ids")
SUPPORTING = ("entailment", "entailed", "supported", "support", "consistent", "faithful", "grounded")
"""Labels, in lower case, that mean: the source supports the sentence."""
PROMPTS = {
    "causal": (
        "Read the source, then the statement.\n\nSource:\n{source}\n\nStatement:\n{sentence}\n\n"
        "Does the source support everything that the statement says? Answer Yes or No.\nAnswer:"
    ),
    "seq2seq": "predict: {source}</s>{sentence}",
}
"""Default prompts; that of seq2seq is the input format of MiniCheck-Flan-T5 (`Liyan06/MiniCheck`, inference.py)."""
ANSWERS = {"chat": ("Yes", "No"), "causal": (" Yes", " No"), "seq2seq": ("1", "0")}
"""Default answers for yes and no: after an opened turn of a chat, after a plain prompt, and MiniCheck's."""
PLACEHOLDER = re.compile(r"\{(source|sentence)\}")
HHEM_NAMES = {r"^t5\.": ""}
"""HHEM's weights are those of a T5ForTokenClassification under the prefix `t5.`."""
BATCH = 16

Inputs = Mapping[str, Any]
Logits = Callable[[Inputs], Any]
"""Gives an array (texts, outputs), or (texts, tokens, outputs)."""


class SupportModel(Struct, frozen=True):
    """A local model and how it is read."""

    folder: str
    digest: str
    """Of weights, configuration and tokenizer."""
    kind: str
    outputs: int
    """Number of logits that are compared."""
    column: int
    """Index of the logit that means support."""
    prompt: str | None
    """None: the tokenizer joins source and sentence as a pair."""
    answers: tuple[str, ...] | None
    """What a model that answers says for yes and for no."""
    chat: bool
    """The prompt is a user message of the model's chat template."""


def choose(
    path: str | Path,
    kind: str | None = None,
    label: str | None = None,
    prompt: str | None = None,
    answers: Sequence[str] | None = None,
) -> SupportModel:
    """Decide how the model in a folder is read; nothing is loaded. Raises UserError for what cannot be used."""
    files = _folder(path)
    kind = kind or _kind(files)
    if kind not in KINDS:
        raise UserError(f"entailment.by_model: kind is {kind!r}; expected one of {', '.join(KINDS)}")
    if prompt is not None and set(PLACEHOLDER.findall(prompt)) != {"source", "sentence"}:
        raise UserError(
            f"entailment.by_model: prompt is {prompt!r}; expected a text with {{source}} and {{sentence}} in it"
        )
    classifies = kind in ("classifier", "onnx")
    if (answers if classifies else label) is not None:
        unused = "answers" if classifies else "label"
        raise UserError(f"entailment.by_model: {unused}= has no use for a model of the kind {kind}. Remove it")
    outputs, column = _column(files, label) if classifies else (2, 0)
    chat = kind == "causal" and bool(files.chat_template)
    if not classifies:
        prompt = prompt or PROMPTS[kind]
        answers = answers or ANSWERS["chat" if chat else kind]
    of_folder = _onnx_digest(files) if kind == "onnx" else resolve(str(files.path)).digest
    said = tuple(answers) if answers else None
    return SupportModel(str(files.path), of_folder, kind, outputs, column, prompt, said, chat)


def _folder(path: str | Path) -> CheckpointFolder:
    """Return a model's folder. Raises UserError for what could be a name on the Hub and for what is never loaded."""
    folder = Path(path)
    if not (folder.is_absolute() or str(path).startswith(("./", "../"))):
        raise UserError(
            f"entailment.by_model: {str(path)!r} could be a name on the Hub. Start a local path with ./ or /"
        )
    files = CheckpointFolder(folder.resolve())
    if files.is_adapter:
        raise UserError(f"entailment.by_model: {path}: holds an adapter. Merge it with its base, and name the result")
    if not files.is_model:
        raise UserError(f"entailment.by_model: {path}: it has no config.json. Name the folder of a downloaded model")
    if str(read_json(files.path / MODEL_CONFIG).get("model_type")).startswith("HHEM"):
        raise UserError(
            f"entailment.by_model: {path}: HHEM needs code of its own, which is never run. Use its model.safetensors "
            "with config.json and tokenizer of google/flan-t5-base instead: docs/scoring.md, 'Claim support by a model'"
        )
    pickled = safety.pickles(files.path)
    if pickled:
        raise UserError(safety.refused(files.path, pickled))
    return files


def _kind(files: CheckpointFolder) -> str:
    architecture = (files.config.get("architectures") or ["none"])[0]
    for ending, kind in ARCHITECTURES.items():
        if architecture.endswith(ending):
            as_onnx = kind == "classifier" and not any(files.path.glob("*.safetensors")) and _onnx_files(files.path)
            return "onnx" if as_onnx else kind
    raise UserError(
        f"entailment.by_model: {files.path}: config.json names the architecture {architecture}; expected one that ends "
        f"in {', '.join(ARCHITECTURES)}. Choose another model, or say with kind= how to read it"
    )


def _column(files: CheckpointFolder, label: str | None) -> tuple[int, int]:
    """Return the number of labels, and the index of the one that means support."""
    id2label = files.config.get("id2label") or {"0": "LABEL_0", "1": "LABEL_1"}
    labels = [str(id2label[key]) for key in sorted(id2label, key=int)]
    accepted = SUPPORTING if label is None else (label.lower(),)
    if label is None and len(labels) == 1:
        return 1, 0
    for at, name in enumerate(labels):
        if name.lower() in accepted:
            return len(labels), at
    raise UserError(
        f"entailment.by_model: {files.path}: labels are {', '.join(labels)}, expected "
        f"{label or 'one such as entailment'}. Name the one that means support with label="
    )


def _onnx_files(folder: Path) -> list[Path]:
    """Return the graph and the files of weights next to it, such as model.onnx_data; empty where there is none."""
    graph = next((folder / name for name in ONNX_FILES if (folder / name).is_file()), None)
    return [graph, *sorted(graph.parent.glob("model.onnx?*"))] if graph else []


def _onnx_digest(files: CheckpointFolder) -> str:
    weights = _onnx_files(files.path)
    if not weights:
        raise UserError(f"entailment.by_model: {files.path}: it has no {' and no '.join(ONNX_FILES)}. Export the model")
    return digest([[[file.name, file_sha256(file)] for file in weights], files.config, files.tokenizer_digest])


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

    def support(self, sources: Sequence[str], sentence: str) -> list[float]:
        """Return the probability of support by each source; empty if the sentence alone leaves no room for one.

        Raises UserError for a source and sentence that are longer than the model reads.
        """
        if len(self.tokenizer(sentence)["input_ids"]) * 2 > self.max_tokens:
            return []
        probabilities: list[float] = []
        for at in range(0, len(sources), self.batch):
            read = self._encode(list(sources[at : at + self.batch]), sentence)
            tokens = len(read["input_ids"][0])
            if tokens > self.max_tokens:
                raise UserError(
                    f"entailment.by_model: a chunk of a source with a sentence is {tokens} tokens; the model reads "
                    f"{self.max_tokens}. Nothing is cut: set a smaller chunk_words"
                )
            found = self.logits(read)
            first = found[:, 0] if found.ndim == 3 else found  # of a classifier of tokens, the first token
            probabilities += [_probability(row, self.model.column) for row in first.tolist()]
        return probabilities

    def _encode(self, sources: list[str], sentence: str) -> Inputs:
        texts = [sources, [sentence] * len(sources)]
        if self.model.prompt is not None:
            texts = [[_filled(self.model.prompt, source, sentence) for source in sources]]
        if self.model.chat:
            ids = [list(self.renderer.prompt([{"role": "user", "content": text}]).ids) for text in texts[0]]
            return {"input_ids": ids, "attention_mask": [[1] * len(row) for row in ids]}
        read: Inputs = self.tokenizer(*texts, padding=len(sources) > 1)
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

        tokenizer = load_tokenizer(Path(model.folder))
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
    # Padded, a causal model would need positions, which not every architecture takes.
    batch = BATCH if pads and model.kind != "causal" else 1
    return Reader(model, tokenizer, Renderer(model.folder), logits, max_tokens, batch)


def _network(model: SupportModel, tokenizer: Any) -> Logits:
    """Load a model with torch, in float32."""
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
    network.eval()
    parameters = inspect.signature(network.forward).parameters
    last_alone = {"logits_to_keep": 1} if "logits_to_keep" in parameters else {}
    answers = _answer_ids(model, tokenizer) if model.answers else []

    def logits(read: Inputs) -> Any:
        given = {name: torch.tensor(read[name]) for name in INPUTS if name in read and name in parameters}
        with torch.inference_mode():
            if model.kind == "causal":
                return network(**given, **last_alone).logits[:, -1, answers]
            if model.kind == "seq2seq":
                start = network.generation_config.decoder_start_token_id
                first = torch.full((len(given["input_ids"]), 1), start)
                return network(**given, decoder_input_ids=first).logits[:, 0, answers]
            return network(**given).logits

    return logits


def _answer_ids(model: SupportModel, tokenizer: Any) -> list[int]:
    """Return the first token of each answer: after a colon, as plain prompts end, or at the start of a turn."""
    before = ":" if model.kind == "causal" and not model.chat else ""
    skipped = len(tokenizer.encode(before, add_special_tokens=False))
    ids = [tokenizer.encode(before + text, add_special_tokens=False)[skipped:] for text in model.answers or ()]
    if not all(ids) or len(ids) != 2 or ids[0][0] == ids[1][0]:
        raise UserError(
            f"entailment.by_model: {model.folder}: answers are {model.answers}; expected two texts that begin with "
            "different tokens of the model. Name them with answers="
        )
    return [found[0] for found in ids]


def _graph(model: SupportModel) -> Logits:
    """Load an ONNX graph from its bytes, with the weights that the digest covers; other files it names are not read."""
    import numpy as np
    import onnxruntime

    graph, *data = _onnx_files(Path(model.folder))
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
