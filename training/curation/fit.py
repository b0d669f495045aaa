"""Finds rows that are longer than the training takes, by the tokens of the base model and the project's own rendering.

Loads the model's tokenizer and config.json, and no weight.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import Any

from harness.errors import UserError
from training.curation.findings import Check, Finding, Found
from training.curation.sample import Sample
from training.curation.settings import Settings
from training.curation.workers import spread
from training.data import cut_prompt

NO_BASE = "no base model is given, so tokens are not counted. Name one with --base"


@lru_cache(maxsize=2)
def _renderer(folder: str) -> Any:
    from harness.prompts import Renderer

    return Renderer(folder)


def _look(chats: Sequence[list[dict[str, str]]], folder: str, max_length: int) -> list[tuple[int, bool]]:
    """Tokens of every row, and whether its answer still fits where it is longer than `max_length`."""
    renderer = _renderer(folder)
    rows = []
    for chat in chats:
        ids, mask = renderer.training(chat)
        over = len(ids) - max_length
        rows.append((len(ids), over <= 0 or cut_prompt(ids, mask, over) is not None))
    return rows


def tokens(sample: Sample, settings: Settings) -> list[tuple[int, bool]]:
    """Tokens of every row and whether its answer fits; a base model that is no model is a UserError."""
    from training.model_checks import base_folder

    def make() -> list[tuple[int, bool]]:
        folder = base_folder(settings.base)
        most = _renderer(str(folder)).max_positions
        if settings.max_length > most:
            raise UserError(
                f"--max-length is {settings.max_length:,}; {settings.base} reads at most {most:,} tokens. "
                f"Set {most:,} or less"
            )
        return spread(_look, [row.chat for row in sample.rows], str(folder), settings.max_length)

    made: list[tuple[int, bool]] = sample.once("tokens", make)
    return made


def find_cut(sample: Sample, settings: Settings) -> Found:
    """Each row whose prompt a training would shorten."""
    if not settings.base:
        return Found(skipped=NO_BASE)
    findings = [
        Finding(
            row=index,
            reason=f"{count:,} tokens: {count - settings.max_length:,} of its prompt are left out by a training",
            quote=sample.quote(index),
        )
        for index, (count, fits) in enumerate(tokens(sample, settings))
        if fits and count > settings.max_length
    ]
    return Found(findings=findings, notes=[f"A row may have {settings.max_length:,} tokens (--max-length)."])


def find_refused(sample: Sample, settings: Settings) -> Found:
    """Each row that a training refuses, since its answer alone is too long."""
    if not settings.base:
        return Found(skipped=NO_BASE)
    findings = [
        Finding(
            row=index,
            reason=f"{count:,} tokens: its answer does not fit into {settings.max_length:,}, and a training refuses it",
            quote=sample.quote(index),
        )
        for index, (count, fits) in enumerate(tokens(sample, settings))
        if not fits
    ]
    return Found(findings=findings)


CUT = Check(
    name="long_prompts",
    says="Rows whose prompt is shortened to fit the longest length of a training.",
    action="flag",
    find=find_cut,
)
REFUSED = Check(
    name="long_answers",
    says="Rows whose answer does not fit, which a training refuses.",
    action="drop",
    find=find_refused,
)
