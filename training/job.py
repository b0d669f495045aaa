"""A training about to start: a configuration with everything it names, read, rendered, counted. Loads no weight."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from msgspec import Struct

from harness import checkpoints
from harness.errors import refuse_all
from harness.prompts import Renderer
from harness.schema import Checkpoint
from training import lora_settings, model_checks, shapes
from training.config import Config, fingerprint
from training.curation.floor import warning
from training.curation.refusal import refuse_contaminated
from training.data import Dataset, encode
from training.plan import order, total_steps
from training.rows import files_sha256, load_rows, shared_rows


class Job(Struct, frozen=True, kw_only=True):
    """A configuration with everything it names, read and checked; no weight is loaded yet."""

    config: Config
    """The settings."""
    dtype: str
    """Number format of the base."""
    base: Checkpoint
    """The base model."""
    train: Dataset
    """Training documents."""
    validation: Dataset | None
    """Validation documents."""
    contamination: dict[str, Any]
    """What the rows were compared with, and what was allowed."""
    steps: list[list[int]]
    """Document indices of every step."""
    fingerprint: dict[str, Any]
    """What a resumed run must share."""


def prepare(config: Config, say: Callable[[str], None]) -> Job:
    """Read, render and count everything a training needs but the weights."""
    rows = load_rows(config.data.train)
    held_out = load_rows(config.data.validation) if config.data.validation else []
    refuse_all(shared_rows(rows, held_out), "validation rows that are also training rows")
    contamination = refuse_contaminated([*rows, *held_out], config.data.suites, config.data.allow_contaminated, say)
    base = checkpoints.resolve(config.base)
    renderer = Renderer(base.path)
    training = encode(rows, renderer, config.data.max_length)
    validation = encode(held_out, renderer, config.data.max_length) if held_out else None
    settings = config.train
    epochs = None if settings.max_steps else settings.epochs
    total = total_steps(len(rows), settings.rows_per_step, settings.epochs, settings.max_steps)
    if few := warning(len(rows)):
        say(f"training: {few}")
    if training.rows_cut:
        say(
            f"training: {training.rows_cut} rows were too long and lost {training.tokens_cut:,} tokens of their prompts"
        )
    for text in lora_settings.consequences(config, shapes.of_folder(Path(base.path))):
        say(f"training: {text}")
    dtype = model_checks.chosen_dtype(config)
    shared = fingerprint(config)
    here = ("base", "data.train", "data.validation", "data.suites", "data.allow_contaminated")
    for key in (*here, "train.dtype", "train.peak_tflops"):
        shared.pop(key)
    shared |= {
        "base": base.digest,
        "dtype": dtype,
        "training rows": files_sha256(config.data.train),
        "validation rows": files_sha256(config.data.validation),
    }
    return Job(
        config=config,
        dtype=dtype,
        base=base,
        train=training,
        validation=validation,
        contamination=contamination,
        steps=order(len(rows), settings.rows_per_step, total, settings.seed, epochs),
        fingerprint=shared,
    )
