"""Says how much arithmetic a training is and how long that takes, before a weight is loaded.

Rows are rendered with the base's own tokenizer; where there is none, a token is taken to be four characters long.
Speed is what an earlier training of the same base reached, or a trial, or a share of a card's peak.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from msgspec import Struct

from harness.checkpoints.model_files import TOKENIZER_FILES
from harness.engines import usage
from harness.errors import UserError
from harness.runs import folder as runs_folder
from harness.schema import BASELINE, Checkpoint
from harness.suites.prompts import Renderer
from training.batching import Micro, order, pack, total_steps
from training.config import Config, Train, asked_tables
from training.data.rows import TrainingRow, load_rows, some_rows
from training.data.tokenize import Document, encode
from training.estimate.flops import Flops
from training.estimate.known_models import FoundConfig
from training.estimate.memory import Pass

CHARACTERS_A_TOKEN = 4
ASSUMED_MFU = 0.3
"""Share of a card's peak that is assumed where nothing was measured. The 8,210 tokens/s that torchtune's README gives
for LoRA on Llama 3.2 3B on an A100 are 0.34 by this count."""
ASSUMED_FROM = 1_000_000_000
"""Active parameters from which that share is assumed: a smaller model's layers are done before the next is launched."""
FEWEST_STEPS = 3
"""Steps that a speed must rest on."""
FORWARD_SHARE = 0.5
"""A validation is a forward pass: 2 FLOPs a parameter of the 4 that a training spends."""


class Workload(Struct, frozen=True, kw_only=True):
    """What a configuration asks of the machine."""

    rows: int
    """Training rows."""
    tokens: int
    """Tokens of all training rows, each as often as it is seen."""
    answer_tokens: int
    """Learnt tokens among them."""
    steps: int
    """Weight updates."""
    flops: int
    """Arithmetic of all steps."""
    validation_flops: int
    """Arithmetic of all validations."""
    asked: int
    """Answers to cases that are generated, at every evaluation and before the first step."""
    largest: Pass
    """The largest micro-batch."""
    longest: Pass
    """The longest row alone."""
    exact: bool
    """Tokens were counted by the base's tokenizer, not guessed from characters."""


def workload(config: Config, folder: Path | None, flops: Flops) -> Workload:
    """Read, render and pack every row as the training will; a bad row is a UserError."""
    rows = some_rows(
        load_rows(config.data.train, config.data.streaming, config.data.rows), config.data.rows, config.train.seed
    )
    held_out = load_rows(config.data.validation, config.data.streaming) if config.data.validation else []
    exact = folder is not None and any((folder / name).is_file() for name in TOKENIZER_FILES)
    documents, checked = (_documents(part, config, folder if exact else None) for part in (rows, held_out))
    train = config.train
    epochs = None if train.max_steps else train.epochs
    total = total_steps(len(rows), train.rows_per_step, train.epochs, train.max_steps)
    steps = order(len(rows), train.rows_per_step, total, train.seed, epochs)
    flat = [documents[i] for step in steps for i in step]
    packed = [pack([documents[i] for i in step], train.pack_tokens, train.share_prefix) for step in steps]
    check = pack(checked, train.pack_tokens, train.share_prefix) if checked else []
    checks = total // train.validate_every + bool(total % train.validate_every)
    return Workload(
        rows=len(rows),
        tokens=sum(len(d.ids) for d in flat),
        answer_tokens=sum(d.answers for d in flat),
        steps=total,
        flops=sum(flops.of(micros) for micros in packed),
        validation_flops=round(FORWARD_SHARE * checks * flops.of(check)),
        asked=(checks + 1) * sum(_cases(table.cases) for table in asked_tables(config).values()),
        largest=_largest([micro for micros in packed for micro in micros]),
        longest=Pass(tokens=max(len(d.ids) for d in documents), answers=max(d.answers for d in documents)),
        exact=exact,
    )


def _cases(files: Sequence[str]) -> int:
    """Cases in JSONL files."""
    found = 0
    for file in files:
        with Path(file).open("rb") as lines:
            found += sum(bool(line.strip()) for line in lines)
    return found


def _documents(rows: Sequence[TrainingRow], config: Config, folder: Path | None) -> Sequence[Document]:
    """Rendered rows; stand-ins of guessed length where there is no tokenizer."""
    if not rows:
        return []
    if folder is not None:
        return encode(rows, Renderer(folder), config.data.max_length).documents
    return [_guessed(row, number, config.data.max_length) for number, row in enumerate(rows)]


def _guessed(row: TrainingRow, number: int, most: int) -> Document:
    """A stand-in of about the right lengths. Its ids differ from every other row's, so that none seems shared."""
    answer = sum(len(t.content) // CHARACTERS_A_TOKEN + 1 for t in row.messages if t.role == "assistant")
    told = sum(len(t.content) // CHARACTERS_A_TOKEN + 1 for t in row.messages)
    length = max(min(told, most), answer + 1)
    return Document(ids=[number] * length, mask=[0] * (length - answer) + [1] * answer)


def largest(documents: Sequence[Document], steps: Sequence[Sequence[int]], train: Train) -> Pass:
    """The largest micro-batch of a training."""
    return _largest(
        [m for step in steps for m in pack([documents[i] for i in step], train.pack_tokens, train.share_prefix)]
    )


def _largest(micros: Sequence[Micro]) -> Pass:
    return Pass(tokens=max(len(m.ids) for m in micros), answers=max(len(m.answers) for m in micros))


class Speed(Struct, frozen=True, kw_only=True):
    flops_per_s: float
    """Arithmetic by second."""
    said: str
    """Where it comes from."""


def device_name(device: str) -> str:
    """The card's usual name where it is known, else what torch calls the device."""
    card = usage.find(device)
    return card.name if card else device


def earlier(runs: Path, base: FoundConfig, dtype: str, quantise: str) -> dict[str, Speed]:
    """Speed of the newest finished training of the same base and number format, by device."""
    found: dict[str, Speed] = {}
    for folder in sorted(runs.glob("*/"), reverse=True):
        if not (folder / runs_folder.SEAL).exists():
            continue
        try:
            manifest = runs_folder.load_manifest(folder)
        except UserError:
            continue
        record = manifest.training or {}
        rates = record.get("rates") or {}
        form = (record.get("config") or {}).get("model") or {}
        same = _same_base(manifest.checkpoints.get(BASELINE), base)
        same = same and (record.get("dtype"), form.get("quantise", "none")) == (dtype, quantise)
        if same and rates.get("tflops_per_s") and rates["steps_counted"] >= FEWEST_STEPS:
            speed = Speed(
                flops_per_s=rates["tflops_per_s"] * 1e12,
                said=f"as in {rates['steps_counted']} steps of run {manifest.run_id}",
            )
            found.setdefault(device_name(str(record.get("device"))), speed)
    return found


def _same_base(then: Checkpoint | None, now: FoundConfig) -> bool:
    return then is not None and (then.name == now.name or (now.folder is not None and Path(then.path) == now.folder))


def assumed(peak: float | None, parameters: int) -> Speed | None:
    """A card's speed where nothing was measured; None for a small model, which leaves a card waiting."""
    if peak is None or parameters < ASSUMED_FROM:
        return None
    return Speed(flops_per_s=ASSUMED_MFU * peak, said=f"assumed: {ASSUMED_MFU:.0%} of the device's peak")


def seconds(work: Workload, speed: Speed) -> float:
    """Training and validations; loading the model is not in it."""
    return (work.flops + work.validation_flops) / speed.flops_per_s


def tokens_per_s(work: Workload, speed: Speed) -> float:
    """Tokens of the training rows by second at that speed."""
    return work.tokens / (work.flops / speed.flops_per_s)


def facts(work: Workload) -> dict[str, Any]:
    """What `--json` shows of it."""
    return {name: getattr(work, name) for name in work.__struct_fields__ if name not in ("largest", "longest")} | {
        "largest_pass_tokens": work.largest.tokens,
        "largest_pass_answers": work.largest.answers,
    }
