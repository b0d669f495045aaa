"""Rows and configurations for training a tiny model."""

import json
import shutil
from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def short_text(tmp_path_factory):
    file = tmp_path_factory.mktemp("general") / "short.txt"
    file.write_text("The boats lay on the sand until noon.\n\nShe kept a list of the birds in her garden.\n")
    return file


@pytest.fixture(autouse=True)
def short_general_text(short_text, monkeypatch):
    """Two sentences in place of the general text, whose loss takes most of a short training's time."""
    monkeypatch.setattr("training.data.tokenize.GENERAL_TEXT", short_text)


@pytest.fixture
def write_rows(tmp_path):
    """Write objects as JSONL; returns the path."""

    def write(name, rows):
        path = tmp_path / name
        path.write_text("".join(json.dumps(row) + "\n" for row in rows))
        return path

    return write


def quiet(update):
    """Show nothing."""


def crashed(config):
    """The folder of a training run that failed after its fifth step."""
    from training.run import train

    def crash(update):
        if update.step == 5 and update.loss is not None:
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        train(config, progress=crash)
    (broken,) = (config.parent / "runs").glob("*/")
    return broken


def fill_adapter(model, std=0.1):
    """Random values on both sides of the adapter, so that every gradient says something; DoRA's lengths grow."""
    import torch

    generator = torch.Generator().manual_seed(2)
    for name, parameter in model.adapter():
        if "magnitude" in name:
            parameter.data.mul_(1.5)
        else:
            parameter.data = torch.randn(parameter.shape, generator=generator).to(parameter) * std
    return model


def save_filled(base, lora, out, *, quantise="none", std=0.2):
    """Write an adapter of a base with random values, as a training run does; return the model."""
    from training import model, session
    from training.config import Model

    dtype = "float32" if quantise == "none" else "bfloat16"
    filled = fill_adapter(model.load(base, lora, dtype, seed=1, form=Model(quantise=quantise)), std)
    session.write_adapter(filled, str(base), out, quantise)
    return filled


def asked(number):
    """One instruction row; its answer has another length for each number."""
    return {"instruction": f"Repeat {number}", "input": "the tenant " * (number % 5), "output": f"none {number} " * 2}


SUITE = str(Path(__file__).parents[2] / "evalsuites" / "general" / "basics")
"""What the rows of every training are compared with, unless a test names others: a small suite, which is quick."""


@pytest.fixture
def write_config(tmp_path, tiny_model, write_rows):
    """Write a working configuration with 12 training and 3 validation rows; keyword values replace lines."""

    def write(file="train.toml", rows=12, base=tiny_model, **changes):
        write_rows("train.jsonl", [asked(n) for n in range(rows)])
        write_rows("validation.jsonl", [asked(n) for n in range(5000, 5003)])
        tables = {
            "data": {
                "train": ["train.jsonl"],
                "validation": ["validation.jsonl"],
                "max_length": 256,
                "suites": [SUITE],
            },
            "lora": {"r": 4, "alpha": 8},
            "optim": {"lr": 0.01},
            "train": {"rows_per_step": 4, "max_steps": 6, "validate_every": 2, "dtype": "float32", "pack_tokens": 128},
            "output": {"dir": "runs", "name": "tiny"},
        }
        for key, value in changes.items():
            table, _, name = key.partition("__")
            tables.setdefault(table, {})[name] = value
        text = f"base = {json.dumps(str(base))}\n"
        for table, values in tables.items():
            text += f"[{table}]\n" + "".join(f"{k} = {json.dumps(v)}\n" for k, v in values.items() if v is not None)
        path = tmp_path / file
        path.write_text(text)
        return path

    return write


@pytest.fixture
def sharp_model(tiny_model, tmp_path):
    """The tiny model with embeddings that a tied head can put first: ten times larger, and none of them zero.

    transformers starts the padding token's row at zero, which here is the end token's.
    """
    import torch
    from safetensors.torch import load_file, save_file

    folder = tmp_path / "sharp"
    shutil.copytree(tiny_model, folder)
    tensors = load_file(folder / "model.safetensors")
    shape = tensors["model.embed_tokens.weight"].shape
    tensors["model.embed_tokens.weight"] = torch.randn(shape, generator=torch.Generator().manual_seed(4)) * 0.2
    save_file(tensors, folder / "model.safetensors", metadata={"format": "pt"})
    return folder
