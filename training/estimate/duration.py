"""Estimated work and duration of training, before any weights are loaded.

Rows are rendered with the base's own tokenizer; without one, a token counts as four characters. The speed comes from a
trial, an earlier training run of the same base, or an assumed share of a GPU's peak.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from msgspec import Struct
from msgspec.structs import replace

from harness.checkpoints.model_files import TOKENIZER_FILES
from harness.engines import usage
from harness.errors import UserError
from harness.runs import folder as runs_folder
from harness.schema import BASELINE, Checkpoint, Manifest
from harness.suites.prompts import Renderer
from training.batching import Micro, groups_of, order, pack
from training.config import Config, Train, question_tables
from training.data.rows import TrainingRow, load_data
from training.data.tokenize import Document, encode, general_documents, shortest_length
from training.estimate.flops import FORWARD_SHARE, Flops
from training.estimate.known_models import FoundConfig
from training.estimate.memory import Pass
from training.estimate.shapes import Shapes
from training.validation import answers

CHARACTERS_PER_TOKEN = 4
ASSUMED_MFU = 0.3
"""Assumed share of a GPU's peak where nothing was measured. The 8,210 tokens/s in torchtune's README for LoRA on
Llama 3.2 3B on an A100 are 0.34 by this count."""
ASSUMED_FROM = 1_000_000_000
"""Active parameters from which that share is assumed; smaller models are limited by kernel launches."""
MIN_STEPS = 3
"""A measured speed needs this many steps."""


class Workload(Struct, frozen=True, kw_only=True):
    """The work of a training configuration."""

    rows: int
    """Training rows."""
    tokens: int
    """Tokens of all training rows over all epochs."""
    answer_tokens: int
    """Learnt tokens among them."""
    steps: int
    """Weight updates."""
    flops: int
    """Arithmetic of all steps."""
    validation_flops: int
    """Arithmetic of all validations, with that of the base at step 0 and, if counted exactly, of the general text."""
    asked: int
    """Completions to generate for validation cases, at every validation and before the first step."""
    largest: Pass
    """The largest micro-batch."""
    longest: Pass
    """The longest row alone, and the fewest tokens that every row can be cut to."""
    exact: bool
    """Whether the base's tokenizer counted the tokens; otherwise they are guessed from characters."""


def workload(config: Config, folder: Path | None, flops: Flops) -> Workload:
    """Read, render and pack every row as training does. Raises UserError for unreadable rows."""
    rows, held_out = load_data(config)
    exact = folder is not None and any((folder / name).is_file() for name in TOKENIZER_FILES)
    train = config.train
    documents = _documents(rows, config, folder if exact else None, train.replay == "probabilities")
    validation_documents = _documents(held_out, config, folder if exact else None)
    steps = order(len(rows), train, groups_of(documents, train))
    flat = [documents[i] for step in steps for i in step]
    micros = passes(documents, steps, train)
    validation_micros = pack(validation_documents, train.pack_tokens, train.share_prefix)
    if exact and folder is not None:  # Every validation reads the general text, without rows to validate too.
        validation_micros += pack(general_documents(Renderer(folder)), 0)
    chooses = bool(held_out or config.select.suite)  # Otherwise the base and the last step alone are validated.
    validations = 1 + (math.ceil(len(steps) / train.validate_every) if chooses else 1)
    return Workload(
        rows=len(rows),
        tokens=sum(len(d.ids) for d in flat),
        answer_tokens=sum(d.answers for d in flat),
        steps=len(steps),
        flops=flops.of(micros),
        validation_flops=round(FORWARD_SHARE * validations * flops.of(validation_micros)),
        asked=validations * sum(answers(table, name) for name, table in question_tables(config).items() if table.suite),
        largest=largest(micros),
        longest=replace(
            largest(pack(documents, 0)), shortest=max(d.shortest for d in [*documents, *validation_documents])
        ),
        exact=exact,
    )


def _documents(
    rows: Sequence[TrainingRow], config: Config, folder: Path | None, distil_replay: bool = False
) -> Sequence[Document]:
    """Render rows, or return stand-ins of guessed length where there is no tokenizer."""
    if rows and folder is not None:
        return encode(rows, Renderer(folder), config.data.max_length, distil_replay).documents
    return [
        _guessed(row, number, config.data.max_length, distil_replay and row.is_replay)
        for number, row in enumerate(rows)
    ]


def _guessed(row: TrainingRow, number: int, max_length: int, is_distilled: bool) -> Document:
    """Return a stand-in of about the right length. Its IDs differ from every other row's, so they share no prefix."""
    turns = [(t, len(t.content) // CHARACTERS_PER_TOKEN + 1) for t in row.messages]
    answer = sum(n for t, n in turns if t.role == "assistant")
    total = sum(n for _, n in turns)
    length = max(min(total, max_length), answer + 1)
    whole_mask = [int(t.role == "assistant") for t, n in turns for _ in range(n)]
    return Document(
        ids=[number] * length,
        mask=[0] * (length - answer) + [1] * answer,
        is_distilled=is_distilled,
        shortest=shortest_length(whole_mask, whole_mask, ()),
    )


def possible(train: Train, shapes: Shapes) -> Train:
    """Return the settings without the packing that the loop switches off for a model of these shapes."""
    share_prefix = train.share_prefix and shapes.can_share_prefix
    return replace(train, pack_tokens=train.pack_tokens if shapes.can_pack else 0, share_prefix=share_prefix)


def passes(documents: Sequence[Document], steps: Sequence[Sequence[int]], train: Train) -> list[Micro]:
    """Return the micro-batches of all steps."""
    return [m for step in steps for m in pack([documents[i] for i in step], train.pack_tokens, train.share_prefix)]


def largest(micros: Sequence[Micro]) -> Pass:
    """Return the largest micro-batch; a token whose probabilities are learnt needs the base's logits too."""
    answers = (len(m.answers) * (2 if m.is_distilled else 1) for m in micros)
    return Pass(tokens=max(len(m.ids) for m in micros), answers=max(answers))


class Speed(Struct, frozen=True, kw_only=True):
    """Training speed of one device."""

    flops_per_s: float
    """FLOPs per second."""
    source: str
    """Where it comes from."""


def device_name(device: str) -> str:
    """Return the GPU's usual name if it is known, else torch's name of the device."""
    card = usage.find(device)
    return card.name if card else device


def finished_runs(root: Path, kind: str) -> Iterator[tuple[Path, Manifest]]:
    """Yield folder and manifest of the finished runs of one kind below `root`, newest first."""
    for folder in sorted(root.glob("*/"), reverse=True):
        with suppress(UserError):  # As for a run that another user keeps closed.
            manifest = runs_folder.load_manifest(folder)
            if manifest.kind == kind and (folder / runs_folder.SEAL).exists():
                yield folder, manifest


def earlier(runs: Path, base: FoundConfig, quantise: str) -> dict[tuple[str, str], Speed]:
    """Return the speed of the newest finished training run of the same base, by device and number format.

    A run of several processes tells that of one of them.
    """
    speeds: dict[tuple[str, str], Speed] = {}
    for _, manifest in finished_runs(runs, "train"):
        record = manifest.training or {}
        rates = record.get("rates") or {}
        form = (record.get("config") or {}).get("model") or {}
        same = _same_base(manifest.checkpoints.get(BASELINE), base) and form.get("quantise", "none") == quantise
        if same and rates.get("tflops_per_s") and rates["steps_counted"] >= MIN_STEPS:
            speed = Speed(
                flops_per_s=rates["tflops_per_s"] * 1e12 / (record.get("processes") or 1),
                source=f"as in {rates['steps_counted']} steps of run {manifest.run_id}",
            )
            speeds.setdefault((device_name(str(record.get("device"))), str(record.get("dtype"))), speed)
    return speeds


def _same_base(then: Checkpoint | None, now: FoundConfig) -> bool:
    return then is not None and (then.name == now.name or (now.folder is not None and Path(then.path) == now.folder))


def assumed(peak: float | None, parameters: int) -> Speed | None:
    """Return a GPU's assumed speed; None for a small model, which cannot keep a GPU busy."""
    if peak is None or parameters < ASSUMED_FROM:
        return None
    return Speed(flops_per_s=ASSUMED_MFU * peak, source=f"assumed: {ASSUMED_MFU:.0%} of the device's peak")


def seconds(work: Workload, speed: Speed) -> float:
    """Return the duration of training and validation in seconds, without loading the model."""
    return (work.flops + work.validation_flops) / speed.flops_per_s


def tokens_per_s(work: Workload, speed: Speed) -> float:
    """Return the tokens of training rows per second."""
    return work.tokens / (work.flops / speed.flops_per_s)


def facts(work: Workload) -> dict[str, Any]:
    """Return the workload as `tunegate plan --json` shows it."""
    return {name: getattr(work, name) for name in work.__struct_fields__ if name not in ("largest", "longest")} | {
        "largest_pass_tokens": work.largest.tokens,
        "largest_pass_answers": work.largest.answers,
    }
