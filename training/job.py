"""A training job: a configuration with its rows, validation cases and plan, ready to train. No weights are loaded."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from msgspec import Struct

from harness.checkpoints import resolve
from harness.errors import refuse_all
from harness.evaluation.seen_cases import doubts
from harness.formatting import count
from harness.sanitize import shown
from harness.schema import Checkpoint
from harness.suites.prompts import Renderer
from training import lora, model_checks
from training import validation as training_validation
from training.batching import groups_of, order
from training.config import Config, fingerprint, question_tables
from training.curation.checks.contamination import refuse_contaminated
from training.curation.checks.labels import warning
from training.data import tokenize
from training.data.rows import files_sha256, load_data, shared_rows, unread_columns
from training.data.tokenize import Dataset, encode
from training.estimate import duration, fit, shapes
from training.estimate.memory import Pass
from training.merge import contamination_of_base
from training.validation import ValidationSet


class TrainingJob(Struct, frozen=True, kw_only=True):
    """A checked configuration with everything that training needs but the weights."""

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
    held: ValidationSet
    """All validation data."""
    contamination: dict[str, Any]
    """Result of the contamination check; under `base`, that of the adapter that the base was merged with."""
    steps: list[list[int]]
    """Document indices of every step."""
    checkpointing: bool
    """Whether gradient checkpointing is on."""
    fingerprint: dict[str, Any]
    """Settings and digests that a resumed run must share."""


def prepare(config: Config, say: Callable[[str], None], without_suites: bool = False) -> TrainingJob:
    """Read and render everything that training needs but the weights; `say` receives warnings.

    `without_suites` allows training where no suite is found for the contamination check. Raises UserError for
    unreadable rows, overlaps between training and validation data, and contaminated rows.
    """
    rows, held_out = load_data(config)
    for text in unread_columns([*config.data.train, *config.data.validation], config.data.streaming):
        say(f"training: {text}")
    refuse_all(shared_rows(rows, held_out), "validation rows that are also training rows")
    base = resolve.resolve(config.base)
    renderer = Renderer(base.path)
    questions = training_validation.load(config, base, renderer)
    refuse_all(
        [p for cases in questions.values() for p in training_validation.cases_in_training(rows, cases)],
        "validation cases that are also training rows",
    )
    read = [*rows, *held_out, *(row for cases in questions.values() for row in cases.rows)]
    asked = [question_tables(config)[name].suite for name in questions]
    allowed = config.data.allow_contaminated
    contamination = refuse_contaminated(read, config.data.suites, allowed, say, without_suites, asked)
    contamination |= contamination_of_base(Path(base.path))
    for text in doubts(contamination):
        say(f"training: {shown(text)}")
    training = encode(rows, renderer, config.data.max_length, config.train.replay == "probabilities")
    validation = encode(held_out, renderer, config.data.max_length) if held_out else None
    if few := warning(len(rows)):
        say(f"training: {few}")
    for use, data in (("training", training), ("validation", validation)):
        if data and data.rows_cut:
            rows_cut = count(data.rows_cut, f"{use} row")
            say(f"training: {rows_cut} lost {data.tokens_cut:,} tokens of prompts that are too long")
    for table, cases in questions.items():
        if left_out := len(cases.cases) - cases.asked:
            say(f"training: [{table}] leaves out {count(left_out, 'case')} longer than the model's context")
    laid_out = shapes.of_folder(Path(base.path))
    for text in lora.consequences(config, laid_out):
        say(f"training: {text}")
    dtype = model_checks.chosen_dtype(config)
    steps = order(len(rows), config.train, groups_of(training.documents, config.train))
    largest = duration.largest(duration.passes(training.documents, steps, duration.possible(config.train, laid_out)))
    checkpointing = _checkpoints(config, Path(base.path), largest, say)
    shared = fingerprint(config)
    local_keys = ("base", "data.train", "data.validation", "data.suites", "data.allow_contaminated")
    tables = [f"{name}.{key}" for name in question_tables(config) for key in ("suite", "cases", "metric")]
    for key in (*local_keys, *tables, "train.dtype", "train.gradient_checkpointing", "train.peak_tflops"):
        shared.pop(key)
    shared |= {
        "base": base.digest,
        "dtype": dtype,
        "training rows": files_sha256(config.data.train),
        "validation rows": files_sha256(config.data.validation),
        **{f"{name} cases": cases.digest for name, cases in questions.items()},
    }
    return TrainingJob(
        config=config,
        dtype=dtype,
        base=base,
        train=training,
        validation=validation,
        held=ValidationSet(
            documents=validation.documents if validation else [],
            general=tokenize.general_documents(renderer),
            **questions,
        ),
        contamination=contamination,
        steps=steps,
        checkpointing=checkpointing,
        fingerprint=shared,
    )


def _checkpoints(config: Config, folder: Path, largest: Pass, say: Callable[[str], None]) -> bool:
    """Whether to use gradient checkpointing: as configured, or where training does not fit without."""
    setting = config.train.gradient_checkpointing
    if setting != "auto":
        return setting == "on"
    needed = fit.needs_checkpointing(fit.this_machine(config), shapes.of_folder(folder), config, largest)
    if needed:
        say("training: gradient checkpointing is on, because training is not expected to fit in memory without it")
    return needed
