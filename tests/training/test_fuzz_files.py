"""Rows, configurations and sweeps that anybody may have written are read, or refused with a message."""

import tempfile
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support.fuzzing import BYTES, FEW, as_json, as_lines, as_toml, changed, survives
from training.config_file import load
from training.data import rows
from training.estimate import shapes
from training.sweep import config as sweep_config

CHAT = {"messages": [{"role": "user", "content": "a"}, {"role": "assistant", "content": "b"}], "document": "d"}
INSTRUCTION = {"instruction": "a", "input": "x", "output": "b", "id": "r1"}
CONFIG = """base = "smollm2-135m-instruct"
[data]
train = ["train.jsonl"]
validation = ["train.jsonl"]
max_length = 256
[lora]
r = 4
alpha = 8
target_modules = ["q_proj"]
rank_pattern = {"q_proj" = 2}
[optim]
lr = 0.01
[train]
rows_per_step = 4
max_steps = 6
validate_every = 2
dtype = "float32"
[select]
suite = ""
cases = []
[output]
dir = "runs"
name = "tiny"
"""
SWEEP = """config = "train.toml"
method = "random"
points = 3
seed = 1
[vary]
"optim.lr" = {"from" = 1e-4, "to" = 1e-3}
"lora.r" = [4, 8]
"""
SHAPE = {
    "model_type": "llama", "hidden_size": 64, "intermediate_size": 128, "num_hidden_layers": 2,
    "num_attention_heads": 4, "num_key_value_heads": 2, "vocab_size": 400, "max_position_embeddings": 512,
    "tie_word_embeddings": True,
}  # fmt: skip


@pytest.mark.parametrize("valid", [CHAT, INSTRUCTION], ids=["chat", "instruction"])
def test_training_rows_are_read_or_refused(valid: dict[str, object]) -> None:
    @FEW
    @given(as_lines(valid))
    def any_content(content: bytes) -> None:
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "train.jsonl"
            path.write_bytes(content)
            for row in survives(rows.load_rows, [str(path)]) or []:
                assert row.chat[-1]["role"] == "assistant" and row.chat[-1]["content"].strip()

    any_content()


@FEW
@given(as_toml(CONFIG))
def test_a_training_configuration_is_read_or_refused(content: bytes) -> None:
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "train.jsonl").write_text("{}")
        path = Path(folder) / "train.toml"
        path.write_bytes(content)
        survives(load, path)


@FEW
@given(as_toml(SWEEP), st.none() | as_toml(CONFIG))
def test_a_sweep_is_read_or_refused(content: bytes, config: bytes | None) -> None:
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "train.jsonl").write_text("{}")
        (Path(folder) / "train.toml").write_bytes(CONFIG.encode() if config is None else config)
        path = Path(folder) / "sweep.toml"
        path.write_bytes(content)
        survives(sweep_config.load, path)


@FEW
@given(as_json(SHAPE) | changed(SHAPE).map(lambda value: str(value).encode()) | BYTES)
def test_shapes_are_told_from_a_config_or_it_is_refused(content: bytes) -> None:
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "config.json").write_bytes(content)
        survives(shapes.of_folder, Path(folder))
