"""Tiny random models that judge whether a source supports a sentence, as folders: T5's heads and ONNX graphs."""

import json
import string
from pathlib import Path

from tests.conftest import save_tokenizer


def save_t5(folder: Path, head: str, seed: int = 0, **config: object) -> Path:
    """A randomly initialised model of the T5 family, with a tokenizer that cuts digits as T5's does."""
    import torch
    import transformers
    from tokenizers import Tokenizer, models, pre_tokenizers, processors

    pieces = ["<pad>", "</s>", "<unk>", "▁", "▁1", *string.ascii_letters, *string.digits, *".,:'-"]
    raw = Tokenizer(models.Unigram([(piece, -1.0) for piece in pieces], unk_id=2))
    raw.pre_tokenizer = pre_tokenizers.Metaspace()
    raw.post_processor = processors.TemplateProcessing(
        single="$A </s>", pair="$A </s> $B </s>", special_tokens=[("</s>", 1)]
    )
    special = {"pad_token": "<pad>", "eos_token": "</s>", "unk_token": "<unk>", "model_max_length": 512}
    transformers.PreTrainedTokenizerFast(tokenizer_object=raw, **special).save_pretrained(folder)
    shape = {"d_model": 32, "d_kv": 8, "d_ff": 64, "num_layers": 2, "num_heads": 4, "initializer_factor": 1.0}
    made = transformers.T5Config(vocab_size=len(pieces), decoder_start_token_id=0, **shape | config)
    torch.manual_seed(seed)
    getattr(transformers, f"T5For{head}")(made).save_pretrained(folder)
    return folder


def save_onnx(
    folder: Path, name: str = "model.onnx", by_token: bool = False, outputs: int = 3, size: object = "n"
) -> Path:
    """A graph that averages a table's rows over the tokens of a pair (or gives each token's own); returns its file."""
    import numpy as np
    import onnx
    from onnx import TensorProto, helper, numpy_helper

    ids = save_tokenizer(folder, "qwen")
    config = {"model_type": "bert", "architectures": ["BertForSequenceClassification"], "pad_token_id": 0}
    labels = {"0": "contradiction", "1": "entailment", "2": "neutral"}
    (folder / "config.json").write_text(json.dumps(config | {"id2label": labels}))
    table = np.random.default_rng(0).normal(size=(ids["size"], outputs), scale=3).astype("float32")
    nodes = [
        helper.make_node("Gather", ["table", "input_ids"], ["rows"]),
        helper.make_node("Cast", ["attention_mask"], ["mask"], to=TensorProto.FLOAT),
        helper.make_node("Unsqueeze", ["mask", "last"], ["column"]),
        helper.make_node("Mul", ["rows", "column"], ["logits" if by_token else "kept"]),
    ]
    if not by_token:
        nodes += [
            helper.make_node("ReduceSum", ["kept", "middle"], ["total"], keepdims=0),
            helper.make_node("ReduceSum", ["mask", "middle"], ["tokens"], keepdims=1),
            helper.make_node("Div", ["total", "tokens"], ["logits"]),
        ]
    constants = {"table": table, "last": np.array([2]), "middle": np.array([1])}
    graph = helper.make_graph(
        nodes,
        "tiny",
        [helper.make_tensor_value_info(at, TensorProto.INT64, [size, "t"]) for at in ("input_ids", "attention_mask")],
        [helper.make_tensor_value_info("logits", TensorProto.FLOAT, None)],
        [numpy_helper.from_array(value, at) for at, value in constants.items()],
    )
    file = folder / name
    file.parent.mkdir(exist_ok=True)
    onnx.save_model(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8), file)
    return file
