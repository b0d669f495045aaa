"""Local models that state how probable it is that a source supports a sentence; entailment.py makes a scorer of one.

| kind | what it is | probability of support |
|---|---|---|
| classifier | a sequence classifier, or a token classifier's first token | of the label that means support |
| onnx | such a classifier as model.onnx, run on the CPU | in the same way |
| causal | a language model, or a LoRA adapter of one, that answers | of the answer's first token against all answers' |
| seq2seq | an encoder-decoder that answers, such as MiniCheck | in the same way |

No code of a folder runs: weights are safetensors, or an ONNX graph that may use only onnxruntime's own operators.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

from msgspec import Struct

from harness.checkpoints import quantization, safety
from harness.checkpoints.model_files import MODEL_CONFIG, CheckpointFolder, read_json
from harness.checkpoints.resolve import resolve, tokenizer_folder
from harness.errors import UserError
from harness.files import digest, file_sha256

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
"""Default answers, support first: after an opened turn of a chat, after a plain prompt, and MiniCheck's."""
PLACEHOLDER = re.compile(r"\{(source|sentence)\}")


class SupportModel(Struct, frozen=True):
    """A local model and how it is read."""

    folder: str
    """Of an adapter, its base."""
    adapter: str | None
    tokenizer: str
    """Folder of tokenizer and chat template."""
    digest: str
    """Of weights, configuration and tokenizer."""
    kind: str
    outputs: int
    """Number of logits that are compared."""
    column: int
    """Index of the logit that means support."""
    system: str | None
    prompt: str | None
    """None: the tokenizer joins source and sentence as a pair."""
    answers: tuple[str, ...] | None
    """What a model that answers can say; the first one means support."""
    chat: bool
    """The prompt is a user message of the model's chat template."""


def choose(
    path: str | Path,
    kind: str | None = None,
    label: str | None = None,
    prompt: str | None = None,
    answers: Sequence[str] | None = None,
    system: str | None = None,
) -> SupportModel:
    """Decide how the model in a folder is read; nothing is loaded. Raises UserError for what cannot be used."""
    named = _folder(path)
    tuned = resolve(str(named.path)) if named.is_adapter else None
    files = CheckpointFolder(tuned.path) if tuned else named
    kind = kind or _kind(files)
    if kind not in KINDS:
        raise UserError(f"entailment.by_model: kind is {kind!r}; expected one of {', '.join(KINDS)}")
    if tuned and (kind != "causal" or quantization.of_adapter(named)):
        raise UserError(
            f"entailment.by_model: {path}: an adapter of the kind {kind}, or of a 4-bit base; expected one of a "
            "language model in full precision. Merge it with its base, and name the result"
        )
    if prompt is not None and set(PLACEHOLDER.findall(prompt)) != {"source", "sentence"}:
        raise UserError(
            f"entailment.by_model: prompt is {prompt!r}; expected a text with {{source}} and {{sentence}} in it"
        )
    classifies, chat = kind in ("classifier", "onnx"), False
    if not classifies:
        carrier = tokenizer_folder(tuned) if tuned else files
        chat = kind == "causal" and bool(carrier.chat_template)
        prompt = prompt or PROMPTS[kind]
        answers = tuple(answers or ANSWERS["chat" if chat else kind])
    useless = {"answers": classifies and answers, "label": not classifies and label, "system": not chat and system}
    for unused in (name for name, given in useless.items() if given):
        raise UserError(f"entailment.by_model: {unused}= has no use for a model of the kind {kind}. Remove it")
    outputs, column = _column(files, label) if classifies else (len(answers or ()), 0)
    return SupportModel(
        folder=str(files.path),
        adapter=str(named.path) if tuned else None,
        tokenizer=str(tokenizer_folder(tuned).path if tuned else files.path),
        digest=_onnx_digest(files) if kind == "onnx" else (tuned or resolve(str(files.path))).digest,
        kind=kind,
        outputs=outputs,
        column=column,
        system=system,
        prompt=prompt,
        answers=tuple(answers) if answers else None,
        chat=chat,
    )


def _folder(path: str | Path) -> CheckpointFolder:
    """Return a model's folder. Raises UserError for what could be a name on the Hub and for what is never loaded."""
    folder = Path(path)
    if not (folder.is_absolute() or str(path).startswith(("./", "../"))):
        raise UserError(
            f"entailment.by_model: {str(path)!r} could be a name on the Hub. Start a local path with ./ or /"
        )
    files, inner = CheckpointFolder(folder.resolve()), CheckpointFolder(folder.resolve() / "adapter")
    if files.is_adapter or inner.is_adapter:
        return files if files.is_adapter else inner
    if not files.is_model:
        raise UserError(f"entailment.by_model: {path}: it has no config.json. Name the folder of a downloaded model")
    if str(read_json(files.path / MODEL_CONFIG).get("model_type")).startswith("HHEM"):
        raise UserError(
            f"entailment.by_model: {path}: HHEM needs code of its own, which is never run. Use its model.safetensors "
            "with config.json and tokenizer of google/flan-t5-base instead: docs/scoring.md, 'Claim support by a model'"
        )
    safety.refuse_pickles(files.path)
    return files


def _kind(files: CheckpointFolder) -> str:
    architecture = (files.config.get("architectures") or ["none"])[0]
    for ending, kind in ARCHITECTURES.items():
        if architecture.endswith(ending):
            as_onnx = kind == "classifier" and not any(files.path.glob("*.safetensors")) and onnx_files(files.path)
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


def onnx_files(folder: Path) -> list[Path]:
    """Return the graph and the files of weights next to it, such as model.onnx_data; empty where there is none."""
    graph = next((folder / name for name in ONNX_FILES if (folder / name).is_file()), None)
    return [graph, *sorted(graph.parent.glob("model.onnx?*"))] if graph else []


def _onnx_digest(files: CheckpointFolder) -> str:
    weights = onnx_files(files.path)
    if not weights:
        raise UserError(f"entailment.by_model: {files.path}: it has no {' and no '.join(ONNX_FILES)}. Export the model")
    return digest([[[file.name, file_sha256(file)] for file in weights], files.config, files.tokenizer_digest])
