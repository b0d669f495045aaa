"""Base models by alias, folder, hub ID or known_models.toml, without their weights."""

from __future__ import annotations

import functools
from pathlib import Path
from typing import Any

import msgspec
from msgspec import Struct

from harness.checkpoints.model_files import CheckpointFolder
from harness.checkpoints.resolve import HUB_ID
from harness.errors import UserError
from training.model_checks import local_folder

SMALL_FILES = ["*.json", "*.jinja", "*.txt", "*.model"]


class Licence(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A licence of base models."""

    name: str
    """Name of the licence."""
    means: str
    """Its requirements for a business, in one line; no legal advice."""
    source: str
    """Address of its text."""


class Known(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Facts about one base model."""

    hub: str
    """Hub ID."""
    alias: str = ""
    """Alias in tunegate; empty if it has none."""
    licence: str
    """Key of the licence."""
    source: str
    """Address of the shapes."""
    licence_source: str
    """Address that states the model's licence."""
    config: dict[str, Any]
    """Fields of its config.json that shapes need."""


class KnownModels(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Contents of known_models.toml."""

    seen: str
    """Date on which the sources were read."""
    licence: dict[str, Licence]
    """By key."""
    support: dict[str, str]
    """Who serves an architecture, by model_type."""
    base: list[Known]
    """The models."""


class FoundConfig(Struct, frozen=True, kw_only=True):
    """The configuration of a base model, and where it was found."""

    name: str
    """Name that the user gave."""
    config: dict[str, Any]
    """config.json, or its fields in known_models.toml."""
    folder: Path | None
    """Folder with config.json and usually the tokenizer; None if only known_models.toml has the model."""
    known: Known | None
    """Its entry in known_models.toml."""


@functools.cache
def facts() -> KnownModels:
    """Read known_models.toml, once per process."""
    return msgspec.toml.decode((Path(__file__).parent / "known_models.toml").read_bytes(), type=KnownModels)


def known(text: str) -> Known | None:
    """Return the facts about a model by hub ID, its part after the slash, or alias."""
    name = text.lower()
    names = ((b, {b.hub.lower(), b.hub.lower().rpartition("/")[2], b.alias}) for b in facts().base)
    return next((b for b, model_names in names if name in model_names), None)


def find(text: str, reach_hub: bool = True) -> FoundConfig:
    """Return the base that `text` names; no weights are read or downloaded. Raises UserError for an unknown base."""
    entry = known(text)
    folder = local_folder(text) or (_from_hub(text) if reach_hub and HUB_ID.fullmatch(text) else None)
    if folder is not None:
        return FoundConfig(name=text, config=CheckpointFolder(folder).config, folder=folder.resolve(), known=entry)
    if entry is None:
        listed = ", ".join(b.hub for b in facts().base)
        raise UserError(
            f"{text}: no folder with config.json, and not found on the model hub. Name a folder, or one of: {listed}"
        )
    return FoundConfig(name=text, config=entry.config, folder=None, known=entry)


def _from_hub(text: str) -> Path | None:
    """Download the small files of a model from the hub; None where it cannot be reached."""
    try:
        from huggingface_hub import snapshot_download

        return Path(snapshot_download(text, allow_patterns=SMALL_FILES))
    except Exception:  # The hub client raises many kinds; known_models.toml is asked next.
        return None
